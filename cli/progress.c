/* The progress line. Redrawn at most ten times a second; the rate is that of this run. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/clock.h"

enum { BAR = 24 };

static const char *duration(double seconds, char text[32])
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    return text;
}

static void draw(cli_progress *p, double done, const char *note)
{
    char bar[BAR + 1], left[32] = "";
    double took = p->drawn - p->begun_at, rate = took > 0 ? (done - p->begun) / took : 0;
    double part = p->total > 0 ? done / p->total : 0;
    int full = part < 0 ? 0 : part > 1 ? BAR : (int)(part * BAR);
    for (int i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR] = 0;
    if (rate > 0 && p->total > done) duration((p->total - done) / rate, left);
    fprintf(stderr, "\r%s  [%s] %.0f/%.0f  %.0f %%  %.*f/s  %s%s%s%s\033[K", p->what, bar, done, p->total,
            100 * part, rate < 100, rate, left, *left ? " left" : "done", note && *note ? "  " : "",
            note ? note : "");
    fflush(stderr);
}

void cli_progress_begin(cli_progress *p, const char *what, double total, double done)
{
    const char *force = getenv("IVL_PROGRESS");
    *p = (cli_progress){ .what = what, .total = total, .begun = done, .begun_at = ivl_seconds() };
    p->on = force && *force ? strcmp(force, "0") != 0 : isatty(STDERR_FILENO);
}

void cli_progress_step(cli_progress *p, double done, const char *note)
{
    double t = ivl_seconds();
    if (!p->on || (t - p->drawn < 0.1 && done < p->total)) return;
    p->drawn = t;
    draw(p, done, note);
}

void cli_progress_end(cli_progress *p)
{
    if (p->on && p->drawn > 0) fputc('\n', stderr);
    p->on = false;
}
