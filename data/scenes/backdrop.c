/* Backgrounds: the pictures that desktop packages install, made small once. Those that show things which
 * scenes speak of would make answers wrong, so they are left out by name. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/paths.h"
#include "data/scenes/kit.h"
#include "data/transform.h"
#include "runtime/file.h"

enum { SMALLEST_FILE = 60000, TIMES_SIZE = 3, HELD_OUT_PERCENT = 15 };

static const char *const show_things[] = {
#define SHOWS(name) name,
#include "data/scenes/backgrounds.def"
};

typedef struct candidate {
    char *path;
    char name[64];
    int64_t bytes;
    double draw;
} candidate;
typedef struct candidates {
    candidate *v;
    int n;
} candidates;

/* ".../Kite/contents/images/2560x1600.jpg" -> "Kite"; ".../Elephants_3840x2160.jpg" -> "Elephants";
 * "wood-d.webp" and "wood-l.webp" -> "wood": one picture in several sizes or lights is one background. */
static void name_of(const char *path, char name[64])
{
    const char *contents = strstr(path, "/contents/images"), *end = contents ? contents : path + strlen(path);
    const char *from = end;
    while (from > path && from[-1] != '/') from--;
    snprintf(name, 64, "%.*s", (int)(end - from), from);
    if (contents) return;
    char *dot = strrchr(name, '.');
    if (dot) *dot = 0;
    char *last = strrchr(name, '_');
    if (last && last[1] >= '0' && last[1] <= '9' && strchr(last, 'x')) *last = 0;
    size_t n = strlen(name);
    if (n > 2 && name[n - 2] == '-' && (name[n - 1] == 'd' || name[n - 1] == 'l')) name[n - 2] = 0;
}

static bool shows_things(const char *name)
{
    for (size_t i = 0; i < sizeof show_things / sizeof *show_things; i++)
        if (!strcmp(show_things[i], name)) return true;
    return false;
}

/* Keeps the smallest file of a name: decoding it is quickest, and all are larger than a scene. */
static ivl_status consider(candidates *c, const char *path, bool any_size)
{
    struct stat st;
    candidate n = { .path = NULL };
    if (stat(path, &st) || !S_ISREG(st.st_mode) || strstr(path, "screenshot")) return IVL_OK;
    if (!any_size && st.st_size < SMALLEST_FILE) return IVL_OK;
    name_of(path, n.name);
    n.bytes = st.st_size;
    if (shows_things(n.name)) return IVL_OK;
    int i = 0;
    while (i < c->n && strcmp(c->v[i].name, n.name)) i++;
    if (i < c->n &&
        (c->v[i].bytes < n.bytes || (c->v[i].bytes == n.bytes && strcmp(c->v[i].path, path) <= 0)))
        return IVL_OK;
    candidate *more = i < c->n ? c->v : realloc(c->v, (size_t)(c->n + 1) * sizeof *more);
    IVL_CHECK(more && (n.path = strdup(path)), IVL_ENOMEM, "out of memory");
    c->v = more;
    if (i < c->n)
        free(c->v[i].path);
    else
        c->n++;
    c->v[i] = n;
    return IVL_OK;
}

static ivl_status consider_folder(candidates *c, const char *dir, bool any_size)
{
    ivl_paths found = { 0 };
    IVL_TRY(ivl_paths_pictures(dir, &found));
    ivl_status s = IVL_OK;
    for (int64_t i = 0; s == IVL_OK && i < found.n; i++) {
        char *path = ivl_path_join(dir, found.v[i]);
        s = path ? consider(c, path, any_size) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        free(path);
    }
    ivl_paths_free(&found);
    return s;
}

/* Every part of "A:B"; what a user names must exist, the standard folders need not. */
static ivl_status consider_all(candidates *c, const char *list, bool must_exist)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ":");
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%.*s", (int)n, at);
        at += n + (at[n] == ':');
        if (!n) continue;
        if (stat(path, &st)) {
            IVL_CHECK(!must_exist, IVL_EIO, "%s: no such folder or picture of backgrounds", path);
            continue;
        }
        IVL_TRY(S_ISDIR(st.st_mode) ? consider_folder(c, path, must_exist) : consider(c, path, true));
    }
    return IVL_OK;
}

/* The short side becomes TIMES_SIZE scenes, at most; smaller ones stay. */
static ivl_status load_one(const kit *k, const candidate *c, backdrop *b)
{
    ivl_image im = { 0 };
    int want = TIMES_SIZE * k->o->size;
    IVL_TRY(ivl_image_load(c->path, want, &im));
    memcpy(b->name, c->name, sizeof b->name);
    int side = im.width < im.height ? im.width : im.height;
    if (side <= want) {
        b->im = im;
        return IVL_OK;
    }
    double scale = (double)want / side, box[4] = { 0, 0, im.width, im.height };
    int w = (int)(im.width * scale), h = (int)(im.height * scale);
    ivl_status s = ivl_image_alloc(c->path, (uint64_t)w, (uint64_t)h, &b->im);
    if (s == IVL_OK)
        s = ivl_resize(im.rgb, im.width, im.height, (size_t)im.width * 3, box, b->im.rgb, w, h, false);
    ivl_image_free(&im);
    return s;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const candidate *)a)->name, ((const candidate *)b)->name);
}

/* The lowest draws are held out, if there are at least two. */
static void hold_out(kit *k, const candidates *c)
{
    int most = k->n_backs * HELD_OUT_PERCENT / 100;
    if (k->n_backs > 1 && !most) most = 1;
    for (int i = 0; i < k->n_backs; i++) {
        int lower = 0;
        for (int j = 0; j < k->n_backs; j++) lower += c->v[j].draw < c->v[i].draw;
        k->back[i].held_out = lower < most;
    }
}

static ivl_status load_all(kit *k, candidates *c)
{
    ivl_rng r = ivl_rng_make(k->o->seed, "scenes:background");
    if (c->n) qsort(c->v, (size_t)c->n, sizeof *c->v, by_name);
    k->back = calloc((size_t)c->n + 1, sizeof *k->back);
    IVL_CHECK(k->back, IVL_ENOMEM, "out of memory");
    for (int i = 0; i < c->n; i++) {
        c->v[i].draw = ivl_rng_uniform(r, 0, 0, scenes_hash(c->v[i].name));
        IVL_TRY(load_one(k, &c->v[i], &k->back[i]));
        k->n_backs++;
    }
    hold_out(k, c);
    return IVL_OK;
}

ivl_status kit_load_backdrops(kit *k)
{
    candidates c = { 0 };
    const char *list = k->o->backgrounds;
    ivl_status s = consider_all(&c, list ? list : IVL_SCENES_BACKGROUNDS, list != NULL);
    if (s == IVL_OK) s = load_all(k, &c);
    for (int i = 0; i < c.n; i++) free(c.v[i].path);
    free(c.v);
    return s;
}
