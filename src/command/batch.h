/* batch: requests cut from the input, with what dispatch has found out about each; a thread's scratch memory.
 *
 * Inside dispatch only. Slices point into the input of the dispatch_input at work. Thread rule: its lane's thread; one
 * dispatch at a time. The lane owns it.
 */
#ifndef LARDER_COMMAND_BATCH_H
#define LARDER_COMMAND_BATCH_H

#include "command/dispatch.h"
#include "command/owing.h"

#define BATCH_REQUESTS 64
#define BATCH_WORDS 512

#define BATCH_FORESEEN 64

struct foreseen {
    struct key key;
    unsigned db;
};

enum request_fault { FAULT_NONE, FAULT_UNKNOWN, FAULT_UNKNOWN_SUB, FAULT_ARITY };

struct request {
    const struct command *command; /* NULL: unknown; for an unknown subcommand its container */
    struct slice *argv;
    struct key key;                /* if the command has one key at a fixed place */
    size_t size, end;              /* bytes in the input; offset of the first one behind it */
    int argc;
    enum request_fault fault;
    bool simple;                   /* no fault, and the command is: see struct command */
};

struct batch {
    struct call call;              /* the view in it is as of the last batch_refresh */
    uint64_t ticks;                /* when the last command ended */
    uint64_t ticks_late;           /* when the view's clock is to be read again */
    uint64_t slow;                 /* from so many ticks on a command may be one for SLOWLOG or LATENCY */
    int64_t slower, threshold;     /* the settings that `slow` was made of */
    uint64_t ticks_ms;             /* in a millisecond */
    uint64_t ns_per_tick;          /* times 2^20 */
    bool careful;                  /* auth, a pause, silenced replies, MONITOR: more is to be done around each request */
    bool limited;                  /* by maxmemory, or writes may be held back by a save */
    bool tracking, monitored;
    bool refresh;                  /* a command may have changed session or settings */
    uint64_t seed;
    uint64_t ran;                  /* commands not yet in the lane's and the session's totals */
    struct resp_limits limits;
    size_t pack_from;              /* requests of that size may have a value to pack */
    struct pack *pack;
    struct owing owing;
    struct buf keys, places;       /* struct key, int: of commands with several keys */
    unsigned foreseen_n;
    struct foreseen foreseen[BATCH_FORESEEN];
    unsigned n;
    struct request request[BATCH_REQUESTS];
    struct slice word[BATCH_WORDS];
};

void batch_refresh(struct batch *b, struct session *s);         /* clock, view, settings, limits */
void batch_cut(struct batch *b, const char *p, size_t n);       /* what is whole, simple and fits; may be nothing */
void batch_single(struct batch *b, const struct resp_request *r); /* the one that the reader found */
void batch_bring_near(struct batch *b);
/* Finds keys and hashes them: sets call.key and call.keys. */
void request_keys(struct batch *b, struct request *q);

#endif
