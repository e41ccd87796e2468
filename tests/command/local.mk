# Transcripts: every *.txt here, run through sessions with no socket, whole and then byte by byte.
check_PROGRAMS += tests/command/run
TESTS += tests/command/run
tests_command_run_SOURCES = %D%/run.c %D%/loopback.c %D%/loopback.h %D%/render.c %D%/render.h
tests_command_run_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/command
tests_command_run_LDADD = libserver.a libcommand.a libsnapshot.a libstore.a libnet.a libtype.a libresp.a libbase.a \
  $(UV_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(SYSTEMD_LIBS) $(JEMALLOC_LIBS) -lm
EXTRA_DIST += %D%/README.md $(wildcard $(top_srcdir)/tests/command/*.txt)
