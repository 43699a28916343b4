/* Evaluation of an embedder on a data set: retrieval in both directions per language, zero-shot classification; and
 * example searches for the report. Results are JSON in CLIP_benchmark's words. */
#ifndef IVL_TRAIN_EVAL_H
#define IVL_TRAIN_EVAL_H

#include "data/record.h"

typedef struct ivl_eval_options {
    const char *model, *data;   /* named in the results */
    bool        queries;        /* the embedder is InternVL-G */
    const char *languages;      /* "en,de": only these; NULL: every language that the captions tell */
    void      (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void       *ctx;
    const char *examples;       /* retrieval: writes search.json for the report here; NULL: none */
    int         n_examples;
    uint64_t    seed;           /* of what is drawn */
    int         most;           /* matching: of so many pictures at most; 0: all */
} ivl_eval_options;

/* Unit vectors of every picture of the data set, in record order: out[count, dim]. A bad picture is an error that
 * names shard and key. */
ivl_status ivl_embed_dataset(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, float *out);

/* {"results": [{"dataset", "model", "task": "zeroshot_retrieval", "language", "script", "images", "texts", "metrics":
 * {"image_retrieval_recall@K", "text_retrieval_recall@K"}, "chance@K", "ci95@10": [low, high], ...}]}: one entry for
 * all captions, one per script (ISO 15924; its "language" is "all"), one per language. The gallery is every picture
 * that has such a caption; equal captions count as right. */
ivl_status ivl_eval_retrieval(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, const char *out_json);

/* CLIP_benchmark's files: classes {DATASET: [name, ...]}, templates {DATASET: ["a photo of a {c}.", ...]}; `dataset`
 * chooses the entry (NULL: the only one). Record i is of class: the number of its top folder among the sorted ones, or
 * of its group among the sorted groups. Class vector: mean of the unit text vectors, made unit again. */
ivl_status ivl_eval_zeroshot(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, const char *classes,
                             const char *templates, const char *dataset, const char *out_json);

/* Image-text matching by a model of stage 2. Each picture with one of its captions (drawn by seed), with a caption of
 * another picture (drawn by seed), and with the wrong caption that is most like it by the model's own vectors: all in
 * its caption's language where that has any, none of a picture that is alike (ivl_captions_alike). A pair is right if
 * the probability of a match is on its side of one half. {"results": [{..., "task": "image_text_matching",
 * "hard_negatives_by": "internvl_c", "pictures", "pairs", "seed", "metrics": {"acc", "acc_true_pairs",
 * "acc_random_negatives", "acc_hard", "acc_hard_negatives", "hard_ranked": share of pictures that prefer their own
 * caption to the hard one}, "chance": 0.5, "ci95": {each metric: [low, high]}}]}. acc and acc_hard: half true pairs,
 * half negatives. */
ivl_status ivl_eval_itm(const char *model_dir, ivl_device *dev, const ivl_embedder_options *e, const ivl_dataset *ds,
                        const ivl_eval_options *o, const char *out_json);

#endif
