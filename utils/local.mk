# What larder-bench and larder-replay drive; not installed.
noinst_PROGRAMS += bench-load bench-replay
bench_load_SOURCES = %D%/bench/load.c %D%/bench/address.c %D%/bench/address.h
bench_replay_SOURCES = %D%/bench/replay.c %D%/bench/address.c %D%/bench/address.h

EXTRA_DIST += %D%/build %D%/setup %D%/run %D%/check %D%/larder-bench %D%/larder-replay %D%/lib/collections_bench.py %D%/lib/resp.py %D%/lib/servers.py
