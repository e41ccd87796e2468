# The conf's own: samples, manual page, directives of Redis.
TESTS += %D%/sample %D%/directives %D%/daemon %D%/pages
EXTRA_DIST += %D%/sample %D%/directives %D%/daemon %D%/pages %D%/redis-7.2.conf %D%/redis-other.conf
