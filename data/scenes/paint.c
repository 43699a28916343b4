/* Pixels of a scene. A thing is sampled bilinearly from the halved copy next above its size, turned and
 * mirrored on the way, and laid over what is there; the mask takes pixels that are at least half covered. */
#include <stdlib.h>
#include <string.h>

#include "data/scenes/kit.h"
#include "data/transform.h"

/* --- background ----------------------------------------------------------------------------------------- */

static ivl_status paint_picture(const backdrop *b, int size, dice *d, uint8_t *rgb)
{
    int w = b->im.width, h = b->im.height, side = w < h ? w : h;
    int least = side < size ? side : size + (side - size) / 3; /* not so near that it is a blur */
    int crop = least + dice_below(d, side - least + 1);
    int x = dice_below(d, w - crop + 1), y = dice_below(d, h - crop + 1);
    const uint8_t *from = b->im.rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
    return ivl_resize(from, crop, crop, (size_t)w * 3, (const double[4]){ 0, 0, crop, crop }, rgb, size, size,
                      dice_chance(d, 0.5));
}

static void paint_plain(const scene *s, int size, dice *d, uint8_t *rgb)
{
    int kind = dice_below(d, 3); /* from top to bottom, from left to right, slantwise */
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++, rgb += 3) {
            int at = kind == 0 ? 2 * y : kind == 1 ? 2 * x : x + y;
            for (int c = 0; c < 3; c++)
                rgb[c] = (uint8_t)((s->plain[0][c] * (2 * size - at) + s->plain[1][c] * at) / (2 * size));
        }
}

ivl_status scene_paint_back(const kit *k, const scene *s, dice *d, uint8_t *rgb)
{
    if (s->back >= 0) return paint_picture(&k->back[s->back], k->o->size, d, rgb);
    paint_plain(s, k->o->size, d, rgb);
    return IVL_OK;
}

/* --- things --------------------------------------------------------------------------------------------- */

typedef struct sampler {
    const uint8_t *px;
    int w, h;
    double ax, ay, bx, by, x0, y0; /* u = ax x + ay y + x0, v = bx x + by y + y0 */
} sampler;

static void make_sampler(const drawing *w, const thing *t, sampler *m)
{
    double c = (1 - t->tilt * t->tilt) / (1 + t->tilt * t->tilt), e = 2 * t->tilt / (1 + t->tilt * t->tilt);
    double a = e < 0 ? -e : e;
    double scale = t->w / (c * w->w + a * w->h); /* pixels of the scene for one of the drawing */
    int l = 0;
    while (l + 1 < LEVELS && w->level[l + 1] && scale * (2 << l) <= 1.0) l++;
    m->px = w->level[l], m->w = w->w >> l, m->h = w->h >> l;
    double fx = (double)m->w / (w->w * scale), fy = (double)m->h / (w->h * scale);
    m->ax = c * fx, m->ay = e * fx, m->bx = -e * fy, m->by = c * fy;
    if (t->mirror) m->ax = -m->ax, m->ay = -m->ay;
    m->x0 = m->w / 2.0 - m->ax * t->x - m->ay * t->y;
    m->y0 = m->h / 2.0 - m->bx * t->x - m->by * t->y;
}

/* Premultiplied colour at (x, y) of the scene; what lies outside the drawing is transparent. */
static void sample(const sampler *m, double x, double y, int out[4])
{
    double u = m->ax * x + m->ay * y + m->x0 - 0.5 + 4, v = m->bx * x + m->by * y + m->y0 - 0.5 + 4;
    memset(out, 0, 4 * sizeof *out);
    if (u < 3 || v < 3 || u >= m->w + 4 || v >= m->h + 4) return;
    int i = (int)u, j = (int)v, fu = (int)((u - i) * 256), fv = (int)((v - j) * 256);
    i -= 4, j -= 4;
    for (int b = 0; b < 2; b++)
        for (int a = 0; a < 2; a++) {
            if (i + a < 0 || j + b < 0 || i + a >= m->w || j + b >= m->h) continue;
            const uint8_t *p = m->px + 4 * ((size_t)(j + b) * (size_t)m->w + (size_t)(i + a));
            int weight = (a ? fu : 256 - fu) * (b ? fv : 256 - fv);
            for (int c = 0; c < 4; c++) out[c] += weight * p[c];
        }
    for (int c = 0; c < 4; c++) out[c] = (out[c] + (1 << 15)) >> 16;
}

static void recolor(int px[4], int hue, tint to)
{
    uint8_t rgb[3];
    if (!px[3]) return;
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(px[c] >= px[3] ? 255 : px[c] * 255 / px[3]);
    tint_turn(rgb, hue, to);
    for (int c = 0; c < 3; c++) px[c] = rgb[c] * px[3] / 255;
}

static int clamp(double v, int most) { return v < 0 ? 0 : v > most ? most : (int)v; }

static void paint_thing(const kit *k, const scene *s, int i, uint8_t *rgb, uint8_t *owner)
{
    const thing *t = &s->thing[i];
    const group *g = &s->group[t->group];
    const drawing *w = &k->drawing[g->drawing];
    int size = k->o->size;
    sampler m;
    make_sampler(w, t, &m);
    int x0 = clamp(t->x - t->w / 2 - 1, size), x1 = clamp(t->x + t->w / 2 + 2, size);
    int y0 = clamp(t->y - t->h / 2 - 1, size), y1 = clamp(t->y + t->h / 2 + 2, size);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            int px[4];
            size_t at = (size_t)y * (size_t)size + (size_t)x;
            sample(&m, x + 0.5, y + 0.5, px);
            if (!px[3]) continue;
            if (g->turn != TINT_NONE) recolor(px, w->hue, g->turn);
            for (int c = 0; c < 3; c++) {
                int v = px[c] + (rgb[3 * at + (size_t)c] * (255 - px[3]) + 127) / 255;
                rgb[3 * at + (size_t)c] = (uint8_t)(v > 255 ? 255 : v);
            }
            if (px[3] >= 128) owner[at] = (uint8_t)(i + 1);
        }
}

static void count_owned(const uint8_t *owner, int size, thing *t, int id, bool first)
{
    int n = 0;
    t->box[0] = t->box[1] = size, t->box[2] = t->box[3] = 0;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            if (owner[(size_t)y * (size_t)size + (size_t)x] != id) continue;
            if (x < t->box[0]) t->box[0] = x;
            if (x >= t->box[2]) t->box[2] = x + 1;
            if (y < t->box[1]) t->box[1] = y;
            t->box[3] = y + 1;
            n++;
        }
    t->seen = n;
    if (first) t->all = n;
}

void scene_paint_things(const kit *k, scene *s, uint8_t *rgb, uint8_t *mask, uint8_t *owner)
{
    int size = k->o->size;
    size_t n = (size_t)size * (size_t)size;
    memset(owner, 0, n);
    for (int i = 0; i < s->n_things; i++) {
        paint_thing(k, s, i, rgb, owner);
        count_owned(owner, size, &s->thing[i], i + 1, true);
    }
    for (int i = 0; i < s->n_things; i++) count_owned(owner, size, &s->thing[i], i + 1, false);
    for (size_t p = 0; p < n; p++)
        mask[p] = (uint8_t)(owner[p] ? s->group[s->thing[owner[p] - 1].group].concept + 1 : 0);
}

ivl_status scene_paint(const kit *k, scene *s, dice *d, uint8_t *rgb, uint8_t *mask)
{
    uint8_t *owner = malloc((size_t)k->o->size * (size_t)k->o->size);
    IVL_CHECK(owner, IVL_ENOMEM, "out of memory");
    ivl_status st = scene_paint_back(k, s, d, rgb);
    if (st == IVL_OK) scene_paint_things(k, s, rgb, mask, owner);
    free(owner);
    return st;
}
