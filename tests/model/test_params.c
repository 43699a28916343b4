/* The parameter table: counts, parts, layout, slabs, initial values, moving data. */
#include "model/params.h"
#include "tests/suite.h"

static ivl_params *make(const char *config, ivl_params_options o)
{
    ivl_model_config c;
    ivl_params *p = NULL;
    ck_assert_int_eq(ivl_config_load(config, &c), IVL_OK);
    ck_assert_int_eq(ivl_params_create(&c, &o, &p), IVL_OK);
    return p;
}

static const ivl_param *get(const ivl_params *p, const char *name)
{
    const ivl_param *q = ivl_params_find(p, name);
    ck_assert_msg(q != NULL, "no %s", name);
    return q;
}

/* Counts of Table 11 in millions (vision side without the pooling), and the whole model. */
START_TEST(counts_are_the_papers)
{
    static const double table11[] = { 6051, 5903, 5903, 5985, 6095, 5985 };
    char name[16];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "sweep/%d", i + 1);
        ivl_params *p = make(name, (ivl_params_options){ .parts = IVL_PART_C });
        int64_t sum = 0;
        for (int k = 0; k < p->n; k++)
            if (!strncmp(p->param[k].name, "vision_model.", 13)) sum += p->param[k].elements;
        ck_assert_double_eq_tol((double)sum / 1e6, table11[i], 1);
        if (i == 2) ck_assert_int_eq(sum, 5902793600);
        ivl_params_destroy(p);
    }
    ivl_params *p = make("internvl_14b", (ivl_params_options){ 0 });
    ck_assert_double_eq_tol((double)p->weights / 1e9, 13.83, 0.01);
    ivl_params_destroy(p);
}
END_TEST

START_TEST(parts_and_groups)
{
    ivl_params *p = make("tiny", (ivl_params_options){ .parts = IVL_PART_C, .stage = IVL_STAGE_1 });
    ck_assert_ptr_null(ivl_params_find(p, "qllama.lm_head.weight"));
    ck_assert_ptr_null(ivl_params_find(p, "query_tokens"));
    ck_assert_ptr_null(ivl_params_find(p, "vision_model"));
    ck_assert_int_eq(get(p, "logit_scale")->rank, 0);
    ck_assert_int_eq(get(p, "logit_scale")->group, IVL_GROUP_OTHER);
    ck_assert(get(p, "logit_scale")->decay && get(p, "vision_model.embeddings.class_embedding")->decay);
    ck_assert(!get(p, "clip_projector.cross_attn.q_bias")->decay &&
              !get(p, "vision_model.encoder.layers.0.ls1")->decay);
    ck_assert_int_eq(get(p, "clip_projector.cross_attn.proj.weight")->group, IVL_GROUP_IMAGE);
    ck_assert_int_eq(get(p, "text_projection")->group, IVL_GROUP_TEXT);
    for (int i = 0; i < p->n; i++) ck_assert(p->param[i].trainable);
    ivl_params_destroy(p);
    p = make("tiny", (ivl_params_options){ .stage = IVL_STAGE_2 });
    ck_assert(get(p, "query_tokens")->trainable &&
              get(p, "qllama.model.layers.0.cross_attn.q_proj.weight")->trainable);
    ck_assert(get(p, "itm_head.bias")->trainable && !get(p, "qllama.lm_head.weight")->trainable);
    ck_assert(!get(p, "logit_scale")->trainable && !get(p, "qllama.model.norm.weight")->trainable);
    ck_assert_ptr_null(ivl_params_find(p, "qllama.model.layers.1.cross_attn.q_proj.weight"));
    ivl_params_destroy(p);
}
END_TEST

/* Layer-wise decay as in the public optimiser: embeddings lowest, the top undecayed. */
START_TEST(layers)
{
    ivl_params *p = make("tiny", (ivl_params_options){ .stage = IVL_STAGE_RETRIEVAL, .layerwise = true });
    static const struct { const char *name; double rate; } row[] = {
        { "vision_model.embeddings.position_embedding", 0.125 },
        { "vision_model.encoder.layers.0.ls1", 0.25 },
        { "vision_model.encoder.layers.1.mlp.fc1.bias", 0.5 },
        { "clip_projector.norm1_q.weight", 1 },
        { "qllama.model.embed_tokens.weight", 0.125 },
        { "qllama.model.norm.weight", 1 },
        { "qllama.model.layers.1.mlp.up_proj.weight", 0.5 },
        { "text_projection", 1 },
        { "logit_scale", 0.125 },
        { "query_tokens", 0.125 },
        { "itm_head.weight", 1 },
        { "clip_projector2.cross_attn.k.weight", 1 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const ivl_param *q = get(p, row[i].name);
        ck_assert_double_eq(ivl_param_rate(q->layer, q->depth, 0.5), row[i].rate);
    }
    for (int i = 0; i < p->n_ranges; i++) ck_assert_int_ge(p->range[i].layer, 0);
    ivl_params_destroy(p);
}
END_TEST

/* Parameters and ranges tile the layout in order, without overlap, at padded places. */
static void check_layout(const ivl_params *p)
{
    int64_t at = 0, weights = 0;
    for (int i = 0; i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        ck_assert_int_eq(q->first, at);
        ck_assert_int_eq(q->first % 64, 0);
        ck_assert(q->trainable == (q->first < p->trainable));
        at += (q->elements + 63) / 64 * 64;
        weights += q->elements;
    }
    ck_assert_int_eq(at, p->elements);
    ck_assert_int_eq(weights, p->weights);
    at = 0;
    for (int i = 0, k = 0; i < p->n_ranges; i++) {
        const ivl_range *r = &p->range[i];
        ck_assert_int_eq(r->first, at);
        at += r->elements;
        for (; k < p->n && p->param[k].first < at; k++)
            ck_assert(p->param[k].group == r->group && p->param[k].decay == r->decay &&
                      p->param[k].trainable == r->trainable);
    }
    ck_assert_int_eq(at, p->elements);
}

START_TEST(layout_tiles)
{
    ivl_params *p =
        make("tiny", (ivl_params_options){ .stage = _i ? IVL_STAGE_2 : IVL_STAGE_1, .layerwise = _i == 2 });
    check_layout(p);
    if (_i == 0) ck_assert_int_eq(p->n_ranges, 5 + 3); /* logit_scale alone in its group trains */
    ivl_params_destroy(p);
}
END_TEST

START_TEST(slabs_respect_the_device)
{
    ivl_caps caps = { .max_alloc = 200000 };
    ivl_params *p = make("tiny", (ivl_params_options){ .stage = IVL_STAGE_1 });
    ck_assert_int_eq(ivl_params_plan(p, &caps, IVL_BF16, true), IVL_OK);
    check_layout(p);
    for (int i = 0; i < p->n_ranges; i++) {
        const ivl_range *r = &p->range[i];
        int64_t end = r->value.off + r->elements;
        ck_assert_uint_le((size_t)end * (r->trainable ? 4 : 2), caps.max_alloc);
    }
    ck_assert_int_eq(get(p, "logit_scale")->grad.dtype, IVL_F32);
    ck_assert_str_eq(get(p, "logit_scale")->master.name, "master:logit_scale");
    ck_assert_int_eq(get(p, "logit_scale")->value.dtype, IVL_BF16);
    ck_assert_int_eq(get(p, "qllama.lm_head.weight")->grad.dim[0], 0);
    ivl_params_destroy(p);
    caps.max_alloc = 1000;
    p = make("tiny", (ivl_params_options){ .stage = IVL_STAGE_1 });
    ck_assert_int_eq(ivl_params_plan(p, &caps, IVL_BF16, true), IVL_ENOMEM);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "one allocation of this device holds"));
    ivl_params_destroy(p);
}
END_TEST

START_TEST(initial_values)
{
    ivl_params *p = make("small", (ivl_params_options){ 0 });
    enum { N = 20000 };
    static float x[N], y[N];
    const ivl_param *q = get(p, "vision_model.encoder.layers.3.mlp.fc2.weight");
    ivl_param_init(q, 7, 0, N, x);
    double sum = 0, sq = 0, top = 0;
    for (int i = 0; i < N; i++) sum += x[i], sq += (double)x[i] * x[i], top = fmax(top, fabs((double)x[i]));
    double scale = 1 / sqrt(8.0), std = sqrt(sq / N);
    ck_assert_double_le(top, 0.04 * scale * (1 + 1e-6));
    ck_assert_double_eq_tol(sum / N, 0, 2e-4);
    ck_assert_double_eq_tol(std, 0.02 * 0.8796 * scale, 2e-4); /* sd of a normal cut at 2 */
    for (int i = 0; i < N; i += 777) {                          /* any piece, the same numbers */
        ivl_param_init(q, 7, i, N - i < 100 ? N - i : 100, y);
        ck_assert(x[i] == y[0]);
    }
    ivl_param_init(q, 8, 0, 10, y);
    ck_assert(memcmp(x, y, 40) != 0);
    ivl_param_init(get(p, "vision_model.encoder.layers.2.mlp.fc2.weight"), 7, 0, 10, y);
    ck_assert(memcmp(x, y, 40) != 0);
    static const struct { const char *name; float value; } c[] = {
        { "vision_model.encoder.layers.0.ls2", 0.1f },
        { "qllama.model.norm.weight", 1 },
        { "logit_scale", 2.6592600f },
        { "vision_model.encoder.layers.0.mlp.fc1.bias", 0 },
        { "clip_projector.norm1_v.weight", 1 },
        { "clip_projector.cross_attn.v_bias", 0 },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        ivl_param_init(get(p, c[i].name), 7, 0, 1, y);
        ck_assert(y[0] == c[i].value);
    }
    ivl_params_destroy(p);
}
END_TEST

START_TEST(weights_move)
{
    ivl_device *dev;
    ivl_stream *s;
    /* f64 is for the host; the best device otherwise, or $IVL_TEST_DEVICE */
    ivl_dtype dtype = _i == 0 ? IVL_F32 : _i == 1 ? IVL_BF16 : IVL_F64;
    ck_assert_int_eq(ivl_device_open(_i == 2 ? "host" : getenv("IVL_TEST_DEVICE"), &dev), IVL_OK);
    ck_assert_int_eq(ivl_stream_open(dev, &s), IVL_OK);
    ivl_params *p = make("tiny", (ivl_params_options){ .stage = IVL_STAGE_1 });
    ck_assert_int_eq(ivl_params_alloc(p, dev, dtype, true), IVL_OK);
    ck_assert_int_eq(ivl_params_alloc(p, dev, dtype, true), IVL_EINVAL);
    ck_assert_int_eq(ivl_params_init(p, s, 3), IVL_OK);
    const ivl_param *q = get(p, "text_projection");
    float want[8], got[8], bits16;
    ivl_param_init(q, 3, 40, 8, want);
    ck_assert_int_eq(ivl_param_read(q, s, IVL_WEIGHT, 40, 8, got, IVL_F32), IVL_OK);
    ck_assert(!memcmp(want, got, sizeof want));
    ck_assert_int_eq(ivl_param_read(q, s, IVL_VALUE, 40, 1, &bits16, IVL_F32), IVL_OK);
    ck_assert_double_eq_tol(bits16, want[0], dtype == IVL_BF16 ? fabs(want[0]) / 256 : 1e-12);
    ck_assert_int_eq(ivl_param_read(q, s, IVL_GRAD, 0, 8, got, IVL_F32), IVL_OK);
    for (int i = 0; i < 8; i++) ck_assert(got[i] == 0);
    ck_assert(((q->master.buf.handle == q->value.buf.handle)) == (dtype != IVL_BF16));
    ck_assert_int_eq(ivl_param_read(q, s, IVL_WEIGHT, q->elements - 3, 4, got, IVL_F32), IVL_EINVAL);
    ck_assert_int_eq(ivl_param_read(get(p, "query_tokens"), s, IVL_GRAD, 0, 1, got, IVL_F32), IVL_EINVAL);
    ivl_params_destroy(p);
    ivl_stream_close(s);
    ivl_device_close(dev);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("params");
    tcase_add_test(t, counts_are_the_papers);
    tcase_add_test(t, parts_and_groups);
    tcase_add_test(t, layers);
    tcase_add_loop_test(t, layout_tiles, 0, 3);
    tcase_add_test(t, slabs_respect_the_device);
    tcase_add_test(t, initial_values);
    tcase_add_loop_test(t, weights_move, 0, 3);
    return run_suite("params", t);
}
