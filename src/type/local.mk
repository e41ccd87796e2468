noinst_LIBRARIES += libtype.a
libtype_a_SOURCES = \
  %D%/value.c %D%/value.h
