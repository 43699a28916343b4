#include "model/upernet.h"

#include <stdio.h>

#include "model/head_parts.h"

enum { LEVELS = 4, SCALES = 4 };
static const int scale[SCALES] = { 1, 2, 3, 6 };

/* --- parameters ----------------------------------------------------------------------------------- */

/* A convolution (without bias) and its norm. */
static ivl_status add_conv(ivl_heads *h, const char *prefix, const char *module, int64_t in, int64_t out, int64_t side)
{
    char name[96];
    snprintf(name, sizeof name, "%s.conv.weight", module);
    IVL_TRY(ivl_heads_add(h, prefix, name, 4, (int64_t[]){ out, in, side, side }));
    snprintf(name, sizeof name, "%s.bn", module);
    return ivl_heads_add_norm(h, prefix, name, out);
}

static ivl_status add_classifier(ivl_heads *h, const char *prefix, const char *module, int64_t in, int64_t classes)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", module);
    IVL_TRY(ivl_heads_add(h, prefix, name, 4, (int64_t[]){ classes, in, 1, 1 }));
    snprintf(name, sizeof name, "%s.bias", module);
    return ivl_heads_add(h, prefix, name, 1, &classes);
}

static ivl_status add_pyramid(ivl_heads *h, const char *prefix, int64_t width)
{
    static const char *const up[] = { "up1.0", "up1.3", "up2.0" };
    char name[96];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "backbone.%s.weight", up[i]);
        IVL_TRY(ivl_heads_add(h, prefix, name, 4, (int64_t[]){ width, width, 2, 2 }));
        snprintf(name, sizeof name, "backbone.%s.bias", up[i]);
        IVL_TRY(ivl_heads_add(h, prefix, name, 1, &width));
    }
    IVL_TRY(ivl_heads_add(h, prefix, "backbone.up1.1.weight", 1, &width));
    return ivl_heads_add(h, prefix, "backbone.up1.1.bias", 1, &width);
}

ivl_status ivl_heads_add_upernet(ivl_heads *h, const char *prefix, int64_t width, int64_t channels, int64_t classes)
{
    char name[96];
    IVL_TRY(add_pyramid(h, prefix, width));
    for (int i = 0; i < SCALES; i++) {
        snprintf(name, sizeof name, "decode_head.psp_modules.%d.1", i);
        IVL_TRY(add_conv(h, prefix, name, width, channels, 1));
    }
    IVL_TRY(add_conv(h, prefix, "decode_head.bottleneck", width + SCALES * channels, channels, 3));
    for (int i = 0; i < LEVELS - 1; i++) {
        snprintf(name, sizeof name, "decode_head.lateral_convs.%d", i);
        IVL_TRY(add_conv(h, prefix, name, width, channels, 1));
        snprintf(name, sizeof name, "decode_head.fpn_convs.%d", i);
        IVL_TRY(add_conv(h, prefix, name, channels, channels, 3));
    }
    IVL_TRY(add_conv(h, prefix, "decode_head.fpn_bottleneck", LEVELS * channels, channels, 3));
    IVL_TRY(add_classifier(h, prefix, "decode_head.conv_seg", channels, classes));
    IVL_TRY(add_conv(h, prefix, "auxiliary_head.convs.0", width, channels, 3));
    return add_classifier(h, prefix, "auxiliary_head.conv_seg", channels, classes);
}

/* --- pyramid -------------------------------------------------------------------------------------- */

/* Deconvolution with 2x2 kernels and stride 2, of a map of h x w. */
static ivl_val up(const ivl_head_scope *s, const char *module, ivl_val x, int h, int w)
{
    ivl_val y = ivl_matmul(s->g, x, ivl_head_matrix(s, module), 0, 0);
    const ivl_tensor *tx = ivl_tensor_of(s->g, x), *ty = ivl_tensor_of(s->g, y);
    if (!tx || !ty) return IVL_NONE;
    y = ivl_reshape(s->g, y, 3, (int64_t[]){ tx->dim[0], tx->dim[1], ty->dim[1] });
    return ivl_depth_to_space(s->g, y, ivl_head_weight(s, module, "bias"), h, w);
}

void ivl_upernet_pyramid(const ivl_head_scope *s, const ivl_val map[4], int h, int w, ivl_val out[4])
{
    ivl_val x = up(s, "up1.0", map[0], h, w);
    x = ivl_layer_norm(s->g, x, ivl_head_weight(s, "up1.1", "weight"), ivl_head_weight(s, "up1.1", "bias"), 1e-6);
    out[0] = up(s, "up1.3", ivl_gelu(s->g, x), 2 * h, 2 * w);
    out[1] = up(s, "up2.0", map[1], h, w);
    out[2] = map[2];
    out[3] = ivl_max_pool(s->g, map[3], h, w);
}

/* --- decoder -------------------------------------------------------------------------------------- */

typedef struct level { ivl_val x; int h, w; } level;

/* Convolution with 1x1 or 3x3 kernels over the channels of n maps beside each other, BatchNorm, ReLU. The maps are not
 * concatenated: each meets its part of the weights. Neighbourhoods are nine times a map; as blocks they are computed
 * again in the backward pass, one after the other. */
static level conv(const ivl_head_scope *s, const char *module, const level *part, int n, int side)
{
    char name[96];
    snprintf(name, sizeof name, "%s.conv", module);
    ivl_val w = ivl_head_matrix(s, name), y = IVL_NONE;
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        const ivl_tensor *t = ivl_tensor_of(s->g, part[i].x);
        int64_t k = t ? side * side * t->dim[2] : 0;
        ivl_block_begin(s->g);
        ivl_val x = side == 3 ? ivl_im2col(s->g, part[i].x, part[i].h, part[i].w) : part[i].x;
        x = ivl_linear(s->g, x, ivl_columns(s->g, w, at, k), IVL_NONE);
        ivl_block_end(s->g);
        y = i ? ivl_add(s->g, y, x) : x;
        at += k;
    }
    snprintf(name, sizeof name, "%s.bn", module);
    y = ivl_relu(s->g, ivl_head_batch_norm(s, name, y, IVL_SEG_EPS));
    return (level){ y, part->h, part->w };
}

/* conv of one map by module i of a list. */
static level conv_of(const ivl_head_scope *s, const char *list, int i, const level *x, int side)
{
    char module[64];
    snprintf(module, sizeof module, "%s.%d", list, i);
    return conv(s, module, x, 1, side);
}

static level resized(const ivl_head_scope *s, level x, int h, int w)
{
    if (x.h == h && x.w == w) return x;
    return (level){ ivl_resize2d(s->g, x.x, (ivl_resize2d_attr){ x.h, x.w, h, w }), h, w };
}

/* Pyramid pooling: the map beside what its averages say. */
static level pool_pyramid(const ivl_head_scope *s, level x)
{
    level part[1 + SCALES] = { x };
    char module[64];
    for (int i = 0; i < SCALES; i++) {
        int n = scale[i];
        level mean = { ivl_avg_pool(s->g, x.x, (ivl_resize2d_attr){ x.h, x.w, n, n }), n, n };
        snprintf(module, sizeof module, "psp_modules.%d.1", i);
        part[1 + i] = resized(s, conv(s, module, &mean, 1, 1), x.h, x.w);
    }
    return conv(s, "bottleneck", part, 1 + SCALES, 3);
}

ivl_val ivl_upernet_head(const ivl_head_scope *s, const ivl_val pyramid[4], int h, int w)
{
    enum { TOP = LEVELS - 1 };
    level m[LEVELS] = { { pyramid[0], 4 * h, 4 * w }, { pyramid[1], 2 * h, 2 * w }, { pyramid[2], h, w },
                        { pyramid[3], h / 2, w / 2 } };
    for (int i = 0; i < TOP; i++) m[i] = conv_of(s, "lateral_convs", i, &m[i], 1);
    m[TOP] = pool_pyramid(s, m[TOP]);
    for (int i = TOP; i > 0; i--) m[i - 1].x = ivl_add(s->g, m[i - 1].x, resized(s, m[i], m[i - 1].h, m[i - 1].w).x);
    for (int i = 0; i < TOP; i++) m[i] = conv_of(s, "fpn_convs", i, &m[i], 3);
    for (int i = 1; i < LEVELS; i++) m[i] = resized(s, m[i], m[0].h, m[0].w);
    return ivl_head_classify(s, "conv_seg", conv(s, "fpn_bottleneck", m, LEVELS, 3).x);
}

ivl_val ivl_fcn_head(const ivl_head_scope *s, ivl_val map, int h, int w)
{
    level x = { map, h, w };
    return ivl_head_classify(s, "conv_seg", conv_of(s, "convs", 0, &x, 3).x);
}
