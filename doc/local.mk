dist_man_MANS = %D%/larderd.8 %D%/larder-cache.7 %D%/larder.conf.5 %D%/larder.3
