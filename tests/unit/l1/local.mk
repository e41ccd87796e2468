if HAVE_CRITERION
check_PROGRAMS += test-l1
TESTS += test-l1
test_l1_SOURCES = %D%/test-near.c %D%/test-breaker.c %D%/test-url.c %D%/test-flight.c %D%/test-link.c
test_l1_CFLAGS = $(UNIT_CFLAGS) $(XXHASH_CFLAGS)
test_l1_LDADD = libl1.a $(CRITERION_LIBS)
endif

check_PROGRAMS += stress-l1
TESTS += stress-l1
stress_l1_SOURCES = %D%/stress-l1.c
stress_l1_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
stress_l1_LDADD = libl1.a
