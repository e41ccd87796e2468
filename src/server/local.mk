noinst_LIBRARIES += libserver.a
libserver_a_SOURCES = \
  %D%/conf.c %D%/conf.h \
  %D%/conn.c %D%/conn.h \
  %D%/crash.c %D%/crash.h \
  %D%/cron.c %D%/cron.h \
  %D%/host.c \
  %D%/notify.c %D%/notify.h \
  %D%/process.c %D%/process.h \
  %D%/rewrite.c \
  %D%/server.c %D%/server.h \
  %D%/sample.c \
  %D%/settings.c %D%/settings.h \
  %D%/settings_form.c \
  %D%/settings_rows.c \
  %D%/settings_snapshot.c \
  %D%/settings_unused.c \
  %D%/settings_warm.c \
  %D%/sockets.c \
  %D%/worker.c %D%/worker.h

bin_PROGRAMS += larderd
larderd_SOURCES = %D%/main.c
larderd_LDFLAGS = $(AM_LDFLAGS) $(LTO_LINK)
larderd_LDADD = libserver.a libcommand.a libsnapshot.a libstore.a libnet.a libtype.a libresp.a libbase.a \
  $(UV_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LZF_LIBS) $(ISAL_LIBS) $(MD_LIBS) $(SYSTEMD_LIBS) $(JEMALLOC_LIBS) -lm
