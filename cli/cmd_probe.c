/* ivl probe: linear probe of a frozen vision encoder. */
#include <stdio.h>

#include "cli/head_args.h"

enum { VIEWS = 1200 };

static const struct argp_option rows[] = {
    { "views", VIEWS, "N", 0, "Random crops and mirrors of each training picture (0: the picture as it is tested)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    cli_head *h = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = h; break;
    case VIEWS: h->probe.views = cli_positive(state, arg, "--views"); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_HEAD_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Trains a linear classifier (BatchNorm, linear; SGD) on features of the frozen vision encoder and tests it.\v"
    "A picture's class is its top folder, or its group. Writes DIR/probe.json (top-1, top-5, per class, losses) and "
    "DIR/heads.safetensors.",
    children, NULL, NULL,
};

int cmd_probe(int argc, char **argv)
{
    cli_head h = { .probe = { .holdout = 0.2, .frozen = { .fit = IVL_FIT_CENTER },
                              .rule = { .momentum = 0.9, .clip = 5, .epochs = 10, .warmup = 1 } } };
    cli_progress p = { 0 };
    ivl_device *dev = NULL;
    ivl_probe_result r = { 0 };
    cli_parse(&argp, argc, argv, &h);
    ivl_status s = cli_head_open(&h, &p, &dev);
    if (s == IVL_OK) s = ivl_probe(dev, &h.probe, &r);
    ivl_device_close(dev);
    if (s != IVL_OK) return cli_failed();
    printf("top-1 %.2f %%, top-5 %.2f %%, mean per class %.2f %%: %d classes, %lld pictures trained on, %lld tested\n",
           100 * r.top1, 100 * r.top5, 100 * r.mean_per_class, r.classes, (long long)r.images,
           (long long)r.test_images);
    return cli_done();
}
