# Units, user and folders. The unit in the tree names /usr/bin and /etc; the installed one names where larder was installed.
EXTRA_DIST += %D%/larderd.service %D%/larderd.socket %D%/sysusers.conf %D%/tmpfiles.conf
CLEANFILES += %D%/larderd.service.made

systemdsystemunit_DATA = %D%/larderd.socket
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

%D%/larderd.service.made: $(srcdir)/%D%/larderd.service Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && sed -e 's,/usr/bin/larderd,$(bindir)/larderd,' -e 's,/etc/larder,$(sysconfdir)/larder,' \
	  $(srcdir)/%D%/larderd.service >$@

all-local: %D%/larderd.service.made

install-data-hook:
	$(MKDIR_P) '$(DESTDIR)$(systemdsystemunitdir)' '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) %D%/larderd.service.made '$(DESTDIR)$(systemdsystemunitdir)/larderd.service'
	$(INSTALL_DATA) $(srcdir)/%D%/sysusers.conf '$(DESTDIR)$(sysusersdir)/larder.conf'
	$(INSTALL_DATA) $(srcdir)/%D%/tmpfiles.conf '$(DESTDIR)$(tmpfilesdir)/larder.conf'

uninstall-hook:
	rm -f '$(DESTDIR)$(systemdsystemunitdir)/larderd.service' '$(DESTDIR)$(sysusersdir)/larder.conf' \
	  '$(DESTDIR)$(tmpfilesdir)/larder.conf'
