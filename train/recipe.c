#include "train/recipe.h"

#include <stddef.h>
#include <string.h>

#define ROW(type_, key_, def_, lo_, hi_, help_)                                                                        \
    { .key = #key_, .type = type_, .off = offsetof(ivl_recipe, key_), .def = def_, .lo = lo_, .hi = hi_, .help = help_ }
#define CHOICE(key_, def_, choices_, help_)                                                                            \
    { .key = #key_, .type = IVL_CONF_ENUM, .off = offsetof(ivl_recipe, key_), .def = def_, .choices = choices_,        \
      .help = help_ }

const ivl_conf_row ivl_recipe_rows[] = {
    ROW(IVL_CONF_STRING, model, "small", 0, 0,
        "size of a fresh model (tiny, small, internvl_14b, sweep/N), or its config.json"),
    ROW(IVL_CONF_STRING, init, "", 0, 0, "model directory to start from; empty: random weights"),
    CHOICE(stage, "1", "1 2 3 retrieval",
           "1: contrastive; 2: matching, contrast and generation, with queries; 3: conversations; retrieval: "
           "fine-tuning of a model of stage 2 by matching and contrast of both poolings"),
    CHOICE(train, "auto", "auto new text heads all",
           "what trains after stage 1: new (what the stage adds: queries, cross attention and their heads; "
           "projectors), also the text side (QLLaMA; the language model), only heads (projections, pooling, matching, "
           "logit_scale), or all; auto: new in stages 2 and 3, all in retrieval"),
    ROW(IVL_CONF_INT, queries, "0", 0, 4096, "stage 2: query tokens to add; 0: as the model has"),
    ROW(IVL_CONF_INT, cross_every, "2", 1, 1024, "stage 2: every such layer of the text side looks at the picture"),
    ROW(IVL_CONF_STRING, vision, "", 0, 0, "stage 3 without init: model of stage 1 or 2 whose encoder sees"),
    ROW(IVL_CONF_STRING, llm, "", 0, 0, "stage 3 without init: language model, a folder or a GGUF file"),
    CHOICE(form, "d", "c d",
           "stage 3 without init: what the language model sees, c: patches; d: QLLaMA's queries, then patches"),
    ROW(IVL_CONF_INT, select_layer, "-4", -1024, 1023,
        "stage 3 without init: which state of the vision encoder; 0: the embeddings, -1: the last"),
    ROW(IVL_CONF_STRING, data, "", 0, 0,
        "training data: shards {000..012}.tar, a folder, a CSV or TSV, joined by ::; stage 3: conversations, JSON(L)"),
    ROW(IVL_CONF_STRING, repeat, "", 0, 0,
        "how often each part of data (joined by ::) is seen in an epoch, comma separated, as 3,1; empty: once"),
    ROW(IVL_CONF_STRING, images, "", 0, 0,
        "stage 3: where the conversations' pictures are, a folder or tar files; empty: beside them"),
    CHOICE(template, "own", "own vicuna plain chatml", "stage 3: form of prompts; own: as the language model tells"),
    ROW(IVL_CONF_STRING, system, "own", 0, 0, "stage 3: system message; own: the model's own, else the template's"),
    ROW(IVL_CONF_BOOL, by_length, "true", 0, 0, "stage 3: conversations of like length share a step"),
    ROW(IVL_CONF_STRING, tokenizer, "", 0, 0,
        "sentencepiece tokenizer.model; stage 3: empty: the language model's own"),
    ROW(IVL_CONF_STRING, languages, "", 0, 0,
        "train on captions of these languages only, comma separated; empty: all"),
    ROW(IVL_CONF_INT, seed, "1", 0, 9e15, "everything random follows from it"),
    ROW(IVL_CONF_INT, steps, "1000", 1, 1e9, "optimiser steps of the run"),
    ROW(IVL_CONF_INT, batch, "64", 2, 1e7, "samples of a step; all others are a sample's negatives"),
    ROW(IVL_CONF_INT, micro_batch, "0", 0, 1e7,
        "samples at a time, to the same result with less memory (stages 1 and 3); 0: the whole batch"),
    ROW(IVL_CONF_INT, text_len, "32", 4, 4096,
        "tokens of a text at most, BOS and EOS included (the paper's: 80; stage 3: 2048, with those of pictures)"),
    ROW(IVL_CONF_INT, image_size, "0", 0, 8192,
        "pixels along a side at full resolution; 0: the model's own, 112 for a fresh one"),
    ROW(IVL_CONF_INT, low_size, "0", 0, 8192, "pixels along a side in the first low_steps; 0: as image_size"),
    ROW(IVL_CONF_INT, low_steps, "0", 0, 1e9,
        "steps at low_size with masking, before the rest at image_size without"),
    ROW(IVL_CONF_DOUBLE, mask_ratio, "0.5", 0, 0.95, "share of patches dropped in the first low_steps"),
    ROW(IVL_CONF_DOUBLE, crop_min, "0.9", 0.01, 1, "random resized crop: smallest share of the area"),
    ROW(IVL_CONF_DOUBLE, crop_max, "1.0", 0.01, 1, "random resized crop: largest share of the area"),
    ROW(IVL_CONF_BOOL, flip, "false", 0, 0, "mirror half of the pictures"),
    CHOICE(negatives, "random", "random hard",
           "whose captions do not match: of any other picture, or of those whose captions are most like the picture to "
           "init's encoders (compared once, before the first step)"),
    ROW(IVL_CONF_INT, neighbours, "16", 1, 1024, "negatives: hard draws among so many pictures"),
    ROW(IVL_CONF_INT, lora_rank, "0", 0, 65536,
        "train low-rank adapters of this rank instead of the weights of lora_where; 0: none"),
    ROW(IVL_CONF_DOUBLE, lora_alpha, "0", 0, 1e6, "adapters count alpha/rank times; 0: alpha is twice the rank"),
    CHOICE(lora_where, "both", "image text both",
           "whose linears get adapters: vision encoder, text side (stage 3: the language model), or both"),
    ROW(IVL_CONF_DOUBLE, lr_image, "1e-3", 0, 1, "peak learning rate of vision_model and clip_projector"),
    ROW(IVL_CONF_DOUBLE, lr_text, "1e-4", 0, 1,
        "peak learning rate of qllama and text_projection, or of the language model"),
    ROW(IVL_CONF_DOUBLE, lr_other, "1e-3", 0, 1,
        "peak learning rate of logit_scale, what stage 2 adds, and projectors"),
    ROW(IVL_CONF_DOUBLE, layer_decay_image, "1", 0.01, 1,
        "lr_image shrinks by this factor from each layer of the vision encoder to the one below; 1: it does not"),
    ROW(IVL_CONF_DOUBLE, layer_decay_text, "1", 0.01, 1,
        "lr_text and lr_other shrink so over the layers of the text side, queries and logit_scale as the lowest"),
    ROW(IVL_CONF_DOUBLE, lr_floor, "0", 0, 1, "learning rate at the end, as a share of the peak"),
    ROW(IVL_CONF_DOUBLE, beta1, "0.9", 0, 0.9999, "AdamW"),
    ROW(IVL_CONF_DOUBLE, beta2, "0.95", 0, 0.99999, "AdamW"),
    ROW(IVL_CONF_DOUBLE, eps, "1e-8", 0, 1, "AdamW"),
    ROW(IVL_CONF_DOUBLE, weight_decay, "0.1", 0, 1, "AdamW; not for 1-D parameters and biases"),
    ROW(IVL_CONF_DOUBLE, clip, "1.0", 0, 1e9, "largest norm of the gradient; 0: unlimited"),
    ROW(IVL_CONF_DOUBLE, max_logit_scale, "4.6052", 0, 100,
        "logit_scale is clamped to it; 0: free (the released code)"),
    ROW(IVL_CONF_INT, warmup, "100", 0, 1e9, "steps of linear warm-up; a cosine follows"),
    ROW(IVL_CONF_DOUBLE, drop_path, "0", 0, 0.9, "rate of dropped branches in the vision encoder"),
    CHOICE(drop_path_rule, "uniform", "uniform linear", "the same rate in every block, or growing from 0"),
    CHOICE(compute, "fp32", "fp32 bf16 fp16",
           "type of weights and activations; gradients and moments are fp32"),
    ROW(IVL_CONF_BOOL, recompute, "false", 0, 0,
        "recompute blocks in the backward pass: less memory, a third more work"),
    ROW(IVL_CONF_INT, workers, "1", 1, 256, "threads that read and decode pictures"),
    ROW(IVL_CONF_INT, checkpoint_every, "200", 1, 1e9, "steps between checkpoints"),
    ROW(IVL_CONF_INT, checkpoint_keep, "2", 1, 1000, "checkpoints kept"),
};
const int ivl_recipe_n_rows = sizeof ivl_recipe_rows / sizeof *ivl_recipe_rows;

/* Rules of one stage alone. */
static ivl_status check_stage(const ivl_recipe *r)
{
    bool first = !strcmp(r->stage, "1"), third = !strcmp(r->stage, "3"), retrieval = !strcmp(r->stage, "retrieval");
    IVL_CHECK(third || r->tokenizer[0], IVL_EINVAL,
              "tokenizer is not set: give a tokenizer.model, as --set tokenizer=FILE");
    IVL_CHECK(first || third || r->init[0], IVL_EINVAL,
              "init is not set: %s goes on from a model of %s, as --set init=DIR", retrieval ? "retrieval" : "stage 2",
              retrieval ? "stage 2" : "stage 1");
    IVL_CHECK(!third || r->init[0] || (r->vision[0] && r->llm[0]), IVL_EINVAL,
              "stage 3 begins with a vision encoder and a language model, as --set vision=DIR --set llm=DIR, or goes "
              "on from a chat model, as --set init=DIR");
    IVL_CHECK(third || (!r->vision[0] && !r->llm[0]), IVL_EINVAL, "vision and llm are for stage 3");
    IVL_CHECK(!strcmp(r->negatives, "random") || !(first || third), IVL_EINVAL,
              "negatives: %s is for stage 2 and retrieval, which learn to match", r->negatives);
    IVL_CHECK(!r->lora_rank || third || r->init[0], IVL_EINVAL,
              "init is not set: lora_rank: %lld adapts a model that has learned, as --set init=DIR",
              (long long)r->lora_rank);
    IVL_CHECK(retrieval || strcmp(r->train, "heads"), IVL_EINVAL,
              "train: heads is for stage: retrieval; the heads of a new stage have nothing to look at");
    IVL_CHECK(!retrieval || !r->queries, IVL_EINVAL,
              "queries: %lld are added in stage 2; retrieval goes on from a model with some", (long long)r->queries);
    IVL_CHECK(first || third || !r->micro_batch, IVL_EINVAL, "micro_batch is for stages 1 and 3");
    IVL_CHECK(!third || !r->repeat[0], IVL_EINVAL, "repeat is for stages 1, 2 and retrieval");
    IVL_CHECK(first || !r->low_steps, IVL_EINVAL, "low_steps is for stage 1");
    return IVL_OK;
}

ivl_status ivl_recipe_check(const ivl_recipe *r)
{
    IVL_CHECK(r->data[0], IVL_EINVAL, "data is not set: give shards, a folder or a table, as --set data=PATH");
    IVL_TRY(check_stage(r));
    IVL_CHECK(!r->micro_batch || r->batch % r->micro_batch == 0, IVL_EINVAL,
              "batch: %lld is no multiple of micro_batch: %lld", (long long)r->batch, (long long)r->micro_batch);
    IVL_CHECK(r->crop_min <= r->crop_max, IVL_EINVAL, "crop_min: %g is above crop_max: %g", r->crop_min, r->crop_max);
    IVL_CHECK(r->low_steps <= r->steps, IVL_EINVAL, "low_steps: %lld is above steps: %lld", (long long)r->low_steps,
              (long long)r->steps);
    return IVL_OK;
}
