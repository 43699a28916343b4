/* Prompt templates and labels. The boundaries of answers follow LLaVA's public preprocessing, oddities included,
 * because models in use were trained with it: a round is encoded alone, its BOS stands in for the "</s>" that the
 * split took away, and the token of the space after "ASSISTANT:" belongs to the answer. */
#include "data/conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "<image>"
#define ANSWER " ASSISTANT: "
#define END "</s>"
#define IM_END "<|im_end|>"

static const char *const names[] = { "vicuna", "plain", "chatml" };

ivl_status ivl_template_parse(const char *name, ivl_template *t_p)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i])) continue;
        *t_p = (ivl_template)i;
        return IVL_OK;
    }
    return ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "template \"%s\": vicuna, plain or chatml is expected", name);
}

const char *ivl_template_name(ivl_template t) { return names[t]; }

const char *ivl_template_system(ivl_template t)
{
    return t == IVL_TEMPLATE_VICUNA ? "A chat between a curious user and an artificial intelligence assistant. The "
                                      "assistant gives helpful, detailed, and polite answers to the user's questions."
                                    : "";
}

const char *ivl_template_end(ivl_template t)
{
    return t == IVL_TEMPLATE_VICUNA ? END : t == IVL_TEMPLATE_CHATML ? IM_END : "\n";
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void put_vicuna(FILE *f, const char *system, const ivl_turn *turn, int n)
{
    if (*system) fprintf(f, "%s ", system);
    for (int i = 0; i < n; i++) {
        fprintf(f, "USER: %s ASSISTANT:", turn[i].question);
        if (turn[i].answer) fprintf(f, " %s" END, turn[i].answer);
    }
}

static void put_plain(FILE *f, const ivl_turn *turn)
{
    for (const char *p = turn->question; (p = strstr(p, MARK)); p += strlen(MARK)) fputs(MARK, f);
    if (turn->answer) fprintf(f, "%s\n", turn->answer);
}

static void put_chatml(FILE *f, const char *system, const ivl_turn *turn, int n)
{
    if (*system) fprintf(f, "<|im_start|>system\n%s" IM_END "\n", system);
    for (int i = 0; i < n; i++) {
        fprintf(f, "<|im_start|>user\n%s" IM_END "\n<|im_start|>assistant\n", turn[i].question);
        if (turn[i].answer) fprintf(f, "%s" IM_END "\n", turn[i].answer);
    }
}

/* The first n turns; the last of them without its answer, if `open`. */
static ivl_status text_of(ivl_template t, const char *system, const ivl_turn *turn, int n, bool open, char **text_p)
{
    char *text = NULL;
    size_t bytes = 0;
    ivl_turn *copy = malloc((size_t)(n + 1) * sizeof *copy);
    FILE *f = copy ? open_memstream(&text, &bytes) : NULL;
    if (f) {
        for (int i = 0; i < n; i++) copy[i] = turn[i];
        if (open && n) copy[n - 1].answer = NULL;
        if (t == IVL_TEMPLATE_VICUNA) put_vicuna(f, system, copy, n);
        else if (t == IVL_TEMPLATE_CHATML) put_chatml(f, system, copy, n);
        else if (n) put_plain(f, copy);
    }
    bool bad = !f || ferror(f);
    if (f && fclose(f)) bad = true;
    free(copy);
    if (bad) {
        free(text);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for a prompt of %d turns", n);
    }
    *text_p = text;
    return IVL_OK;
}

static ivl_status check_turns(ivl_template t, const ivl_turn *turn, int n, bool all)
{
    IVL_CHECK(n > 0, IVL_EINVAL, "a conversation without a turn");
    IVL_CHECK(t != IVL_TEMPLATE_PLAIN || n == 1, IVL_EINVAL,
              "%d turns: the template \"plain\" takes one, a picture and its caption", n);
    for (int i = 0; i < n; i++) {
        IVL_CHECK(turn[i].question, IVL_EINVAL, "turn %d of %d has no question", i + 1, n);
        IVL_CHECK(turn[i].answer || (!all && i == n - 1), IVL_EINVAL, "turn %d of %d has no answer", i + 1, n);
    }
    return IVL_OK;
}

ivl_status ivl_prompt_text(ivl_template t, const char *system, const ivl_turn *turn, int n, char **text_p)
{
    IVL_TRY(check_turns(t, turn, n, false));
    return text_of(t, system ? system : ivl_template_system(t), turn, n, false, text_p);
}

/* --- ids -------------------------------------------------------------------------------------------------------- */

static ivl_status encode_bare(const void *ctx, const char *text, int32_t **ids_p, size_t *n_p)
{
    IVL_TRY(ivl_tokenizer_encode(ctx, text, ids_p, n_p));
    if (ivl_tokenizer_bos(ctx) < 0) return IVL_OK;
    *n_p -= 1; /* its BOS */
    memmove(*ids_p, *ids_p + 1, *n_p * sizeof **ids_p);
    return IVL_OK;
}

ivl_codec ivl_codec_of(const ivl_tokenizer *tok)
{
    return (ivl_codec){ encode_bare, tok, ivl_tokenizer_bos(tok), ivl_tokenizer_is_legacy(tok) };
}

typedef struct ids { int32_t *v; size_t n; } ids;

static ivl_status add(ids *to, const int32_t *v, size_t n)
{
    int32_t *more = realloc(to->v, (to->n + n + 1) * sizeof *more);
    IVL_CHECK(more, IVL_ENOMEM, "out of memory for %zu tokens", to->n + n);
    to->v = more;
    if (n) memcpy(to->v + to->n, v, n * sizeof *v);
    to->n += n;
    return IVL_OK;
}

/* text[n] has no mark in it. */
static ivl_status add_stretch(const ivl_codec *c, const char *text, size_t n, ids *to)
{
    int32_t *v = NULL;
    size_t got = 0;
    if (!n) return IVL_OK;
    char *part = strndup(text, n);
    IVL_CHECK(part, IVL_ENOMEM, "out of memory for a text of %zu bytes", n);
    ivl_status s = c->encode(c->ctx, part, &v, &got);
    if (s == IVL_OK) s = add(to, v, got);
    free(v), free(part);
    return s;
}

static ivl_status encode(const ivl_codec *c, const char *text, size_t n, ids *to)
{
    static const int32_t image = IVL_IMAGE_TOKEN;
    const char *end = text + n;
    IVL_TRY(add(to, &c->bos, c->bos >= 0));
    for (const char *p = text;;) {
        const char *mark = memmem(p, (size_t)(end - p), MARK, strlen(MARK));
        IVL_TRY(add_stretch(c, p, (size_t)((mark ? mark : end) - p), to));
        if (!mark) return IVL_OK;
        IVL_TRY(add(to, &image, 1));
        p = mark + strlen(MARK);
    }
}

static ivl_status encode_text(const ivl_codec *c, const char *text, size_t n, int32_t **ids_p, size_t *n_p)
{
    ids v = { 0 };
    ivl_status s = encode(c, text, n, &v);
    if (s != IVL_OK) {
        free(v.v);
        return s;
    }
    *ids_p = v.v, *n_p = v.n;
    return IVL_OK;
}

ivl_status ivl_prompt_encode(const ivl_codec *c, const char *text, int32_t **ids_p, size_t *n_p)
{
    return encode_text(c, text, strlen(text), ids_p, n_p);
}

int64_t ivl_prompt_pictures(const int32_t *id, size_t n)
{
    int64_t pictures = 0;
    for (size_t i = 0; i < n; i++) pictures += id[i] == IVL_IMAGE_TOKEN;
    return pictures;
}

int64_t ivl_prompt_splice(const ivl_splice *to, const int32_t *id, const int32_t *label, size_t n)
{
    int64_t at = to->at, row = to->picture * to->k;
    for (size_t i = 0; i < n; i++) {
        bool picture = id[i] == IVL_IMAGE_TOKEN;
        for (int64_t j = 0; j < (picture ? to->k : 1); j++, at++) {
            to->ids[at] = picture ? 0 : id[i], to->index[at] = picture ? (int32_t)row : -1;
            if (label) to->labels[at - to->at] = picture ? IVL_IGNORE : label[i];
            if (picture) to->inverse[row++] = (int32_t)at;
        }
    }
    return at - to->at;
}

/* --- labels ----------------------------------------------------------------------------------------------------- */

static ivl_status count(const ivl_codec *c, const char *text, size_t n, int64_t *count_p)
{
    int32_t *v = NULL;
    size_t got = 0;
    IVL_TRY(encode_text(c, text, n, &v, &got));
    free(v);
    *count_p = (int64_t)got;
    return IVL_OK;
}

static void learn(ivl_sft *s, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to && i < (int64_t)s->n; i++) s->labels[i] = s->ids[i];
}

/* Rounds are what lies before each "</s>". */
static ivl_status label_vicuna(const ivl_codec *c, const char *text, ivl_sft *s)
{
    int64_t bos = c->bos >= 0, at = bos, size = 0, head = 0;
    const char *end;
    for (const char *p = text; (end = strstr(p, END)); p = end + strlen(END)) {
        size_t n = (size_t)(end - p), step = strlen(ANSWER);
        const char *a = memmem(p, n, ANSWER, step);
        if (!a || memmem(a + step, (size_t)(end - a) - step, ANSWER, step)) break;
        /* A later round encoded alone begins with the dummy space; in context it does so only if that is uniform. */
        int64_t lost = p > text && !c->uniform;
        IVL_TRY(count(c, p, n, &size));
        IVL_TRY(count(c, p, (size_t)(a - p) + step, &head));
        size += 1 - bos - lost;
        learn(s, at + head - 1 - bos - lost, at + size);
        at += size;
    }
    s->learns = at == (int64_t)s->n;
    return IVL_OK;
}

/* The ids of text[n] must begin those of the whole, else the boundary lies within a token. */
static ivl_status boundary(const ivl_codec *c, const char *text, size_t n, ivl_sft *s, int64_t *at_p)
{
    int32_t *v = NULL;
    size_t got = 0;
    IVL_TRY(encode_text(c, text, n, &v, &got));
    if (got > s->n || memcmp(v, s->ids, got * sizeof *v)) s->learns = false;
    *at_p = (int64_t)got;
    free(v);
    return IVL_OK;
}

static ivl_status label_chatml(const ivl_codec *c, const char *system, const ivl_turn *turn, int n, const char *text,
                               ivl_sft *s)
{
    s->learns = true;
    for (int i = 1; i <= n && s->learns; i++) {
        char *before = NULL;
        int64_t from = 0, to = 0;
        IVL_TRY(text_of(IVL_TEMPLATE_CHATML, system, turn, i, true, &before));
        size_t head = strlen(before), answer = strlen(turn[i - 1].answer) + strlen(IM_END);
        free(before);
        IVL_TRY(boundary(c, text, head, s, &from));
        IVL_TRY(boundary(c, text, head + answer, s, &to));
        learn(s, from, to);
    }
    return IVL_OK;
}

/* All but BOS and pictures. */
static void label_plain(const ivl_codec *c, ivl_sft *s)
{
    size_t from = c->bos >= 0;
    while (from < s->n && s->ids[from] == IVL_IMAGE_TOKEN) from++;
    learn(s, (int64_t)from, (int64_t)s->n);
    s->learns = true;
}

static void settle(ivl_sft *s)
{
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->learns || s->labels[i] == IVL_IMAGE_TOKEN) s->labels[i] = IVL_IGNORE;
        any = any || s->labels[i] != IVL_IGNORE;
    }
    s->learns = any;
}

ivl_status ivl_sft_make(const ivl_codec *c, ivl_template t, const char *system, const ivl_turn *turn, int n,
                        ivl_sft *sft_p)
{
    ivl_sft s = { 0 };
    char *text = NULL;
    if (!system) system = ivl_template_system(t);
    IVL_TRY(check_turns(t, turn, n, true));
    IVL_TRY(text_of(t, system, turn, n, false, &text));
    ivl_status r = ivl_prompt_encode(c, text, &s.ids, &s.n);
    if (r == IVL_OK && !(s.labels = malloc((s.n + 1) * sizeof *s.labels)))
        r = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for %zu labels", s.n);
    for (size_t i = 0; r == IVL_OK && i < s.n; i++) s.labels[i] = IVL_IGNORE;
    if (r == IVL_OK && t == IVL_TEMPLATE_VICUNA) r = label_vicuna(c, text, &s);
    if (r == IVL_OK && t == IVL_TEMPLATE_CHATML) r = label_chatml(c, system, turn, n, text, &s);
    if (r == IVL_OK && t == IVL_TEMPLATE_PLAIN) label_plain(c, &s);
    free(text);
    if (r != IVL_OK) {
        ivl_sft_free(&s);
        return r;
    }
    settle(&s);
    *sft_p = s;
    return IVL_OK;
}

void ivl_sft_truncate(ivl_sft *s, size_t max_tokens, size_t per_image)
{
    size_t used = 0, n = 0;
    for (; n < s->n; n++) {
        size_t more = s->ids[n] == IVL_IMAGE_TOKEN ? per_image : 1;
        if (more > max_tokens - used) break;
        used += more;
    }
    s->n = n;
    settle(s);
}

size_t ivl_sft_tokens(const ivl_sft *s, size_t per_image)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += s->ids[i] == IVL_IMAGE_TOKEN ? per_image : 1;
    return n;
}

void ivl_sft_free(ivl_sft *s)
{
    if (s) free(s->ids), free(s->labels), *s = (ivl_sft){ 0 };
}
