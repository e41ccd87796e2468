/* A list and its naive twin: an array of texts, to which the same is done. What is done comes from choices: random numbers in the
 * unit test, the bytes of an input in the fuzz target. */
#ifndef LARDER_TESTS_LIST_TWIN_H
#define LARDER_TESTS_LIST_TWIN_H

#include "type/list.h"

struct list_twin {
    struct home home;
    struct slice *texts;
    size_t n, cap;
    size_t most, burst; /* how long it may become; how many are pushed or popped in one step, at most */
    bool long_ones, alike;
    uint64_t (*choose)(void *arg, uint64_t below);
    void *arg;
};

void twin_init(struct list_twin *t, const struct type_limits *limits, uint64_t (*choose)(void *, uint64_t), void *arg);
void twin_end(struct list_twin *t);
const char *twin_step(struct list_twin *t);    /* one thing is done to both; what differs, or NULL */
const char *twin_compare(struct list_twin *t); /* all of both */

#endif
