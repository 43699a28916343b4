/* LoRA on a parity case's checkpoint, in double: a fresh adapter changes nothing, its gradient is the derivative, and
 * folding, merging, saving and loading all leave the same model. */
#include "model/checkpoint.h"
#include "model/internvl.h"
#include "model/lora.h"
#include "model/safetensors.h"
#include "runtime/rng.h"
#include "tests/suite.h"

#include <unistd.h>

enum { B = 2, L = 5, OUT = 2 * B * 64 };

static ivl_device *dev;
static ivl_stream *stream;
static ivl_model_config config;
static char dir[64];

static void ok(ivl_status s) { ck_assert_msg(s == IVL_OK, "%s", ivl_last_error()); }

static void setup(void)
{
    strcpy(dir, "/tmp/ivl-lora-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ok(ivl_device_open("host", &dev));
    ok(ivl_stream_open(dev, &stream));
    ok(ivl_config_load(source("tests/golden/odd"), &config));
}

static void teardown(void)
{
    ivl_stream_close(stream);
    ivl_device_close(dev);
    remove_tree(dir);
}

static ivl_params *make(const ivl_lora *lora, const char *from)
{
    ivl_params *p = NULL;
    ivl_params_options o = { .parts = IVL_PART_C, .stage = IVL_STAGE_RETRIEVAL };
    if (lora) o.lora = *lora;
    ok(ivl_params_create(&config, &o, &p));
    ok(ivl_params_alloc(p, dev, IVL_F64, true));
    ok(ivl_params_init(p, stream, 1));
    ok(ivl_checkpoint_load(from, p, stream, NULL, NULL));
    return p;
}

/* Random numbers into every B (A has them from the start). */
static void stir(const ivl_params *p)
{
    ivl_rng r = ivl_rng_make(7, "stir");
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        if (q->part != IVL_PART_LORA || !strstr(q->name, "lora_B")) continue;
        double *x = malloc((size_t)q->elements * sizeof *x);
        for (int64_t k = 0; k < q->elements; k++) x[k] = 0.2 * ivl_rng_normal(r, (uint32_t)i, 0, (uint64_t)k);
        ok(ivl_param_write(q, stream, IVL_WEIGHT, 0, -1, x, IVL_F64));
        free(x);
    }
}

/* Features of two pictures and two texts; with `backward` also the gradient of their sum. */
static void run(const ivl_params *p, double *out, bool backward)
{
    ivl_graph *g = NULL;
    ivl_plan *plan = NULL;
    ok(ivl_graph_create(&g));
    ivl_scope s = { .g = g, .params = p, .c = &config, .dtype = IVL_F64, .train = true };
    int64_t side = config.vit.image_size, e = config.embed_dim;
    ivl_val ids = ivl_input(g, "ids", IVL_I32, 2, (int64_t[]){ B, L });
    ivl_val len = ivl_input(g, "len", IVL_I32, 1, (int64_t[]){ B });
    ivl_val last = ivl_input(g, "last", IVL_I32, 1, (int64_t[]){ B });
    ivl_val px = ivl_input(g, "px", IVL_U8, 4, (int64_t[]){ B, side, side, 3 });
    ivl_vit_input in = { px, IVL_NONE, IVL_NONE, NULL };
    ivl_val f[] = { ivl_keep(g, ivl_encode_image(&s, &in)), ivl_keep(g, ivl_encode_text(&s, ids, len, last)) };
    ok(ivl_graph_status(g));
    if (backward) ok(ivl_graph_backward(g, &(ivl_backward){ .out = f, .n = 2 }));
    ok(ivl_plan_create(dev, g, NULL, &plan));
    ok(ivl_plan_bind(&plan, 1));
    int32_t id[B * L] = { 1, 20, 30, 2, 0, 1, 9, 44, 77, 2 }, n[B] = { 4, 5 }, end[B] = { 3, 4 };
    size_t bytes = (size_t)(B * side * side * 3);
    uint8_t *rgb = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) rgb[i] = (uint8_t)(i * 37 + i / 91);
    ok(ivl_plan_write(plan, stream, ids, id, sizeof id));
    ok(ivl_plan_write(plan, stream, len, n, sizeof n));
    ok(ivl_plan_write(plan, stream, last, end, sizeof end));
    ok(ivl_plan_write(plan, stream, px, rgb, bytes));
    ok(ivl_plan_run(plan, stream));
    for (int i = 0; i < 2; i++) ok(ivl_plan_read(plan, stream, f[i], out + i * B * e, (size_t)(B * e) * sizeof *out));
    free(rgb);
    ivl_plan_destroy(plan);
    ivl_graph_destroy(g);
}

static double apart(const double *a, const double *b)
{
    double most = 0;
    for (int64_t i = 0; i < 2 * B * config.embed_dim; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static double sum(const double *a)
{
    double s = 0;
    for (int64_t i = 0; i < 2 * B * config.embed_dim; i++) s += a[i];
    return s;
}

static const ivl_lora both = { .rank = 3, .alpha = 6, .where = IVL_LORA_IMAGE | IVL_LORA_TEXT };

START_TEST(fresh_changes_nothing)
{
    static double a[OUT], b[OUT];
    ivl_params *base = make(NULL, source("tests/golden/odd")), *p = make(&both, source("tests/golden/odd"));
    run(base, a, false), run(p, b, false);
    ck_assert(apart(a, b) == 0);
    int adapters = 0;
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        adapters += q->part == IVL_PART_LORA;
        bool free_part = !strncmp(q->name, "clip_projector.", 15) || !strcmp(q->name, "text_projection") ||
                         !strcmp(q->name, "logit_scale");
        ck_assert_msg(q->trainable == (q->part == IVL_PART_LORA || free_part), "%s", q->name);
    }
    ck_assert_int_eq(adapters, 2 * (4 * config.vit.layers + 7 * config.text.layers));
    ivl_params_destroy(base), ivl_params_destroy(p);
}
END_TEST

START_TEST(gradient)
{
    static double out[OUT], plus[OUT], minus[OUT];
    ivl_params *p = make(&both, source("tests/golden/odd"));
    stir(p);
    run(p, out, true);
    double slope = 0, eps = 1e-5;
    ivl_rng r = ivl_rng_make(3, "direction");
    for (int sign = 1; sign >= -1; sign -= 2) {
        for (int i = 0; i < p->n; i++) {
            const ivl_param *q = &p->param[i];
            if (q->part != IVL_PART_LORA) continue;
            double *x = malloc(2 * (size_t)q->elements * sizeof *x), *d = x + q->elements;
            ok(ivl_param_read(q, stream, IVL_WEIGHT, 0, -1, x, IVL_F64));
            if (sign > 0) ok(ivl_param_read(q, stream, IVL_GRAD, 0, -1, d, IVL_F64));
            for (int64_t k = 0; k < q->elements; k++) {
                double u = ivl_rng_normal(r, (uint32_t)i, 0, (uint64_t)k);
                if (sign > 0) slope += u * d[k];
                x[k] += (sign > 0 ? eps : -2 * eps) * u;
            }
            ok(ivl_param_write(q, stream, IVL_WEIGHT, 0, -1, x, IVL_F64));
            free(x);
        }
        run(p, sign > 0 ? plus : minus, false);
    }
    double numeric = (sum(plus) - sum(minus)) / (2 * eps);
    ck_assert_msg(fabs(numeric - slope) <= 1e-6 * fabs(slope), "%.10g, not %.10g", slope, numeric);
    ivl_params_destroy(p);
}
END_TEST

START_TEST(files_and_merges)
{
    static double a[OUT], b[OUT];
    char merged[80];
    ivl_lora l;
    const char *odd = source("tests/golden/odd");
    ivl_params *p = make(&both, odd), *q = make(NULL, odd);
    stir(p);
    run(p, a, false), run(q, b, false);
    ck_assert(apart(a, b) > 0.01);
    ok(ivl_lora_save(dir, p, stream));
    ok(ivl_lora_merge(dir, q, stream)); /* files are f32, A and B too */
    run(q, b, false);
    ck_assert_msg(apart(a, b) < 1e-5, "%g", apart(a, b));
    ivl_params_destroy(q);
    ok(ivl_lora_config(dir, &l));
    ck_assert(l.rank == 3 && l.alpha == 6 && l.where == both.where);
    q = make(&l, odd);
    ok(ivl_lora_load(dir, q, stream));
    run(q, b, false);
    ck_assert(apart(a, b) < 1e-5);
    ok(ivl_lora_fold(q, stream));
    double folded[OUT];
    run(q, folded, false);
    ck_assert(apart(folded, b) < 1e-12);
    ivl_params_destroy(q);
    snprintf(merged, sizeof merged, "%s/merged", dir);
    ok(ivl_lora_merge_files(odd, dir, merged, IVL_F32));
    q = make(NULL, merged);
    run(q, b, false);
    ck_assert(apart(a, b) < 1e-5);
    ok(ivl_checkpoint_save(merged, &config, p, stream, &(ivl_save_options){ .dtype = IVL_F32 })); /* without adapters */
    ivl_params_destroy(p), ivl_params_destroy(q);
    q = make(NULL, merged);
    ivl_params_destroy(q);
}
END_TEST

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void adapter(const char *config_text, const char *tensor, const int64_t dim_a[2], const int64_t dim_b[2])
{
    char path[128], name[2][160];
    static const float zero[4096];
    ivl_st_item item[2];
    for (int i = 0; i < (dim_b ? 2 : 1); i++) {
        const int64_t *dim = i ? dim_b : dim_a;
        snprintf(name[i], sizeof name[i], "base_model.model.%s.lora_%c.weight", tensor, "AB"[i]);
        item[i] = (ivl_st_item){ .name = name[i], .type = IVL_ST_F32, .rank = 2, .data = zero };
        item[i].dim[0] = dim[0], item[i].dim[1] = dim[1];
    }
    put("adapter_config.json", config_text);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    ok(ivl_st_save(path, item, dim_b ? 2 : 1, NULL, 0));
}

START_TEST(wrong_adapters)
{
    static const int64_t a[] = { 2, 84 }, b[] = { 84, 2 }, wide[] = { 2, 85 };
    static const char good[] = "{\"r\": 2, \"lora_alpha\": 4}";
    const char *odd = source("tests/golden/odd"), *o = "qllama.model.layers.0.self_attn.o_proj";
    ivl_params *p = make(NULL, odd);
    struct { const char *config, *name; const int64_t *a; const char *word; } t[] = {
        { good, o, wide, "does not fit" },
        { good, "qllama.model.layers.99.self_attn.o_proj", a, "another model" },
        { "{\"r\": 3, \"lora_alpha\": 4}", o, a, "does not fit" },
        { "{\"r\": 0}", o, a, "\"r\" is 0" },
        { "{\"r\": 2, \"use_dora\": true}", o, a, "DoRA" },
        { "{\"r\": 2, \"rank_pattern\": {\"x\": 3}}", o, a, "per-module" },
        { "{\"r\"", o, a, "adapter_config.json" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        adapter(t[i].config, t[i].name, t[i].a, b);
        ck_assert_int_ne(ivl_lora_merge(dir, p, stream), IVL_OK);
        ck_assert_msg(strstr(ivl_last_error(), t[i].word) != NULL, "%s", ivl_last_error());
        char out[80];
        snprintf(out, sizeof out, "%s/out", dir);
        ck_assert_int_ne(ivl_lora_merge_files(odd, dir, out, IVL_F32), IVL_OK);
        ck_assert_int_ne(access(out, F_OK), 0); /* nothing half-made */
    }
    adapter(good, o, a, b);
    ok(ivl_lora_merge(dir, p, stream));
    adapter(good, o, a, NULL);
    ck_assert_int_eq(ivl_lora_merge(dir, p, stream), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "counterpart"));
    ivl_params_destroy(p);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("lora");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, fresh_changes_nothing);
    tcase_add_test(t, gradient);
    tcase_add_test(t, files_and_merges);
    tcase_add_test(t, wrong_adapters);
    return run_suite("lora", t);
}
