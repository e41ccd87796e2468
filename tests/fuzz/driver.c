/* Runs a fuzz target without libFuzzer: first every file of tests/fuzz/NAME as it is, then FUZZ_RUNS
 * (100,000) inputs made by changing and joining them, always the same ones (FUZZ_SEED names others). Files
 * and folders on the command line are run instead: that is how a crash that libFuzzer found is looked at. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS_MAX = 1000, SIZE_MAX_ = 20000 };

struct input {
    uint8_t *p;
    size_t n;
};

static struct input corpus[INPUTS_MAX];
static size_t inputs;

static uint64_t state;
static uint64_t chance(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below ? state % below : 0;
}

static void fail(const char *what, const char *name) {
    perror(what);
    printf("not ok - %s\n", name);
    exit(1);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(const char *path) {
    struct stat st;
    if (stat(path, &st)) fail("stat", path);
    if (S_ISDIR(st.st_mode)) {
        struct dirent **names;
        int n = scandir(path, &names, NULL, by_name);
        if (n < 0) fail("scandir", path);
        for (int i = 0; i < n; i++) {
            char name[4096];
            snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
            if (names[i]->d_name[0] != '.') load(name);
            free(names[i]);
        }
        free(names);
        return;
    }
    if (inputs == INPUTS_MAX) return;
    FILE *f = fopen(path, "rb");
    struct input in = {malloc((size_t)st.st_size + 1), (size_t)st.st_size};
    if (!f || !in.p || fread(in.p, 1, in.n, f) != in.n) fail("read", path);
    fclose(f);
    corpus[inputs++] = in;
}

/* A copy of exactly its size, so that the address sanitizer sees the first byte read behind it. */
static void run(const uint8_t *p, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) fail("malloc", "input");
    if (n) memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static size_t change(uint8_t *p, size_t n) {
    size_t at = chance(n + 1), len = chance(16), from;
    switch (chance(7)) {
    case 0: /* a bit */
        if (at < n) p[at] ^= (uint8_t)(1u << chance(8));
        return n;
    case 1: /* a byte of those that mean something */
        if (at < n) p[at] = (uint8_t) "0123456789-$*\r\n\"'\\ \0\xff"[chance(21)];
        return n;
    case 2: /* fewer */
        if (len > n - at) len = n - at;
        memmove(p + at, p + at + len, n - at - len);
        return n - len;
    case 3: /* more */
        if (n + len > SIZE_MAX_) return n;
        memmove(p + at + len, p + at, n - at);
        for (size_t i = 0; i < len; i++) p[at + i] = (uint8_t)chance(256);
        return n + len;
    case 4: /* a piece twice */
        from = chance(n + 1);
        len = chance(n - from + 1);
        if (n + len > SIZE_MAX_) return n;
        memmove(p + at + len, p + at, n - at);
        memmove(p + at, p + (from < at ? from : from + len), from < at && len > at - from ? at - from : len);
        return n + len;
    case 5: /* cut off */
        return at;
    default: { /* another one behind it */
        const struct input *other = &corpus[chance(inputs)];
        if (at + other->n > SIZE_MAX_) return n;
        memcpy(p + at, other->p, other->n);
        return at + other->n;
    }
    }
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0],
               *top = getenv("top_srcdir");
    for (int i = 1; i < argc; i++) load(argv[i]);
    if (argc < 2) {
        char path[4096];
        if (!strncmp(name, "lt-", 3)) name += 3;
        snprintf(path, sizeof path, "%s/tests/fuzz/%s", top ? top : ".",
            strncmp(name, "fuzz-", 5) ? name : name + 5);
        load(path);
    }
    for (size_t i = 0; i < inputs; i++) run(corpus[i].p, corpus[i].n);
    uint64_t runs = argc < 2 ? setting("FUZZ_RUNS", 100000) : 0;
    state = setting("FUZZ_SEED", 1) * 0x9e3779b97f4a7c15u | 1;
    static uint8_t p[SIZE_MAX_];
    for (uint64_t i = 0; i < runs; i++) {
        const struct input *from = &corpus[chance(inputs)];
        size_t n = from->n < SIZE_MAX_ ? from->n : SIZE_MAX_;
        memcpy(p, from->p, n);
        for (uint64_t k = 1 + chance(6); k; k--) n = change(p, n);
        run(p, n);
    }
    printf("ok - %zu files, %llu made from them\n1..1\n", inputs, (unsigned long long)runs);
    for (size_t i = 0; i < inputs; i++) free(corpus[i].p);
    return 0;
}
