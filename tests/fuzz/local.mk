# Each target is built twice over: with --enable-fuzz as a libFuzzer program (clang; run it by hand with tests/fuzz/NAME),
# else with driver.c, and then `make check` runs it on its corpus and on inputs made from that.
EXTRA_DIST += \
  %D%/reader/bad-count \
  %D%/reader/bad-length \
  %D%/reader/binary \
  %D%/reader/empty-and-negative \
  %D%/reader/inline \
  %D%/reader/many-arguments \
  %D%/reader/nobody \
  %D%/reader/not-a-bulk \
  %D%/reader/pipeline \
  %D%/reader/promise \
  %D%/reader/set-long \
  %D%/reader/tight \
  %D%/reader/unbalanced

FUZZ_LIBS = $(UV_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(SYSTEMD_LIBS) $(JEMALLOC_LIBS) -lm
check_PROGRAMS += fuzz-reader
fuzz_reader_SOURCES = %D%/fuzz-reader.c
fuzz_reader_LDADD = libresp.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_reader_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_reader_SOURCES += %D%/driver.c
TESTS += fuzz-reader
endif

EXTRA_DIST += \
  %D%/conf/empty-words \
  %D%/conf/forms \
  %D%/conf/lists \
  %D%/conf/older \
  %D%/conf/plain \
  %D%/conf/quotes \
  %D%/conf/set-limit \
  %D%/conf/set-number \
  %D%/conf/set-word \
  %D%/conf/spaces \
  %D%/conf/unbalanced \
  %D%/conf/unknown

check_PROGRAMS += fuzz-conf
fuzz_conf_SOURCES = %D%/fuzz-conf.c
fuzz_conf_LDADD = libserver.a libcommand.a libsnapshot.a libstore.a libnet.a libtype.a libresp.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_conf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_conf_SOURCES += %D%/driver.c
TESTS += fuzz-conf
endif

EXTRA_DIST += \
  %D%/list/alike \
  %D%/list/depth \
  %D%/list/everything \
  %D%/list/grows \
  %D%/list/long \
  %D%/list/packed \
  %D%/list/sized

check_PROGRAMS += fuzz-list
fuzz_list_SOURCES = %D%/fuzz-list.c tests/unit/type/list-twin.c
fuzz_list_LDADD = libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_list_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_list_SOURCES += %D%/driver.c
TESTS += fuzz-list
endif

EXTRA_DIST += \
  %D%/hash/empty-field \
  %D%/hash/grow-and-shrink \
  %D%/hash/limits \
  %D%/hash/long-field \
  %D%/hash/long-value \
  %D%/hash/many \
  %D%/hash/many-timed \
  %D%/hash/mixed \
  %D%/hash/one \
  %D%/hash/timed \
  %D%/hash/timed-late

check_PROGRAMS += fuzz-hash
fuzz_hash_SOURCES = %D%/fuzz-hash.c
fuzz_hash_LDADD = libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_hash_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_hash_SOURCES += %D%/driver.c
TESTS += fuzz-hash
endif

EXTRA_DIST += \
  %D%/set/a-word-comes \
  %D%/set/expected \
  %D%/set/integers \
  %D%/set/long-ones \
  %D%/set/many-wide \
  %D%/set/to-a-hash \
  %D%/set/words

check_PROGRAMS += fuzz-set
fuzz_set_SOURCES = %D%/fuzz-set.c
fuzz_set_LDADD = libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_set_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_set_SOURCES += %D%/driver.c
TESTS += fuzz-set
endif

EXTRA_DIST += \
  %D%/restore/hash \
  %D%/restore/hash-fields \
  %D%/restore/hash-fields-old \
  %D%/restore/hash-fields-packed \
  %D%/restore/hash-packed \
  %D%/restore/hash-ziplist \
  %D%/restore/list \
  %D%/restore/list-nodes \
  %D%/restore/list-plain \
  %D%/restore/list-ziplist \
  %D%/restore/quicklist \
  %D%/restore/quicklist-2 \
  %D%/restore/set \
  %D%/restore/set-integers \
  %D%/restore/set-listpack \
  %D%/restore/string \
  %D%/restore/string-integer \
  %D%/restore/string-packed \
  %D%/restore/zipmap \
  %D%/restore/zset \
  %D%/restore/zset-packed \
  %D%/restore/zset-text \
  %D%/restore/zset-ziplist

check_PROGRAMS += fuzz-restore
fuzz_restore_SOURCES = %D%/fuzz-restore.c %D%/sound.h
fuzz_restore_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_restore_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_restore_SOURCES += %D%/driver.c
TESTS += fuzz-restore
endif

EXTRA_DIST += \
  %D%/zset/conditions \
  %D%/zset/equal-scores \
  %D%/zset/grows-up \
  %D%/zset/large \
  %D%/zset/long-members \
  %D%/zset/packed \
  %D%/zset/queue

check_PROGRAMS += fuzz-zset
fuzz_zset_SOURCES = %D%/fuzz-zset.c
fuzz_zset_LDADD = libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_zset_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_zset_SOURCES += %D%/driver.c
TESTS += fuzz-zset
endif

EXTRA_DIST += \
  %D%/snapshot/file-databases \
  %D%/snapshot/file-hash \
  %D%/snapshot/file-list \
  %D%/snapshot/file-set-integers \
  %D%/snapshot/file-set-words \
  %D%/snapshot/file-strings \
  %D%/snapshot/file-zset \
  %D%/snapshot/pieces-hash \
  %D%/snapshot/pieces-list \
  %D%/snapshot/pieces-string \
  %D%/snapshot/pieces-zset \
  %D%/snapshot/records-databases \
  %D%/snapshot/records-hash \
  %D%/snapshot/records-set-integers \
  %D%/snapshot/records-set-words \
  %D%/snapshot/records-zset

check_PROGRAMS += fuzz-snapshot
fuzz_snapshot_SOURCES = %D%/fuzz-snapshot.c %D%/sound.h
fuzz_snapshot_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_snapshot_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_snapshot_SOURCES += %D%/driver.c
TESTS += fuzz-snapshot
endif

EXTRA_DIST += \
  %D%/rdb/databases \
  %D%/rdb/frequency \
  %D%/rdb/functions \
  %D%/rdb/hash \
  %D%/rdb/list \
  %D%/rdb/modules \
  %D%/rdb/old \
  %D%/rdb/plain-forms \
  %D%/rdb/set-integers \
  %D%/rdb/set-words \
  %D%/rdb/stream \
  %D%/rdb/strings \
  %D%/rdb/valkey \
  %D%/rdb/zset

check_PROGRAMS += fuzz-rdb
fuzz_rdb_SOURCES = %D%/fuzz-rdb.c %D%/sound.h
fuzz_rdb_LDADD = libsnapshot.a libstore.a libtype.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_rdb_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_rdb_SOURCES += %D%/driver.c
TESTS += fuzz-rdb
endif

EXTRA_DIST += \
  %D%/reply/broken \
  %D%/reply/kinds \
  %D%/reply/nested \
  %D%/reply/push

check_PROGRAMS += fuzz-reply
fuzz_reply_SOURCES = %D%/fuzz-reply.c
fuzz_reply_LDADD = libresp.a libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_reply_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_reply_SOURCES += %D%/driver.c
TESTS += fuzz-reply
endif

EXTRA_DIST += \
  %D%/deltas/dense \
  %D%/deltas/few \
  %D%/deltas/numbers \
  %D%/deltas/promise \
  %D%/deltas/set \
  %D%/deltas/wide

check_PROGRAMS += fuzz-deltas
fuzz_deltas_SOURCES = %D%/fuzz-deltas.c
fuzz_deltas_LDADD = libbase.a $(FUZZ_LIBS)
if FUZZ
fuzz_deltas_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_deltas_SOURCES += %D%/driver.c
TESTS += fuzz-deltas
endif
