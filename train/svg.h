/* A line chart as inline SVG: one series over steps, with axes, ticks and a smoothed line. */
#ifndef IVL_TRAIN_SVG_H
#define IVL_TRAIN_SVG_H

#include <stdio.h>

/* n points (x ascending; NaN y are gaps). `log_y` for positive values only. */
void ivl_svg_chart(FILE *f, const char *title, const double *x, const double *y, int n, int log_y);
/* Text with & < > " replaced. */
void ivl_html_text(FILE *f, const char *s);

#endif
