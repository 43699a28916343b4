/* Evaluation of an embedder on a data set: retrieval in both directions per language, zero-shot classification; and
 * example searches for the report. Results are JSON in CLIP_benchmark's words. */
#ifndef IVL_TRAIN_EVAL_H
#define IVL_TRAIN_EVAL_H

#include "train/captioner.h"
#include "train/captions.h"

typedef struct ivl_eval_options {
    const char *model, *data;   /* named in the results */
    bool        queries;        /* the embedder is InternVL-G */
    const char *languages;      /* "en,de": only these; NULL: every language that the captions tell */
    void      (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void       *ctx;
    const char *examples;       /* retrieval: writes search.json for the report here; NULL: none */
    int         n_examples;
    uint64_t    seed;           /* of what is drawn */
    int         most;           /* matching, captions: of so many pictures at most, drawn by seed; 0: all */
} ivl_eval_options;

/* Unit vectors of every picture of the data set, in record order: out[count, dim]. A bad picture is an error that
 * names shard and key. */
ivl_status ivl_embed_dataset(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, float *out);
/* The same of n of them, and of n captions; NULL: the first n. */
ivl_status ivl_embed_records(ivl_embedder *e, const ivl_dataset *ds, const int32_t *record, int64_t n,
                             const ivl_eval_options *o, float *out);
ivl_status ivl_embed_captions(ivl_embedder *e, const ivl_captions *c, const int32_t *which, int n,
                              const ivl_eval_options *o, float *out);

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

/* Captions beside those of the records (o->languages). Who wrote them, and what they are measured against: */
typedef struct ivl_eval_captions {
    const char           *results;    /* a file (train/caption_results.h) whose captions are scored, without a model;
                                       * NULL: the model writes */
    ivl_captioner_options captioner;  /* how */
    ivl_embedder_options  embedder;   /* of the baseline's vectors */
    const char           *neighbours; /* pictures whose captions make the baseline: that of the one which is most like
                                       * each picture; NULL: no baseline */
    const char           *write;      /* writes the captions there, in COCO's form; NULL: nowhere */
} ivl_eval_captions;

/* {"results": [{..., "task": "image_captioning", "beams", "pictures", "references", "metrics": {"cider", "cider_plain",
 * "bleu1" .. "bleu4", "rouge_l"}, "neighbour": {the same of the baseline}}]}, see train/caption_score.h; the baseline
 * only where there is one. o->examples: captions.json for the report:
 * {"captions": [{"key", "text", "references": [...], "neighbour", "cider", "image": data URL}]}.
 * A picture of the data without such a caption does not count. */
ivl_status ivl_eval_caption(const char *model_dir, ivl_device *dev, const ivl_eval_captions *k, const ivl_dataset *ds,
                            const ivl_eval_options *o, const char *out_json);

#endif
