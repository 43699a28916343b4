/* SVG drawings by librsvg on cairo, where the library was built with them. */
#include "config.h"
#include "data/clipart/clipart.h"

#ifdef HAVE_RSVG
#include <stdlib.h>
#include <string.h>

#include <librsvg/rsvg.h>

bool ivl_svg_can_render(void) { return true; }

/* Its size in pixels, the longer side being `side`; a drawing without a size is square. */
static void size_of(RsvgHandle *svg, int side, int *w_p, int *h_p)
{
    gdouble w = 0, h = 0;
    gboolean wide = FALSE, high = FALSE, box = FALSE;
    RsvgLength a, b;
    RsvgRectangle view = { 0, 0, 0, 0 };
    if (!rsvg_handle_get_intrinsic_size_in_pixels(svg, &w, &h)) {
        rsvg_handle_get_intrinsic_dimensions(svg, &wide, &a, &high, &b, &box, &view);
        w = box ? view.width : 1, h = box ? view.height : 1;
    }
    if (!(w > 0) || !(h > 0)) w = h = 1;
    double scale = side / (w > h ? w : h);
    *w_p = (int)(w * scale + 0.5), *h_p = (int)(h * scale + 0.5);
    if (*w_p < 1) *w_p = 1;
    if (*h_p < 1) *h_p = 1;
}

/* cairo's premultiplied native-endian ARGB to straight RGBA. */
static void straighten(const uint8_t *from, int stride, int w, int h, uint8_t *to)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, to += 4) {
            uint32_t p;
            memcpy(&p, from + (size_t)y * (size_t)stride + 4 * (size_t)x, 4);
            uint32_t a = p >> 24;
            for (int c = 0; c < 3; c++) {
                uint32_t v = p >> (16 - 8 * c) & 255;
                to[c] = (uint8_t)(a ? (v * 255 + a / 2) / a : 255);
            }
            to[3] = (uint8_t)a;
        }
}

static ivl_status paint(RsvgHandle *svg, const char *name, int side, uint8_t **rgba_p, int *w_p, int *h_p)
{
    GError *error = NULL;
    int w, h;
    size_of(svg, side, &w, &h);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w, h);
    cairo_t *cr = cairo_create(surface);
    RsvgRectangle all = { 0, 0, w, h };
    uint8_t *rgba = malloc((size_t)w * (size_t)h * 4);
    ivl_status s = IVL_OK;
    if (!rgba)
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
    else if (!rsvg_handle_render_document(svg, cr, &all, &error))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: cannot draw it: %s", name,
                     error ? error->message : "librsvg");
    if (s == IVL_OK) {
        cairo_surface_flush(surface);
        straighten(cairo_image_surface_get_data(surface), cairo_image_surface_get_stride(surface), w, h,
                   rgba);
        *rgba_p = rgba, *w_p = w, *h_p = h;
    } else {
        free(rgba);
    }
    if (error) g_error_free(error);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return s;
}

ivl_status ivl_svg_render(const void *data, size_t n, const char *name, int side, uint8_t **rgba_p, int *w_p,
                          int *h_p)
{
    GError *error = NULL;
    RsvgHandle *svg = rsvg_handle_new_from_data(data, n, &error);
    if (!svg) {
        ivl_status s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: not a drawing: %s", name,
                                error ? error->message : "librsvg refuses it");
        if (error) g_error_free(error);
        return s;
    }
    ivl_status s = paint(svg, name, side, rgba_p, w_p, h_p);
    g_object_unref(svg);
    return s;
}
#else
bool ivl_svg_can_render(void) { return false; }

ivl_status ivl_svg_render(const void *data, size_t n, const char *name, int side, uint8_t **rgba_p, int *w_p,
                          int *h_p)
{
    (void)data, (void)n, (void)side, (void)rgba_p, (void)w_p, (void)h_p;
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "%s: this build cannot render SVG (librsvg2-dev)",
                    name);
}
#endif
