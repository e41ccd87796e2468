/* bitmap: what the commands on strings of bits share; bitmap.c has the rows, bitfield.c BITFIELD.
 *
 * Thread rule: that of a handler (call.h). Nothing here owns anything.
 */
#ifndef LARDER_COMMAND_BITMAP_H
#define LARDER_COMMAND_BITMAP_H

#include "command/strings.h"

/* The bit that the word at `arg` names; with `times` "#n" is n times that. False after an error was replied. */
bool bitmap_offset(struct call *c, int arg, unsigned times, uint64_t *at);
/* The bytes of key 0, bit `last` among them, to be written to. False: an error was replied, or the call will be run again. */
struct bitmap {
    uint8_t *p;
    size_t n;
    bool grows; /* it was shorter, or was not there */
};
bool bitmap_edit(struct call *c, uint64_t last, struct bitmap *b);

/* bitfield.c */
void bitmap_bitfield(struct call *c);
void bitmap_bitfield_ro(struct call *c);
unsigned bitmap_bitfield_flags(const struct slice *argv, int argc, int at); /* see struct command */

#endif
