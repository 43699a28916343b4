/* ivl seg: segmentation with a frozen vision encoder. */
#include <stdio.h>

#include "cli/head_args.h"
#include "train/seg_head.h"

enum { LAYER = 1200, LABEL_SIZE, NAMES, HEAD, CHANNELS };

static const struct argp_option rows[] = {
    { "head", HEAD, "KIND", 0,
      "linear: BatchNorm and a 1x1 convolution on one block's output; upernet: UperNet on four (linear)", 0 },
    { "channels", CHANNELS, "N", 0, "Channels within UperNet (half the width of the features)", 0 },
    { "layer", LAYER, "N", 0,
      "Features are the output of this many blocks (linear: 15/16 of them; upernet: all, and of 1/4, 1/2 and 3/4 of "
      "so many)", 0 },
    { "label-size", LABEL_SIZE, "PIXELS", 0,
      "Side of the label maps that are trained and tested on (the input size)", 0 },
    { "names", NAMES, "F.txt", 0, "Class names: line i is class i, from 0 (scenes: classes.txt)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    cli_head *h = state->input;
    const ivl_seg_head_kind *kind;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = h; break;
    case LAYER: h->probe.frozen.layer = cli_positive(state, arg, "--layer"); break;
    case LABEL_SIZE:
        h->probe.label_size = cli_positive(state, arg, "--label-size");
        if (h->probe.label_size > 4096) cli_usage(state, "--label-size: at most 4096");
        break;
    case NAMES: h->probe.names = arg; break;
    case HEAD:
        if (ivl_seg_head_find(arg, &kind) != IVL_OK) cli_usage(state, "--head: %s", ivl_last_error());
        h->probe.head = arg;
        break;
    case CHANNELS:
        h->probe.channels = cli_positive(state, arg, "--channels");
        if (h->probe.channels > 8192) cli_usage(state, "--channels: at most 8192");
        break;
    case ARGP_KEY_END:
        if (ivl_seg_head_find(h->probe.head, &kind) == IVL_OK && h->probe.channels && !kind->channels)
            cli_usage(state, "--channels: --head %s has none", kind->name);
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_HEAD_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, NULL,
    "Trains a segmentation head (AdamW) on features of the frozen vision encoder and tests it.\v"
    "Records need a label map KEY.mask.png beside the picture: grey or palette PNG, the value is the class, 255 does "
    "not count. UperNet trains with an auxiliary head, whose loss counts 0.4, and needs two pictures a step or more. "
    "Writes DIR/seg.json (mIoU, IoU per class, pixel accuracy, losses) and DIR/heads.safetensors.",
    children, NULL, NULL,
};

int cmd_seg(int argc, char **argv)
{
    cli_head h = { .probe = { .holdout = 0.2, .frozen = { .fit = IVL_FIT_SQUASH },
                              .rule = { .clip = 5, .epochs = 10, .warmup = 1 } } };
    cli_progress p = { 0 };
    ivl_device *dev = NULL;
    ivl_seg_result r = { 0 };
    cli_parse(&argp, argc, argv, &h);
    ivl_status s = cli_head_open(&h, &p, &dev);
    if (s == IVL_OK) s = ivl_seg(dev, &h.probe, &r);
    ivl_device_close(dev);
    if (s != IVL_OK) return cli_failed();
    printf("mIoU %.2f %%, pixel accuracy %.2f %%: %d classes, %lld pictures trained on, %lld tested\n", 100 * r.miou,
           100 * r.pixel_accuracy, r.classes, (long long)r.images, (long long)r.test_images);
    return cli_done();
}
