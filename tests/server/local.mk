# A real larderd in a temporary folder: see larder.py.
TESTS += %D%/run %D%/run-data %D%/run-faults %D%/run-warm
EXTRA_DIST += %D%/run %D%/run-data %D%/run-faults %D%/run-warm %D%/larder.py %D%/native.py %D%/faults.c \
  %D%/test_background.py %D%/test_blocking.py %D%/test_compression.py %D%/test_connections.py %D%/test_dump.py \
  %D%/test_events.py %D%/test_eviction.py %D%/test_faults.py \
  %D%/test_feed.py %D%/test_hashes.py %D%/test_limits.py %D%/test_process.py \
  %D%/test_protocol.py %D%/test_saving.py %D%/test_sizes.py %D%/test_sockets.py \
  %D%/test_together.py %D%/test_warming.py
