/* process: what a daemon does to its own process: the background, the pid file, how many descriptors, how ps shows it.
 * Thread rule: the main thread.
 */
#ifndef LARDER_SERVER_PROCESS_H
#define LARDER_SERVER_PROCESS_H

#include "base/buf.h"

/* Goes to the background; the caller's process exits. False: could not, see errno. */
bool process_daemonize(void);
bool process_write_pid(const char *path); /* false: logged */
/* Raises the limit of descriptors to what `clients` need, as far as it goes. Returns how many clients there may be. */
int64_t process_raise_files(int64_t clients);
/* Kernel settings that harm a cache, each with one line of the log. */
void process_check_kernel(int64_t backlog, bool disable_thp);

/* Where ps looks: the arguments' own place, and the environment's, which moves out. The arguments are gone then. */
struct process_title {
    char *at;
    size_t room;
};
void process_title_start(struct process_title *title, int argc, char **argv);
void process_title_set(struct process_title *title, const char *text);
/* Fills in a template: {title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} {config-file}. */
struct process_title_parts {
    const char *title, *listen_addr, *unixsocket, *config_file;
    int port;
};
void process_title_fill(const char *template, const struct process_title_parts *parts, struct buf *out);

#endif
