/* listen: sockets that take connections: TCP on several addresses, a Unix path, or sockets made by somebody else.
 *
 * Making sockets and watching them are two steps: a daemon binds before it forks or drops what it may do, and watches once
 * its loop runs. Without free descriptors a connection is taken with a reserve and closed at once, so that the listener
 * neither spins nor keeps people waiting.
 * Thread rule: the loop's thread. The listener owns its sockets and removes a Unix path that it made.
 */
#ifndef LARDER_NET_LISTEN_H
#define LARDER_NET_LISTEN_H

#include "base/buf.h"
#include "net/loop.h"

#include <sys/types.h>

struct listener;

/* A new connection: who takes it owns fd. `path`: of the Unix socket it came through, NULL for TCP. */
typedef void listen_taken(void *arg, int fd, const char *path);
/* Something the admin should know: no descriptors left, accept failed. */
typedef void listen_trouble(void *arg, const char *text, int error);

struct listener *listen_new(void);
void listen_free(struct listener *l); /* closes; the loop must run on for a turn, or loop_free follow */

/* Binds one address: "127.0.0.1", "::1", "*" (all of IPv4), "::*" (all of IPv6), a name. An `optional` one need not exist on
 * this machine. port 0: the kernel chooses. Returns false and says why. */
bool listen_tcp(struct listener *l, const char *address, bool optional, int port, int backlog, struct buf *why);
bool listen_unix(struct listener *l, const char *path, mode_t mode, int backlog, struct buf *why); /* mode 0: as umask says */
bool listen_passed(struct listener *l, int fd, struct buf *why); /* already listening */
/* For a change while the sockets are in use: until listen_follow(l, NULL), what l is to listen on and `before`, or who that one
 * follows, listens on already is shared with it rather than made anew. That ends before `before` is freed, and then a Unix
 * path that both have is l's to remove. Whoever calls sees to it that nobody frees or follows them meanwhile. */
void listen_follow(struct listener *l, struct listener *before);
size_t listen_count(const struct listener *l);
int listen_port(const struct listener *l); /* of the first TCP socket, 0 if there is none */
const char *listen_path(const struct listener *l); /* of the first Unix socket, or NULL */
/* Starts to take connections. 0 or a negative errno. */
int listen_start(struct listener *l, struct loop *loop, listen_taken *taken, listen_trouble *trouble, void *arg);

#endif
