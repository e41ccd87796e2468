noinst_LIBRARIES += libtype.a
libtype_a_SOURCES = \
  %D%/geohash.c %D%/geohash.h \
  %D%/hash.c %D%/hash.h \
  %D%/hll.c %D%/hll.h \
  %D%/home.c %D%/home.h \
  %D%/intset.c %D%/intset.h \
  %D%/list.c %D%/list.h \
  %D%/list_chunk.c %D%/list_chunk.h \
  %D%/list_large.c %D%/list_large.h \
  %D%/list_pack.c %D%/list_pack.h \
  %D%/list_sift.c %D%/list_sift.h \
  %D%/list_spine.c %D%/list_spine.h \
  %D%/list_walk.c \
  %D%/members.c %D%/members.h \
  %D%/members_inside.h \
  %D%/members_record.h \
  %D%/members_walk.c \
  %D%/set.c %D%/set.h \
  %D%/value.c %D%/value.h \
  %D%/zset.c %D%/zset.h \
  %D%/zset_grow.h \
  %D%/zset_index.c %D%/zset_index.h \
  %D%/zset_packed.h \
  %D%/zset_record.c %D%/zset_record.h \
  %D%/zset_slots.c %D%/zset_slots.h \
  %D%/zset_tree.c %D%/zset_tree.h \
  %D%/zset_tree_cut.c \
  %D%/zset_tree_whole.c \
  %D%/zset_walk.c
