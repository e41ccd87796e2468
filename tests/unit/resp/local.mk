if HAVE_CRITERION
check_PROGRAMS += test-resp
TESTS += test-resp
test_resp_SOURCES = \
  %D%/test-reader.c \
  %D%/test-reply.c \
  %D%/test-writer.c
test_resp_CFLAGS = $(UNIT_CFLAGS)
test_resp_LDADD = libresp.a libbase.a $(UNIT_LIBS)
endif
