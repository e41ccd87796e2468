noinst_LIBRARIES += libtype.a
libtype_a_SOURCES = \
  %D%/geohash.c %D%/geohash.h \
  %D%/home.c %D%/home.h \
  %D%/members.c %D%/members.h \
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
