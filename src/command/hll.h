/* hll: what the HyperLogLog commands share; hll.c has the rows, hll_debug.c PFDEBUG and PFSELFTEST.
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_HLL_H
#define LARDER_COMMAND_HLL_H

#include "command/strings.h"
#include "type/hll.h"

#define HLL_CORRUPTED "INVALIDOBJ Corrupted HLL object detected"

/* A key's value. For reading; for change its bytes are copied to `edit` (hll_edit) and stored afterwards (hll_store). */
struct hll_key {
    struct entry *e; /* NULL: there is none */
    struct slice value;
    struct hll edit;
    uint8_t *taken;  /* if `space` is too small */
    uint8_t space[HLL_DENSE + HLL_GROWTH];
};

/* False after an error was replied. */
bool hll_open(struct call *c, int key, bool write, struct hll_key *h);
void hll_as_raw(struct call *c, const struct hll_key *h); /* key 0 is a string that was edited, whatever it was set as */
void hll_edit(const struct store_config *config, struct hll_key *h); /* a new one where there is none */
void hll_store(struct view *v, const struct key *k, struct hll_key *h);
void hll_close(struct hll_key *h);

/* hll_debug.c */
void hll_debug(struct call *c);
void hll_selftest(struct call *c);

#endif
