/* Files of torch.save: values in every type and stride, names of the public vision encoder, and what is refused. */
#include <unistd.h>

#include "model/pth.h"
#include "model/weights.h"
#include "runtime/file.h"
#include "tests/suite.h"

#define ok(call) ck_assert_msg((call) == IVL_OK, "%s", ivl_last_error())

static ivl_pth *open_golden(const char *name)
{
    char path[100];
    ivl_pth *f = NULL;
    snprintf(path, sizeof path, "tests/golden/pth/%s.pth", name);
    ok(ivl_pth_open(source(path), &f));
    return f;
}

static const ivl_pth_tensor *find(const ivl_pth *f, const char *name)
{
    for (int i = 0; i < ivl_pth_count(f); i++)
        if (!strcmp(ivl_pth_at(f, i)->name, name)) return ivl_pth_at(f, i);
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

static void holds(const ivl_pth *f, const char *name, int n, const double *want)
{
    const ivl_pth_tensor *t = find(f, name);
    double x[64];
    ck_assert_msg(t->elements == n, "%s: %lld elements", name, (long long)t->elements);
    ok(ivl_pth_read(t, 0, n, IVL_F64, x));
    for (int i = 0; i < n; i++) ck_assert_msg(x[i] == want[i], "%s: element %d is %g, not %g", name, i, x[i], want[i]);
}
#define HOLDS(name, n, ...) holds(f, name, n, (const double[]){ __VA_ARGS__ })

START_TEST(test_values)
{
    ivl_pth *f = open_golden("nested");
    double ramp[24], turned[24];
    for (int i = 0; i < 24; i++) ramp[i] = i / 4.0 - 3, turned[i] = (i / 4 + i % 4 * 6) / 4.0 - 3;
    ck_assert_int_eq(ivl_pth_count(f), 13);
    HOLDS("half", 5, -3, -2.75, -2.5, -2.25, -2);
    HOLDS("brain", 5, -3, -2.75, -2.5, -2.25, -2);
    HOLDS("double", 4, -3, -2.75, -2.5, -2.25);
    HOLDS("int", 2, 7, -8);
    HOLDS("byte", 2, 1, 255);
    HOLDS("bool", 2, 1, 0);
    HOLDS("one", 1, 2.5);
    HOLDS("many", 4, 1.5, 1.5, 1.5, 1.5);
    HOLDS("parameter", 2, -3, -2.75);
    HOLDS("part", 6, -1, -0.75, -0.5, 0.5, 0.75, 1);
    holds(f, "same", 24, ramp);
    holds(f, "turned", 24, turned);
    const ivl_pth_tensor *t = find(f, "turned"), *none = find(f, "none");
    ck_assert(t->rank == 2 && t->dim[0] == 6 && t->dim[1] == 4 && !t->in_order && find(f, "same")->in_order);
    ck_assert(none->elements == 0 && none->rank == 2 && none->dim[1] == 3 && find(f, "one")->rank == 0);
    float x[3];
    ok(ivl_pth_read(t, 5, 3, IVL_F32, x));
    ck_assert(x[0] == (float)turned[5] && x[2] == (float)turned[7]);
    ck_assert_int_eq(ivl_pth_read(t, 22, 3, IVL_F32, x), IVL_EINVAL);
    ivl_pth_close(f);
    f = open_golden("module");
    ck_assert_int_eq(ivl_pth_count(f), 7);
    HOLDS("0.weight", 6, -3, -2.75, -2.5, -2.25, -2, -1.75);
    HOLDS("1.num_batches_tracked", 1, 0);
    ivl_pth_close(f);
}
END_TEST

static void refused(const char *name, ivl_status want, const char *text)
{
    char path[100];
    ivl_pth *f = NULL;
    snprintf(path, sizeof path, "tests/golden/pth/%s.pth", name);
    ck_assert_int_eq(ivl_pth_open(source(path), &f), want);
    ck_assert_msg(strstr(ivl_last_error(), text) && strstr(ivl_last_error(), name), "%s", ivl_last_error());
}

START_TEST(test_refused)
{
    unlink("/tmp/ivl-evil-was-run");
    refused("evil", IVL_EUNSUPPORTED, "refers to posix.system");
    ck_assert(access("/tmp/ivl-evil-was-run", F_OK) != 0);
    refused("old", IVL_EUNSUPPORTED, "PyTorch 1.6");
    refused("list", IVL_EFORMAT, "no dictionary");
}
END_TEST

/* Cut anywhere, or with any byte wrong, it is read or refused, never worse. */
START_TEST(test_damaged)
{
    char *data = NULL;
    size_t n = 0;
    ok(ivl_read_file(source("tests/golden/pth/nested.pth"), 0, &data, &n));
    for (size_t i = 0; i < n; i++) {
        ivl_pth *f = NULL;
        char *cut = malloc(i + 1), was = data[i];
        memcpy(cut, data, i);
        ck_assert(ivl_pth_open_memory(cut, i, "cut", &f) != IVL_OK);
        free(cut);
        data[i] = (char)(was ^ 0x55);
        if (ivl_pth_open_memory(data, n, "wrong", &f) == IVL_OK) ivl_pth_close(f);
        data[i] = was;
    }
    free(data);
}
END_TEST

START_TEST(test_names)
{
    static const char *const pair[][2] = {
        { "cls_token", "vision_model.embeddings.class_embedding" },
        { "pos_embed", "vision_model.embeddings.position_embedding" },
        { "patch_embed.proj.bias", "vision_model.embeddings.patch_embedding.bias" },
        { "blocks.11.ls2.gamma", "vision_model.encoder.layers.11.ls2" },
        { "blocks.0.attn.q_norm.weight", "vision_model.encoder.layers.0.attn.q_norm.weight" },
        { "blocks.0.norm1.weight", "vision_model.encoder.layers.0.norm1.weight" },
        { "transformer.layers.3.mlp.up_proj.weight", "qllama.model.layers.3.mlp.up_proj.weight" },
        { "transformer.model.norm.weight", "qllama.model.norm.weight" },
        { "clip_projector.norm1_q.bias", "clip_projector.norm1_q.bias" },
        { "logit_scale", "logit_scale" },
    };
    char hf[IVL_PTH_NAME];
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        ivl_pth_to_hf(pair[i][0], true, hf);
        ck_assert_str_eq(hf, pair[i][1]);
    }
    ivl_weights *w = NULL;
    float x[8];
    ok(ivl_weights_open(source("tests/golden/pth/vit.pth"), &w)); /* a vision encoder alone: bare names */
    ck_assert_int_eq(ivl_weights_count(w), 4 + 2 * 13);
    const ivl_weights_tensor *t = ivl_weights_find(w, "encoder.layers.1.ls1");
    ck_assert(t && t->rank == 1 && t->elements == 8 && t->type == IVL_F16);
    ok(ivl_weights_read(w, t, 0, 8, IVL_F32, x));
    ck_assert(x[0] == -3 && x[7] == -1.25f);
    ivl_weights_close(w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pth");
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_damaged);
    tcase_add_test(t, test_names);
    return run_suite("pth", t);
}
