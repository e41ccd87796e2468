noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
  %D%/agenda.c %D%/agenda.h \
  %D%/calendar.c %D%/calendar.h \
  %D%/capture.c %D%/capture.h %D%/captures.h \
  %D%/claim.c %D%/claim.h \
  %D%/compact.c \
  %D%/density.c %D%/density.h \
  %D%/duel.c %D%/duel.h \
  %D%/entry.c %D%/entry.h \
  %D%/evict.c \
  %D%/expire.c \
  %D%/graves.c %D%/graves.h \
  %D%/heads.c %D%/heads.h \
  %D%/holder.c %D%/holder.h \
  %D%/lag.c %D%/lag.h \
  %D%/layout.h \
  %D%/packed.c %D%/packed.h \
  %D%/page.c %D%/page.h \
  %D%/patrol.c %D%/patrol.h \
  %D%/policy.c %D%/policy.h \
  %D%/pool.c %D%/pool.h \
  %D%/rule.c %D%/rule.h %D%/rules.h \
  %D%/scan.c \
  %D%/segment.c %D%/segment.h \
  %D%/shortlist.c %D%/shortlist.h \
  %D%/sieve.c %D%/sieve.h \
  %D%/slab.c %D%/slab.h \
  %D%/store.c %D%/store.h %D%/stats.h %D%/inside.h %D%/tell.h \
  %D%/table.c %D%/table.h \
  %D%/view.c %D%/view.h \
  %D%/watch.h \
  %D%/walk.h \
  %D%/warm.c %D%/warm.h
