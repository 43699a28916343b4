/* UperNet (Xiao et al., 1807.10221; InternVL 2312.14238, Table 23) over four maps of a frozen InternViT: their feature
 * pyramid, the decoder and the auxiliary FCN head. Names are mmseg's: "backbone.up1.0.weight",
 * "decode_head.lateral_convs.0.conv.weight", "auxiliary_head.conv_seg.bias". */
#ifndef IVL_MODEL_UPERNET_H
#define IVL_MODEL_UPERNET_H

#include "model/heads.h"

/* All three, for maps `width` wide; `channels` within the decoder and the auxiliary head. */
ivl_status ivl_heads_add_upernet(ivl_heads *h, const char *prefix, int64_t width, int64_t channels, int64_t classes);

/* The scope's prefix ends with "backbone.": the pyramid from four maps of h x w: 4h x 4w, 2h x 2w, h x w, h/2 x w/2
 * (at least 2 x 2 are needed). */
void    ivl_upernet_pyramid(const ivl_head_scope *s, const ivl_val map[4], int h, int w, ivl_val out[4]);
/* "decode_head.": logits [B,4h*4w,classes] from that pyramid. Average pooling to 1, 2, 3 and 6 cells a side is as
 * PyTorch's AdaptiveAvgPool2d also where the coarsest map is smaller: then its cells repeat. Training normalises over
 * the batch, which needs at least two samples: the pooling to 1 has one cell of each. No dropout. */
ivl_val ivl_upernet_head(const ivl_head_scope *s, const ivl_val pyramid[4], int h, int w);
/* "auxiliary_head.": logits [B,h*w,classes] from a map of h x w; InternVL takes the pyramid's second. */
ivl_val ivl_fcn_head(const ivl_head_scope *s, ivl_val map, int h, int w);

#endif
