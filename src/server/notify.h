/* notify: what systemd is told: ready, status, reloading, stopping. Without NOTIFY_SOCKET nothing happens.
 * Thread rule: the main thread.
 */
#ifndef LARDER_SERVER_NOTIFY_H
#define LARDER_SERVER_NOTIFY_H

#include "server/settings.h"

/* Who supervises, once `auto` is resolved by the environment; stops itself once for upstart to see. */
enum supervised notify_supervisor(enum supervised wish);
void notify_ready(const char *status);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void); /* then notify_ready */
void notify_stopping(void);
/* How many sockets were passed, the first of them descriptor *first; 0: none. */
int notify_sockets(int *first);

#endif
