if HAVE_CRITERION
check_PROGRAMS += test-snapshot
TESTS += test-snapshot
test_snapshot_SOURCES = \
  %D%/test-pack.c \
  %D%/test-value.c \
  %D%/test-wire.c
test_snapshot_CFLAGS = $(UNIT_CFLAGS)
test_snapshot_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(UNIT_LIBS)
endif
