#include "train/language.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/checkpoint.h"
#include "model/llm.h"
#include "model/weights.h"
#include "runtime/file.h"

static bool is_chat(const char *model)
{
    char *path = ivl_path_join(model, "config.json");
    char *text = NULL;
    struct stat st;
    bool folder = !stat(model, &st) && S_ISDIR(st.st_mode);
    bool read = folder && path && ivl_read_file(path, 1 << 20, &text, NULL) == IVL_OK;
    bool chat = read && strstr(text, "\"mm_vision_tower\"") != NULL;
    free(text), free(path);
    return chat;
}

static ivl_status configure_llm(const char *model, ivl_chat_config *c_p)
{
    ivl_weights *w = NULL;
    IVL_TRY(ivl_weights_open(model, &w));
    *c_p = (ivl_chat_config){ .tower = ivl_config_default(), .no_tower = true };
    ivl_status s = ivl_llm_config_load(model, w, &c_p->llm);
    ivl_weights_close(w);
    return s;
}

static ivl_status load_weights(const char *model, ivl_device *dev, ivl_stream *s, ivl_dtype compute, ivl_language *l)
{
    ivl_params_options o = { .chat = &l->config };
    ivl_load_options load = { .check_nan = true };
    IVL_TRY(ivl_params_create(&l->config.tower, &o, &l->params));
    IVL_TRY(ivl_checkpoint_match(model, l->params, &load));
    if (compute == IVL_F32) IVL_TRY(ivl_checkpoint_keep_blocks(model, l->params));
    IVL_TRY(ivl_params_alloc(l->params, dev, compute, false));
    return ivl_checkpoint_load(model, l->params, s, &load, NULL);
}

ivl_status ivl_language_load(const char *model, ivl_device *dev, ivl_stream *s, ivl_dtype compute, ivl_language *l)
{
    *l = (ivl_language){ 0 };
    IVL_TRY(is_chat(model) ? ivl_chat_config_load(model, &l->config) : configure_llm(model, &l->config));
    IVL_TRY(ivl_tokenizer_open(model, &l->tok));
    IVL_CHECK(ivl_tokenizer_size(l->tok) <= l->config.llm.vocab, IVL_EFORMAT,
              "%s: the tokenizer has %d tokens and the model %d: they do not belong together", model,
              ivl_tokenizer_size(l->tok), l->config.llm.vocab);
    return load_weights(model, dev, s, compute, l);
}

void ivl_language_free(ivl_language *l)
{
    ivl_params_destroy(l->params);
    ivl_tokenizer_close(l->tok);
    *l = (ivl_language){ 0 };
}
