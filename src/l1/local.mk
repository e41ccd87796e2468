# liblarder: what is made for a process of somebody else. All of it is compiled by itself, position-independent and with nothing
# seen from outside; of base and resp it takes what it needs, with mem_plain.c in place of the daemon's mem.c.
noinst_LIBRARIES += libl1.a
libl1_a_SOURCES = \
  %D%/backlog.c %D%/backlog.h %D%/behind.c %D%/behind.h %D%/breaker.c %D%/breaker.h \
  %D%/call.c %D%/command.c %D%/flight.c %D%/flight.h %D%/heard.c %D%/heard.h %D%/inside.h %D%/keeper.c %D%/keeper.h \
  %D%/larder.c %D%/lease.c %D%/lease.h %D%/leasing.c %D%/link.c %D%/link.h \
  %D%/near.c %D%/near.h %D%/near_find.h %D%/near_hashed.c %D%/near_inside.h %D%/near_queue.c %D%/near_reclaim.c %D%/near_rule.c %D%/near_table.c %D%/near_table.h \
  %D%/pool.c %D%/pool.h %D%/read.c %D%/stats.c %D%/trouble.c %D%/trouble.h %D%/url.c %D%/url.h %D%/value.c %D%/watch.c %D%/watch.h %D%/write.c \
  src/base/buf.c src/base/chain.c src/base/clock.c src/base/deltas.c src/base/hist.c src/base/match.c src/base/mem_plain.c src/base/num.c src/base/thread.c \
  src/resp/reply.c src/resp/writer.c
libl1_a_CFLAGS = -std=c11 $(WARN) $(SAN) $(XXHASH_CFLAGS) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -pthread

# The first number changes when a program that was linked before no longer works.
L1_SONAME = liblarder.so.0
L1_FILE = $(L1_SONAME).1.0
include_HEADERS = %D%/larder.h
pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = %D%/liblarder.pc
CLEANFILES += $(L1_FILE) $(L1_SONAME) liblarder.so
EXTRA_DIST += %D%/larder.map %D%/liblarder.pc.in
all-local: $(L1_FILE)

$(L1_FILE): libl1.a $(srcdir)/%D%/larder.map
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -shared -pthread -Wl,-soname,$(L1_SONAME) -Wl,--version-script,$(srcdir)/%D%/larder.map \
	  $(L1_DEFS) -Wl,-z,relro,-z,now $(L1_LDFLAGS) -Wl,--gc-sections -Wl,--whole-archive libl1.a -Wl,--no-whole-archive -o $@
	$(AM_V_at)ln -sf $(L1_FILE) $(L1_SONAME) && ln -sf $(L1_SONAME) liblarder.so

install-exec-hook:
	$(MKDIR_P) '$(DESTDIR)$(libdir)'
	$(INSTALL_PROGRAM) $(L1_FILE) '$(DESTDIR)$(libdir)'
	ln -sf $(L1_FILE) '$(DESTDIR)$(libdir)/$(L1_SONAME)'
	ln -sf $(L1_SONAME) '$(DESTDIR)$(libdir)/liblarder.so'

uninstall-hook: uninstall-l1
.PHONY: uninstall-l1
uninstall-l1:
	rm -f '$(DESTDIR)$(libdir)/$(L1_FILE)' '$(DESTDIR)$(libdir)/$(L1_SONAME)' '$(DESTDIR)$(libdir)/liblarder.so'
