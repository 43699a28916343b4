/* Where byte-level BPE vocabularies come from: the metadata of GGUF files, and Hugging Face's tokenizer.json. */
#include "data/bpe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- GGUF ----------------------------------------------------------------------------------------- */

static ivl_status get_ids(const ivl_gguf *f, ivl_bpe_source *s)
{
    IVL_TRY(ivl_gguf_int(f, "tokenizer.ggml.bos_token_id", &s->bos));
    IVL_TRY(ivl_gguf_int(f, "tokenizer.ggml.eos_token_id", &s->eos));
    IVL_TRY(ivl_gguf_int(f, "tokenizer.ggml.unknown_token_id", &s->unk));
    IVL_TRY(ivl_gguf_int(f, "tokenizer.ggml.padding_token_id", &s->pad));
    IVL_TRY(ivl_gguf_bool(f, "tokenizer.ggml.add_bos_token", &s->add_bos));
    return ivl_gguf_string(f, "tokenizer.chat_template", &s->chat_template);
}

ivl_status ivl_bpe_from_gguf(const ivl_gguf *f, ivl_bpe **b_p)
{
    const char *model = "none", *pre = "default", *name = ivl_gguf_name(f);
    ivl_gguf_text *token = NULL, *merge = NULL;
    int64_t *kind = NULL, n_kinds = 0;
    ivl_bpe_source from = { .name = name, .bos = -1, .eos = -1, .unk = -1, .pad = -1 };
    IVL_TRY(ivl_gguf_string(f, "tokenizer.ggml.model", &model));
    IVL_CHECK(!strcmp(model, "gpt2"), IVL_EUNSUPPORTED,
              "%s: its tokenizer is of type '%.40s'; read are 'gpt2', byte-level BPE, and 'llama', sentencepiece's",
              name, model);
    IVL_TRY(ivl_gguf_string(f, "tokenizer.ggml.pre", &pre));
    IVL_TRY(ivl_bpe_rule_parse(pre, name, &from.rule));
    IVL_TRY(get_ids(f, &from));
    ivl_status s = ivl_gguf_strings(f, "tokenizer.ggml.tokens", &token, &from.n);
    if (s == IVL_OK) s = ivl_gguf_strings(f, "tokenizer.ggml.merges", &merge, &from.n_merges);
    if (s == IVL_OK) s = ivl_gguf_ints(f, "tokenizer.ggml.token_type", &kind, &n_kinds);
    if (s == IVL_OK && kind && n_kinds != from.n)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %lld tokens, but %lld token types", name, (long long)from.n,
                     (long long)n_kinds);
    from.token = token, from.merge = merge, from.kind = kind;
    if (s == IVL_OK) s = ivl_bpe_create(&from, b_p);
    free(token), free(merge), free(kind);
    return s;
}

/* --- tokenizer.json ------------------------------------------------------------------------------- */

/* What is taken from the file; texts lie in it or in `joined`. */
typedef struct parts {
    ivl_bpe_source from;
    ivl_gguf_text *token, *merge;
    int64_t       *kind;
    char         **joined; /* merges written as pairs */
} parts;

static const char *text_at(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* What the steps of a pre_tokenizer amount to. */
typedef struct steps { bool alone, bytes, expression; int splits; } steps;

static ivl_status read_step(const json_t *pre, const char *name, steps *k)
{
    const char *type = text_at(pre, "type");
    if (!strcmp(type, "Digits")) k->alone = json_is_true(json_object_get(pre, "individual_digits"));
    else if (!strcmp(type, "ByteLevel")) {
        k->bytes = !json_is_true(json_object_get(pre, "add_prefix_space"));
        k->expression = !json_is_false(json_object_get(pre, "use_regex"));
    } else if (!strcmp(type, "Split") && k->splits < IVL_BPE_SPLITS &&
               !strcmp(text_at(json_object_get(pre, "pattern"), "Regex"), ivl_bpe_split(k->splits)))
        k->splits++;
    else
        return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__,
                        "%s: pre_tokenizer '%.40s' is not supported; ByteLevel, also behind Digits, is", name, type);
    return IVL_OK;
}

static ivl_status read_rule(const json_t *root, ivl_bpe_source *from)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer"), *list = json_object_get(pre, "pretokenizers");
    const json_t *normal = json_object_get(root, "normalizer");
    steps k = { 0 };
    size_t n = list ? json_array_size(list) : 1;
    for (size_t i = 0; i < n; i++) IVL_TRY(read_step(list ? json_array_get(list, i) : pre, from->name, &k));
    bool whole = k.splits == IVL_BPE_SPLITS && !k.expression && !k.alone;
    IVL_CHECK(k.bytes && (whole || (!k.splits && k.expression)) && (!normal || json_is_null(normal)), IVL_EUNSUPPORTED,
              "%s: only byte-level BPE without prefix space and normalizer is supported", from->name);
    from->rule = whole ? IVL_BPE_DEFAULT : k.alone ? IVL_BPE_DIGITS : IVL_BPE_GPT2;
    return IVL_OK;
}

static ivl_status put_token(parts *p, const char *text, size_t n, const json_t *id, int64_t kind)
{
    json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
    IVL_CHECK(i >= 0 && i < p->from.n, IVL_EFORMAT, "%s: token '%.60s' has no id below %lld", p->from.name, text,
              (long long)p->from.n);
    p->token[i] = (ivl_gguf_text){ text, n };
    p->kind[i] = kind;
    return IVL_OK;
}

static ivl_status read_tokens(parts *p, const json_t *vocab, const json_t *added)
{
    const char *key;
    json_t *id, *entry;
    size_t i;
    p->from.n = (int64_t)json_object_size(vocab);
    json_array_foreach((json_t *)(uintptr_t)added, i, entry)
    {
        json_int_t at = json_integer_value(json_object_get(entry, "id")) + 1;
        if (at > p->from.n && at <= 1 << 24) p->from.n = at;
    }
    p->token = calloc((size_t)p->from.n + 1, sizeof *p->token);
    p->kind = calloc((size_t)p->from.n + 1, sizeof *p->kind);
    IVL_CHECK(p->token && p->kind, IVL_ENOMEM, "out of memory for %lld tokens", (long long)p->from.n);
    for (int64_t k = 0; k < p->from.n; k++) p->kind[k] = IVL_BPE_UNUSED, p->token[k].p = "";
    json_object_foreach((json_t *)(uintptr_t)vocab, key, id)
        IVL_TRY(put_token(p, key, strlen(key), id, IVL_BPE_NORMAL));
    json_array_foreach((json_t *)(uintptr_t)added, i, entry)
    {
        bool special = json_is_true(json_object_get(entry, "special"));
        const char *text = text_at(entry, "content");
        IVL_TRY(
            put_token(p, text, strlen(text), json_object_get(entry, "id"), special ? IVL_BPE_CONTROL : IVL_BPE_USER));
    }
    return IVL_OK;
}

/* "a b", or in newer files ["a", "b"]. */
static ivl_status read_merges(parts *p, const json_t *merges)
{
    size_t n = json_array_size(merges);
    p->merge = calloc(n + 1, sizeof *p->merge);
    p->joined = calloc(n + 1, sizeof *p->joined);
    IVL_CHECK(p->merge && p->joined, IVL_ENOMEM, "out of memory for %zu merges", n);
    p->from.n_merges = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(merges, i);
        const char *text = json_string_value(m), *a = json_string_value(json_array_get(m, 0)),
                   *b = json_string_value(json_array_get(m, 1));
        if (!text && a && b) {
            if (asprintf(&p->joined[i], "%s %s", a, b) < 0) p->joined[i] = NULL;
            IVL_CHECK(p->joined[i], IVL_ENOMEM, "out of memory");
            text = p->joined[i];
        }
        IVL_CHECK(text, IVL_EFORMAT, "%s: merge %zu is no pair of tokens", p->from.name, i);
        p->merge[i] = (ivl_gguf_text){ text, strlen(text) };
    }
    return IVL_OK;
}

static ivl_status read_json(parts *p, const json_t *root, ivl_bpe **b_p)
{
    const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    IVL_CHECK(json_is_object(model), IVL_EFORMAT, "%s: no tokenizer: it has no object \"model\"", p->from.name);
    IVL_CHECK(!strcmp(text_at(model, "type"), "BPE") && json_is_object(vocab) && json_is_array(merges),
              IVL_EUNSUPPORTED, "%s: model.type is '%.40s'; only BPE with a vocabulary and merges is supported",
              p->from.name, text_at(model, "type"));
    IVL_TRY(read_rule(root, &p->from));
    IVL_TRY(read_tokens(p, vocab, json_object_get(root, "added_tokens")));
    IVL_TRY(read_merges(p, merges));
    p->from.token = p->token, p->from.kind = p->kind, p->from.merge = p->merge;
    return ivl_bpe_create(&p->from, b_p);
}

ivl_status ivl_bpe_from_json(const char *text, size_t n, const char *name, ivl_bpe **b_p)
{
    json_error_t e;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    IVL_CHECK(root, IVL_EFORMAT, "%s: not JSON: line %d, column %d: %s", name, e.line, e.column, e.text);
    parts p = { .from = { .name = name, .bos = -1, .eos = -1, .unk = -1, .pad = -1 } };
    ivl_status s = read_json(&p, root, b_p);
    for (int64_t i = 0; p.joined && i < p.from.n_merges; i++) free(p.joined[i]);
    free(p.joined), free(p.token), free(p.merge), free(p.kind);
    json_decref(root);
    return s;
}

/* --- tokenizer_config.json ------------------------------------------------------------------------ */

/* "<s>", or an added token { "content": "<s>" }. */
static ivl_status named(const ivl_bpe *b, const json_t *root, const char *key, const char *name, int *id_p)
{
    const json_t *v = json_object_get(root, key);
    const char *text = json_is_object(v) ? text_at(v, "content") : json_string_value(v);
    if (!text) return IVL_OK;
    *id_p = ivl_bpe_special(b, text);
    IVL_CHECK(*id_p >= 0, IVL_EFORMAT, "%s: %s is '%.60s', no special token of the tokenizer beside it", name, key,
              text);
    return IVL_OK;
}

static ivl_status configure(ivl_bpe *b, const json_t *root, const char *name)
{
    ivl_bpe_info i = ivl_bpe_info_of(b);
    IVL_TRY(named(b, root, "bos_token", name, &i.bos));
    IVL_TRY(named(b, root, "eos_token", name, &i.eos));
    IVL_TRY(named(b, root, "unk_token", name, &i.unk));
    IVL_TRY(named(b, root, "pad_token", name, &i.pad));
    i.add_bos = json_is_true(json_object_get(root, "add_bos_token"));
    return ivl_bpe_set(b, &i, json_string_value(json_object_get(root, "chat_template")));
}

ivl_status ivl_bpe_configure(ivl_bpe *b, const char *text, size_t n, const char *name)
{
    json_error_t e;
    json_t *root = json_loadb(text, n, 0, &e);
    IVL_CHECK(root, IVL_EFORMAT, "%s: not JSON: line %d, column %d: %s", name, e.line, e.column, e.text);
    ivl_status s = configure(b, root, name);
    json_decref(root);
    return s;
}
