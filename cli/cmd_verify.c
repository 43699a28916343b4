/* ivl verify: a parity case, tensor by tensor. */
#include "cli/model_args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/verify.h"

typedef struct options { const char *dir, *device; ivl_dtype compute; bool strict, json; int printed; } options;

static const struct argp_option rows[] = {
    { "compute", 'c', "TYPE", 0,
      "Storage of weights and activations: fp32 (default, whatever the files hold), bf16, fp16", 0 },
    { "strict", 's', NULL, 0, "Tensors that this version does not compute count as failures", 0 },
    { "json", 'j', NULL, 0, "One JSON object instead of lines", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->device; break;
    case 'c': o->compute = cli_storage(state, arg, "--compute"); break;
    case 's': o->strict = true; break;
    case 'j': o->json = true; break;
    case ARGP_KEY_ARG:
        if (o->dir) cli_usage(state, "one case at a time");
        o->dir = arg;
        break;
    case ARGP_KEY_END:
        if (!o->dir) cli_usage(state, "which case? Give the folder that holds its manifest.json");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    rows, parse, "DIR",
    "Compares this implementation with a parity case: a small checkpoint with inputs and expected outputs.\v"
    "Prints a line per tensor: verdict, largest difference, tolerance. Exit status 0: nothing is beyond its tolerance; "
    "1: something is (or, with --strict, unknown); 2: the case cannot be read.",
    children, NULL, NULL,
};

static void line(void *ctx, const ivl_verify_line *l)
{
    static const char *const word[] = { "within", "beyond", "unknown" };
    options *o = ctx;
    if (o->json) {
        printf("%s\n  {\"name\": \"%s\", \"verdict\": \"%s\"", o->printed++ ? "," : "", l->name, word[l->verdict]);
        if (isfinite(l->error)) printf(", \"error\": %.4g, \"tolerance\": %.4g", l->error, l->tolerance);
        printf("}");
    } else if (l->verdict == IVL_UNKNOWN) {
        printf("unknown                            %s\n", l->name);
    } else {
        printf("%s   %9.2e of %9.2e   %s\n", word[l->verdict], l->error, l->tolerance, l->name);
    }
}

int cmd_verify(int argc, char **argv)
{
    options o = { .compute = IVL_F32 };
    ivl_device *dev = NULL;
    int n[3] = { 0 };
    cli_parse(&argp, argc, argv, &o);
    if (cli_open_device(o.device, &dev) != IVL_OK) return cli_failed();
    if (o.json) printf("{\"tensors\": [");
    ivl_status s = ivl_verify(o.dir, dev, &(ivl_verify_options){ o.compute, line, &o }, n);
    ivl_device_close(dev);
    if (s != IVL_OK) {
        cli_failed();
        return CLI_USAGE;
    }
    if (o.json) printf("\n], \"within\": %d, \"beyond\": %d, \"unknown\": %d}\n", n[0], n[1], n[2]);
    else printf("%d within, %d beyond, %d unknown\n", n[0], n[1], n[2]);
    if (cli_done() != CLI_OK) return CLI_FAILED;
    return n[1] || (o.strict && n[2]) ? CLI_FAILED : CLI_OK;
}
