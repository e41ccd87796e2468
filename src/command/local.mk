noinst_LIBRARIES += libcommand.a
libcommand_a_SOURCES = \
  %D%/account.c %D%/account.h \
  %D%/admin.h \
  %D%/admit.c %D%/admit.h \
  %D%/batch.c %D%/batch.h \
  %D%/bitfield.c \
  %D%/bitmap.c %D%/bitmap.h \
  %D%/blocking.c \
  %D%/cache.c %D%/cache.h \
  %D%/call.c %D%/call.h \
  %D%/changes.c %D%/changes.h \
  %D%/client.c \
  %D%/clients.c %D%/clients.h \
  %D%/collection.c %D%/collection.h \
  %D%/command.c %D%/command.h \
  %D%/config.c \
  %D%/connection.c \
  %D%/cursor.c %D%/cursor.h \
  %D%/debug.c \
  %D%/describe.c \
  %D%/dispatch.c %D%/dispatch.h \
  %D%/docs.c \
  %D%/digest.c %D%/digest.h \
  %D%/dump.c \
  %D%/env.c %D%/env.h \
  %D%/errors.c %D%/errors.h \
  %D%/events.c %D%/events.h \
  %D%/expiry.c \
  %D%/figures.c %D%/figures.h \
  %D%/feed.c %D%/feed.h \
  %D%/feed_frame.c %D%/feed_frame.h \
  %D%/feed_sieve.c %D%/feed_sieve.h \
  %D%/feed_wish.c %D%/feed_wish.h \
  %D%/feed_ring.c %D%/feed_ring.h \
  %D%/fetch.c %D%/fetch.h \
  %D%/geo.c %D%/geo.h \
  %D%/geo_search.c \
  %D%/hash.c \
  %D%/hash_field_ex.c \
  %D%/hash_field_ttl.c \
  %D%/hash_random.c \
  %D%/hash_walk.c \
  %D%/hashes.h \
  %D%/hll.c %D%/hll.h \
  %D%/hll_debug.c \
  %D%/info.c \
  %D%/introspect.c %D%/introspect.h \
  %D%/keys.c \
  %D%/keyspace.c %D%/keyspace.h \
  %D%/lane.c %D%/lane.h \
  %D%/latency.c %D%/latency.h \
  %D%/lcs.c \
  %D%/lease.c %D%/lease.h \
  %D%/list.c \
  %D%/list_search.c \
  %D%/lists.h \
  %D%/mail.c %D%/mail.h \
  %D%/memory.c \
  %D%/monitor.c %D%/monitor.h \
  %D%/notify.c %D%/notify.h \
  %D%/owing.c %D%/owing.h \
  %D%/pack.c %D%/pack.h \
  %D%/persist.c %D%/persist.h \
  %D%/pubsub.c %D%/pubsub.h \
  %D%/push.c %D%/push.h \
  %D%/reach.c %D%/reach.h \
  %D%/redact.c %D%/redact.h \
  %D%/reload.c \
  %D%/roster.c %D%/roster.h \
  %D%/room.c %D%/room.h \
  %D%/run.c %D%/run.h \
  %D%/scan.c \
  %D%/server.c \
  %D%/session.c %D%/session.h \
  %D%/set.c \
  %D%/set_algebra.c \
  %D%/set_random.c \
  %D%/sets.h \
  %D%/shutdown.c \
  %D%/slowlog.c %D%/slowlog.h \
  %D%/sort.c %D%/sort.h \
  %D%/sort_run.c \
  %D%/stale.c %D%/stale.h \
  %D%/string.c \
  %D%/string_edit.c \
  %D%/string_number.c \
  %D%/strings.h \
  %D%/thaw.c %D%/thaw.h \
  %D%/topic.c %D%/topic.h \
  %D%/track_client.c \
  %D%/track_table.c %D%/track_table.h \
  %D%/track_told.c %D%/track_told.h \
  %D%/tracking.c %D%/tracking.h \
  %D%/version.h \
  %D%/wait.c %D%/wait.h \
  %D%/warming.c %D%/warming.h \
  %D%/work.c %D%/work.h \
  %D%/zset.c \
  %D%/zset_algebra.c \
  %D%/zset_pop.c \
  %D%/zset_range.c \
  %D%/zset_rows.c \
  %D%/zsets.h
