EXTRA_DIST += utils/setup utils/run utils/check utils/lib/resp.py utils/lib/servers.py
