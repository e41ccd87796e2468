/* liblarder for Node.js: one value of this addon is a handle, the rest are functions on it; index.js makes a class of them.
 *
 * What is near is answered at once, on the loop's thread; all that may wait for a server is done by libuv's threads and ends a promise.
 * Build: ./build (a C compiler, Node's headers and liblarder are all it needs). */
#define NAPI_VERSION 8
#include <larder.h>
#include <node_api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handle {
    larder *l;
};

enum op { OP_GET, OP_SET, OP_DEL, OP_INVALIDATE, OP_FETCH, OP_FILL, OP_ABSENT, OP_ABANDON };

struct work {
    napi_async_work work;
    napi_deferred deferred;
    napi_ref handle_ref; /* the handle stays while this runs */
    struct handle *handle;
    enum op op;
    char *key, *data;
    size_t key_size, size;
    int64_t ttl, stale;
    int status;
    int64_t count;
    larder_value value;
    larder_lease *lease;
};

static napi_value fail(napi_env env, const char *what) {
    napi_throw_error(env, NULL, what);
    return NULL;
}

/* A string or a buffer, copied. */
static char *bytes_of(napi_env env, napi_value v, size_t *size) {
    void *data;
    bool is = false;
    napi_is_buffer(env, v, &is);
    if (is) {
        if (napi_get_buffer_info(env, v, &data, size) != napi_ok) return NULL;
        char *copy = malloc(*size + 1);
        if (copy) copy[*size] = 0;
        return copy && *size ? memcpy(copy, data, *size) : copy;
    }
    if (napi_get_value_string_utf8(env, v, NULL, 0, size) != napi_ok) return NULL;
    char *copy = malloc(*size + 1);
    if (copy) napi_get_value_string_utf8(env, v, copy, *size + 1, size);
    return copy;
}

static struct handle *handle_of(napi_env env, napi_value v) {
    void *p = NULL;
    if (napi_get_value_external(env, v, &p) != napi_ok || !((struct handle *)p)->l) return NULL;
    return p;
}

static void set(napi_env env, napi_value object, const char *name, napi_value v) { napi_set_named_property(env, object, name, v); }

static napi_value integer(napi_env env, int64_t n) {
    napi_value v;
    napi_create_int64(env, n, &v);
    return v;
}

/* { status, flags, value } */
static napi_value answer(napi_env env, int status, larder_value *value) {
    napi_value object, v;
    napi_create_object(env, &object);
    set(env, object, "status", integer(env, status));
    set(env, object, "flags", integer(env, value->flags));
    if (value->data && napi_create_buffer_copy(env, value->size, value->data, NULL, &v) == napi_ok) set(env, object, "value", v);
    larder_release(value);
    return object;
}

/* --- what may wait --- */

static void execute(napi_env env, void *arg) {
    struct work *w = arg;
    larder *l = w->handle->l;
    larder_load how = {w->ttl, w->stale, -1};
    (void)env;
    switch (w->op) {
    case OP_GET: w->status = larder_get(l, w->key, w->key_size, &w->value); break;
    case OP_SET: w->status = larder_set(l, w->key, w->key_size, w->data, w->size, w->ttl); break;
    case OP_DEL: w->status = larder_del(l, w->key, w->key_size); break;
    case OP_INVALIDATE: w->status = larder_invalidate(l, w->key, w->key_size, &w->count); break;
    case OP_FETCH: w->status = larder_fetch(l, w->key, w->key_size, &how, &w->value, &w->lease); break;
    case OP_FILL: w->status = larder_fill(w->lease, w->data, w->size); break;
    case OP_ABSENT: w->status = larder_fill_absent(w->lease); break;
    case OP_ABANDON: w->status = larder_abandon(w->lease); break;
    }
}

static void complete(napi_env env, napi_status status, void *arg) {
    struct work *w = arg;
    napi_value object = answer(env, status == napi_ok ? w->status : LARDER_INVALID, &w->value), lease;
    set(env, object, "count", integer(env, w->count));
    if (w->op == OP_FETCH && w->status == LARDER_LOAD) {
        napi_create_external(env, w->lease, NULL, NULL, &lease);
        set(env, object, "lease", lease);
    }
    napi_resolve_deferred(env, w->deferred, object);
    napi_delete_reference(env, w->handle_ref);
    napi_delete_async_work(env, w->work);
    free(w->key);
    free(w->data);
    free(w);
}

/* run(handle, op, key or lease, data, ttl, stale): a promise of { status, value, ... } */
static napi_value run(napi_env env, napi_callback_info info) {
    napi_value argv[6], promise, name;
    size_t argc = 6;
    int32_t op;
    napi_valuetype type;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    struct work *w = calloc(1, sizeof *w);
    if (!w || argc < 6 || !(w->handle = handle_of(env, argv[0])) || napi_get_value_int32(env, argv[1], &op) != napi_ok) {
        free(w);
        return fail(env, "larder is closed");
    }
    w->op = (enum op)op;
    napi_typeof(env, argv[2], &type);
    if (type == napi_external) napi_get_value_external(env, argv[2], (void **)&w->lease);
    else w->key = bytes_of(env, argv[2], &w->key_size);
    napi_typeof(env, argv[3], &type);
    if (type != napi_undefined) w->data = bytes_of(env, argv[3], &w->size);
    napi_get_value_int64(env, argv[4], &w->ttl);
    napi_get_value_int64(env, argv[5], &w->stale);
    if ((!w->key && !w->lease) || (type != napi_undefined && !w->data)) {
        free(w->key);
        free(w->data);
        free(w);
        return fail(env, "a key or value that is neither string nor Buffer");
    }
    napi_create_reference(env, argv[0], 1, &w->handle_ref);
    napi_create_promise(env, &w->deferred, &promise);
    napi_create_string_utf8(env, "larder", NAPI_AUTO_LENGTH, &name);
    napi_create_async_work(env, NULL, name, execute, complete, w, &w->work);
    napi_queue_async_work(env, w->work);
    return promise;
}

/* --- what does not --- */

static napi_value near(napi_env env, napi_callback_info info) {
    napi_value argv[2];
    size_t argc = 2, size;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    struct handle *h = argc < 2 ? NULL : handle_of(env, argv[0]);
    if (!h) return fail(env, "larder is closed");
    char *key = bytes_of(env, argv[1], &size);
    if (!key) return fail(env, "a key that is neither string nor Buffer");
    larder_value v = {NULL, 0, 0, NULL};
    int status = larder_near(h->l, key, size, &v);
    free(key);
    return answer(env, status, &v);
}

static napi_value stats(napi_env env, napi_callback_info info) {
    napi_value argv[1], object;
    size_t argc = 1;
    larder_stats s = {.size = sizeof s};
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    struct handle *h = argc < 1 ? NULL : handle_of(env, argv[0]);
    if (!h || larder_stats_read(h->l, &s)) return fail(env, "larder is closed");
    napi_create_object(env, &object);
    const struct {
        const char *name;
        double value;
    } rows[] = {{"l1Hits", (double)s.l1_hits}, {"l1Stale", (double)s.l1_stale}, {"l1Misses", (double)s.l1_misses}, {"l1HitRatio", s.l1_hit_ratio},
        {"l1Entries", (double)s.l1_entries}, {"l1Bytes", (double)s.l1_bytes}, {"l1Evictions", (double)s.l1_evictions},
        {"l2Hits", (double)s.l2_hits}, {"l2Misses", (double)s.l2_misses}, {"l2MeanUs", s.l2_mean_us}, {"l2P99Us", s.l2_p99_us},
        {"l2Errors", (double)s.l2_errors}, {"l2Timeouts", (double)s.l2_timeouts}, {"hitRatio", s.hit_ratio}, {"loads", (double)s.loads},
        {"loadFailures", (double)s.load_failures}, {"waits", (double)s.waits}, {"invalidations", (double)s.invalidations},
        {"feedLosses", (double)s.feed_losses}, {"queued", (double)s.queued}, {"dropped", (double)s.dropped}, {"circuit", s.circuit},
        {"circuitOpened", (double)s.circuit_opened}, {"trusted", s.trusted}, {"feed", s.feed}, {"leases", s.leases}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        napi_value v;
        napi_create_double(env, rows[i].value, &v);
        set(env, object, rows[i].name, v);
    }
    char text[300];
    napi_value trouble;
    if (larder_trouble(h->l, text, sizeof text, NULL) != LARDER_OK) *text = 0;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &trouble);
    set(env, object, "trouble", trouble);
    return object;
}

static void drop(napi_env env, void *data, void *hint) {
    struct handle *h = data;
    (void)env, (void)hint;
    larder_close(h->l);
    free(h);
}

static napi_value status_text(napi_env env, napi_callback_info info) {
    napi_value argv[1], out;
    size_t argc = 1;
    int32_t status = -1;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    napi_get_value_int32(env, argv[0], &status);
    return napi_create_string_utf8(env, larder_status_text(status), NAPI_AUTO_LENGTH, &out) == napi_ok ? out : NULL;
}

/* --- options --- */

static bool option(napi_env env, napi_value options, const char *name, napi_value *v) {
    napi_valuetype type = napi_undefined;
    return napi_get_named_property(env, options, name, v) == napi_ok && napi_typeof(env, *v, &type) == napi_ok && type != napi_undefined;
}

/* NULL: all is well; else what is wrong. What is no number is an error. */
static const char *numbers_of(napi_env env, napi_value options, larder_options *o) {
    int64_t bytes = (int64_t)o->l1_bytes, queue = (int64_t)o->queue_bytes;
    const struct {
        const char *name;
        int *small;
        int64_t *large;
    } rows[] = {{"l1Bytes", NULL, &bytes}, {"l1TtlMs", NULL, &o->l1_ttl_ms}, {"pool", &o->pool, NULL}, {"connectTimeoutMs", &o->connect_timeout_ms, NULL},
        {"timeoutMs", &o->timeout_ms, NULL}, {"feedCheckMs", &o->feed_check_ms, NULL}, {"staleIfDownMs", NULL, &o->stale_if_down_ms},
        {"downTtlMs", NULL, &o->down_ttl_ms}, {"negativeTtlMs", NULL, &o->negative_ttl_ms}, {"leaseMs", &o->lease_ms, NULL},
        {"waitMs", &o->wait_ms, NULL}, {"failures", &o->failures, NULL}, {"backoffMs", &o->backoff_ms, NULL},
        {"backoffMaxMs", &o->backoff_max_ms, NULL}, {"writesWhenDown", &o->writes_when_down, NULL}, {"queueBytes", NULL, &queue}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        napi_value v;
        int64_t n;
        if (!option(env, options, rows[i].name, &v)) continue;
        if (napi_get_value_int64(env, v, &n) != napi_ok || n < 0 || (rows[i].small && n > INT32_MAX)) return rows[i].name;
        if (rows[i].small) *rows[i].small = (int)n;
        else *rows[i].large = n;
    }
    o->l1_bytes = (size_t)bytes;
    o->queue_bytes = (size_t)queue;
    return NULL;
}

enum { PREFIXES = 64 };

struct texts { /* what larder_open copies */
    char *name, *prefix[PREFIXES + 1];
};

static const char *texts_of(napi_env env, napi_value options, larder_options *o, struct texts *t) {
    napi_value v, one;
    uint32_t n = 0;
    size_t size;
    if (option(env, options, "name", &v)) {
        if (!(t->name = bytes_of(env, v, &size))) return "name";
        o->name = t->name;
    }
    if (!option(env, options, "prefixes", &v)) return NULL;
    if (napi_get_array_length(env, v, &n) != napi_ok || n > PREFIXES) return "prefixes";
    for (uint32_t i = 0; i < n; i++)
        if (napi_get_element(env, v, i, &one) != napi_ok || !(t->prefix[i] = bytes_of(env, one, &size)) || strlen(t->prefix[i]) != size) return "prefixes";
    o->prefixes = (const char *const *)t->prefix;
    return NULL;
}

/* open(urls, options of index.d.ts) */
static napi_value open_handle(napi_env env, napi_callback_info info) {
    napi_value argv[2], out;
    size_t argc = 2, size;
    char error[200] = "out of memory";
    struct texts t = {.name = NULL};
    larder_options o;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    char *urls = argc ? bytes_of(env, argv[0], &size) : NULL;
    struct handle *h = calloc(1, sizeof *h);
    larder_options_init(&o);
    const char *wrong = argc > 1 ? numbers_of(env, argv[1], &o) : NULL;
    if (!wrong && argc > 1) wrong = texts_of(env, argv[1], &o, &t);
    if (!urls) snprintf(error, sizeof error, "no URL");
    else if (wrong) snprintf(error, sizeof error, "a wrong %s", wrong);
    else if (h) h->l = larder_open(urls, &o, error, sizeof error);
    free(urls);
    free(t.name);
    for (size_t i = 0; i < PREFIXES; i++) free(t.prefix[i]);
    if (!h || !h->l) {
        free(h);
        return fail(env, error);
    }
    napi_create_external(env, h, drop, NULL, &out);
    return out;
}

static napi_value close_handle(napi_env env, napi_callback_info info) {
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    struct handle *h = argc < 1 ? NULL : handle_of(env, argv[0]);
    if (h) {
        larder_close(h->l);
        h->l = NULL;
    }
    return NULL;
}

NAPI_MODULE_INIT() {
    const struct {
        const char *name;
        napi_callback call;
    } rows[] = {{"open", open_handle}, {"close", close_handle}, {"near", near}, {"run", run}, {"stats", stats}, {"text", status_text}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        napi_value v;
        napi_create_function(env, rows[i].name, NAPI_AUTO_LENGTH, rows[i].call, NULL, &v);
        set(env, exports, rows[i].name, v);
    }
    return exports;
}
