/* Clip art of Debian's openclipart packages (public domain): pictures from openclipart-png, titles and keywords from
 * the drawings' own metadata in openclipart-svg, labels from the folders. With openclipart-svg alone the drawings are
 * rendered, if the library was built with librsvg. Titles that stand for whole collections are left out.
 *
 * Written to `out`: train-000.tar ..., val.tar (titles that are not trained), splits.json. A record is
 * CLASS/KEY.jpg on white, KEY.txt (the title) and KEY.json with "label". The same options and packages give the same
 * bytes. */
#ifndef IVL_DATA_CLIPART_CLIPART_H
#define IVL_DATA_CLIPART_CLIPART_H

#include <ivl/backend.h>

#define IVL_CLIPART_PNG "/usr/share/openclipart/png"
#define IVL_CLIPART_SVG "/usr/share/openclipart/svg"

typedef struct ivl_clipart_options {
    const char *out, *png, *svg; /* NULL: where Debian puts them */
    int         size;            /* longer side at most */
    uint64_t    seed;
} ivl_clipart_options;

typedef struct ivl_clipart_report {
    int     found, usable, unreadable, labels, shards;
    int64_t records[2], bytes[2]; /* train, val */
} ivl_clipart_report;

ivl_status ivl_clipart_build(const ivl_clipart_options *o, ivl_clipart_report *report_p);

/* --- what the packages hold ----------------------------------------------------------------------------- */

typedef struct ivl_clipart_item {
    char *path;                        /* without extension, below the folder */
    char  title[96], keywords[192];    /* keywords: "bird, animal"; may be empty */
} ivl_clipart_item;

typedef struct ivl_clipart {
    char *png, *svg;                   /* png NULL: there is none, drawings are rendered */
    ivl_clipart_item *item;            /* sorted by path; only those with a usable title */
    int   n, found;
} ivl_clipart;

ivl_status ivl_clipart_open(const char *png, const char *svg, ivl_clipart *c_p);
void       ivl_clipart_close(ivl_clipart *c); /* accepts a zeroed one */
/* Straight alpha, rgba[h,w,4], freed by the caller; the longer side is at most 2 * side if it was larger. */
ivl_status ivl_clipart_picture(const ivl_clipart *c, int i, int side, uint8_t **rgba_p, int *w_p, int *h_p);

/* In data/clipart/title.c: title and keywords from the metadata of an SVG; false: it has none. */
bool ivl_clipart_describe(const char *svg, size_t n, char title[96], char keywords[192]);

/* In data/clipart/render.c: an SVG as rgba. IVL_EUNSUPPORTED where the library was built without librsvg. */
ivl_status ivl_svg_render(const void *svg, size_t n, const char *name, int side, uint8_t **rgba_p, int *w_p, int *h_p);
bool       ivl_svg_can_render(void);

#endif
