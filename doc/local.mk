dist_man_MANS = %D%/larderd.8 %D%/larder.conf.5 %D%/larder.3
