#include "model/lora_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { unsigned where; const char *prefix; } parts[] = { { IVL_LORA_IMAGE, "vision_model." },
                                                                        { IVL_LORA_TEXT, "qllama." },
                                                                        { IVL_LORA_LLM, "llm." } };
static const char *const of_image[] = { "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2", NULL };
static const char *const of_text[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                                       "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", NULL };

/* The bit of the part that a name belongs to; 0: of none. */
static unsigned part_of(const char *name)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strncmp(name, parts[i].prefix, strlen(parts[i].prefix))) return parts[i].where;
    return 0;
}

bool ivl_lora_freezes(const ivl_lora *l, const char *name)
{
    return l->rank > 0 && (part_of(name) & l->where) != 0 && !strstr(name, ".cross_attn.");
}

bool ivl_lora_adapts(const ivl_lora *l, const char *name)
{
    char end[64];
    if (!ivl_lora_freezes(l, name) || !strstr(name, ".layers.")) return false;
    const char *const *of = part_of(name) == IVL_LORA_IMAGE ? of_image : of_text;
    size_t n = strlen(name);
    for (; *of; of++) {
        size_t k = (size_t)snprintf(end, sizeof end, ".%s.weight", *of);
        if (n > k && !strcmp(name + n - k, end)) return true;
    }
    return false;
}

void ivl_lora_name(const char *weight, char which, char *text, size_t n)
{
    size_t stem = strlen(weight) - strlen(".weight");
    snprintf(text, n, "%.*s.lora_%c.weight", (int)stem, weight, which);
}

json_t *ivl_lora_modules(const ivl_lora *l)
{
    json_t *all = json_array();
    for (int text = 0; text < 2; text++) {
        if (!(l->where & (text ? IVL_LORA_TEXT | IVL_LORA_LLM : IVL_LORA_IMAGE))) continue;
        for (const char *const *of = text ? of_text : of_image; *of; of++) json_array_append_new(all, json_string(*of));
    }
    return all;
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

void ivl_lora_add(const ivl_lora_pair *l, int64_t first, int64_t n, double *w)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t o = (first + i) / l->in, k = (first + i) % l->in;
        double sum = 0;
        for (int r = 0; r < l->rank; r++) sum += (double)l->b[o * l->rank + r] * (double)l->a[r * l->in + k];
        w[i] += l->scale * sum;
    }
}

enum { PIECE = 1 << 16 };

/* q += the product, piece by piece. */
ivl_status ivl_lora_add_param(const ivl_lora_pair *l, const ivl_param *q, ivl_stream *s)
{
    double *w = malloc(PIECE * sizeof *w);
    IVL_CHECK(w, IVL_ENOMEM, "out of memory");
    ivl_status st = IVL_OK;
    for (int64_t at = 0, n; st == IVL_OK && at < q->elements; at += n) {
        n = q->elements - at < PIECE ? q->elements - at : PIECE;
        st = ivl_param_read(q, s, IVL_WEIGHT, at, n, w, IVL_F64);
        if (st == IVL_OK) ivl_lora_add(l, at, n, w);
        if (st == IVL_OK) st = ivl_param_write(q, s, IVL_WEIGHT, at, n, w, IVL_F64);
    }
    free(w);
    return st;
}

static ivl_status fold_one(const ivl_param *q, const ivl_param *a, const ivl_param *b, double scale, ivl_stream *s)
{
    float *x = malloc((size_t)(a->elements + b->elements) * sizeof *x);
    IVL_CHECK(x, IVL_ENOMEM, "out of memory");
    ivl_lora_pair l = { (int)a->dim[0], q->dim[1], scale, x, x + a->elements };
    ivl_status st = ivl_param_read(a, s, IVL_WEIGHT, 0, -1, x, IVL_F32);
    if (st == IVL_OK) st = ivl_param_read(b, s, IVL_WEIGHT, 0, -1, x + a->elements, IVL_F32);
    if (st == IVL_OK) st = ivl_lora_add_param(&l, q, s);
    memset(x, 0, (size_t)b->elements * sizeof *x);
    if (st == IVL_OK) st = ivl_param_write(b, s, IVL_WEIGHT, 0, -1, x, IVL_F32);
    free(x);
    return st;
}

ivl_status ivl_lora_fold(const ivl_params *p, ivl_stream *s)
{
    for (int i = 0; i < p->n; i++) {
        char name[2][160];
        const ivl_param *q = &p->param[i];
        if (!ivl_lora_adapts(&p->lora, q->name)) continue;
        for (int k = 0; k < 2; k++) ivl_lora_name(q->name, "AB"[k], name[k], sizeof name[k]);
        const ivl_param *a = ivl_params_find(p, name[0]), *b = ivl_params_find(p, name[1]);
        IVL_CHECK(a && b, IVL_EINVAL, "%s has no adapter", q->name);
        IVL_TRY(fold_one(q, a, b, p->lora.alpha / p->lora.rank, s));
    }
    return IVL_OK;
}
