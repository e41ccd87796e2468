/* server: the daemon: environment, sockets, workers, and what commands ask of their host.
 *
 * The first worker runs on the main thread, which also takes connections and signals. Shutting down: no more connections, the
 * other workers end and are joined, then the first; everything posted is run; then all is freed.
 * Thread rule: the main thread, but for the host's functions (command/env.h says whose thread each is called on).
 * The server owns the env, the workers and the listener.
 */
#ifndef LARDER_SERVER_SERVER_H
#define LARDER_SERVER_SERVER_H

#include "command/env.h"
#include "net/listen.h"
#include "server/conf.h"
#include "server/process.h"
#include "server/settings.h"
#include "server/worker.h"

struct server {
    struct host host;
    struct env *env;
    struct settings settings;
    struct worker *worker;
    unsigned workers;
    struct listener *listener;  /* the first worker's thread */
    struct listener *newest;    /* it, or one that is on its way to replace it; under listen_lock */
    struct lock listen_lock;
    struct loop_signal *signals[4];
    struct process_title title;
    enum supervised supervised;
    bool told_of_warming;       /* the supervisor, last time; the first worker's thread */
    _Atomic bool stopping;
    char *pidfile;              /* written: to be removed */
    int64_t accept_logged_us;   /* when trouble with accept was last logged */
};

/* From the settings to running sockets. False: the reason is logged or printed, and server_close frees what there is. */
bool server_open(struct server *s, const struct conf *conf, int argc, char **argv);
void server_run(struct server *s);    /* until it is told to stop */
void server_close(struct server *s);

void server_stop(struct server *s);   /* any thread */
uint64_t server_client_bytes(const struct server *s); /* what all workers' connections hold; any thread */
void server_tick(struct server *s, uint64_t ticks); /* ten times a second, from the first worker */

/* -- sockets (sockets.c) -------------------------------------------------------------------------------------------------- */
struct listener *server_listen(struct server *s, struct buf *why); /* makes them as the settings say; NULL: why not */
bool server_accept(struct server *s);                              /* starts to take connections */
void server_unlisten(struct server *s);                            /* stopping: no more connections */
const char *server_socket_changed(struct server *s);               /* CONFIG SET port or bind: NULL, or why not; any thread */

/* -- the host (host.c) ---------------------------------------------------------------------------------------------------- */
struct host server_host(void);

#endif
