if HAVE_CRITERION
check_PROGRAMS += test-store
TESTS += test-store
test_store_SOURCES = \
  %D%/fixture.h \
  %D%/test-agenda.c %D%/test-calendar.c %D%/test-capture.c %D%/test-claim.c %D%/test-density.c %D%/test-duel.c %D%/test-entry.c \
  %D%/test-expire-inside.c \
  %D%/test-heads.c \
  %D%/test-holder.c \
  %D%/test-memory.c \
  %D%/test-packed.c \
  %D%/test-patrol.c \
  %D%/test-policy.c \
  %D%/test-pool.c \
  %D%/test-reserve.c \
  %D%/test-rule.c \
  %D%/test-segment.c \
  %D%/test-shortlist.c \
  %D%/test-sieve.c \
  %D%/test-slab.c \
  %D%/test-store.c \
  %D%/test-warm.c
test_store_CFLAGS = $(UNIT_CFLAGS)
test_store_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)
endif

check_PROGRAMS += stress-store
TESTS += stress-store
stress_store_SOURCES = %D%/stress-store.c
stress_store_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)

check_PROGRAMS += stress-rule
TESTS += stress-rule
stress_rule_SOURCES = %D%/stress-rule.c
stress_rule_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)

check_PROGRAMS += stress-capture
TESTS += stress-capture
stress_capture_SOURCES = %D%/stress-capture.c
stress_capture_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)

check_PROGRAMS += stress-warm
TESTS += stress-warm
stress_warm_SOURCES = %D%/stress-warm.c
stress_warm_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)

check_PROGRAMS += stress-invalidate
TESTS += stress-invalidate
stress_invalidate_SOURCES = %D%/stress-invalidate.c
stress_invalidate_LDADD = libstore.a libtype.a libbase.a $(UNIT_LIBS)
