#include "train/perplexity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dtype.h"
#include "runtime/file.h"
#include "runtime/npy.h"
#include "runtime/json_save.h"
#include "train/language.h"

enum { USUAL_WINDOW = 512, MAX_TEXT = 64 << 20 };

typedef struct reader {
    ivl_stream  *s;
    ivl_language l;
    ivl_dtype    compute;
    int          window;
    int32_t     *ids;      /* [n] */
    size_t       n;
    ivl_graph   *g;
    ivl_plan    *plan;
    ivl_val      in, logits;
    int32_t     *part;     /* [window] */
    void        *raw;      /* logits as the device has them */
    float       *row;      /* [window,V] */
    double      *loss;     /* of every token; of the first 0 */
    ivl_npy_out  npy;
} reader;

static ivl_status read_text(reader *r, const char *path)
{
    char *text = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(path, MAX_TEXT, &text, &n));
    ivl_status s = strlen(text) == n ? ivl_tokenizer_encode(r->l.tok, text, &r->ids, &r->n)
                                     : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: holds a NUL: no text", path);
    free(text);
    IVL_TRY(s);
    IVL_CHECK(r->n >= 2, IVL_EINVAL, "%s: a text of %zu tokens; at least 2 are needed", path, r->n);
    return IVL_OK;
}

static ivl_status choose_window(reader *r, int wanted)
{
    int most = r->l.config.llm.max_positions;
    r->window = wanted ? wanted : most < USUAL_WINDOW ? most : USUAL_WINDOW;
    IVL_CHECK(r->window >= 2 && r->window <= most, IVL_EINVAL,
              "a window of %d tokens; this model takes 2 to %d at a time", r->window, most);
    if ((size_t)r->window > r->n) r->window = (int)r->n;
    return IVL_OK;
}

static ivl_status make_plan(reader *r, ivl_device *dev)
{
    IVL_TRY(ivl_graph_create(&r->g));
    ivl_scope s = { .g = r->g, .params = r->l.params, .c = &r->l.config.tower, .dtype = r->compute };
    ivl_llama m = ivl_chat_llm(&s, &r->l.config);
    ivl_llama_input in = { .len = IVL_NONE, .mask = IVL_MASK_CAUSAL, .pos = IVL_NONE, .vision = IVL_NONE };
    r->in = ivl_input(r->g, "ids", IVL_I32, 2, (int64_t[]){ 1, r->window });
    ivl_val x = ivl_llama_layers(&m, ivl_llama_embed(&m, r->in), &in, NULL);
    r->logits = ivl_keep(r->g, ivl_llama_logits(&m, ivl_llama_norm(&m, x)));
    IVL_TRY(ivl_plan_create(dev, r->g, NULL, &r->plan));
    IVL_TRY(ivl_plan_bind(&r->plan, 1));
    size_t n = (size_t)r->window * (size_t)r->l.config.llm.vocab;
    r->part = calloc((size_t)r->window, sizeof *r->part), r->raw = malloc(n * sizeof(float));
    r->row = malloc(n * sizeof *r->row), r->loss = calloc(r->n, sizeof *r->loss);
    IVL_CHECK(r->part && r->raw && r->row && r->loss, IVL_ENOMEM, "out of memory for %d tokens of logits", r->window);
    return IVL_OK;
}

/* -log of the probability that x[n] gives to token. */
static double surprise(const float *x, int n, int32_t token)
{
    double top = x[0], sum = 0;
    for (int i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int i = 0; i < n; i++) sum += exp(x[i] - top);
    return top + log(sum) - x[token];
}

/* Logits of tokens first ... first + window - 1; what lies past the text is never looked back at. */
static ivl_status see(reader *r, size_t first)
{
    size_t n = r->n - first < (size_t)r->window ? r->n - first : (size_t)r->window;
    memset(r->part, 0, (size_t)r->window * sizeof *r->part);
    memcpy(r->part, r->ids + first, n * sizeof *r->part);
    IVL_TRY(ivl_plan_write(r->plan, r->s, r->in, r->part, (size_t)r->window * sizeof *r->part));
    IVL_TRY(ivl_plan_run(r->plan, r->s));
    const ivl_tensor *t = ivl_plan_tensor(r->plan, r->logits);
    IVL_TRY(ivl_plan_read(r->plan, r->s, r->logits, r->raw, ivl_dtype_bytes(t->dtype, ivl_numel(t))));
    ivl_convert(r->row, IVL_F32, r->raw, t->dtype, ivl_numel(t));
    return IVL_OK;
}

/* Row i of the window that begins at `first` foresees token i + 1. */
static ivl_status take(reader *r, size_t first, size_t from, size_t to)
{
    int v = r->l.config.llm.vocab;
    for (size_t i = from; i < to; i++) {
        const float *x = r->row + (i - first) * (size_t)v;
        if (i + 1 < r->n) r->loss[i + 1] = surprise(x, v, r->ids[i + 1]);
        IVL_CHECK(isfinite(r->loss[i]), IVL_EINVAL, "the model's score of token %zu is not a number", i);
    }
    return r->npy.out.f ? ivl_npy_append(&r->npy, r->row + (from - first) * (size_t)v, (int64_t)(to - from)) : IVL_OK;
}

static ivl_status read_all(reader *r)
{
    size_t window = (size_t)r->window, stride = (window + 1) / 2;
    for (size_t done = 0, first = 0; done < r->n; first += stride) {
        size_t end = first + window < r->n ? first + window : r->n;
        IVL_TRY(see(r, first));
        IVL_TRY(take(r, first, done, end));
        done = end;
    }
    return IVL_OK;
}

static ivl_status save(const reader *r, const ivl_perplexity *p, const char *model, const char *path)
{
    json_t *ids = json_array(), *log_p = json_array();
    for (size_t i = 0; i < r->n; i++) {
        json_array_append_new(ids, json_integer(r->ids[i]));
        json_array_append_new(log_p, i ? json_real(-r->loss[i]) : json_null());
    }
    return ivl_json_save(json_pack("{s:s,s:I,s:I,s:i,s:f,s:f,s:o,s:o}", "model", model, "tokens", (json_int_t)p->tokens,
                                   "scored", (json_int_t)p->scored, "window", r->window, "loss", p->loss, "perplexity",
                                   p->perplexity, "ids", ids, "log_probability", log_p),
                         path);
}

static ivl_status run(reader *r, const char *model, ivl_device *dev, const char *text, const ivl_perplexity_options *o,
                      ivl_perplexity *p)
{
    IVL_TRY(ivl_stream_open(dev, &r->s));
    IVL_TRY(ivl_language_load(model, dev, r->s, o->compute, &r->l));
    IVL_TRY(read_text(r, text));
    IVL_TRY(choose_window(r, o->window));
    IVL_TRY(make_plan(r, dev));
    if (o->logits) IVL_TRY(ivl_npy_create(o->logits, r->l.config.llm.vocab, &r->npy));
    IVL_TRY(read_all(r));
    *p = (ivl_perplexity){ .tokens = (int64_t)r->n, .scored = (int64_t)r->n - 1 };
    for (size_t i = 1; i < r->n; i++) p->loss += r->loss[i] / (double)p->scored;
    p->perplexity = exp(p->loss);
    if (o->logits) IVL_TRY(ivl_npy_finish(&r->npy));
    return o->out ? save(r, p, model, o->out) : IVL_OK;
}

ivl_status ivl_eval_perplexity(const char *model, ivl_device *dev, const char *text, const ivl_perplexity_options *o,
                               ivl_perplexity *r_p)
{
    reader r = { .compute = o->compute };
    ivl_perplexity p;
    ivl_status s = run(&r, model, dev, text, o, &p);
    ivl_npy_abandon(&r.npy);
    ivl_plan_destroy(r.plan);
    ivl_graph_destroy(r.g);
    ivl_language_free(&r.l);
    ivl_stream_close(r.s);
    free(r.ids), free(r.part), free(r.raw), free(r.row), free(r.loss);
    if (s == IVL_OK) *r_p = p;
    return s;
}
