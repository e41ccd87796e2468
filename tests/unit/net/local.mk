if HAVE_CRITERION
check_PROGRAMS += test-net
TESTS += test-net
test_net_SOURCES = %D%/test-loop.c %D%/test-stream.c %D%/test-listen.c
test_net_CFLAGS = $(UNIT_CFLAGS)
test_net_LDADD = libnet.a libbase.a $(UNIT_LIBS)
endif
