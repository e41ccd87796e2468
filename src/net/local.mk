noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
  %D%/listen.c %D%/listen.h \
  %D%/loop.c %D%/loop.h \
  %D%/stream.c %D%/stream.h
