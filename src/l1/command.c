/* Replies as the caller sees them: a tree in one block, copied from the link's nodes. */
#include "l1/inside.h"
#include "resp/writer.h"

#include <stdlib.h>

struct larder_reply {
    char type;
    uint32_t behind; /* nodes in it and itself: where the next one begins */
    size_t n, size;
    int64_t integer;
    const char *text;
};

struct larder_batch {
    larder *l;
    struct chain_pool chunks;
    struct chain requests;
    size_t n, replies;
    bool ran;
    larder_reply **reply;
};

static char type_of(enum reply_kind kind) {
    static const char types[] = {[REPLY_TEXT] = '$', [REPLY_SIMPLE] = '+', [REPLY_ERROR] = '-', [REPLY_INTEGER] = ':', [REPLY_NIL] = '_',
        [REPLY_BOOL] = '#', [REPLY_DOUBLE] = ',', [REPLY_ARRAY] = '*', [REPLY_SET] = '~', [REPLY_MAP] = '%', [REPLY_PUSH] = '>'};
    return types[kind];
}

static larder_reply *reply_new(const struct reply_node *node, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += node[i].text.n + 1;
    larder_reply *r = malloc(n * sizeof *r + bytes);
    if (!r) return NULL;
    char *to = (char *)(r + n);
    for (size_t i = 0; i < n; i++) {
        size_t size = node[i].text.n;
        r[i] = (larder_reply){.type = type_of(node[i].kind), .behind = (uint32_t)(reply_skip(node, i) - i), .n = node[i].n, .size = size,
            .integer = node[i].integer, .text = to};
        if (size) memcpy(to, node[i].text.p, size);
        to[size] = 0;
        to += size + 1;
    }
    return r;
}

char larder_reply_type(const larder_reply *r) { return r ? r->type : '_'; }
larder_slice larder_reply_text(const larder_reply *r) { return r ? (larder_slice){r->text, r->size} : (larder_slice){"", 0}; }
int64_t larder_reply_integer(const larder_reply *r) { return r ? r->integer : 0; }
size_t larder_reply_size(const larder_reply *r) { return r ? r->n : 0; }

const larder_reply *larder_reply_at(const larder_reply *r, size_t index) {
    if (!r || index >= r->n) return NULL;
    const larder_reply *at = r + 1;
    while (index--) at += at->behind;
    return at;
}

void larder_reply_free(larder_reply *r) { free(r); }

/* --- one command, or many --- */

static struct slice slice_from(const larder_slice *s) { return (struct slice){s->data, s->size}; }

/* What the library does not know may have changed any of its words. */
static void forget_words(larder *l, size_t argc, const larder_slice *argv) {
    for (size_t i = 1; i < argc; i++) {
        struct slice word = slice_from(&argv[i]);
        if (read_kept(l, word)) near_erase(l->near, word, near_hash(l->near, word));
    }
}

int larder_command(larder *l, size_t argc, const larder_slice *argv, larder_reply **reply) {
    if (!argc || !slices_good(argv, argc) || !reply) return LARDER_INVALID;
    struct call c;
    *reply = NULL;
    int status = call_begin(l, &c, 0);
    if (status != LARDER_OK) return status;
    struct slice *words = mem_alloc(MEM_MISC, argc * sizeof *words);
    for (size_t i = 0; i < argc; i++) words[i] = slice_from(&argv[i]);
    link_request(c.link, argc, words);
    mem_free(MEM_MISC, words);
    status = call_send(&c);
    if (status == LARDER_OK) {
        *reply = reply_new(link_node(c.link), c.link->reader.n);
        status = !*reply ? LARDER_BUSY : larder_reply_type(*reply) == '-' ? LARDER_ERROR : LARDER_OK;
    }
    status = call_end(&c, status);
    forget_words(l, argc, argv);
    return status;
}

larder_batch *larder_batch_new(larder *l) {
    larder_batch *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->l = l;
    chain_pool_init(&b->chunks, 1);
    chain_init(&b->requests, &b->chunks);
    return b;
}

static void batch_empty(larder_batch *b) {
    for (size_t i = 0; i < b->replies; i++) free(b->reply[i]);
    free(b->reply);
    b->reply = NULL;
    b->n = b->replies = 0;
    b->ran = false;
    chain_free(&b->requests);
}

int larder_batch_add(larder_batch *b, size_t argc, const larder_slice *argv) {
    if (!b || !argc || !slices_good(argv, argc)) return LARDER_INVALID;
    if (b->ran) batch_empty(b);
    struct resp_writer w = {&b->requests, 2};
    resp_array(&w, argc);
    for (size_t i = 0; i < argc; i++) resp_bulk(&w, argv[i].data, argv[i].size);
    b->n++;
    return LARDER_OK;
}

/* The requests are kept as they go out, so the keys in them are found again by reading them. */
static void forget_requests(larder_batch *b, const char *p, size_t n) {
    struct reply_reader reader;
    const struct reply_limits limits = {.max_bulk = INT64_MAX / 4, .max_nodes = 1 << 26};
    reply_reader_init(&reader);
    for (size_t used; n && reply_reader_next(&reader, &limits, p, n, &used) == REPLY_WHOLE; p += used, n -= used)
        for (size_t i = 2; i < reader.n; i++)
            if (read_kept(b->l, reader.node[i].text)) near_erase(b->l->near, reader.node[i].text, near_hash(b->l->near, reader.node[i].text));
    reply_reader_free(&reader);
}

int larder_batch_run(larder_batch *b) {
    if (!b || b->ran) return LARDER_INVALID;
    struct call c;
    b->ran = true;
    if (!b->n) return LARDER_OK;
    if (!(b->reply = calloc(b->n, sizeof *b->reply))) return LARDER_BUSY;
    int status = call_begin(b->l, &c, 0);
    if (status != LARDER_OK) return status;
    size_t n = chain_size(&b->requests);
    char *bytes = mem_alloc(MEM_MISC, n);
    chain_copy(&b->requests, bytes);
    chain_ref(&c.link->out, bytes, n, NULL, NULL);
    for (; status == LARDER_OK && b->replies < b->n; b->replies++) {
        status = b->replies ? call_reply(&c) : call_send(&c);
        if (status != LARDER_OK) break;
        if (!(b->reply[b->replies] = reply_new(link_node(c.link), c.link->reader.n))) status = LARDER_DOWN; /* what is left cannot be read */
    }
    status = call_end(&c, status);
    forget_requests(b, bytes, n);
    mem_free(MEM_MISC, bytes);
    return status;
}

const larder_reply *larder_batch_reply(const larder_batch *b, size_t index) { return b && index < b->replies ? b->reply[index] : NULL; }

void larder_batch_free(larder_batch *b) {
    if (!b) return;
    batch_empty(b);
    chain_pool_free(&b->chunks);
    free(b);
}
