# liblarder in processes of its own, beside real daemons.
check_PROGRAMS += l1-agent
l1_agent_SOURCES = %D%/agent.c %D%/versions.h
l1_agent_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/l1
l1_agent_CFLAGS = $(AM_CFLAGS)
l1_agent_LDADD = libl1.a
TESTS += %D%/run
EXTRA_DIST += %D%/run %D%/agent.py %D%/fake.py %D%/test_larder.py %D%/test_examples.py %D%/test_faults.py %D%/test_hashed.py %D%/test_package.py %D%/cxx.cpp

check_PROGRAMS += example-service
example_service_SOURCES = utils/examples/service.c
example_service_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/l1
example_service_LDADD = libl1.a
EXTRA_DIST += utils/examples/README.md utils/examples/node/addon.c utils/examples/node/build utils/examples/node/index.d.ts utils/examples/node/index.js \
  utils/examples/node/package.json utils/examples/node/server.js utils/examples/node/test.js
