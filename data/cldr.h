/* Names of emoji from CLDR's annotation files. */
#ifndef IVL_DATA_CLDR_H
#define IVL_DATA_CLDR_H

#include <ivl/backend.h>

/* Sorted by sequence; a sequence is UTF-8 without variation selectors. */
typedef struct ivl_cldr_name { char *sequence, *name; } ivl_cldr_name;
typedef struct ivl_cldr { char lang[16]; ivl_cldr_name *name; int n, cap; } ivl_cldr;

/* annotations/LANG.xml and annotationsDerived/LANG.xml below dir. */
ivl_status ivl_cldr_load(const char *dir, const char *lang, ivl_cldr *c_p);
void       ivl_cldr_free(ivl_cldr *c);
const char *ivl_cldr_find(const ivl_cldr *c, const char *sequence); /* NULL if it has no name */
/* Languages with an annotation file, regions left out: sorted, freed by the caller with the array. */
ivl_status ivl_cldr_languages(const char *dir, char ***lang_p, int *n_p);

#endif
