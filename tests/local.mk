# Tests are programs: exit 0 is passed, 77 skipped, anything else failed; `make check` runs all of TESTS.
# What a test counts inside (TAP, or a last line "N passed, N failed") is counted too: see utils/test-driver.
# Each runs with top_builddir and top_srcdir (absolute) in its environment, and larderd built.
#
# A unit test is one Criterion binary per folder of src, linked with the floors below it and no others:
#
#   if HAVE_CRITERION
#   check_PROGRAMS += test-NAME
#   TESTS += test-NAME
#   test_NAME_SOURCES = %D%/test-one.c %D%/test-two.c
#   test_NAME_CFLAGS = $(UNIT_CFLAGS)
#   test_NAME_LDADD = libNAME.a libbase.a $(UNIT_LIBS)
#   endif
#
# A script: `TESTS += %D%/run`, and `EXTRA_DIST += %D%/run` with whatever it reads, each file named (the names also end up
# in the tarball that `make distcheck` builds from).
AM_TESTS_ENVIRONMENT = \
  top_builddir='$(abs_top_builddir)'; top_srcdir='$(abs_top_srcdir)'; CRITERION_ENABLE_TAP=1; \
  LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0'; \
  export top_builddir top_srcdir CRITERION_ENABLE_TAP LSAN_OPTIONS;
LOG_DRIVER = $(SHELL) $(top_srcdir)/utils/test-driver
EXTRA_DIST += utils/test-driver utils/test-failures %D%/lsan.supp

# For utils/check, which builds and runs a part of them in most of its stages.
.PHONY: list-tests list-check-programs
list-tests:
	@echo $(TESTS)
list-check-programs:
	@echo $(check_PROGRAMS)

# Criterion's macros make functions that nobody declares.
UNIT_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes $(CRITERION_CFLAGS)
UNIT_LIBS = $(CRITERION_LIBS) $(UV_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(SYSTEMD_LIBS) $(JEMALLOC_LIBS) -lm

include %D%/unit/base/local.mk
include %D%/unit/resp/local.mk
include %D%/unit/type/local.mk
include %D%/unit/l1/local.mk
include %D%/unit/net/local.mk
include %D%/unit/store/local.mk
include %D%/unit/snapshot/local.mk
include %D%/unit/command/local.mk
include %D%/unit/server/local.mk
include %D%/command/local.mk
include %D%/conf/local.mk
include %D%/server/local.mk
include %D%/l1/local.mk
include %D%/fuzz/local.mk
include %D%/utils/local.mk
include %D%/differential/local.mk
include %D%/client/local.mk
