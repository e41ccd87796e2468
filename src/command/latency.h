/* latency: spikes by event (LATENCY LATEST, HISTORY, GRAPH, DOCTOR): the last 160 of each event, one a second at the most.
 * Thread rule: any thread; one short lock inside. The env owns it.
 */
#ifndef LARDER_COMMAND_LATENCY_H
#define LARDER_COMMAND_LATENCY_H

#include "base/slice.h"

struct latency;
struct latency *latency_new(void);
void latency_free(struct latency *l);
/* Notes a spike of `ms`; the caller has compared it with latency-monitor-threshold. `event`: a constant text. */
void latency_note(struct latency *l, const char *event, int64_t ms);

#endif
