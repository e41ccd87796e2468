# Printed by larderd --print-conf; tests/conf/sample compares it. A conf that is already installed is somebody's: it stays.
EXTRA_DIST += %D%/larder.conf

larderconfdir = $(sysconfdir)/larder

install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(larderconfdir)'
	test -e '$(DESTDIR)$(larderconfdir)/larder.conf' || \
	  $(INSTALL_DATA) '$(srcdir)/%D%/larder.conf' '$(DESTDIR)$(larderconfdir)/larder.conf'

uninstall-local:
	if cmp -s '$(srcdir)/%D%/larder.conf' '$(DESTDIR)$(larderconfdir)/larder.conf'; then \
	  rm -f '$(DESTDIR)$(larderconfdir)/larder.conf'; fi
