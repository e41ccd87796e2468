noinst_LIBRARIES += libtype.a
libtype_a_SOURCES = \
  %D%/geohash.c %D%/geohash.h \
  %D%/home.c %D%/home.h \
  %D%/members.c %D%/members.h \
  %D%/value.c %D%/value.h
