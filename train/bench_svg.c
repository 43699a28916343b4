/* The roofline: speed over arithmetic intensity, both logarithmic. */
#include <math.h>
#include <string.h>

#include "runtime/file.h"
#include "train/bench.h"
#include "train/svg.h"

enum { W = 760, H = 460, LEFT = 64, RIGHT = 150, TOP = 40, BOTTOM = 46 };

typedef struct frame {
    double x0, x1, y0, y1;
} frame; /* decades */

static double px(const frame *m, double x)
{
    return LEFT + (log10(x) - m->x0) / (m->x1 - m->x0) * (W - LEFT - RIGHT);
}
static double py(const frame *m, double y)
{
    return H - BOTTOM - (log10(y) - m->y0) / (m->y1 - m->y0) * (H - TOP - BOTTOM);
}

static bool drawn(const ivl_bench_row *r, const char *device)
{
    return !strcmp(r->device, device) && r->chosen && r->flops > 0 && r->bytes > 0 && r->time.median > 0;
}

static frame fit(const ivl_bench *b, const char *device, const ivl_bench_roofs *r)
{
    frame m = { -1, 2, 0, ceil(log10(r->flops / 1e9)) };
    for (int i = 0; i < b->n; i++) {
        const ivl_bench_row *w = &b->row[i];
        if (!drawn(w, device)) continue;
        m.x0 = fmin(m.x0, floor(log10(w->flops / w->bytes))),
        m.x1 = fmax(m.x1, ceil(log10(w->flops / w->bytes)));
        m.y0 = fmin(m.y0, floor(log10(w->flops / w->time.median / 1e9)));
    }
    m.y0 = fmax(m.y0, -3);
    return m;
}

static void axes(FILE *f, const frame *m)
{
    for (double d = m->x0; d <= m->x1; d++)
        fprintf(f,
                "<path stroke=\"#ddd\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%g</text>\n",
                px(m, pow(10, d)), TOP, H - BOTTOM, px(m, pow(10, d)), H - BOTTOM + 16, pow(10, d));
    for (double d = m->y0; d <= m->y1; d++)
        fprintf(f,
                "<path stroke=\"#ddd\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                LEFT, py(m, pow(10, d)), W - RIGHT, LEFT - 6, py(m, pow(10, d)) + 4, pow(10, d));
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">FLOP per byte</text>\n",
            (LEFT + W - RIGHT) / 2, H - 10);
    fprintf(f, "<text x=\"%d\" y=\"%d\">GFLOP/s</text>\n", LEFT, TOP - 8);
}

/* The line up to the knee with its name along it, then level. */
static void roof(FILE *f, const frame *m, double flops, double rate, const char *name)
{
    double low = pow(10, m->x0), at = rate * low / 1e9, least = pow(10, m->y0), high = flops / 1e9;
    if (at < least) low *= least / at, at = least;
    double x = px(m, low), y = py(m, at), knee = px(m, flops / rate);
    double angle = atan2(py(m, high) - y, knee - x) * 180 / 3.14159265358979;
    fprintf(f, "<path fill=\"none\" stroke=\"#888\" d=\"M%.1f %.1fL%.1f %.1fH%d\"/>", x, y, knee, py(m, high),
            W - RIGHT);
    fprintf(f,
            "<text x=\"12\" y=\"-4\" fill=\"#666\" transform=\"translate(%.1f %.1f) rotate(%.1f)\">%s %.3g "
            "GB/s</text>\n",
            x, y, angle, name, rate / 1e9);
}

static const char *colour(const char *op)
{
    static const struct {
        const char *part, *colour;
    } by[] = { { "attention", "#c8452d" },
               { "linear", "#1f5fa8" },
               { "matmul", "#1f5fa8" },
               { "norm", "#3b8f4a" },
               { "adamw", "#8a4fb0" } };
    for (size_t i = 0; i < sizeof by / sizeof *by; i++)
        if (strstr(op, by[i].part)) return by[i].colour;
    return "#d49a1f";
}

static void dot(FILE *f, const frame *m, const ivl_bench_row *r, double share)
{
    double speed = fmax(r->flops / r->time.median / 1e9, pow(10, m->y0));
    fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\"0.6\"><title>",
            px(m, r->flops / r->bytes), py(m, speed), 2.5 + 28 * sqrt(share), colour(r->op));
    ivl_html_text(f, r->impl);
    fprintf(f, " ");
    ivl_html_text(f, r->shapes);
    fprintf(f, ": %.3g ms x %d, %.3g GFLOP/s, %.0f %% of the roof</title></circle>\n", 1e3 * r->time.median,
            r->times, speed, r->roof > 0 ? 100 * r->roof / r->time.median : 0);
}

static void legend(FILE *f)
{
    static const char *const name[] = { "matrix products", "attention", "norms", "optimiser", "others" };
    static const char *const op[] = { "linear", "attention", "rms_norm", "adamw", "other" };
    for (int i = 0; i < 5; i++)
        fprintf(f,
                "<circle cx=\"%d\" cy=\"%d\" r=\"5\" fill=\"%s\" fill-opacity=\"0.6\"/><text x=\"%d\" "
                "y=\"%d\">%s</text>\n",
                W - RIGHT + 18, TOP + 14 + 20 * i, colour(op[i]), W - RIGHT + 30, TOP + 18 + 20 * i, name[i]);
    fprintf(f, "<text x=\"%d\" y=\"%d\">area: share of time</text>\n", W - RIGHT + 13, TOP + 122);
}

ivl_status ivl_bench_svg(const ivl_bench *b, const char *device, const ivl_bench_roofs *r, const char *path)
{
    IVL_CHECK(r->flops > 0 && r->read[0] > 0, IVL_EUNSUPPORTED, "%s: %s has no measured roof to draw", path,
              device);
    ivl_out_file out = { 0 };
    double sum = 0;
    frame m = fit(b, device, r);
    IVL_TRY(ivl_out_open(path, &out));
    FILE *f = out.f;
    fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>"
        "<text x=\"%d\" y=\"18\" font-size=\"14\" font-weight=\"bold\">",
        W, H, W, H, LEFT);
    ivl_html_text(f, device);
    fprintf(f, ": %.4g GFLOP/s at most</text>\n", r->flops / 1e9);
    axes(f, &m);
    static const char *const level[] = { "first cache", "second cache", "memory" };
    for (int i = 0; i < IVL_BENCH_LEVELS; i++) roof(f, &m, r->flops, r->read[i], level[i]);
    for (int i = 0; i < b->n; i++)
        if (!strcmp(b->row[i].device, device) && b->row[i].chosen)
            sum += b->row[i].time.median * b->row[i].times;
    for (int i = 0; i < b->n; i++)
        if (drawn(&b->row[i], device)) dot(f, &m, &b->row[i], b->row[i].time.median * b->row[i].times / sum);
    legend(f);
    fprintf(f, "</svg>\n");
    return ivl_out_commit(&out);
}
