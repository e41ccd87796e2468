/* mem for the client library: the functions of base/mem.h that it links, from the C library's allocator and with no count, no
 * limit on threads and nothing that outlives a call. The daemon links mem.c instead. */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t n) {
    fprintf(stderr, "liblarder: out of memory taking %zu bytes\n", n);
    abort();
}

static void *taken(void *p, size_t n) {
    if (!p) out_of_memory(n);
    return p;
}

void *mem_alloc(enum mem_domain d, size_t n) {
    (void)d;
    return taken(malloc(n ? n : 1), n);
}

void *mem_zalloc(enum mem_domain d, size_t n) {
    (void)d;
    return taken(calloc(1, n ? n : 1), n);
}

void *mem_aligned(enum mem_domain d, size_t n, size_t align) {
    void *p = NULL;
    (void)d;
    if (posix_memalign(&p, align < sizeof p ? sizeof p : align, n)) out_of_memory(n);
    return p;
}

void *mem_realloc(enum mem_domain d, void *p, size_t n) {
    (void)d;
    return taken(realloc(p, n ? n : 1), n);
}

void mem_free(enum mem_domain d, void *p) {
    (void)d;
    free(p);
}

char *mem_strdup(enum mem_domain d, const char *text) {
    size_t n = strlen(text) + 1;
    return memcpy(mem_alloc(d, n), text, n);
}

size_t mem_usable(const void *p) { return malloc_usable_size((void *)p); }
