# What larder-bench and larder-replay drive; not installed.
noinst_PROGRAMS += bench-listen bench-load bench-loads bench-policies bench-replay bench-slices
bench_listen_SOURCES = %D%/bench/listen.c %D%/bench/address.c %D%/bench/address.h
bench_load_SOURCES = %D%/bench/load.c %D%/bench/address.c %D%/bench/address.h
bench_loads_SOURCES = %D%/bench/loads.c
bench_loads_LDADD = -lm
bench_policies_SOURCES = %D%/bench/policies.c %D%/bench/trace.c %D%/bench/trace.h
bench_policies_LDADD = libstore.a libtype.a libbase.a $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(JEMALLOC_LIBS) -lm
bench_slices_SOURCES = %D%/bench/slices.c
bench_slices_LDADD = $(bench_policies_LDADD)
bench_replay_SOURCES = %D%/bench/replay.c %D%/bench/address.c %D%/bench/address.h %D%/bench/trace.c %D%/bench/trace.h

EXTRA_DIST += \
  %D%/bench/clock.c \
  %D%/build %D%/setup %D%/run %D%/check \
  %D%/larder-bench %D%/larder-loads %D%/larder-replay \
  %D%/lib/cache_bench.py \
  %D%/lib/callgrind.py \
  %D%/lib/collections_bench.py \
  %D%/lib/feed_bench.py \
  %D%/lib/near_bench.py \
  %D%/lib/resp.py \
  %D%/lib/servers.py \
  %D%/lib/snapshot_bench.py

# The figures of liblarder, inside and outside of it.
noinst_PROGRAMS += bench-l1
bench_l1_SOURCES = %D%/bench/l1.c %D%/bench/l1.h %D%/bench/l1_evict.c %D%/bench/l1_hits.c %D%/bench/l1_server.c %D%/bench/trace.c %D%/bench/trace.h
bench_l1_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
bench_l1_LDADD = libl1.a -lm

bin_PROGRAMS += larder-snap
larder_snap_SOURCES = %D%/snap/main.c %D%/snap/inspect.c %D%/snap/inspect.h %D%/snap/inspect_inside.h \
  %D%/snap/inspect_json.c %D%/snap/json.c %D%/snap/json.h %D%/snap/source.c %D%/snap/source.h
larder_snap_CFLAGS = $(AM_CFLAGS)
larder_snap_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(JEMALLOC_LIBS) -lm
