/* ivl devices: what there is to compute on, which one is the default, and why others are missing. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backends/list.h"
#include "cli/cli.h"
#include "runtime/caps.h"

typedef struct options {
    const char *device, *save;
    int json;
} options;
typedef struct found {
    int n;
    ivl_device *dev[64];
    char best[32];
    char broken[512];
} found;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->device;
        return 0;
    case 'j':
        o->json = 1;
        return 0;
    case 's':
        o->save = arg;
        return 0;
    case ARGP_KEY_ARG:
        cli_usage(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option[] = {
    { "json", 'j', NULL, 0, "Print them as JSON", 0 },
    { "save-caps", 's', "FILE", 0,
      "Write the capabilities of --device to FILE, for `ivl plan --caps FILE` elsewhere", 0 },
    { 0 },
};
static const struct argp_child children[] = { CLI_DEVICE_CHILD, { 0 } };
static const struct argp argp = {
    option, parse, NULL, "List the devices to compute on.", children, NULL, NULL
};

static void open_all(found *f)
{
    ivl_device *best = NULL;
    for (int i = 0; i < ivl_backend_count(); i++) {
        const ivl_backend *b = ivl_backend_get(i);
        int n = 0;
        if (b->count(&n) != IVL_OK) n = 0;
        for (int j = 0; j < n && f->n < 64; j++) {
            if (b->open(j, &f->dev[f->n]) == IVL_OK)
                f->n++;
            else
                snprintf(f->broken + strlen(f->broken), sizeof f->broken - strlen(f->broken), "%s\n",
                         ivl_last_error());
        }
    }
    if (ivl_device_open(NULL, &best) == IVL_OK) snprintf(f->best, sizeof f->best, "%s", best->spec);
    ivl_device_close(best);
}

static void close_all(found *f)
{
    for (int i = 0; i < f->n; i++) ivl_device_close(f->dev[i]);
}

static void print_device(const ivl_device *d, const char *best)
{
    const ivl_caps *c = &d->caps;
    char memory[16], buffer[16], local[16];
    printf("%-12s %s%s\n", d->spec, c->name, strcmp(d->spec, best) ? "" : "   <- default");
    printf("%-12s %s, %d unit%s, %d f32 lanes, groups up to %d, %s local memory\n", "", c->arch, c->units,
           c->units == 1 ? "" : "s", c->vec_f32, c->max_group, cli_bytes((double)c->local_bytes, local));
    printf("%-12s %s free memory, %s in one buffer", "", cli_bytes((double)c->mem_bytes, memory),
           cli_bytes((double)c->max_alloc, buffer));
    for (int b = 0; ivl_caps_feature(b); b++)
        if (c->features >> b & 1) printf(", %s", ivl_caps_feature(b));
    printf("\n%-12s driver: %s\n", "", c->driver);
}

/* Why something that one may expect is not listed. */
static void print_missing(const found *f)
{
    bool cuda = false;
    for (int i = 0; i < ivl_backend_count(); i++) cuda = cuda || !strcmp(ivl_backend_get(i)->name, "cuda");
    if (*f->broken) printf("\nFound, but they do not open:\n%s", f->broken);
    printf("\n");
#ifdef HAVE_OPENCL
    if (!ivl_opencl_platforms())
        printf("opencl: no platform: install a driver (pocl-opencl-icd runs on any CPU)\n");
    for (int p = 0; p < ivl_opencl_platforms(); p++) {
        char name[128];
        int n = ivl_opencl_platform(p, name, sizeof name);
        if (!n)
            printf("opencl:%-5d %s: a platform without usable devices%s\n", p, name,
                   strcmp(name, "rusticl") ? "" : " (RUSTICL_ENABLE=llvmpipe offers the CPU)");
    }
#else
    printf("opencl: not in this build (install ocl-icd-opencl-dev, then configure again)\n");
#endif
    if (!cuda) printf("cuda: not in this build (configure --with-cuda=DIR)\n");
}

static json_t *to_json(const ivl_device *d, const char *best)
{
    const ivl_caps *c = &d->caps;
    json_t *features = json_array();
    for (int b = 0; ivl_caps_feature(b); b++)
        if (c->features >> b & 1) json_array_append_new(features, json_string(ivl_caps_feature(b)));
    return json_pack("{ss ss ss ss sb sb si si si si sI sI sI sI so}", "spec", d->spec, "name", c->name,
                     "arch", c->arch, "driver", c->driver, "default", !strcmp(d->spec, best), "gpu",
                     (c->features & IVL_CAP_GPU) != 0, "wave", c->wave, "max_group", c->max_group, "units",
                     c->units, "vec_f32", c->vec_f32, "local_bytes", (json_int_t)c->local_bytes, "mem_bytes",
                     (json_int_t)c->mem_bytes, "max_alloc", (json_int_t)c->max_alloc, "align",
                     (json_int_t)c->align, "features", features);
}

static int print_json(const found *f)
{
    json_t *all = json_array();
    for (int i = 0; i < f->n; i++) {
        json_t *d = to_json(f->dev[i], f->best);
        if (!d || json_array_append_new(all, d)) {
            json_decref(all);
            cli_error("out of memory, or a driver's name is not UTF-8");
            return CLI_FAILED;
        }
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
    return cli_done();
}

static int save(const options *o)
{
    ivl_device *d = NULL;
    if (cli_open_device(o->device, &d) != IVL_OK) return cli_failed();
    ivl_status s = ivl_caps_save(o->save, d->spec, ivl_device_caps(d));
    ivl_device_close(d);
    return s == IVL_OK ? CLI_OK : cli_failed();
}

int cmd_devices(int argc, char **argv)
{
    options o = { 0 };
    cli_parse(&argp, argc, argv, &o);
    if (o.save) return save(&o);
    found f = { 0 };
    open_all(&f);
    int status = CLI_OK;
    if (o.json) {
        status = print_json(&f);
    } else {
        for (int i = 0; i < f.n; i++) print_device(f.dev[i], f.best);
        print_missing(&f);
        status = cli_done();
    }
    close_all(&f);
    return status;
}
