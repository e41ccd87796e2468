#include "command/pubsub.h"

#include "base/match.h"
#include "command/mail.h"
#include "command/push.h"
#include "command/topic.h"

#define COPIED 4096 /* longer texts are not copied for each subscriber */

/* -- messages --------------------------------------------------------------------------------------------------------------------- */

struct message {
    _Atomic uint32_t refs;
    struct slice channel, text; /* behind it */
};

struct posting {
    struct letter letter;
    struct message *message;
    struct topic *topic; /* with a reference */
};

static struct message *message_new(struct slice channel, struct slice text) {
    struct message *m = mem_alloc(MEM_CLIENT, sizeof *m + channel.n + text.n);
    char *at = (char *)(m + 1);
    *m = (struct message){.channel = {at, channel.n}, .text = {at + channel.n, text.n}};
    atomic_init(&m->refs, 1);
    if (channel.n) memcpy(at, channel.p, channel.n);
    if (text.n) memcpy(at + channel.n, text.p, text.n);
    return m;
}

static void message_hold(struct message *m) { atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed); }
static void message_release(void *arg) {
    struct message *m = arg;
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) mem_free(MEM_CLIENT, m);
}

static void say(struct session *s, const struct topic *t, struct message *m) {
    static const char *const words[] = {[TOPIC_CHANNEL] = "message", [TOPIC_PATTERN] = "pmessage", [TOPIC_SHARD] = "smessage"};
    if (s->closing) return;
    struct resp_writer w = push_begin(s);
    resp_push(&w, t->kind == TOPIC_PATTERN ? 4 : 3);
    resp_text(&w, words[t->kind]);
    if (t->kind == TOPIC_PATTERN) resp_bulk(&w, t->name.p, t->name.n);
    resp_bulk(&w, m->channel.p, m->channel.n);
    if (m->text.n <= COPIED) {
        resp_bulk(&w, m->text.p, m->text.n);
    } else {
        message_hold(m);
        resp_bulk_ref(&w, m->text.p, m->text.n, message_release, m);
    }
    push_end(s);
}

static void deliver(struct lane *l, const struct topic *t, struct message *m) {
    const struct topic_lane *tl = &t->lane[l->index];
    for (size_t i = 0; i < tl->n; i++) say(tl->seat[i]->session, t, m);
}

static void posting_open(struct lane *l, struct letter *letter) {
    struct posting *p = (struct posting *)(void *)letter;
    deliver(l, p->topic, p->message);
    topic_release(p->topic, l->env->lanes);
    message_release(p->message);
    mem_free(MEM_CLIENT, p);
}

static void post(struct lane *from, unsigned to, struct topic *t, struct message *m) {
    struct posting *p = mem_alloc(MEM_CLIENT, sizeof *p);
    *p = (struct posting){.letter = {.open = posting_open}, .message = m, .topic = t};
    topic_hold(t);
    message_hold(m);
    mail_send(from, to, &p->letter);
}

/* -- publishing ------------------------------------------------------------------------------------------------------------------- */

struct publishing {
    struct slice channel;
    struct buf topics; /* struct topic *, with references */
    uint64_t receivers;
};

static void take_topic(void *arg, struct topic *t) {
    struct publishing *p = arg;
    if (t->kind == TOPIC_PATTERN && !match_glob(t->name, p->channel) && !slice_equal(t->name, SLICE("*"))) return;
    topic_hold(t);
    buf_put(&p->topics, &t, sizeof t);
    p->receivers += t->seats;
}

uint64_t pubsub_publish(struct lane *l, bool shard, struct slice channel, struct slice text) {
    struct env *e = l->env;
    struct publishing p = {.channel = channel};
    buf_init(&p.topics, MEM_CLIENT);
    topic_each(e, shard ? TOPIC_SHARD : TOPIC_CHANNEL, &channel, take_topic, &p);
    if (!shard) topic_each(e, TOPIC_PATTERN, NULL, take_topic, &p);
    if (!p.topics.n) return 0;
    mail_open_arrived(l); /* what others have published by now, and were replied to, comes first */
    struct message *m = message_new(channel, text);
    struct topic **topic = (struct topic **)(void *)p.topics.p;
    for (size_t i = 0; i < p.topics.n / sizeof *topic; i++) {
        for (unsigned to = 0; to < e->lanes; to++) {
            if (to == l->index) deliver(l, topic[i], m);
            else if (atomic_load(&topic[i]->lane[to].count)) post(l, to, topic[i], m);
        }
        topic_release(topic[i], e->lanes);
    }
    buf_free(&p.topics);
    message_release(m);
    return p.receivers;
}

static void run_publish(struct call *c) { resp_int(c->w, (int64_t)pubsub_publish(c->s->lane, false, c->argv[1], c->argv[2])); }
static void run_spublish(struct call *c) { resp_int(c->w, (int64_t)pubsub_publish(c->s->lane, true, c->argv[1], c->argv[2])); }

/* -- subscribing ------------------------------------------------------------------------------------------------------------------ */

bool pubsub_subscribed(const struct session *s) {
    return topic_seats(s, TOPIC_CHANNEL) || topic_seats(s, TOPIC_PATTERN) || topic_seats(s, TOPIC_SHARD);
}

static void attend(struct session *s) {
    if (pubsub_subscribed(s)) s->attends |= ATTEND_CHANNELS;
    else s->attends &= ~(unsigned)ATTEND_CHANNELS;
}

/* As a message: CLIENT REPLY does not silence it. */
static void confirm(struct session *s, const char *word, enum topic_kind kind, const struct slice *name) {
    struct resp_writer w = push_begin(s);
    size_t n = kind == TOPIC_SHARD ? topic_seats(s, kind) : topic_seats(s, TOPIC_CHANNEL) + topic_seats(s, TOPIC_PATTERN);
    resp_push(&w, 3);
    resp_text(&w, word);
    if (name) resp_bulk(&w, name->p, name->n);
    else resp_null(&w);
    resp_int(&w, (int64_t)n);
    push_end(s);
}

static void subscribe(struct call *c, enum topic_kind kind, const char *word) {
    for (int i = 1; i < c->argc; i++) {
        topic_join(c->s, kind, c->argv[i]);
        attend(c->s);
        confirm(c->s, word, kind, &c->argv[i]);
    }
}

static void unsubscribe_all(struct session *s, enum topic_kind kind, const char *word) {
    if (!topic_seats(s, kind)) confirm(s, word, kind, NULL);
    for (struct seat *seat; s->seats && (seat = s->seats->first[kind]);) {
        struct topic *t = seat->topic;
        topic_hold(t);
        topic_part(s, kind, t->name);
        confirm(s, word, kind, &t->name);
        topic_release(t, s->lane->env->lanes);
    }
}

static void unsubscribe(struct call *c, enum topic_kind kind, const char *word) {
    if (c->argc == 1) unsubscribe_all(c->s, kind, word);
    for (int i = 1; i < c->argc; i++) {
        topic_part(c->s, kind, c->argv[i]);
        confirm(c->s, word, kind, &c->argv[i]);
    }
    attend(c->s);
}

void pubsub_leave(struct session *s) {
    for (int k = TOPIC_CHANNEL; k <= TOPIC_SHARD; k++) topic_part_all(s, (enum topic_kind)k);
    s->attends &= ~(unsigned)ATTEND_CHANNELS;
}

static void run_subscribe(struct call *c) { subscribe(c, TOPIC_CHANNEL, "subscribe"); }
static void run_psubscribe(struct call *c) { subscribe(c, TOPIC_PATTERN, "psubscribe"); }
static void run_ssubscribe(struct call *c) { subscribe(c, TOPIC_SHARD, "ssubscribe"); }
static void run_unsubscribe(struct call *c) { unsubscribe(c, TOPIC_CHANNEL, "unsubscribe"); }
static void run_punsubscribe(struct call *c) { unsubscribe(c, TOPIC_PATTERN, "punsubscribe"); }
static void run_sunsubscribe(struct call *c) { unsubscribe(c, TOPIC_SHARD, "sunsubscribe"); }

/* -- PUBSUB ----------------------------------------------------------------------------------------------------------------------- */

struct listing {
    const struct slice *pattern; /* NULL: all */
    struct resp_writer w;
    struct chain body;
    uint64_t n;
};

static void list_one(void *arg, struct topic *t) {
    struct listing *l = arg;
    if (l->pattern && !match_glob(*l->pattern, t->name) && !slice_equal(*l->pattern, SLICE("*"))) return;
    resp_bulk(&l->w, t->name.p, t->name.n);
    l->n++;
}

static void list(struct call *c, enum topic_kind kind) {
    struct listing l = {.pattern = c->argc > 2 ? &c->argv[2] : NULL};
    if (c->argc > 3) {
        reply_bad_sub(c);
        return;
    }
    chain_init(&l.body, &c->s->lane->pool);
    l.w = (struct resp_writer){&l.body, c->w->proto};
    topic_each(call_env(c), kind, NULL, list_one, &l);
    resp_array(c->w, l.n);
    chain_join(&c->s->out, &l.body);
}

static void count_one(void *arg, struct topic *t) { *(uint64_t *)arg += t->seats; }

static void count(struct call *c, enum topic_kind kind) {
    resp_array(c->w, ((size_t)c->argc - 2) * 2);
    for (int i = 2; i < c->argc; i++) {
        uint64_t n = 0;
        topic_each(call_env(c), kind, &c->argv[i], count_one, &n);
        resp_bulk(c->w, c->argv[i].p, c->argv[i].n);
        resp_int(c->w, (int64_t)n);
    }
}

static void run_channels(struct call *c) { list(c, TOPIC_CHANNEL); }
static void run_shardchannels(struct call *c) { list(c, TOPIC_SHARD); }
static void run_numsub(struct call *c) { count(c, TOPIC_CHANNEL); }
static void run_shardnumsub(struct call *c) { count(c, TOPIC_SHARD); }
static void run_numpat(struct call *c) { resp_int(c->w, (int64_t)topic_count(call_env(c), TOPIC_PATTERN)); }

static const char *const lines[] = {
    "CHANNELS [<pattern>]",
    "    The channels that somebody has subscribed to, all or those that match.",
    "NUMPAT",
    "    How many patterns are subscribed to.",
    "NUMSUB [<channel> ...]",
    "    How many have subscribed to each of the channels, those by pattern not counted.",
    "SHARDCHANNELS [<pattern>]",
    "    As CHANNELS, of shard channels.",
    "SHARDNUMSUB [<channel> ...]",
    "    As NUMSUB, of shard channels.",
    NULL,
};
static void run_help(struct call *c) { reply_help(c, lines); }

/* -- rows ------------------------------------------------------------------------------------------------------------------------- */

#define SUB (C_PUBSUB | C_LOADING | C_STALE)
#define LISTEN (C_PUBSUB | C_NOSCRIPT | C_LOADING | C_STALE | C_LISTENER)
#define SHARD_KEYS(last) .keys = {{KEYS_RANGE, 1, last, 1, K_NOT_KEY}}
#define GROUP .group = "pubsub"

static const struct command sub_rows[] = {
    {.name = "CHANNELS", .arity = -2, .flags = SUB, GROUP, .run = run_channels, .since = "2.8.0",
        .complexity = "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
        .summary = "Lists the channels that somebody has subscribed to.", .syntax = "[pattern]"},
    {.name = "HELP", .arity = 2, .flags = C_LOADING | C_STALE, GROUP, .run = run_help, .since = "6.2.0", .complexity = "O(1)",
        .summary = "Returns a text about the subcommands."},
    {.name = "NUMPAT", .arity = 2, .flags = SUB, GROUP, .run = run_numpat, .since = "2.8.0", .complexity = "O(1)",
        .summary = "Counts the patterns that are subscribed to."},
    {.name = "NUMSUB", .arity = -2, .flags = SUB, GROUP, .run = run_numsub, .since = "2.8.0",
        .complexity = "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        .summary = "Counts who has subscribed to each of the channels.", .syntax = "[channel [channel ...]]"},
    {.name = "SHARDCHANNELS", .arity = -2, .flags = SUB, GROUP, .run = run_shardchannels, .since = "7.0.0",
        .complexity = "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
        .summary = "Lists the shard channels that somebody has subscribed to.", .syntax = "[pattern]"},
    {.name = "SHARDNUMSUB", .arity = -2, .flags = SUB, GROUP, .run = run_shardnumsub, .since = "7.0.0",
        .complexity = "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        .summary = "Counts who has subscribed to each of the shard channels.", .syntax = "[shardchannel [shardchannel ...]]"},
    {.name = NULL},
};

static const struct command rows[] = {
    {.name = "PSUBSCRIBE", .arity = -2, .flags = LISTEN, GROUP, .run = run_psubscribe, .since = "2.0.0",
        .complexity = "O(N) where N is the number of patterns to subscribe to.",
        .summary = "Listens to all channels that match the patterns.", .syntax = "pattern [pattern ...]"},
    {.name = "PUBLISH", .arity = 3, .flags = SUB | C_FAST, GROUP, .run = run_publish, .since = "2.0.0",
        .complexity = "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
        .summary = "Sends a message to a channel.", .syntax = "channel message"},
    {.name = "PUBSUB", .arity = -2, GROUP, .since = "2.8.0", .complexity = "Depends on subcommand.", .sub = sub_rows,
        .summary = "What is known of channels and who has subscribed to them."},
    {.name = "PUNSUBSCRIBE", .arity = -1, .flags = LISTEN, GROUP, .run = run_punsubscribe, .since = "2.0.0",
        .complexity = "O(N) where N is the number of patterns to unsubscribe.",
        .summary = "Listens to the patterns, or to any, no more.", .syntax = "[pattern [pattern ...]]"},
    {.name = "SPUBLISH", .arity = 3, .flags = SUB | C_FAST, GROUP, SHARD_KEYS(0), .run = run_spublish, .since = "7.0.0",
        .complexity = "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        .summary = "Sends a message to a shard channel.", .syntax = "shardchannel message"},
    {.name = "SSUBSCRIBE", .arity = -2, .flags = LISTEN, GROUP, SHARD_KEYS(-1), .run = run_ssubscribe, .since = "7.0.0",
        .complexity = "O(N) where N is the number of shard channels to subscribe to.",
        .summary = "Listens to shard channels.", .syntax = "shardchannel [shardchannel ...]"},
    {.name = "SUBSCRIBE", .arity = -2, .flags = LISTEN, GROUP, .run = run_subscribe, .since = "2.0.0",
        .complexity = "O(N) where N is the number of channels to subscribe to.",
        .summary = "Listens to channels.", .syntax = "channel [channel ...]"},
    {.name = "SUNSUBSCRIBE", .arity = -1, .flags = LISTEN, GROUP, SHARD_KEYS(-1), .run = run_sunsubscribe, .since = "7.0.0",
        .complexity = "O(N) where N is the number of shard channels to unsubscribe.",
        .summary = "Listens to the shard channels, or to any, no more.", .syntax = "[shardchannel [shardchannel ...]]"},
    {.name = "UNSUBSCRIBE", .arity = -1, .flags = LISTEN, GROUP, .run = run_unsubscribe, .since = "2.0.0",
        .complexity = "O(N) where N is the number of channels to unsubscribe.",
        .summary = "Listens to the channels, or to any, no more.", .syntax = "[channel [channel ...]]"},
    {.name = NULL},
};

const struct command *command_rows_pubsub(void) { return rows; }
