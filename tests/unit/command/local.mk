if HAVE_CRITERION
check_PROGRAMS += test-command
TESTS += test-command
test_command_SOURCES = \
  tests/command/loopback.c tests/command/loopback.h \
  %D%/fixture.h \
  %D%/test-dispatch.c \
  %D%/test-env.c \
  %D%/test-invalidate.c \
  %D%/test-keys.c \
  %D%/test-lease.c \
  %D%/test-limit.c \
  %D%/test-list.c \
  %D%/test-lookup.c \
  %D%/test-set.c \
  %D%/test-wait.c \
  %D%/test-walk.c
test_command_CFLAGS = $(UNIT_CFLAGS)
test_command_LDADD = libcommand.a libsnapshot.a libstore.a libtype.a libresp.a libbase.a $(UNIT_LIBS)
endif

check_PROGRAMS += stress-wait
TESTS += stress-wait
stress_wait_SOURCES = %D%/lanes.c %D%/lanes.h %D%/stress-wait.c
stress_wait_LDADD = libcommand.a libsnapshot.a libstore.a libtype.a libresp.a libbase.a $(UNIT_LIBS)

check_PROGRAMS += stress-restore
TESTS += stress-restore
stress_restore_SOURCES = %D%/lanes.c %D%/lanes.h %D%/stress-restore.c
stress_restore_LDADD = libcommand.a libsnapshot.a libstore.a libtype.a libresp.a libbase.a $(UNIT_LIBS)
