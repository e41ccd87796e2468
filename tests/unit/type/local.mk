if HAVE_CRITERION
check_PROGRAMS += test-type
TESTS += test-type
test_type_SOURCES = \
  %D%/list-twin.c %D%/list-twin.h \
  %D%/test-geohash.c \
  %D%/test-hash.c \
  %D%/test-hll.c \
  %D%/test-intset.c \
  %D%/test-list.c \
  %D%/test-members.c \
  %D%/test-set.c \
  %D%/test-zset.c
test_type_CFLAGS = $(UNIT_CFLAGS)
test_type_LDADD = libtype.a libbase.a $(UNIT_LIBS)
endif
