/* Which clip art there is, with titles that say something. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/clipart/clipart.h"
#include "data/image.h"
#include "data/paths.h"
#include "runtime/file.h"

enum { SVG_MOST = 1 << 24, PNG_MOST = 1 << 27, TITLE_USED_MOST = 3 };

static bool is_folder(const char *path)
{
    struct stat st;
    return path && !stat(path, &st) && S_ISDIR(st.st_mode);
}

static ivl_status no_memory(void) { return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory"); }

static char *with_extension(const char *dir, const char *path, const char *extension)
{
    size_t n = strlen(dir) + strlen(path) + strlen(extension) + 2;
    char *full = malloc(n);
    if (full) snprintf(full, n, "%s/%s%s", dir, path, extension);
    return full;
}

/* --- titles --------------------------------------------------------------------------------------------- */

/* "kangaroo_architetto_fra_01" -> "kangaroo architetto fra": what is left when there is no metadata. */
static void title_of_name(const char *path, char title[96])
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    size_t m = 0;
    for (; *name && m < 95; name++) {
        char c = *name == '_' || *name == '-' || isdigit((unsigned char)*name) ? ' ' : *name;
        if (c != ' ' || (m && title[m - 1] != ' ')) title[m++] = c;
    }
    while (m && title[m - 1] == ' ') m--;
    title[m] = 0;
}

static ivl_status describe(const ivl_clipart *c, ivl_clipart_item *it)
{
    char *path = c->svg ? with_extension(c->svg, it->path, ".svg") : NULL, *data = NULL;
    size_t n = 0;
    if (c->svg && !path) return no_memory();
    if (!path || ivl_read_file(path, SVG_MOST, &data, &n) != IVL_OK ||
        !ivl_clipart_describe(data, n, it->title, it->keywords))
        it->title[0] = 0;
    if (!c->svg) title_of_name(it->path, it->title);
    free(data), free(path);
    return IVL_OK;
}

/* A collection's name, or a name that its maker forgot to change. */
static bool says_nothing(const char *title)
{
    static const char *const parts[] = { "Clipart by Nicu", "Flat Icon Collection", "theme",        "icons",
                                         "clip art",        "SVG gradient",         "symbol signs", "unnamed",
                                         "untitled",        "Map Elements" };
    int letters = 0;
    for (const char *p = title; *p; p++) letters += isalpha((unsigned char)*p) || *p & 0x80;
    if (letters < 3) return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(title, parts[i])) return true;
    return false;
}

static int by_title(const void *a, const void *b)
{
    const ivl_clipart_item *x = a, *y = b;
    int c = strcasecmp(x->title, y->title);
    return c ? c : strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const ivl_clipart_item *)a)->path, ((const ivl_clipart_item *)b)->path);
}

static void keep_telling(ivl_clipart *c)
{
    int kept = 0;
    if (c->n) qsort(c->item, (size_t)c->n, sizeof *c->item, by_title);
    for (int i = 0, j; i < c->n; i = j) {
        for (j = i + 1; j < c->n && !strcasecmp(c->item[i].title, c->item[j].title);) j++;
        bool good = j - i <= TITLE_USED_MOST && !says_nothing(c->item[i].title);
        for (int k = i; k < j; k++) {
            if (good)
                c->item[kept++] = c->item[k];
            else
                free(c->item[k].path);
        }
    }
    c->n = kept;
    if (c->n) qsort(c->item, (size_t)c->n, sizeof *c->item, by_path);
}

/* --- life ----------------------------------------------------------------------------------------------- */

static ivl_status fill(ivl_clipart *c, const ivl_paths *found, const char *extension)
{
    c->item = calloc((size_t)found->n + 1, sizeof *c->item);
    if (!c->item) return no_memory();
    for (int64_t i = 0; i < found->n; i++) {
        if (!strncmp(found->v[i], "special/", 8) || strstr(found->v[i], "/duplicates/"))
            continue; /* no pictures, twins */
        ivl_clipart_item *it = &c->item[c->n];
        it->path = strndup(found->v[i], strlen(found->v[i]) - strlen(extension));
        if (!it->path) return no_memory();
        c->n++;
        IVL_TRY(describe(c, it));
    }
    c->found = c->n;
    keep_telling(c);
    return IVL_OK;
}

static ivl_status open_folders(ivl_clipart *c, const char *png, const char *svg)
{
    ivl_paths found = { 0 };
    bool has_png = is_folder(png), has_svg = is_folder(svg);
    IVL_CHECK(has_png || (has_svg && ivl_svg_can_render()), IVL_EIO,
              "%s: no clip art there: install it (apt-get install openclipart-png openclipart-svg) or name "
              "its folders "
              "with --png and --svg%s",
              png, has_svg ? "; this build cannot render SVG (librsvg2-dev)" : "");
    c->png = has_png ? strdup(png) : NULL, c->svg = has_svg ? strdup(svg) : NULL;
    if ((has_png && !c->png) || (has_svg && !c->svg)) return no_memory();
    ivl_status s = ivl_paths_below(has_png ? png : svg, has_png ? ".png" : ".svg", &found);
    if (s == IVL_OK) s = fill(c, &found, has_png ? ".png" : ".svg");
    ivl_paths_free(&found);
    if (s == IVL_OK && !c->n)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: no titled clip art in it", png);
    return s;
}

ivl_status ivl_clipart_open(const char *png, const char *svg, ivl_clipart *c_p)
{
    ivl_clipart c = { 0 };
    ivl_status s = open_folders(&c, png ? png : IVL_CLIPART_PNG, svg ? svg : IVL_CLIPART_SVG);
    if (s == IVL_OK)
        *c_p = c;
    else
        ivl_clipart_close(&c);
    return s;
}

void ivl_clipart_close(ivl_clipart *c)
{
    for (int i = 0; i < c->n; i++) free(c->item[i].path);
    free(c->item), free(c->png), free(c->svg);
    *c = (ivl_clipart){ 0 };
}

/* --- pictures ------------------------------------------------------------------------------------------- */

/* Half the size, in place; colours count by how opaque they are. */
static void halve(uint8_t *p, int *w_p, int *h_p)
{
    int w = *w_p, w2 = w / 2, h2 = *h_p / 2;
    uint8_t *to = p;
    for (int y = 0; y < h2; y++)
        for (int x = 0; x < w2; x++, to += 4) {
            const uint8_t *a = p + 4 * ((size_t)(2 * y) * (size_t)w + (size_t)(2 * x)),
                          *b = a + 4 * (size_t)w;
            const uint8_t *px[4] = { a, a + 4, b, b + 4 };
            unsigned alpha = 0, sum[3] = { 0 };
            for (int i = 0; i < 4; i++) {
                alpha += px[i][3];
                for (int c = 0; c < 3; c++) sum[c] += px[i][c] * px[i][3];
            }
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)(alpha ? (sum[c] + alpha / 2) / alpha : 255);
            to[3] = (uint8_t)((alpha + 2) / 4);
        }
    *w_p = w2, *h_p = h2;
}

ivl_status ivl_clipart_picture(const ivl_clipart *c, int i, int side, uint8_t **rgba_p, int *w_p, int *h_p)
{
    char *path = with_extension(c->png ? c->png : c->svg, c->item[i].path, c->png ? ".png" : ".svg"),
         *data = NULL;
    size_t n = 0;
    int w = 0, h = 0;
    uint8_t *rgba = NULL;
    if (!path) return no_memory();
    ivl_status s = ivl_read_file(path, c->png ? PNG_MOST : SVG_MOST, &data, &n);
    if (s == IVL_OK)
        s = c->png ? ivl_png_decode_rgba(data, n, path, &rgba, &w, &h)
                   : ivl_svg_render(data, n, path, side, &rgba, &w, &h);
    free(data), free(path);
    IVL_TRY(s);
    while ((w > 2 * side || h > 2 * side) && w > 1 && h > 1) halve(rgba, &w, &h);
    *rgba_p = rgba, *w_p = w, *h_p = h;
    return IVL_OK;
}
