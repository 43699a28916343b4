#include "train/svg.h"

#include <math.h>

enum { W = 460, H = 240, LEFT = 62, RIGHT = 12, TOP = 30, BOTTOM = 34 };

void ivl_html_text(FILE *f, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&': fputs("&amp;", f); break;
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc(*s, f);
        }
}

typedef struct frame { double x0, x1, y0, y1; int log_y; } frame;

static double up(const frame *m, double y) { return m->log_y ? log10(y) : y; }
static double px(const frame *m, double x) { return LEFT + (x - m->x0) / (m->x1 - m->x0) * (W - LEFT - RIGHT); }
static double py(const frame *m, double y)
{
    return H - BOTTOM - (up(m, y) - m->y0) / (m->y1 - m->y0) * (H - TOP - BOTTOM);
}

static int drawable(const frame *m, double y) { return isfinite(y) && (!m->log_y || y > 0); }

static frame fit(const double *x, const double *y, int n, int log_y)
{
    frame m = { x[0], x[n - 1], INFINITY, -INFINITY, log_y };
    for (int i = 0; i < n; i++) {
        if (!drawable(&m, y[i])) continue;
        m.y0 = fmin(m.y0, up(&m, y[i]));
        m.y1 = fmax(m.y1, up(&m, y[i]));
    }
    if (!isfinite(m.y0)) m.y0 = 0, m.y1 = 1;
    if (m.x1 <= m.x0) m.x1 = m.x0 + 1;
    double pad = (m.y1 - m.y0) * 0.05;
    if (pad <= 0) pad = fabs(m.y0) * 0.1 + 1e-9;
    m.y0 -= pad, m.y1 += pad;
    return m;
}

static void line(FILE *f, const frame *m, const double *x, const double *y, int n, double smooth, const char *style)
{
    double s = NAN;
    int open = 0, every = n > 1500 ? n / 1500 : 1;
    fprintf(f, "<path fill=\"none\" %s d=\"", style);
    for (int i = 0; i < n; i++) {
        if (!drawable(m, y[i])) {
            open = 0;
            continue;
        }
        s = isnan(s) ? y[i] : smooth * s + (1 - smooth) * y[i];
        if (i % every) continue;
        fprintf(f, "%c%.1f %.1f", open ? 'L' : 'M', px(m, x[i]), py(m, s));
        open = 1;
    }
    fprintf(f, "\"/>\n");
}

static void axes(FILE *f, const frame *m)
{
    for (int i = 0; i <= 4; i++) {
        double v = m->y0 + (m->y1 - m->y0) * i / 4, y = H - BOTTOM - (double)(H - TOP - BOTTOM) * i / 4;
        double t = m->x0 + (m->x1 - m->x0) * i / 4, x = LEFT + (double)(W - LEFT - RIGHT) * i / 4;
        fprintf(f,
                "<path stroke=\"#ddd\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%.3g</text>\n",
                LEFT, y, W - RIGHT, LEFT - 6, y + 4, m->log_y ? pow(10, v) : v);
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g</text>\n", x, H - BOTTOM + 16, t);
    }
}

void ivl_svg_chart(FILE *f, const char *title, const double *x, const double *y, int n, int log_y)
{
    if (n < 1) return;
    frame m = fit(x, y, n, log_y);
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\" "
               "role=\"img\"><title>", W, H, W, H);
    ivl_html_text(f, title);
    fprintf(f, "</title><text x=\"%d\" y=\"18\" font-size=\"13\" font-weight=\"bold\">", LEFT);
    ivl_html_text(f, title);
    fprintf(f, "</text>\n");
    axes(f, &m);
    line(f, &m, x, y, n, 0, "stroke=\"#9ec5e8\" stroke-width=\"1\"");
    line(f, &m, x, y, n, 0.95, "stroke=\"#1f5fa8\" stroke-width=\"2\"");
    fprintf(f, "</svg>\n");
}
