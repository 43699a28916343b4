/* tokens.json of a parity case: tokenisations, chat prompts, and the labels of conversations. Each list is one line
 * whose error is the number of its entries that differ. */
#include "train/parity.h"

#include <stdlib.h>
#include <string.h>

#include "data/conversation.h"
#include "runtime/file.h"

static bool same(const int32_t *ids, size_t n, const json_t *want)
{
    bool same = n == json_array_size(want);
    for (size_t i = 0; same && i < n; i++) same = json_integer_value(json_array_get(want, i)) == ids[i];
    return same;
}

/* An entry with a text: plain ids, or those of a prompt with pictures. */
static ivl_status check_text(const ivl_tokenizer *tok, const json_t *entry, bool prompt, bool *same_p)
{
    const char *text = json_string_value(json_object_get(entry, "text"));
    const json_t *want = json_object_get(entry, "ids");
    ivl_codec codec = ivl_codec_of(tok);
    int32_t *ids = NULL;
    size_t n = 0;
    IVL_CHECK(text && json_is_array(want), IVL_EFORMAT, "tokens.json: an entry without text or ids");
    IVL_TRY(prompt ? ivl_prompt_encode(&codec, text, &ids, &n) : ivl_tokenizer_encode(tok, text, &ids, &n));
    *same_p = same(ids, n, want);
    free(ids);
    return IVL_OK;
}

/* The turns' strings stay the entry's; *turn_p is freed by the caller. */
static ivl_status turns_of(const json_t *entry, ivl_turn **turn_p, int *n_p)
{
    const json_t *all = json_object_get(entry, "turns"), *one;
    size_t n = json_array_size(all), i;
    ivl_turn *turn = calloc(n + 1, sizeof *turn);
    IVL_CHECK(turn, IVL_ENOMEM, "out of memory for %zu turns", n);
    json_array_foreach(all, i, one) {
        turn[i].question = json_string_value(json_array_get(one, 0));
        turn[i].answer = json_string_value(json_array_get(one, 1));
    }
    *turn_p = turn, *n_p = (int)n;
    return IVL_OK;
}

static ivl_status check_sft(ivl_tokenizer *tok, const json_t *entry, bool *same_p)
{
    ivl_turn *turn = NULL;
    ivl_sft sft = { 0 };
    int n = 0;
    ivl_tokenizer_legacy(tok, json_is_true(json_object_get(entry, "legacy")));
    ivl_codec codec = ivl_codec_of(tok);
    IVL_TRY(turns_of(entry, &turn, &n));
    ivl_status s = ivl_sft_make(&codec, IVL_TEMPLATE_VICUNA, NULL, turn, n, &sft);
    if (s == IVL_OK)
        *same_p = same(sft.ids, sft.n, json_object_get(entry, "ids")) &&
                  same(sft.labels, sft.n, json_object_get(entry, "labels"));
    ivl_sft_free(&sft);
    free(turn);
    return s;
}

static ivl_status check_entry(ivl_tokenizer *tok, const char *list, const json_t *entry, bool *same_p)
{
    if (!strcmp(list, "sft")) return check_sft(tok, entry, same_p);
    ivl_tokenizer_legacy(tok, strcmp(list, "non_legacy"));
    return check_text(tok, entry, !strcmp(list, "prompt"), same_p);
}

/* A list, or one entry. */
static ivl_status check_list(ivl_parity *c, ivl_tokenizer *tok, const json_t *all, const char *list)
{
    char name[64];
    const json_t *entries = json_object_get(all, list);
    snprintf(name, sizeof name, "tokens.%s", list);
    ivl_verify_line l = { name, IVL_WITHIN, 0, 0 };
    size_t n = json_is_object(entries) ? 1 : json_array_size(entries);
    if (!entries) return IVL_OK;
    for (size_t i = 0; i < n; i++) {
        bool ok = false;
        IVL_TRY(check_entry(tok, list, json_is_object(entries) ? entries : json_array_get(entries, i), &ok));
        if (!ok) l.error++, l.verdict = IVL_BEYOND;
    }
    c->counts[l.verdict]++;
    c->o->line(c->o->ctx, &l);
    return IVL_OK;
}

ivl_status ivl_verify_tokens(ivl_parity *c)
{
    static const char *const lists[] = { "legacy", "non_legacy", "sft", "prompt" };
    json_error_t e;
    ivl_tokenizer *tok = NULL;
    char *path = ivl_path_join(c->dir, "tokens.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    json_t *all = json_load_file(path, JSON_ALLOW_NUL, &e);
    ivl_status s = all ? ivl_tokenizer_open(c->dir, &tok)
                       : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s:%d: %s", path, e.line, e.text);
    for (int i = 0; s == IVL_OK && i < 4; i++) s = check_list(c, tok, all, lists[i]);
    ivl_tokenizer_close(tok);
    json_decref(all);
    free(path);
    return s;
}
