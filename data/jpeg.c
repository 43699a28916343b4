/* JPEG by libjpeg(-turbo), with its scaled inverse DCT: a photo of 4000 pixels for a 224-pixel model is never
 * decoded at full size. Warnings are judged by number: harmless ones pass, lost data is an error. */
#include "data/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>
#include <jerror.h>

enum {
    MAX_SCANS = 500,       /* a progressive file may repeat scans for ever */
    PIXELS_PER_BYTE = 4096, /* a block of 64 takes a bit or more (Huffman; arithmetic coding can do better) */
    MAX_COEFFICIENTS = 1 << 29 /* progressive files keep all of them, 2 bytes each */
};

typedef struct reader {
    struct jpeg_decompress_struct d; /* first: libjpeg hands it back */
    struct jpeg_error_mgr err;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    const char *name;
    ivl_status status;
    uint8_t *line; /* one CMYK row */
} reader;

static reader *reader_of(j_common_ptr c) { return (reader *)c; }

static void fail_with(j_common_ptr c)
{
    reader *r = reader_of(c);
    char why[JMSG_LENGTH_MAX];
    c->err->format_message(c, why);
    bool memory = c->err->msg_code == JERR_OUT_OF_MEMORY;
    const char *lead = c->err->msg_code == JWRN_JPEG_EOF ? "the JPEG is truncated" : "the JPEG is damaged";
    r->status =
        ivl_fail(memory ? IVL_ENOMEM : IVL_EFORMAT, __FILE__, __LINE__, "%s: %s (%s)", r->name, lead, why);
    longjmp(r->back, 1);
}

/* level < 0 is a warning. */
static void on_message(j_common_ptr c, int level)
{
    if (level >= 0) return;
    switch (c->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA: /* bytes between markers */
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION: return;
    default: fail_with(c);
    }
}

static void print_nothing(j_common_ptr c) { (void)c; }

static void count_scans(j_common_ptr c)
{
    reader *r = reader_of(c);
    if (r->d.input_scan_number <= MAX_SCANS) return;
    r->status = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: a JPEG of more than %d scans is refused",
                         r->name, MAX_SCANS);
    longjmp(r->back, 1);
}

/* Smallest eighths of the size whose short side stays >= min_side. */
static unsigned scale_for(unsigned short_side, int min_side)
{
    if (min_side <= 0) return 8;
    unsigned e = 1;
    while (e < 8 && ((uint64_t)short_side * e + 7) / 8 < (uint64_t)min_side) e++;
    return e;
}

static ivl_status check_header(reader *r, size_t n)
{
    struct jpeg_decompress_struct *d = &r->d;
    IVL_TRY(ivl_image_check_size(r->name, d->image_width, d->image_height, n, PIXELS_PER_BYTE));
    uint64_t all = (uint64_t)d->image_width * d->image_height * (uint64_t)d->num_components;
    IVL_CHECK(!jpeg_has_multiple_scans(d) || all <= MAX_COEFFICIENTS, IVL_EFORMAT,
              "%s: a progressive JPEG of %u x %u pixels takes more than a GiB to decode; refused", r->name,
              d->image_width, d->image_height);
    return IVL_OK;
}

/* CMYK in JPEG is stored inverted, as Adobe writes it: 255 is no ink. */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, int width)
{
    for (int x = 0; x < width; x++, in += 4, out += 3)
        for (int c = 0; c < 3; c++) {
            /* light = white - ink*white, in Pillow's rounding; with ink = 255 - in */
            unsigned k = in[3], t = (255u - in[c]) * k + 128;
            out[c] = (uint8_t)(k - ((t + (t >> 8)) >> 8));
        }
}

static void read_rows(reader *r, ivl_image *im)
{
    bool cmyk = r->d.out_color_space == JCS_CMYK;
    while (r->d.output_scanline < r->d.output_height) {
        uint8_t *row = im->rgb + (size_t)r->d.output_scanline * (size_t)im->width * 3;
        JSAMPROW to = cmyk ? r->line : row;
        jpeg_read_scanlines(&r->d, &to, 1);
        if (cmyk) cmyk_to_rgb(r->line, row, im->width);
    }
}

/* Runs under setjmp. */
static ivl_status decode(reader *r, const void *bytes, size_t n, int min_side, ivl_image *im)
{
    struct jpeg_decompress_struct *d = &r->d;
    jpeg_create_decompress(d);
    d->progress = &r->progress;
    jpeg_mem_src(d, bytes, (unsigned long)n);
    jpeg_read_header(d, TRUE);
    IVL_TRY(check_header(r, n));
    bool cmyk = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
    d->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    d->scale_num = scale_for(d->image_width < d->image_height ? d->image_width : d->image_height, min_side);
    d->scale_denom = 8;
    d->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(d);
    IVL_TRY(ivl_image_alloc(r->name, d->output_width, d->output_height, im));
    if (cmyk) r->line = malloc((size_t)d->output_width * 4);
    IVL_CHECK(!cmyk || r->line, IVL_ENOMEM, "%s: out of memory", r->name);
    read_rows(r, im); /* no jpeg_finish_decompress: all rows are there, a missing end mark does no harm */
    return IVL_OK;
}

ivl_status ivl_jpeg_decode(const void *bytes, size_t n, const char *name, int min_side, ivl_image *out_p)
{
    reader *r = calloc(1, sizeof *r);
    ivl_image *im = calloc(1, sizeof *im); /* in memory, as locals do not survive longjmp */
    ivl_status s = IVL_ENOMEM;
    if (!r || !im) {
        s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", name);
        goto out;
    }
    r->name = name;
    r->d.err = jpeg_std_error(&r->err);
    r->err.error_exit = fail_with;
    r->err.emit_message = on_message;
    r->err.output_message = print_nothing;
    r->progress.progress_monitor = count_scans;
    s = setjmp(r->back) ? r->status : decode(r, bytes, n, min_side, im);
    jpeg_destroy_decompress(&r->d);
    if (s == IVL_OK) *out_p = *im, *im = (ivl_image){ 0 };
out:
    if (r) free(r->line);
    ivl_image_free(im);
    free(r), free(im);
    return s;
}
