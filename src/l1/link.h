/* link: one connection to a server, spoken to in RESP3: requests out, replies in, each wait with a deadline.
 *
 * Requests gather until link_flush; replies come in their order. After anything but LINK_OK the link is only good for link_close:
 * nobody knows which reply would come next. Thread rule: one thread at a time. The link owns its buffers; nodes of a reply point into
 * them and are valid until the next call. Deadlines are of clock_mono_us.
 */
#ifndef LARDER_L1_LINK_H
#define LARDER_L1_LINK_H

#include "base/buf.h"
#include "base/chain.h"
#include "l1/url.h"
#include "resp/reply.h"

enum link_status { LINK_OK, LINK_TIMEOUT, LINK_LOST, LINK_REFUSED /* the server does not want us: wrong password, too old */ };

struct link {
    int fd; /* -1: not open */
    struct chain_pool chunks;
    struct chain out;
    struct buf in;
    size_t read; /* bytes of `in` that are used up */
    struct reply_reader reader;
    bool larder; /* the server has CACHE FETCH */
    char error[160];
};

void link_init(struct link *k);
void link_close(struct link *k); /* may be opened again */
enum link_status link_open(struct link *k, const struct url *u, const char *name, int64_t deadline);
bool link_alive(struct link *k); /* an idle one: the other side has not closed it, nothing unasked has come */

void link_request(struct link *k, size_t argc, const struct slice *argv);
/* Words in a row, ended by NULL. */
void link_words(struct link *k, const char *word, ...) __attribute__((sentinel));
enum link_status link_flush(struct link *k, int64_t deadline);
/* The next reply, pushes included: k->reader.node[0..k->reader.n). */
enum link_status link_reply(struct link *k, int64_t deadline);
/* The same from what has arrived: LINK_TIMEOUT if that is no whole reply. */
enum link_status link_buffered(struct link *k);
enum link_status link_fill(struct link *k); /* reads what there is, without waiting */

bool link_later(const struct link *k); /* the reply is an error that passes by itself: the server cannot serve yet */
void link_explain(struct link *k, const char *what); /* the reply, which is an error, is why: k->error */
static inline const struct reply_node *link_node(const struct link *k) { return k->reader.node; }

#endif
