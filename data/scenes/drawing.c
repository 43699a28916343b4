/* A cut-out ready to be painted: trimmed, premultiplied, halved again and again, and the colours it can take. */
#include <stdlib.h>
#include <string.h>

#include "data/scenes/kit.h"

enum { SMALLEST = 24 };

/* The part that is not transparent: box x0 y0 x1 y1. */
static void trim(const uint8_t *rgba, int w, int h, int box[4])
{
    box[0] = w, box[1] = h, box[2] = box[3] = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            if (rgba[4 * ((size_t)y * (size_t)w + (size_t)x) + 3] < 24) continue;
            if (x < box[0]) box[0] = x;
            if (x >= box[2]) box[2] = x + 1;
            if (y < box[1]) box[1] = y;
            box[3] = y + 1;
        }
}

static void premultiply(const uint8_t *rgba, int stride, const int box[4], uint8_t *to)
{
    for (int y = box[1]; y < box[3]; y++)
        for (int x = box[0]; x < box[2]; x++, to += 4) {
            const uint8_t *p = rgba + 4 * ((size_t)y * (size_t)stride + (size_t)x);
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)((p[c] * p[3] + 127) / 255);
            to[3] = p[3];
        }
}

static void halve(const uint8_t *from, int w, uint8_t *to, int w2, int h2)
{
    for (int y = 0; y < h2; y++)
        for (int x = 0; x < w2; x++)
            for (int c = 0; c < 4; c++) {
                const uint8_t *p = from + 4 * ((size_t)(2 * y) * (size_t)w + (size_t)(2 * x)) + c;
                to[4 * ((size_t)y * (size_t)w2 + (size_t)x) + (size_t)c] =
                    (uint8_t)((p[0] + p[4] + p[4 * w] + p[4 * w + 4] + 2) / 4);
            }
}

static ivl_status make_levels(drawing *d, const uint8_t *rgba, int stride, const int box[4])
{
    for (int l = 0; l < LEVELS; l++) {
        int w = d->w >> l, h = d->h >> l;
        if (w < 8 || h < 8) break;
        d->level[l] = malloc((size_t)w * (size_t)h * 4);
        IVL_CHECK(d->level[l], IVL_ENOMEM, "out of memory");
        if (l)
            halve(d->level[l - 1], d->w >> (l - 1), d->level[l], w, h);
        else
            premultiply(rgba, stride, box, d->level[l]);
    }
    return IVL_OK;
}

/* Which colours the drawing can take: those that it shows after the turn. */
static void find_turns(drawing *d, const uint8_t *rgba, size_t n, uint8_t *scratch)
{
    if (d->own < 0 || d->own >= TINT_VIVID) return;
    for (int t = 0; t < TINT_VIVID; t++) {
        if (t == (int)d->own) continue;
        int hue;
        memcpy(scratch, rgba, n * 4);
        for (size_t i = 0; i < n; i++) tint_turn(scratch + 4 * i, d->hue, (tint)t);
        if (tint_of_pixels(scratch, n, &hue) == (tint)t && d->n_other < TURNS)
            d->other[d->n_other++] = (tint)t;
    }
}

ivl_status kit_add_drawing(kit *k, int c, const uint8_t *rgba, int w, int h, tint named)
{
    int box[4];
    trim(rgba, w, h, box);
    if (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) return IVL_OK;
    size_t n = (size_t)w * (size_t)h;
    drawing *more = realloc(k->drawing, (size_t)(k->n_drawings + 1) * sizeof *more);
    IVL_CHECK(more, IVL_ENOMEM, "out of memory");
    k->drawing = more;
    drawing *d = &more[k->n_drawings];
    *d = (drawing){ .w = box[2] - box[0], .h = box[3] - box[1], .concept = c, .order = k->n_drawings };
    k->n_drawings++;
    tint seen = tint_of_pixels(rgba, n, &d->hue);
    d->own = named != TINT_NONE ? named : k->concept[c].colors ? seen : TINT_NONE;
    IVL_TRY(make_levels(d, rgba, w, box));
    if (k->concept[c].colors < 2 || seen != d->own) return IVL_OK;
    uint8_t *scratch = malloc(n * 4);
    IVL_CHECK(scratch, IVL_ENOMEM, "out of memory");
    find_turns(d, rgba, n, scratch);
    free(scratch);
    return IVL_OK;
}
