/* What is particular to fine-tuning for retrieval (2312.14238, Table 21; reference facts 2.4 and 4): which parameters
 * train, here and in stage 2, and its part of the batch record: B negatives and B positives to match, and for the
 * contrast which texts are right for which picture, as several of a batch may be. */
#include "train/trainer.h"

#include <string.h>

#include "model/weights.h"

static bool begins(const char *name, const char *start) { return !strncmp(name, start, strlen(start)); }

/* Layers of the text side come with or without cross attention. */
static bool is_cross(const char *name) { return begins(name, "qllama.model.layers.") && strstr(name, ".cross_attn."); }

static bool is_head(const char *name)
{
    return !strcmp(name, "logit_scale") || !strcmp(name, "text_projection") || begins(name, "clip_projector2.") ||
           begins(name, "itm_head.") || begins(name, "clip_projector.");
}

/* What no loss of the stage reaches stays as it is, for its weights would only decay: lm_head in retrieval, and the
 * pooling of the backbone in stage 2. With adapters on the text side, cross attention that has learned stays too. */
bool ivl_trainer_trains(void *trainer, const char *name)
{
    const ivl_trainer *t = trainer;
    const char *what = strcmp(t->r->train, "auto") ? t->r->train : t->retrieval ? "all" : "new";
    bool head = begins(name, "qllama.lm_head.");
    bool fresh = is_cross(name) || !strcmp(name, "query_tokens") || !strcmp(name, "logit_scale") ||
                 begins(name, "clip_projector2.") || begins(name, "itm_head.") || (head && t->new_lm_head);
    if (t->retrieval ? head : begins(name, "clip_projector.")) return false;
    if (t->retrieval && is_cross(name) && (ivl_trainer_lora(t->r).where & IVL_LORA_TEXT)) return false;
    if (!strcmp(what, "all")) return true;
    if (!strcmp(what, "heads")) return is_head(name);
    bool text = begins(name, "qllama.") || !strcmp(name, "text_projection");
    return fresh || (text && !strcmp(what, "text"));
}

ivl_status ivl_trainer_look_at_init(ivl_trainer *t)
{
    ivl_weights *f = NULL;
    IVL_TRY(ivl_weights_open(t->r->init, &f));
    bool matches = ivl_weights_find(f, "itm_head.weight") != NULL;
    t->new_lm_head = !ivl_weights_find(f, "qllama.lm_head.weight");
    ivl_weights_close(f);
    IVL_CHECK(matches || !t->retrieval, IVL_EINVAL,
              "init: %s has no itm_head: retrieval goes on from a model of stage 2, as conf/stage2_emoji.yaml makes",
              t->r->init);
    return IVL_OK;
}

/* same[B,B]: the texts of a picture's group share one half equally; either direction is half of the loss. */
static void fill_same(const int64_t *group, int b, float *same)
{
    for (int i = 0; i < b; i++) {
        int n = 0;
        for (int j = 0; j < b; j++) n += group[j] == group[i];
        for (int j = 0; j < b; j++) same[i * b + j] = group[j] == group[i] ? 0.5f / (float)n : 0.0f;
    }
}

void ivl_trainer_fill_retrieval(const ivl_trainer *t, const ivl_step_shape *s, const ivl_step_layout *l,
                                const char *from, char *to)
{
    int b = s->batch, n = s->text_len, q = t->config.text.queries;
    const int32_t *ids = (const int32_t *)(const void *)(from + t->layout.ids);
    const int32_t *len = (const int32_t *)(const void *)(from + t->layout.len);
    int32_t *to_ids = (int32_t *)(void *)(to + l->ids), *to_len = (int32_t *)(void *)(to + l->len);
    int32_t *last = (int32_t *)(void *)(to + l->last), *itm = (int32_t *)(void *)(to + l->itm);
    for (int r = 0; r < b; r++) {
        for (int k = 0; k < 3; k++) {
            memcpy(to_ids + ((size_t)k * (size_t)b + (size_t)r) * (size_t)n, ids + (3 * r + k) * n,
                   (size_t)n * sizeof *ids);
            to_len[k * b + r] = q + len[3 * r + k];
        }
        itm[r] = len[3 * r] <= 2 ? -100 : 0; /* BOS and EOS alone are no caption */
        itm[b + r] = len[3 * r + 1] <= 2 ? -100 : 1;
        last[r] = q + (len[3 * r + 2] > 0 ? len[3 * r + 2] - 1 : 0);
    }
    fill_same((const int64_t *)(const void *)(from + t->layout.group), b, (float *)(void *)(to + l->same));
}
