TESTS += %D%/run
EXTRA_DIST += %D%/run %D%/applications.js %D%/applications.py %D%/redis-py.py %D%/cases.js %D%/ioredis.js %D%/node-redis.js %D%/listening.js %D%/listening.py \
  %D%/stories.py %D%/tools.py %D%/package.json %D%/package-lock.json %D%/.npmrc
