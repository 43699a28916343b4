/* A growing list of strings, and the expansion of a spec ("a/{000..012}.tar::b/[*].png") into paths that
 * exist. */
#ifndef IVL_DATA_PATHS_H
#define IVL_DATA_PATHS_H

#include <ivl/backend.h>

/* ends[i]: v[i] is the last of its part of a spec. */
typedef struct ivl_paths { char **v; bool *ends; int64_t n, room; } ivl_paths;

ivl_status ivl_paths_add(ivl_paths *p, const char *text); /* a copy */
void       ivl_paths_free(ivl_paths *p);

/* Every part of the spec in order; a pattern's matches sorted. A part that exists as it is written is not
 * expanded. */
ivl_status ivl_paths_expand(const char *spec, ivl_paths *out_p);

/* Pictures (.jpg .jpeg .png .webp in any case) in a folder and below, relative to it, sorted by their bytes; hidden
 * ones and label maps (.mask.png) are left out, linked folders are not entered. */
ivl_status ivl_paths_pictures(const char *dir, ivl_paths *out_p);
/* The same of all files whose names end in `suffix`. */
ivl_status ivl_paths_below(const char *dir, const char *suffix, ivl_paths *out_p);
/* Files straight in `dir` whose names end in `suffix`, as "dir/name", sorted. */
ivl_status ivl_paths_suffix(const char *dir, const char *suffix, ivl_paths *out_p);

bool ivl_ends_with(const char *text, const char *suffix); /* any case */
bool ivl_is_picture_name(const char *name);

#endif
