noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
  %D%/bits.c %D%/bits.h \
  %D%/buf.c %D%/buf.h \
  %D%/chain.c %D%/chain.h \
  %D%/clock.c %D%/clock.h \
  %D%/deltas.c %D%/deltas.h \
  %D%/hash.h \
  %D%/hist.c %D%/hist.h \
  %D%/log.c %D%/log.h \
  %D%/match.c %D%/match.h \
  %D%/mem.c %D%/mem.h \
  %D%/num.c %D%/num.h \
  %D%/option.c %D%/option.h \
  %D%/quad.h \
  %D%/sha1.c %D%/sha1.h \
  %D%/slice.h \
  %D%/squeeze.c %D%/squeeze.h \
  %D%/thread.c %D%/thread.h \
  %D%/varint.h
