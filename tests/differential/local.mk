TESTS += %D%/run %D%/move
EXTRA_DIST += %D%/run %D%/move %D%/generate.py %D%/normalise.py %D%/waiting.py %D%/wanted.txt %D%/cases/README \
  %D%/cases/dump.txt %D%/cases/strings.txt %D%/cases/numbers.txt %D%/cases/keys.txt %D%/cases/expiry.txt %D%/cases/scan.txt \
  %D%/cases/connection.txt %D%/cases/server.txt %D%/cases/command.txt %D%/cases/config.txt %D%/cases/protocol.txt \
  %D%/cases/bitmaps.txt %D%/cases/blocking.txt %D%/cases/hashes.txt %D%/cases/hll.txt %D%/cases/lists.txt %D%/cases/sets.txt \
  %D%/cases/zsets.txt
