noinst_LIBRARIES += libsnapshot.a
libsnapshot_a_SOURCES = \
  %D%/file.h \
  %D%/heat.h \
  %D%/image_writer.h \
  %D%/rdb.h \
  %D%/rdb_listpack.c \
  %D%/rdb_load.c \
  %D%/rdb_pack.h \
  %D%/rdb_reader.c \
  %D%/rdb_save.c \
  %D%/rdb_wire.h \
  %D%/rdb_writer.c \
  %D%/rdb_ziplist.c \
  %D%/record.h
