/* crash: the last words. On SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT it writes to the log what happened, where (registers,
 * backtrace) and how things stood, then lets the signal have its way, so that there is a core file and an exit status.
 *
 * Only what may be called in a signal handler is called there; each thread has a stack for it, so that an overflow of its own
 * can still be told. A sanitizer's own handlers are left alone.
 * Thread rule: crash_start once, on the main thread; each thread makes and frees its own stack.
 */
#ifndef LARDER_SERVER_CRASH_H
#define LARDER_SERVER_CRASH_H

#include "command/env.h"

#include <signal.h>

void crash_start(const struct env *e); /* e: for the summary; the last one started is told of */
void crash_stop(void);                 /* before the env goes */
void *crash_stack_new(void);
void crash_stack_free(void *stack);
void crash_signals_unblocked(sigset_t *set); /* takes them out of a set of signals to block */

#endif
