#define ZSTD_STATIC_LINKING_ONLY /* for frames without a magic number, and contexts out of our memory */
#include "base/squeeze.h"

#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <zstd.h>

#define WINDOW_LOG 14 /* SQUEEZE_MAX */
#define HASH_LOG 12
#define SHORTEST 6    /* a match: shorter ones cost as much as literals in eight kilobytes */

struct squeezer {
    ZSTD_CCtx *in;
    ZSTD_DCtx *out;
};

/* One pair for each number of base/thread.h: it goes over to the next thread of that number. */
static struct squeezer squeezers[THREAD_MAX];
static _Thread_local struct squeezer *mine;

static void *take(void *arg, size_t n) {
    (void)arg;
    return mem_alloc(MEM_UPKEEP, n);
}
static void give(void *arg, void *p) {
    (void)arg;
    mem_free(MEM_UPKEEP, p);
}

static void set(ZSTD_CCtx *c, ZSTD_cParameter p, int v) {
    size_t e = ZSTD_CCtx_setParameter(c, p, v);
    assert(!ZSTD_isError(e));
    (void)e;
}

static struct squeezer *squeezer_start(void) {
    struct squeezer *s = mine = &squeezers[thread_index()];
    if (s->in) return s;
    const ZSTD_customMem memory = {take, give, NULL};
    s->in = ZSTD_createCCtx_advanced(memory);
    s->out = ZSTD_createDCtx_advanced(memory);
    assert(s->in && s->out); /* mem_alloc does not fail */
    set(s->in, ZSTD_c_format, ZSTD_f_zstd1_magicless);
    set(s->in, ZSTD_c_contentSizeFlag, 0);
    set(s->in, ZSTD_c_compressionLevel, 1);
    set(s->in, ZSTD_c_windowLog, WINDOW_LOG);
    set(s->in, ZSTD_c_hashLog, HASH_LOG);
    set(s->in, ZSTD_c_minMatch, SHORTEST);
    size_t e = ZSTD_DCtx_setParameter(s->out, ZSTD_d_format, ZSTD_f_zstd1_magicless);
    assert(!ZSTD_isError(e));
    (void)e;
    return s;
}

size_t squeeze_pack(void *out, size_t cap, const void *p, size_t n) {
    assert(n <= SQUEEZE_MAX);
    struct squeezer *s = mine ? mine : squeezer_start();
    size_t got = ZSTD_compress2(s->in, out, cap, p, n);
    return ZSTD_isError(got) ? 0 : got;
}

void squeeze_unpack(void *out, size_t n, const void *p, size_t packed) {
    struct squeezer *s = mine ? mine : squeezer_start();
    size_t got = ZSTD_decompressDCtx(s->out, out, n, p, packed);
    assert(got == n);
    (void)got;
}
