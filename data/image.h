/* Pictures in memory, 8-bit RGB. JPEG, PNG and WebP are told apart by their first bytes, never by a file name.
 * Alpha is composited on white; CMYK becomes RGB; gray becomes three equal channels; profiles and gamma are
 * ignored, as Pillow ignores them. Every error names `name`: the file, or the shard and key, that the bytes
 * came from. */
#ifndef IVL_DATA_IMAGE_H
#define IVL_DATA_IMAGE_H

#include <ivl/backend.h>

typedef struct ivl_image { uint8_t *rgb; int width, height; } ivl_image; /* rgb[height,width,3], owned */

/* Refused beyond these, before memory is taken. */
enum { IVL_IMAGE_MAX_SIDE = 32768, IVL_IMAGE_MAX_PIXELS = 1 << 28 };

/* A JPEG may be decoded at 1/8..7/8 of its size, the smallest whose short side is still >= min_side; 0: full
 * size. A damaged or truncated picture is an error, never half a picture. */
ivl_status ivl_image_decode(const void *bytes, size_t n, const char *name, int min_side, ivl_image *out_p);
ivl_status ivl_image_load(const char *path, int min_side, ivl_image *out_p);
void       ivl_image_free(ivl_image *im); /* accepts a zeroed one */

/* True if the bytes begin like a form that is read here. */
bool ivl_image_known(const void *bytes, size_t n);

/* Encoding; *bytes_p is freed by the caller. JPEG keeps colour at full resolution. channels: 1 gray, 3 RGB. The same
 * pixels give the same bytes. */
ivl_status ivl_jpeg_encode(const uint8_t *rgb, int width, int height, int quality, uint8_t **bytes_p, size_t *n_p);
ivl_status ivl_png_encode(const uint8_t *pixels, int width, int height, int channels, uint8_t **bytes_p, size_t *n_p);

/* Used by the decoders: refuses sizes that are hostile, or that `n` bytes cannot hold (`per_byte` pixels at
 * most in each), then allocates. */
ivl_status ivl_image_alloc(const char *name, uint64_t width, uint64_t height, ivl_image *out_p);
ivl_status ivl_image_check_size(const char *name, uint64_t width, uint64_t height, size_t n,
                                unsigned per_byte);
ivl_status ivl_jpeg_decode(const void *bytes, size_t n, const char *name, int min_side, ivl_image *out_p);
ivl_status ivl_png_decode(const void *bytes, size_t n, const char *name, ivl_image *out_p);
/* rgba[height,width,4], freed by the caller. */
ivl_status ivl_png_decode_rgba(const void *bytes, size_t n, const char *name, uint8_t **rgba_p, int *width_p,
                               int *height_p);
ivl_status ivl_webp_decode(const void *bytes, size_t n, const char *name, ivl_image *out_p);
/* rgba[n,4] over white: rgb[n,3]. */
void ivl_over_white(const uint8_t *rgba, uint8_t *rgb, size_t n);

#endif
