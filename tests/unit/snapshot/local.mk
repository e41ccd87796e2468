if HAVE_CRITERION
check_PROGRAMS += test-snapshot
TESTS += test-snapshot
test_snapshot_SOURCES = \
  %D%/describe.c %D%/describe.h \
  %D%/test-file.c \
  %D%/test-image.c \
  %D%/test-image-faults.c \
  %D%/image-twin.c %D%/image-twin.h \
  %D%/test-lzf.c \
  %D%/test-pack.c \
  %D%/test-tally.c \
  %D%/test-value.c \
  %D%/test-warmup.c \
  %D%/test-wire.c
test_snapshot_CFLAGS = $(UNIT_CFLAGS) -I$(srcdir)/%D%
test_snapshot_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(UNIT_LIBS)
endif
