# The house keeps its shape, and the tool that says so can tell.
TESTS += utils/check-floors %D%/test-check-floors %D%/test-test-driver
EXTRA_DIST += utils/check-floors %D%/test-check-floors %D%/test-test-driver
