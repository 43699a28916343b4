/* Which script texts are written in. */
#ifndef IVL_DATA_SCRIPT_H
#define IVL_DATA_SCRIPT_H

#include <ivl/backend.h>

enum { IVL_SCRIPTS = 32 };
typedef struct ivl_script_tally { uint32_t script[IVL_SCRIPTS]; int64_t letters[IVL_SCRIPTS]; int n; } ivl_script_tally;

/* Counts the letters of a UTF-8 text; a tally starts zeroed. */
void ivl_script_count(ivl_script_tally *t, const char *text);
/* ISO 15924 code of the script of most letters: "Latn", "Jpan" (kana and kanji mix); "Zyyy" without a letter. */
void ivl_script_name(const ivl_script_tally *t, char name[5]);

#endif
