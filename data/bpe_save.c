/* Byte-level BPE vocabularies into GGUF metadata, and into Hugging Face's tokenizer.json and tokenizer_config.json. */
#include "data/bpe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/json_save.h"

/* --- GGUF ----------------------------------------------------------------------------------------- */

/* Texts one behind the other; `at` counts while the buffer may still move. */
typedef struct texts { char *p; size_t n, room; ivl_gguf_text *list; size_t count; bool failed; } texts;

static void add(texts *t, const char *p, size_t n)
{
    if (t->n + n > t->room) {
        size_t room = 2 * t->room + n + 4096;
        char *more = realloc(t->p, room);
        if (!more) t->failed = true;
        else t->p = more, t->room = room;
    }
    if (t->failed || !n) return;
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

static void end(texts *t, size_t length) { t->list[t->count++].n = length; }

static void settle(texts *t)
{
    size_t at = 0;
    for (size_t i = 0; i < t->count; at += t->list[i++].n) t->list[i].p = t->p ? t->p + at : "";
}

static void put_ids(const ivl_bpe_info *i, const char *chat_template, ivl_gguf_meta *m)
{
    const struct { const char *key; int id; } id[] = {
        { "tokenizer.ggml.bos_token_id", i->bos }, { "tokenizer.ggml.eos_token_id", i->eos },
        { "tokenizer.ggml.unknown_token_id", i->unk }, { "tokenizer.ggml.padding_token_id", i->pad },
    };
    for (int k = 0; k < 4; k++)
        if (id[k].id >= 0) ivl_gguf_put_u32(m, id[k].key, (uint32_t)id[k].id);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_bos_token", i->add_bos);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_space_prefix", false);
    if (chat_template) ivl_gguf_put_string(m, "tokenizer.chat_template", chat_template);
}

ivl_status ivl_bpe_put_gguf(const ivl_bpe *b, ivl_gguf_meta *m)
{
    ivl_bpe_info info = ivl_bpe_info_of(b);
    ivl_bpe_pair *pair = NULL;
    size_t n = 0;
    IVL_TRY(ivl_bpe_merges(b, &pair, &n));
    char *room = malloc(ivl_bpe_written(b, 0, NULL));
    int32_t *kind = malloc((size_t)info.size * sizeof *kind);
    texts token = { .list = malloc((size_t)info.size * sizeof *token.list) },
          merge = { .list = malloc((n + 1) * sizeof *merge.list) };
    bool ok = room && kind && token.list && merge.list;
    for (int32_t i = 0; ok && i < info.size; i++) {
        size_t len = ivl_bpe_written(b, i, room);
        add(&token, room, len), end(&token, len);
        kind[i] = (int32_t)ivl_bpe_kind_of(b, i);
    }
    for (size_t i = 0; ok && i < n; i++) {
        size_t left = ivl_bpe_written(b, pair[i].left, room);
        add(&merge, room, left), add(&merge, " ", 1);
        size_t right = ivl_bpe_written(b, pair[i].right, room);
        add(&merge, room, right), end(&merge, left + 1 + right);
    }
    ok = ok && !token.failed && !merge.failed;
    if (ok) {
        settle(&token), settle(&merge);
        ivl_gguf_put_string(m, "tokenizer.ggml.model", "gpt2");
        ivl_gguf_put_string(m, "tokenizer.ggml.pre", ivl_bpe_rule_name(info.rule));
        ivl_gguf_put_strings(m, "tokenizer.ggml.tokens", token.list, info.size);
        ivl_gguf_put_i32s(m, "tokenizer.ggml.token_type", kind, info.size);
        ivl_gguf_put_strings(m, "tokenizer.ggml.merges", merge.list, (int64_t)n);
        put_ids(&info, ivl_bpe_chat_template(b), m);
    }
    free(pair), free(room), free(kind), free(token.p), free(token.list), free(merge.p), free(merge.list);
    IVL_CHECK(ok, IVL_ENOMEM, "out of memory for a vocabulary of %d tokens", info.size);
    return IVL_OK;
}

/* --- Hugging Face --------------------------------------------------------------------------------- */

static json_t *written(const ivl_bpe *b, int32_t id, char *room)
{
    size_t n = ivl_bpe_written(b, id, room);
    return json_stringn(room, n);
}

static json_t *vocabulary(const ivl_bpe *b, char *room)
{
    json_t *o = json_object();
    for (int32_t i = 0; i < ivl_bpe_info_of(b).size; i++) {
        ivl_bpe_kind kind = ivl_bpe_kind_of(b, i);
        size_t n = ivl_bpe_written(b, i, room);
        if (kind == IVL_BPE_UNUSED && !n) continue;
        room[n] = 0;
        json_object_set_new(o, room, json_integer(i));
    }
    return o;
}

static json_t *merges(const ivl_bpe *b, char *room)
{
    ivl_bpe_pair *pair = NULL;
    size_t n = 0;
    json_t *list = json_array();
    if (ivl_bpe_merges(b, &pair, &n) != IVL_OK) n = 0;
    for (size_t i = 0; i < n; i++) {
        json_t *left = written(b, pair[i].left, room);
        json_array_append_new(list, json_pack("[o,o]", left, written(b, pair[i].right, room)));
    }
    free(pair);
    return list;
}

static json_t *added(const ivl_bpe *b, char *room)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < ivl_bpe_info_of(b).size; i++) {
        ivl_bpe_kind kind = ivl_bpe_kind_of(b, i);
        if (kind != IVL_BPE_CONTROL && kind != IVL_BPE_UNKNOWN && kind != IVL_BPE_USER) continue;
        json_array_append_new(list, json_pack("{s:i,s:o,s:b,s:b,s:b,s:b,s:b}", "id", (int)i, "content",
                                              written(b, i, room), "single_word", 0, "lstrip", 0, "rstrip", 0,
                                              "normalized", 0, "special", kind != IVL_BPE_USER));
    }
    return list;
}

static json_t *byte_level(bool expression)
{
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                     expression);
}

static json_t *pre_tokenizer(ivl_bpe_rule rule)
{
    if (rule == IVL_BPE_GPT2) return byte_level(true);
    json_t *list = json_array();
    if (rule == IVL_BPE_DIGITS)
        json_array_append_new(list, json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", 1));
    for (int i = 0; rule == IVL_BPE_DEFAULT && i < IVL_BPE_SPLITS; i++)
        json_array_append_new(list, json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern", "Regex",
                                              ivl_bpe_split(i), "behavior", "Isolated", "invert", 0));
    json_array_append_new(list, byte_level(rule == IVL_BPE_DIGITS));
    return json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers", list);
}

static json_t *tokenizer(const ivl_bpe *b, char *room)
{
    json_t *model = json_pack("{s:s,s:n,s:n,s:n,s:n,s:b,s:b,s:b,s:o,s:o}", "type", "BPE", "dropout", "unk_token",
                              "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
                              "ignore_merges", 0, "vocab", vocabulary(b, room), "merges", merges(b, room));
    return json_pack("{s:s,s:n,s:n,s:o,s:n,s:o,s:n,s:o,s:o}", "version", "1.0", "truncation", "padding", "added_tokens",
                     added(b, room), "normalizer", "pre_tokenizer", pre_tokenizer(ivl_bpe_info_of(b).rule),
                     "post_processor", "decoder", byte_level(true), "model", model);
}

static json_t *settings(const ivl_bpe *b, char *room)
{
    ivl_bpe_info i = ivl_bpe_info_of(b);
    const struct { const char *key; int id; } name[] = {
        { "bos_token", i.bos }, { "eos_token", i.eos }, { "unk_token", i.unk }, { "pad_token", i.pad }
    };
    json_t *o = json_pack("{s:s,s:b,s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "add_bos_token", i.add_bos,
                          "clean_up_tokenization_spaces", 0);
    for (int k = 0; k < 4; k++)
        if (name[k].id >= 0) json_object_set_new(o, name[k].key, written(b, name[k].id, room));
    const char *chat = ivl_bpe_chat_template(b);
    if (chat) json_object_set_new(o, "chat_template", json_string(chat));
    return o;
}

ivl_status ivl_bpe_save(const ivl_bpe *b, const char *dir)
{
    char *room = malloc(ivl_bpe_written(b, 0, NULL));
    IVL_CHECK(room, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_json_save_in(tokenizer(b, room), dir, "tokenizer.json", JSON_COMPACT);
    if (s == IVL_OK) s = ivl_json_save_in(settings(b, room), dir, "tokenizer_config.json", JSON_INDENT(2));
    free(room);
    return s;
}
