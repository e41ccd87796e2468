EXTRA_DIST += utils/setup utils/run utils/check
