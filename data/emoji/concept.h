/* What a sequence shows, apart from skin tone, gender, hair, direction and who exactly takes part. */
#ifndef IVL_DATA_EMOJI_CONCEPT_H
#define IVL_DATA_EMOJI_CONCEPT_H

#include <ivl/backend.h>

enum { IVL_EMOJI_MAX = 16 }; /* code points of a sequence */

/* UTF-8 to code points without U+FE0F; 0 if it is not valid or longer than IVL_EMOJI_MAX. */
int ivl_emoji_decode(const char *utf8, uint32_t cp[IVL_EMOJI_MAX]);

/* The base concept's own sequence, which need not be drawn itself: base[n], 1 <= n <= that of cp. Two
 * pictures with equal bases must not stand on different sides of a split. */
int ivl_emoji_base(const uint32_t *cp, int n, uint32_t base[IVL_EMOJI_MAX]);

bool ivl_emoji_is_flag(const uint32_t *cp, int n);
bool ivl_emoji_has_tone(const uint32_t *cp, int n);

/* "1f44b-1f3fb" */
enum { IVL_EMOJI_KEY = 7 * IVL_EMOJI_MAX };
void ivl_emoji_key(const uint32_t *cp, int n, char key[IVL_EMOJI_KEY]);

#endif
