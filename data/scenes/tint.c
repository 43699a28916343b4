/* Colours by name and by pixels. Hues are whole numbers, six stretches of 256 from red over yellow, green,
 * cyan, blue and magenta back to red, so that every machine computes the same. */
#include <string.h>

#include "data/scenes/kit.h"

enum { HUES = 6 * 256 };

static const char *const names[TINTS] = { "red",  "orange", "yellow", "green", "blue", "purple",
                                          "pink", "brown",  "black",  "white", "gray" };

const char *tint_name(tint t) { return t >= 0 && t < TINTS ? names[t] : "colorful"; }

tint tint_in_name(const char *name)
{
    for (const char *word = name; *word;) {
        size_t n = strcspn(word, " ");
        for (int t = 0; t < TINTS; t++)
            if (n == strlen(names[t]) && !strncmp(word, names[t], n)) return (tint)t;
        word += n + strspn(word + n, " ");
    }
    return TINT_NONE;
}

static int largest(const uint8_t *p)
{
    return p[0] > p[1] ? p[0] > p[2] ? p[0] : p[2] : p[1] > p[2] ? p[1] : p[2];
}
static int smallest(const uint8_t *p)
{
    return p[0] < p[1] ? p[0] < p[2] ? p[0] : p[2] : p[1] < p[2] ? p[1] : p[2];
}

static int hue_of(const uint8_t *p, int v, int c)
{
    int h = v == p[0]   ? 256 * (p[1] - p[2]) / c
            : v == p[1] ? 512 + 256 * (p[2] - p[0]) / c
                        : 1024 + 256 * (p[0] - p[1]) / c;
    return h < 0 ? h + HUES : h;
}

/* What people call the pixel. Degrees of the usual circle are hue * 360 / 1536. */
static tint tint_of(const uint8_t *p, int *hue_p)
{
    int v = largest(p), c = v - smallest(p);
    *hue_p = c ? hue_of(p, v, c) : 0;
    if (v < 72) return TINT_BLACK;
    if (c * 100 < v * 16) return v > 205 ? TINT_WHITE : v < 90 ? TINT_BLACK : TINT_GRAY;
    int d = *hue_p * 360 / HUES, pale = c * 100 < v * 50;
    if (d < 14 || d >= 345) return pale && v > 200 ? TINT_PINK : v < 150 ? TINT_BROWN : TINT_RED;
    if (d < 42) return v > 215 && !pale ? TINT_ORANGE : v > 215 ? TINT_NONE : TINT_BROWN;
    if (d < 66) return v > 170 ? TINT_YELLOW : TINT_BROWN;
    if (d < 165) return TINT_GREEN;
    if (d < 255) return TINT_BLUE;
    if (d < 298) return TINT_PURPLE;
    return TINT_PINK;
}

tint tint_of_pixels(const uint8_t *rgba, size_t n, int *hue_p)
{
    int64_t count[TINTS] = { 0 }, turn[TINTS] = { 0 }, all = 0;
    static const int middle[TINT_VIVID] = { 0, 140, 240, 512, 930, 1170, 1370 };
    for (size_t i = 0; i < n; i++, rgba += 4) {
        if (rgba[3] < 200) continue;
        int hue;
        tint t = tint_of(rgba, &hue);
        all++;
        if (t == TINT_NONE) continue;
        count[t]++;
        int off = t < TINT_VIVID ? hue - middle[t] : 0; /* -HUES/2 .. HUES/2 around the tint's middle */
        turn[t] += off > HUES / 2 ? off - HUES : off < -HUES / 2 ? off + HUES : off;
    }
    int best = 0;
    for (int t = 1; t < TINTS; t++)
        if (count[t] > count[best]) best = t;
    *hue_p = 0;
    if (!all || count[best] * 2 < all) return TINT_NONE;
    if (best < TINT_VIVID) *hue_p = (middle[best] + (int)(turn[best] / count[best]) + HUES) % HUES;
    return (tint)best;
}

static void rgb_of(int hue, int v, int c, uint8_t rgb[3])
{
    int part = hue / 256, f = hue % 256, up = v - c + c * f / 256, down = v - c * f / 256, low = v - c;
    const int r[6] = { v, down, low, low, up, v }, g[6] = { up, v, v, down, low, low },
              b[6] = { low, low, up, v, v, down };
    rgb[0] = (uint8_t)r[part], rgb[1] = (uint8_t)g[part], rgb[2] = (uint8_t)b[part];
}

void tint_turn(uint8_t rgb[3], int from, tint to)
{
    static const int goal[TINT_VIVID] = { 4, 130, 225, 530, 920, 1160, 1400 };
    enum { NEAR = 190 };
    int v = largest(rgb), c = v - smallest(rgb);
    if (to < 0 || to >= TINT_VIVID || !c || c * 100 < v * 12) return;
    int off = hue_of(rgb, v, c) - from;
    off = off > HUES / 2 ? off - HUES : off < -HUES / 2 ? off + HUES : off;
    if (off > NEAR || off < -NEAR) return;
    bool bright = to == TINT_ORANGE || to == TINT_YELLOW || to == TINT_PINK; /* dark ones have other names */
    if (bright) {
        int lift = v + (255 - v) * 3 / 5;
        c = c * lift / (v ? v : 1), v = lift;
        if (to == TINT_PINK) c = c * 3 / 4;
    }
    if (c > v) c = v;
    rgb_of((goal[to] + off / 4 + HUES) % HUES, v, c, rgb); /* shades keep a little of their spread */
}
