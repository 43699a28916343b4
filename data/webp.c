/* WebP by libwebp: lossy, lossless, with or without alpha; one picture, no animation. */
#include "data/image.h"

#include <stdlib.h>
#include <webp/decode.h>

/* Lossless WebP spends nothing on what repeats, so any size fits into a few bytes; one picture in a million
 * pixels a byte is still a flat one, and beyond that it is made to waste memory. */
enum { PIXELS_PER_BYTE = 1 << 20 };

static const char *why(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return "out of memory";
    case VP8_STATUS_BITSTREAM_ERROR:
        return "bad data";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "a feature that libwebp does not know";
    default:
        return "libwebp refuses it";
    }
}

static ivl_status damaged(const char *name, VP8StatusCode code)
{
    if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED)
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: the WebP is truncated", name);
    return ivl_fail(code == VP8_STATUS_OUT_OF_MEMORY ? IVL_ENOMEM : IVL_EFORMAT, __FILE__, __LINE__,
                    "%s: the WebP is damaged (%s)", name, why(code));
}

/* Into memory of ours, rows without gaps. */
static ivl_status decode_into(const void *bytes, size_t n, const char *name, int channels, int width,
                              int height, uint8_t *to)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c)) return damaged(name, VP8_STATUS_INVALID_PARAM);
    c.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    c.output.u.RGBA.rgba = to;
    c.output.u.RGBA.stride = channels * width;
    c.output.u.RGBA.size = (size_t)channels * (size_t)width * (size_t)height;
    c.output.is_external_memory = 1;
    VP8StatusCode code = WebPDecode(bytes, n, &c);
    WebPFreeDecBuffer(&c.output);
    return code == VP8_STATUS_OK ? IVL_OK : damaged(name, code);
}

static ivl_status decode_alpha(const void *bytes, size_t n, const char *name, ivl_image *im)
{
    size_t pixels = (size_t)im->width * (size_t)im->height;
    uint8_t *rgba = malloc(pixels * 4);
    IVL_CHECK(rgba, IVL_ENOMEM, "%s: no memory for %d x %d pixels", name, im->width, im->height);
    ivl_status s = decode_into(bytes, n, name, 4, im->width, im->height, rgba);
    if (s == IVL_OK) ivl_over_white(rgba, im->rgb, pixels);
    free(rgba);
    return s;
}

ivl_status ivl_webp_decode(const void *bytes, size_t n, const char *name, ivl_image *out_p)
{
    WebPBitstreamFeatures f;
    ivl_image im = { 0 };
    VP8StatusCode code = WebPGetFeatures(bytes, n, &f);
    if (code != VP8_STATUS_OK) return damaged(name, code);
    IVL_CHECK(!f.has_animation, IVL_EFORMAT, "%s: an animated WebP; take a frame of it", name);
    IVL_TRY(ivl_image_check_size(name, (uint64_t)f.width, (uint64_t)f.height, n, PIXELS_PER_BYTE));
    IVL_TRY(ivl_image_alloc(name, (uint64_t)f.width, (uint64_t)f.height, &im));
    ivl_status s = f.has_alpha ? decode_alpha(bytes, n, name, &im)
                               : decode_into(bytes, n, name, 3, f.width, f.height, im.rgb);
    if (s == IVL_OK)
        *out_p = im;
    else
        ivl_image_free(&im);
    return s;
}
