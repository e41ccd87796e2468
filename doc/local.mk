dist_man_MANS = %D%/larderd.8 %D%/larder-cache.7 %D%/larder-info.7 %D%/larder.conf.5 %D%/larder.3 %D%/larder-snap.1
dist_doc_DATA = README.md %D%/eviction.md %D%/feed-and-leases.md %D%/snapshot-format.md
