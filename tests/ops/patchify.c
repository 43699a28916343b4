#include "tests/ops/cases.h"

static void set_dtype(void *attr, ivl_dtype t) { ((ivl_patchify_attr *)attr)->dtype = t; }

static const struct { int64_t b, h, w; int patch; int64_t keep; ivl_case_size size; } shapes[] = {
    { 1, 2, 2, 2, 0, IVL_TINY },   { 2, 6, 9, 3, 4, IVL_TINY },     { 2, 28, 42, 14, 0, IVL_NORMAL },
    { 3, 70, 56, 14, 9, IVL_NORMAL }, { 2, 64, 64, 8, 33, IVL_NORMAL }, { 2, 224, 224, 14, 0, IVL_LARGE },
};

void ivl_cases_patchify(ivl_case_list *list)
{
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        int bytes = i % 2;
        int64_t b = shapes[i / 2].b, h = shapes[i / 2].h, w = shapes[i / 2].w, keep = shapes[i / 2].keep;
        int64_t p = shapes[i / 2].patch;
        ivl_patchify_attr a = { .patch = (int)p,
                                .mean = { 0.485f, 0.456f, 0.406f },
                                .std = { 0.229f, 0.224f, 0.225f } };
        ivl_case f = {
            .op = IVL_OP_patchify,
            .size = shapes[i / 2].size,
            .n_in = 2,
            .n_out = 1,
            .attr = &a,
            .attr_bytes = sizeof a,
            .set_dtype = set_dtype,
            .in = { { IVL_ROLE_F32, IVL_DIMS(b, 3, h, w) },
                    { keep ? IVL_ROLE_I32 : IVL_ROLE_ABSENT, IVL_DIMS(b, keep),
                      .draw = { IVL_DRAW_INT, i == 2 ? -1 : 0, (double)(h / p * (w / p)) + (i == 2) } } },
            .out = { { IVL_ROLE_INFER } },
        };
        if (bytes) f.in[0] = (ivl_case_tensor){ IVL_ROLE_U8, IVL_DIMS(b, h, w, 3), .draw = { IVL_DRAW_INT, 0, 256 } };
        snprintf(f.name, sizeof f.name, "%s %lldx%lldx%lld patch %lld keep %lld", bytes ? "u8" : "f32", (long long)b,
                 (long long)h, (long long)w, (long long)p, (long long)keep);
        ivl_case_add(list, &f);
    }
}
