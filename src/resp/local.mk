noinst_LIBRARIES += libresp.a
libresp_a_SOURCES = \
  %D%/quick.h \
  %D%/reader.c %D%/reader.h \
  %D%/reply.c %D%/reply.h \
  %D%/writer.c %D%/writer.h
