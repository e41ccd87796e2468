# Unit tests: one Criterion binary per folder of src, linked with the floors below it and no others.
AM_TESTS_ENVIRONMENT = top_builddir='$(abs_top_builddir)' top_srcdir='$(abs_top_srcdir)'; export top_builddir top_srcdir;
