/* errors: how often which error was replied, by its code ("ERR", "WRONGTYPE", ...): INFO errorstats.
 *
 * At most ERRORS_KINDS codes have a count of their own; further ones share ERRORSTATS_OVERFLOW.
 * Thread rule: any thread; one short lock inside. The env owns it.
 */
#ifndef LARDER_COMMAND_ERRORS_H
#define LARDER_COMMAND_ERRORS_H

#include "base/slice.h"

#define ERRORS_KINDS 128

struct errors;
struct errors *errors_new(void);
void errors_free(struct errors *e);
void errors_count(struct errors *e, struct slice text); /* a reply without its '-' */
void errors_each(struct errors *e, void (*each)(void *arg, const char *code, uint64_t n), void *arg);
void errors_reset(struct errors *e);

#endif
