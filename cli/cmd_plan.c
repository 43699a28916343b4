/* ivl plan: does it fit, and what will run? With a device, or from a capabilities file without one. */
#include "cli/model_args.h"

#include <stdlib.h>
#include <string.h>

#include "backends/list.h"
#include "runtime/caps.h"
#include "train/step.h"

typedef struct options {
    const char *model, *device, *caps_file;
    int         batch, micro, image_size, patches, text_len;
    ivl_dtype   compute;
    bool        recompute, nodes;
} options;

static const struct argp_option rows[] = {
    { "batch", 'b', "N", 0, "Samples of a training step (8)", 0 },
    { "micro-batch", 'm', "N", 0, "Samples at a time (the batch)", 0 },
    { "image-size", 'i', "PIXELS", 0, "Side of the pictures (the model's)", 0 },
    { "patches", 'k', "N", 0, "Patches kept by masking (all)", 0 },
    { "text-len", 't', "TOKENS", 0, "Length of the texts (80)", 0 },
    { "compute", 'c', "TYPE", 0, "Storage of weights and activations: fp32 (default), bf16, fp16", 0 },
    { "recompute", 'r', NULL, 0, "Recompute blocks in the backward pass", 0 },
    { "caps", 's', "FILE", 0,
      "Plan for the device of this capabilities file (ivl devices --save-caps) instead of one here", 0 },
    { "nodes", 'n', NULL, 0, "List every node with its implementation", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device; break;
    case 'b': o->batch = cli_positive(state, arg, "--batch"); break;
    case 'm': o->micro = cli_positive(state, arg, "--micro-batch"); break;
    case 'i': o->image_size = cli_positive(state, arg, "--image-size"); break;
    case 'k': o->patches = cli_positive(state, arg, "--patches"); break;
    case 't': o->text_len = cli_positive(state, arg, "--text-len"); break;
    case 'c': o->compute = cli_storage(state, arg, "--compute"); break;
    case 'r': o->recompute = true; break;
    case 's': o->caps_file = arg; break;
    case 'n': o->nodes = true; break;
    case ARGP_KEY_ARG:
        if (o->model) cli_usage(state, "one model at a time");
        o->model = arg;
        break;
    case ARGP_KEY_END:
        if (!o->model)
            cli_usage(state,
                      "which model? A size (tiny, small, internvl_14b, sweep/3), a folder or a config.json");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, "MODEL",
    "Plans a stage-1 training step without running it: memory by part, work, and (--nodes) every node.", children, NULL,
    NULL,
};

static size_t training_bytes(const ivl_params *p)
{
    size_t value = ivl_dtype_bytes(p->dtype, p->elements), state = ivl_dtype_bytes(IVL_F32, p->trainable);
    /* gradient, moments, and a master copy unless it is the value */
    return value + (p->dtype == IVL_F32 ? 3 : 4) * state;
}

static ivl_status print_plan(const options *o, const ivl_model_config *c, const ivl_params *p, const ivl_caps *caps,
                             const ivl_backend *backend)
{
    int grid = o->image_size / c->vit.patch;
    int64_t side[] = { 1 + (int64_t)grid * grid, 1 + (int64_t)ivl_config_grid(c) * ivl_config_grid(c) };
    ivl_tensor resize = ivl_tensor_make(o->compute, 2, side);
    resize.name = "position matrix";
    ivl_step_scope scope = { p, c, o->compute, grid == ivl_config_grid(c) ? NULL : &resize, NULL };
    ivl_step_shape shape = { .batch = o->batch, .micro = o->micro ? o->micro : o->batch, .image_size = o->image_size,
                             .patches = o->patches, .text_len = o->text_len };
    ivl_step_rule rule = { .adamw = { .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .clip = 1 },
                           .recompute = o->recompute ? IVL_RECOMPUTE_BLOCKS : IVL_RECOMPUTE_NONE };
    ivl_plan_options plan = { .caps = caps, .backend = backend };
    ivl_step_plan *step = NULL;
    IVL_TRY(ivl_step_create(NULL, &scope, &shape, &rule, &plan, &step));
    ivl_plan_size z = ivl_step_sizes(step);
    char a[16], b[16], d[16];
    ivl_step_print(step, stdout, o->nodes);
    double state = (double)training_bytes(p), total = state + (double)z.work + (double)z.io;
    printf("\nmodel: %.2f million parameters; a step of %d samples is %.1f GFLOP\n", (double)p->weights / 1e6,
           o->batch, z.flops / 1e9);
    printf("device: %s\n", caps->name);
    printf("%s for weights, gradients and moments, %s for activations, %s in all: ", cli_bytes(state, a),
           cli_bytes((double)z.work + (double)z.io, b), cli_bytes(total, d));
    printf(total <= (double)caps->mem_bytes ? "fits in %s\n" : "does NOT fit in %s\n",
           cli_bytes((double)caps->mem_bytes, a));
    ivl_step_destroy(step);
    return IVL_OK;
}

static ivl_status plan_for(options *o, const ivl_caps *caps, const ivl_backend *backend)
{
    ivl_model_config c;
    ivl_params *p = NULL;
    ivl_params_options parts = { .parts = IVL_PART_C, .stage = IVL_STAGE_1 };
    IVL_TRY(ivl_config_load(o->model, &c));
    if (!o->image_size) o->image_size = ivl_config_image_size(&c);
    IVL_TRY(ivl_params_create(&c, &parts, &p));
    ivl_status s = ivl_params_plan(p, caps, o->compute, true);
    if (s == IVL_OK) s = print_plan(o, &c, p, caps, backend);
    ivl_params_destroy(p);
    return s;
}

static const ivl_backend *backend_of(const char *spec)
{
    for (int i = 0; i < ivl_backend_count(); i++) {
        const ivl_backend *b = ivl_backend_get(i);
        if (!strncmp(b->name, spec, strlen(b->name))) return b;
    }
    return NULL;
}

int cmd_plan(int argc, char **argv)
{
    options o = { .compute = IVL_F32, .batch = 8, .text_len = 80 };
    ivl_status s;
    cli_parse(&argp, argc, argv, &o);
    if (o.caps_file) {
        char spec[32];
        ivl_caps caps;
        s = ivl_caps_load(o.caps_file, spec, &caps);
        if (s == IVL_OK) s = plan_for(&o, &caps, backend_of(spec));
    } else {
        ivl_device *dev = NULL;
        s = cli_open_device(o.device, &dev);
        if (s == IVL_OK) s = plan_for(&o, ivl_device_caps(dev), dev->backend);
        ivl_device_close(dev);
    }
    return s == IVL_OK ? cli_done() : cli_failed();
}
