/* match: Redis's glob patterns: * ? [abc] [^abc] [a-z] and \ to escape.
 *
 * Thread rule: pure functions. Linear in text times stars, never exponential: a pattern of many stars is answered quickly.
 * No pattern but the empty one matches an empty text, not even "*": KEYS and SCAN do not ask where the pattern is "*".
 */
#ifndef LARDER_BASE_MATCH_H
#define LARDER_BASE_MATCH_H

#include "base/slice.h"

bool match_glob(struct slice pattern, struct slice text);
/* Could the pattern match a text that begins so? True where that is not easily told. */
bool match_may_begin(struct slice pattern, struct slice beginning);
bool match_glob_nocase(struct slice pattern, struct slice text);

/* What a pattern consists of, one after the other; each but a star takes one byte. Moves `*at` behind it; a literal's byte is *c. */
enum match_element { MATCH_LITERAL, MATCH_ONE_OF, MATCH_ANY };
enum match_element match_element(struct slice pattern, size_t *at, uint8_t *c);

#endif
