#include "train/seg_head.h"

#include <string.h>

#include "model/upernet.h"

/* Map i of rows that hold one map or several, one after the other. */
static ivl_val map_of(const ivl_head_scope *s, ivl_val rows, const ivl_seg_shape *k, int i)
{
    int64_t cells = (int64_t)k->grid * k->grid;
    const ivl_tensor *t = ivl_tensor_of(s->g, rows);
    if (!t) return IVL_NONE;
    int64_t maps = t->dim[1] / (cells * k->width);
    return ivl_tokens(s->g, ivl_reshape(s->g, rows, 3, (int64_t[]){ t->dim[0], maps * cells, k->width }), i * cells,
                      cells);
}

/* --- linear --------------------------------------------------------------------------------------- */

static ivl_status linear_add(ivl_heads *h, const ivl_seg_shape *k)
{
    return ivl_heads_add_seg(h, "", k->width, k->classes);
}

static ivl_val linear_logits(const ivl_head_scope *s, ivl_val rows, const void *shape, ivl_val *auxiliary_p)
{
    const ivl_seg_shape *k = shape;
    (void)auxiliary_p;
    return ivl_seg_head(s, map_of(s, rows, k, 0), (ivl_resize2d_attr){ k->grid, k->grid, k->side, k->side });
}

/* --- UperNet -------------------------------------------------------------------------------------- */

/* InternViT-6B has 1,536 of 3,200. */
static int64_t half(int64_t width) { return width < 32 ? 16 : width / 32 * 16; }

static ivl_status upernet_add(ivl_heads *h, const ivl_seg_shape *k)
{
    return ivl_heads_add_upernet(h, "", k->width, k->channels, k->classes);
}

/* Logits of a map `times` as fine as the patches, on the label map. */
static ivl_val to_labels(const ivl_head_scope *s, ivl_val logits, const ivl_seg_shape *k, int times)
{
    return ivl_resize2d(s->g, logits, (ivl_resize2d_attr){ times * k->grid, times * k->grid, k->side, k->side });
}

static ivl_val upernet_logits(const ivl_head_scope *s, ivl_val rows, const void *shape, ivl_val *auxiliary_p)
{
    const ivl_seg_shape *k = shape;
    ivl_head_scope part = { s->g, s->h, "backbone.", s->train };
    ivl_val map[4], level[4];
    for (int i = 0; i < 4; i++) map[i] = map_of(s, rows, k, i);
    ivl_upernet_pyramid(&part, map, k->grid, k->grid, level);
    part.prefix = "auxiliary_head.";
    if (auxiliary_p) *auxiliary_p = to_labels(s, ivl_fcn_head(&part, level[1], 2 * k->grid, 2 * k->grid), k, 2);
    part.prefix = "decode_head.";
    return to_labels(s, ivl_upernet_head(&part, level, k->grid, k->grid), k, 4);
}

static const ivl_seg_head_kind kinds[] = {
    { .name = "linear", .task = "linear_segmentation", .maps = 1, .batch = 1, .grid = 1, .add = linear_add,
      .logits = linear_logits },
    { .name = "upernet",
      .task = "upernet_segmentation",
      .maps = 4,
      .batch = 2,
      .grid = 2,
      .decay = 0.05,
      .channels = half,
      .add = upernet_add,
      .logits = upernet_logits },
};

ivl_status ivl_seg_head_find(const char *name, const ivl_seg_head_kind **kind_p)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!name || !strcmp(name, kinds[i].name)) {
            *kind_p = &kinds[i];
            return IVL_OK;
        }
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "no segmentation head %s: linear or upernet", name);
}
