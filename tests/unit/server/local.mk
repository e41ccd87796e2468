if HAVE_CRITERION
check_PROGRAMS += test-server
TESTS += test-server
test_server_SOURCES = \
  %D%/test-conf.c \
  %D%/test-rewrite.c \
  %D%/test-settings.c
test_server_CFLAGS = $(UNIT_CFLAGS)
test_server_LDADD = libserver.a libcommand.a libsnapshot.a libstore.a libnet.a libtype.a libresp.a libbase.a $(UNIT_LIBS)
endif
