/* Adapters in a run: see model/lora.h. */
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "model/lora.h"
#include "runtime/file.h"

ivl_lora ivl_trainer_lora(const ivl_recipe *r)
{
    static const char *const word[] = { "image", "text", "both" };
    unsigned text = strcmp(r->stage, "3") ? IVL_LORA_TEXT : IVL_LORA_LLM;
    const unsigned where[] = { IVL_LORA_IMAGE, text, IVL_LORA_IMAGE | text };
    ivl_lora l = { 0 };
    if (!r->lora_rank) return l;
    l.rank = (int)r->lora_rank, l.alpha = r->lora_alpha > 0 ? r->lora_alpha : 2 * (double)r->lora_rank;
    for (int i = 0; i < 3; i++)
        if (!strcmp(r->lora_where, word[i])) l.where = where[i];
    return l;
}

/* Stage 2 may have added parts: the adapter says what the merged model is. */
static ivl_status save_config(const ivl_trainer *t, const char *dir)
{
    char *path = ivl_path_join(dir, "config.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_config_save(&t->config, IVL_F32, path);
    free(path);
    return s;
}

ivl_status ivl_trainer_save_adapter(const ivl_trainer *t)
{
    if (!t->r->lora_rank) return IVL_OK;
    char *dir = ivl_path_join(t->o->out, "adapter");
    IVL_CHECK(dir, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_lora_save(dir, t->params, t->stream);
    if (s == IVL_OK && t->stage2 && !t->retrieval) s = save_config(t, dir);
    if (s == IVL_OK) s = ivl_lora_fold(t->params, t->stream);
    free(dir);
    return s;
}
