/* CLDR's annotations: names and keywords of sequences, one pair of XML files a language. */
#ifndef IVL_DATA_EMOJI_CLDR_H
#define IVL_DATA_EMOJI_CLDR_H

#include <ivl/backend.h>

/* Hears one <annotation>: the sequence (as it stands, UTF-8), and its name, or its keywords joined by " |
 * ". */
typedef ivl_status (*ivl_cldr_row)(void *ctx, const char *sequence, const char *text, bool is_name);

/* annotations/LANG.xml, then annotationsDerived/LANG.xml where there is one. */
ivl_status ivl_cldr_read(const char *dir, const char *lang, ivl_cldr_row row, void *ctx);

/* The languages that have a file, sorted; freed by ivl_cldr_languages_free. */
ivl_status ivl_cldr_languages(const char *dir, char ***lang_p, int *n_p);
void       ivl_cldr_languages_free(char **lang, int n);

#endif
