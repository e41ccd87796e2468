noinst_LIBRARIES += libsnapshot.a
libsnapshot_a_SOURCES = \
  %D%/allowance.h \
  %D%/file.c \
  %D%/file.h \
  %D%/heat.c \
  %D%/heat.h \
  %D%/image_inside.h \
  %D%/image_native.c \
  %D%/image_rdb.c \
  %D%/image_reader.c %D%/image_reader.h \
  %D%/image_writer.c \
  %D%/image_writer.h \
  %D%/native.c \
  %D%/native.h \
  %D%/rdb.h \
  %D%/rdb_file.c %D%/rdb_file.h \
  %D%/rdb_foreign.c %D%/rdb_foreign.h \
  %D%/rdb_listpack.c \
  %D%/rdb_load.c \
  %D%/rdb_lzf.c %D%/rdb_lzf.h \
  %D%/rdb_pack.h \
  %D%/rdb_reader.c \
  %D%/rdb_save.c \
  %D%/rdb_wire.h \
  %D%/rdb_writer.c \
  %D%/rdb_ziplist.c \
  %D%/record.h \
  %D%/record_read.c \
  %D%/record_write.c \
  %D%/saver.c %D%/saver.h \
  %D%/warmup.c %D%/warmup.h %D%/warmup_inside.h \
  %D%/warmup_hand.c \
  %D%/warmup_native.c \
  %D%/warmup_rdb.c
