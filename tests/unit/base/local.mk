if HAVE_CRITERION
check_PROGRAMS += test-base
TESTS += test-base
test_base_SOURCES = \
  %D%/test-bits.c \
  %D%/test-buf.c \
  %D%/test-chain.c \
  %D%/test-clock.c \
  %D%/test-deltas.c \
  %D%/test-hist.c \
  %D%/test-log.c \
  %D%/test-match.c \
  %D%/test-mem.c \
  %D%/test-num.c \
  %D%/test-option.c \
  %D%/test-thread.c
test_base_CFLAGS = $(UNIT_CFLAGS)
test_base_LDADD = libbase.a $(UNIT_LIBS)
endif

check_PROGRAMS += stress-base
TESTS += stress-base
stress_base_SOURCES = %D%/stress-base.c
stress_base_LDADD = libbase.a $(UNIT_LIBS)
