dist_man_MANS = %D%/larderd.8 %D%/larder-cache.7 %D%/larder.conf.5 %D%/larder.3 %D%/larder-snap.1
EXTRA_DIST += %D%/snapshot-format.md
