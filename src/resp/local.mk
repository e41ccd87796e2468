noinst_LIBRARIES += libresp.a
libresp_a_SOURCES = \
  %D%/reader.c %D%/reader.h \
  %D%/writer.c %D%/writer.h
