#include "server/crash.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/version.h"

#include <execinfo.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES 65536
#define FRAMES 100

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define FATAL (sizeof fatal / sizeof *fatal)

/* Handlers are the process's: they have nothing but this to find their env by. */
static const struct env *_Atomic subject;
static _Atomic int telling; /* the thread that does */

/* -- writing without anything that is not safe in a handler ---------------------------------------------------------------- */

struct line {
    char text[512];
    size_t n;
};

static void put(struct line *l, const char *s) {
    while (*s && l->n < sizeof l->text - 1) l->text[l->n++] = *s++;
}

static void put_number(struct line *l, uint64_t v, unsigned base, unsigned width) {
    char digits[24];
    unsigned n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v || n < width);
    while (n && l->n < sizeof l->text - 1) l->text[l->n++] = digits[--n];
}

static void put_field(struct line *l, const char *name, uint64_t v) {
    put(l, name);
    put(l, ":");
    put_number(l, v, 10, 1);
    put(l, "\n");
}

static void flush(struct line *l, int fd) {
    for (size_t at = 0; at < l->n;) {
        ssize_t n = write(fd, l->text + at, l->n - at);
        if (n <= 0) break;
        at += (size_t)n;
    }
    l->n = 0;
}

static const char *signal_name(int number) {
    switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    default: return "SIGABRT";
    }
}

static void tell_registers(struct line *l, int fd, const ucontext_t *u) {
#if defined(__x86_64__)
    static const struct {
        const char *name;
        int index;
    } reg[] = {{"RIP", REG_RIP}, {"RSP", REG_RSP}, {"RBP", REG_RBP}, {"RAX", REG_RAX}, {"RBX", REG_RBX}, {"RCX", REG_RCX},
        {"RDX", REG_RDX}, {"RSI", REG_RSI}, {"RDI", REG_RDI}, {"R8 ", REG_R8}, {"R9 ", REG_R9}, {"R10", REG_R10},
        {"R11", REG_R11}, {"R12", REG_R12}, {"R13", REG_R13}, {"R14", REG_R14}, {"R15", REG_R15}, {"EFL", REG_EFL}};
    put(l, "------ REGISTERS ------\n");
    for (size_t i = 0; i < sizeof reg / sizeof *reg; i++) {
        put(l, reg[i].name);
        put(l, ":");
        put_number(l, (uint64_t)u->uc_mcontext.gregs[reg[i].index], 16, 16);
        put(l, i % 4 == 3 ? "\n" : " ");
    }
    put(l, "\n");
    flush(l, fd);
#else
    (void)l;
    (void)fd;
    (void)u;
#endif
}

static void tell_state(struct line *l, int fd, const struct env *e) {
    put(l, "------ STATE ------\nlarder_version:" LARDER_VERSION "\n");
    put_field(l, "process_id", (uint64_t)getpid());
    put_field(l, "thread_id", (uint64_t)syscall(SYS_gettid));
    if (e) {
        put_field(l, "uptime_in_seconds", (uint64_t)(clock_mono_us() - e->started_us) / 1000000);
        put_field(l, "threads", e->lanes);
        put_field(l, "connected_clients", env_clients(e));
        put_field(l, "total_commands_processed", env_lane_stat(e, offsetof(struct lane, total_commands)));
        put_field(l, "used_memory",
            mem_used(MEM_DATA) + mem_used(MEM_INDEX) + mem_used(MEM_MISC) + mem_used(MEM_CLIENT));
        put_field(l, "maxmemory", (uint64_t)option_get(&e->store_config.maxmemory));
    }
    flush(l, fd);
    for (unsigned i = 0; e && e->store && i < (unsigned)option_get(&e->store_config.databases); i++) {
        uint64_t keys = store_count(e->store, i);
        if (!keys) continue;
        put(l, "db");
        put_number(l, i, 10, 1);
        put_field(l, "_keys", keys);
        flush(l, fd);
    }
}

static void tell(int number, const siginfo_t *info, const ucontext_t *u) {
    struct line l = {.n = 0};
    int fd = log_fd();
    put(&l, "\n\n=== LARDER BUG REPORT START: Cut & paste starting from here ===\nlarderd " LARDER_VERSION
            " crashed by signal: ");
    put(&l, signal_name(number));
    put(&l, ", si_code: ");
    put_number(&l, (uint64_t)(info->si_code < 0 ? -info->si_code : info->si_code), 10, 1);
    if (info->si_code > 0) {
        put(&l, ", accessing address: 0x");
        put_number(&l, (uint64_t)(uintptr_t)info->si_addr, 16, 1);
    } else {
        put(&l, ", sent by PID: ");
        put_number(&l, (uint64_t)info->si_pid, 10, 1);
    }
    put(&l, "\n");
    flush(&l, fd);
    tell_registers(&l, fd, u);
    put(&l, "------ STACK TRACE ------\n");
    flush(&l, fd);
    void *frame[FRAMES];
    int n = backtrace(frame, FRAMES);
    backtrace_symbols_fd(frame, n, fd);
    tell_state(&l, fd, atomic_load(&subject));
    put(&l, "=== LARDER BUG REPORT END ===\n");
    flush(&l, fd);
}

static void on_fatal(int number, siginfo_t *info, void *context) {
    int self = (int)syscall(SYS_gettid), nobody = 0;
    if (atomic_compare_exchange_strong(&telling, &nobody, self))
        tell(number, info, context);
    else if (nobody != self)
        for (;;) pause(); /* one of the others is at it, and ends the process */
    signal(number, SIG_DFL);
    raise(number);
}

void crash_signals_unblocked(sigset_t *set) {
    for (size_t i = 0; i < FATAL; i++) sigdelset(set, fatal[i]);
}

void crash_start(const struct env *e) {
    atomic_store(&subject, e);
    if (SANITIZED) return;
    void *frame[2];
    backtrace(frame, 2); /* loads what it needs now, where memory may be taken */
    struct sigaction a = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < FATAL; i++) sigaction(fatal[i], &a, NULL);
}

void crash_stop(void) {
    atomic_store(&subject, NULL);
    for (size_t i = 0; !SANITIZED && i < FATAL; i++) signal(fatal[i], SIG_DFL);
}

void *crash_stack_new(void) {
    if (SANITIZED) return NULL; /* they have their own */
    stack_t st = {.ss_sp = mem_alloc(MEM_MISC, STACK_BYTES), .ss_size = STACK_BYTES};
    sigaltstack(&st, NULL);
    return st.ss_sp;
}

void crash_stack_free(void *stack) {
    if (!stack) return;
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    mem_free(MEM_MISC, stack);
}
