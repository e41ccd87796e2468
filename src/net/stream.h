/* stream: one connection, TCP or Unix, on a file descriptor: bytes in, a chain of bytes out.
 *
 * Reading: one recv for each turn in which there is something to read, into the loop's shared buffer; `bytes` is called once
 * all streams have read. What it does not use is kept, and offered again from its start with more behind it; a long request is read straight into the buffer kept
 * for it. An idle stream holds no buffer. Writing: stream_send notes that `out` has something; all noted streams are written
 * at the end of the turn, one send each; what the kernel does not take waits until it does.
 * Invariant: after stream_close no callback comes but `gone`, once, and never inside stream_close.
 * Thread rule: the loop's thread. The holder embeds the stream, owns `out`, and may free both in `gone`; the stream owns the
 * descriptor and its input buffer.
 */
#ifndef LARDER_NET_STREAM_H
#define LARDER_NET_STREAM_H

#include "base/buf.h"
#include "base/chain.h"
#include "net/loop.h"

struct stream;

struct stream_calls {
    /* Returns how many bytes are done with. *need: a lower bound of the length wanted in one piece, 0 if not known. It may
     * pause or close the stream. */
    size_t (*bytes)(struct stream *s, const char *p, size_t n, size_t *need);
    void (*sent)(struct stream *s, size_t n);  /* n bytes left `out`; once a write; may be NULL */
    void (*ended)(struct stream *s, int error); /* the peer left (0) or a read or write failed: close it */
    void (*hangup)(struct stream *s);          /* the peer left while reading is paused: close it, or stream_ignore_hangup */
    void (*gone)(struct stream *s);            /* nothing refers to it any more */
};

struct stream {
    struct loop *loop;
    const struct stream_calls *calls;
    struct chain *out;
    struct stream *next_dirty, *next_again, *prev_again, *next_closed;
    struct buf in;      /* bytes not used yet */
    size_t need;
    uint64_t received;  /* bytes, ever */
    int fd;
    bool readable;      /* there may be something to read that no further event will tell of */
    bool left;          /* the peer has: its end is behind what there is to read */
    bool again, dirty, reading; /* in the loop's lists and among its reads */
    bool paused, deaf, blocked, finishing, closing;
};

/* Takes fd over, also when it fails (then closes it and returns a negative errno; `gone` is not called). */
int stream_init(struct stream *s, struct loop *l, int fd, struct chain *out, const struct stream_calls *calls);
void stream_pause(struct stream *s);  /* read no more; whoever resumes it offers the kept bytes with stream_offer first */
void stream_resume(struct stream *s);
void stream_ignore_hangup(struct stream *s); /* until the next pause */
/* Offers the kept bytes again. Not from inside `bytes`. */
void stream_offer(struct stream *s);
void stream_finish(struct stream *s); /* read no more, write what is in `out`, then close */
void stream_close(struct stream *s);  /* at once; what is in `out` is not written */
/* For the loop only: an event; streams to be read without one; then, at the end of the turn, give what was read, write what
 * is to be written, and let the closed ones go. */
void stream_event(struct stream *s, uint32_t events);
void stream_read_again(struct loop *l);
void stream_give_all(struct loop *l);
void stream_flush_all(struct loop *l);
void stream_bury(struct loop *l);
int stream_flush(struct stream *s);   /* writes now; for output that cannot wait for the end of the turn */

void stream_mark(struct stream *s);
/* There is something in `out`. */
static inline void stream_send(struct stream *s) {
    if (!s->dirty) stream_mark(s);
}
static inline size_t stream_kept(const struct stream *s) { return s->in.n; }

void stream_nodelay(int fd);
void stream_keepalive(int fd, int seconds); /* 0: off */
/* "127.0.0.1:6379", "[::1]:6379"; of a Unix socket both are its path and ":0". */
void stream_names(int fd, char *peer, char *local, size_t cap);
bool stream_peer_local(int fd); /* the loopback interface, or a Unix socket */

#endif
