TESTS += %D%/run %D%/compressed %D%/dump %D%/move
EXTRA_DIST += %D%/run %D%/compressed %D%/dump %D%/move %D%/events.py %D%/generate.py %D%/generate_types.py %D%/normalise.py %D%/waiting.py %D%/wanted.txt \
  $(wildcard $(top_srcdir)/tests/differential/cases/*)
