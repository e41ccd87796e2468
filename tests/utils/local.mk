# The house keeps its shape, and the tools can tell what they say.
TESTS += utils/check-floors %D%/test-check-floors %D%/test-test-driver %D%/test-measuring-tools
EXTRA_DIST += utils/check-floors %D%/test-check-floors %D%/test-test-driver %D%/test-measuring-tools
