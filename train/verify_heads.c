/* The heads' part of ivl_verify: heads.safetensors of a case over its ViT states. */
#include "train/parity.h"

#include <stdlib.h>
#include <unistd.h>

#include "model/upernet.h"
#include "runtime/file.h"

enum { ROWS = 2, MAX_LAYERS = 256 }; /* segmentation has the first pictures only */

static const ivl_vit_input no_input = { .keep = { -1 }, .resize = { -1 } };

static ivl_status probe(ivl_parity *c, const ivl_heads *h)
{
    static const char *const statistic[][2] = { { "probe.norm.running_mean", "probe.running_mean_after" },
                                                { "probe.norm.running_var", "probe.running_var_after" } };
    ivl_parity_run r;
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_graph *g = r.s.g;
    ivl_vit_input in = no_input;
    in.pixels = ivl_parity_input(&r, "in.pixels", IVL_F32);
    ivl_val x = ivl_probe_features(g, ivl_vit(&r.s, &in, NULL));
    ivl_val eval = ivl_keep(g, ivl_probe_head(&(ivl_head_scope){ g, h, "probe.", false }, x));
    ivl_val train = ivl_keep(g, ivl_probe_head(&(ivl_head_scope){ g, h, "probe.", true }, x)); /* after: it updates */
    ivl_status s = ivl_parity_execute(&r);
    if (s == IVL_OK) s = ivl_parity_check(&r, eval, "probe.eval");
    if (s == IVL_OK) s = ivl_parity_check(&r, train, "probe.train");
    for (int i = 0; i < 2 && s == IVL_OK; i++) {
        const ivl_head_param *p = ivl_heads_find(h, statistic[i][0]);
        double *v = malloc((size_t)p->elements * sizeof *v);
        s = v ? ivl_head_read(h, c->stream, p->name, v) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        if (s == IVL_OK) s = ivl_parity_compare(c, statistic[i][1], v, p->elements);
        free(v);
    }
    ivl_parity_end(&r);
    return s;
}

/* The case has maps as [B,C,h,w]. */
static ivl_status check_map(ivl_parity_run *r, ivl_val v, const char *name)
{
    const ivl_tensor *t = ivl_tensor_of(r->s.g, v);
    double *got = NULL;
    int64_t n = 0;
    IVL_TRY(ivl_parity_read(r, v, &got, &n));
    double *turned = malloc((size_t)(n + 1) * sizeof *turned);
    int64_t tokens = t->dim[1], cols = t->dim[2];
    for (int64_t i = 0; turned && i < n; i++) {
        int64_t b = i / (tokens * cols), k = i / cols % tokens, c = i % cols;
        turned[(b * cols + c) * tokens + k] = got[i];
    }
    ivl_status s = turned ? ivl_parity_compare(r->c, name, turned, n)
                          : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    free(got), free(turned);
    return s;
}

/* The four blocks whose outputs the pyramid takes. */
static ivl_status read_blocks(const ivl_parity *c, int block[4])
{
    const json_t *list = json_object_get(c->manifest, "seg_blocks");
    for (int i = 0; i < 4; i++) {
        block[i] = (int)json_integer_value(json_array_get(list, (size_t)i));
        IVL_CHECK(json_array_size(list) == 4 && block[i] >= 0 && block[i] < c->config.vit.layers, IVL_EFORMAT,
                  "%s: manifest.json: seg_blocks are not four blocks of %d", c->dir, c->config.vit.layers);
    }
    return IVL_OK;
}

static ivl_status segmentation(ivl_parity *c, const ivl_heads *h)
{
    ivl_parity_run r;
    int block[4], grid = ivl_config_grid(&c->config);
    IVL_TRY(read_blocks(c, block));
    IVL_TRY(ivl_parity_begin(c, c->params, false, &r));
    ivl_graph *g = r.s.g;
    ivl_vit_input in = no_input;
    ivl_val states[MAX_LAYERS + 1], map[4], level[4];
    in.pixels = ivl_parity_rows(&r, "in.pixels", IVL_F32, ROWS);
    ivl_vit(&r.s, &in, states);
    for (int i = 0; i < 4; i++) map[i] = ivl_seg_map(g, states[block[i] + 1]);
    ivl_upernet_pyramid(&(ivl_head_scope){ g, h, "seg.backbone.", false }, map, grid, grid, level);
    for (int i = 0; i < 4; i++) ivl_keep(g, level[i]);
    ivl_head_scope head = { g, h, "seg.decode_head.", false };
    ivl_val linear = ivl_keep(g, ivl_seg_head(&head, map[3], (ivl_resize2d_attr){ grid, grid, 2 * grid, 2 * grid }));
    ivl_status s = ivl_parity_execute(&r);
    for (int i = 0; i < 4 && s == IVL_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "seg.pyramid.%d", i);
        s = check_map(&r, level[i], name);
    }
    if (s == IVL_OK) s = check_map(&r, linear, "seg.linear");
    ivl_parity_end(&r);
    return s;
}

ivl_status ivl_verify_heads(ivl_parity *c)
{
    if (!ivl_parity_has(c, "probe.eval") && !ivl_parity_has(c, "seg.linear")) return IVL_OK;
    IVL_CHECK(c->config.vit.layers <= MAX_LAYERS, IVL_EFORMAT, "%s: more than %d layers", c->dir, MAX_LAYERS);
    ivl_heads *h = NULL;
    char *path = ivl_path_join(c->dir, "heads.safetensors");
    if (path && access(path, F_OK)) { /* without the file its tensors stay unknown */
        free(path);
        return IVL_OK;
    }
    ivl_status s = path ? ivl_heads_load(c->dev, c->stream, c->o->compute, false, path, &h)
                        : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK && ivl_parity_has(c, "probe.eval")) s = probe(c, h);
    if (s == IVL_OK && ivl_parity_has(c, "seg.linear")) s = segmentation(c, h);
    ivl_heads_destroy(h);
    free(path);
    return s;
}
