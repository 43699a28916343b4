/* Linear probe (InternVL 2312.14238, Table 22): BatchNorm and a linear layer on [class token, mean of patches] of a
 * frozen InternViT, trained by SGD. And segmentation (Table 23) on records with label maps, trained by AdamW: BatchNorm
 * and a 1x1 convolution on a block's patch tokens, or UperNet on those of four. Features are computed once. */
#ifndef IVL_TRAIN_PROBE_H
#define IVL_TRAIN_PROBE_H

#include "train/frozen.h"
#include "train/head_fit.h"

typedef struct ivl_probe_options {
    const char *data, *val;       /* val NULL: `holdout` of the data is held out, by class */
    const char *out;              /* folder for heads.safetensors and probe.json or seg.json; made if need be */
    double      holdout;
    int         views;            /* probe: random crops of each training picture; 0: the picture as it is tested */
    const char *head;             /* seg: "linear" (also NULL) or "upernet" */
    int         channels;         /* seg, upernet: within the head; 0: half the width of the features */
    int         label_size;       /* seg: side of the label maps, 0: the input size */
    const char *names;            /* seg: text file, line i names class i; NULL: numbers only */
    ivl_frozen_options frozen;    /* seg settles `maps` itself */
    ivl_head_rule      rule;      /* batch 0: a sixteenth of the data, 16 to 1024 (seg: 16); rate 0: 0.1 per 512 rows,
                                   * at least 0.03 (seg: 1e-3) */
} ivl_probe_options;

typedef struct ivl_probe_result {
    int64_t images, test_images;
    int     classes;
    double  top1, top5, mean_per_class;
} ivl_probe_result;
ivl_status ivl_probe(ivl_device *dev, const ivl_probe_options *o, ivl_probe_result *r_p);

typedef struct ivl_seg_result {
    int64_t images, test_images;
    int     classes;
    double  miou, pixel_accuracy;
} ivl_seg_result;
ivl_status ivl_seg(ivl_device *dev, const ivl_probe_options *o, ivl_seg_result *r_p);

/* Scores from counts[label,predicted]: intersection over union and accuracy per class (NaN where it is nowhere), their
 * means over classes that have one, share of right cells. */
typedef struct ivl_seg_scores { double miou, mean_accuracy, pixel_accuracy, *iou, *accuracy; } ivl_seg_scores;
void ivl_seg_score(const int64_t *counts, int classes, ivl_seg_scores *s);

/* --- shared by both ------------------------------------------------------------------------------- */

/* Records to train on and to test with, of one data set or of two. */
typedef struct ivl_split {
    ivl_dataset *train, *test;     /* may be the same */
    int64_t     *record, *held;    /* record numbers */
    int64_t      n, n_held;
} ivl_split;
/* Only records i of each with keep(ds, i); by label (of the training set's records; NULL: all alike). */
ivl_status ivl_split_open(const ivl_probe_options *o, ivl_split *s);
ivl_status ivl_split_deal(const ivl_probe_options *o, bool (*keep)(const ivl_dataset *ds, int64_t i),
                          const int32_t *label, ivl_split *s);
void       ivl_split_close(ivl_split *s);

/* Feature tables of both parts. The model is in memory only meanwhile. */
ivl_status ivl_split_features(ivl_device *dev, ivl_stream *s, const ivl_probe_options *o, const ivl_split *split,
                              ivl_head_rows *train, ivl_head_rows *test, ivl_frozen_shape *shape_p);
/* OUT/NAME, freed by the caller; NULL when out of memory. */
char *ivl_probe_path(const ivl_probe_options *o, const char *name);

#endif
