/* ivl embed: pictures or texts to unit vectors in a .npy file, with their names beside it. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "runtime/file.h"
#include "runtime/npy.h"
#include "train/eval.h"

enum { CHUNK = 64 };

typedef struct options { cli_model model; char *images; const char *texts, *out; bool center; } options;

static const struct argp_option rows[] = {
    { "images", 'p', "FILE|DIR|TAR", 0,
      "Pictures: a file, a folder (sorted names), a shard (record order), a table; may be repeated, and "
      "further names may follow",
      0 },
    { "texts", 't', "FILE", 0, "Texts, one a line", 0 },
    { "out", 'o', "F.npy", 0, "Where the rows go: float32, unit norm, in input order; names go to F.names",
      0 },
    { "center-crop", 'C', NULL, 0,
      "Short side to the input size and centre crop, instead of squashing the picture", 0 },
    { 0 },
};

static void add_images(options *o, const char *arg, struct argp_state *state)
{
    size_t n = strlen(arg) + (o->images ? strlen(o->images) : 0) + 3;
    char *joined = malloc(n);
    if (!joined) argp_failure(state, CLI_FAILED, 0, "out of memory");
    snprintf(joined, n, "%s%s%s", o->images ? o->images : "", o->images ? "::" : "", arg);
    free(o->images);
    o->images = joined;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model; break;
    case 'p': add_images(o, arg, state); break;
    case 't': o->texts = arg; break;
    case 'o': o->out = arg; break;
    case 'C': o->model.options.center_crop = true; break;
    case ARGP_KEY_ARG:
        if (!o->images) cli_usage(state, "unexpected argument '%s'", arg);
        add_images(o, arg, state);
        break;
    case ARGP_KEY_END:
        if (!o->images == !o->texts) cli_usage(state, "give either --images or --texts");
        if (!o->out) cli_usage(state, "where to? Give --out F.npy");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, { 0 } };
static const struct argp argp = {
    rows,
    parse,
    NULL,
    "Turns pictures or texts into vectors of one space: the cosine of a picture and a text is their dot "
    "product.",
    children,
    NULL,
    NULL,
};

typedef struct sink { ivl_npy_out npy; ivl_out_file names; float *rows; cli_progress progress; } sink;

static ivl_status images(const options *o, ivl_embedder *e, sink *k)
{
    ivl_dataset *ds = NULL;
    IVL_TRY(ivl_dataset_open(o->images, &ds));
    int64_t n = ivl_dataset_count(ds);
    ivl_eval_options eval = { .progress = cli_eval_progress, .ctx = &k->progress };
    k->rows = malloc((size_t)(n * ivl_embedder_dim(e)) * sizeof(float));
    ivl_status s = k->rows ? ivl_embed_dataset(e, ds, &eval, k->rows)
                           : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) s = ivl_npy_append(&k->npy, k->rows, n);
    for (int64_t i = 0; i < n && s == IVL_OK; i++) fprintf(k->names.f, "%s\n", ivl_dataset_key(ds, i));
    ivl_dataset_close(ds);
    return s;
}

static ivl_status lines(const char *data, ivl_embedder *e, sink *k)
{
    const char *batch[CHUNK];
    int n = 0;
    char *copy = strdup(data), *next = copy;
    k->rows = malloc((size_t)CHUNK * (size_t)ivl_embedder_dim(e) * sizeof(float));
    ivl_status s = copy && k->rows ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    while (s == IVL_OK && next && *next) {
        char *line = strsep(&next, "\n");
        size_t len = strlen(line);
        if (len && line[len - 1] == '\r') line[len - 1] = 0;
        fprintf(k->names.f, "%s\n", line);
        batch[n++] = line;
        if (n < CHUNK && next && *next) continue;
        s = ivl_embed_texts(e, batch, n, k->rows);
        if (s == IVL_OK) s = ivl_npy_append(&k->npy, k->rows, n);
        n = 0;
    }
    free(copy);
    return s;
}

static ivl_status texts(const options *o, ivl_embedder *e, sink *k)
{
    char *data = NULL;
    size_t n = 0;
    IVL_TRY(ivl_read_file(o->texts, (size_t)1 << 31, &data, &n));
    ivl_status s = strlen(data) == n ? lines(data, e, k)
                                     : ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                                                "%s: not a text file: it holds NUL bytes", o->texts);
    free(data);
    return s;
}

static ivl_status embed(const options *o, ivl_embedder *e)
{
    sink k = { 0 };
    char *names = cli_names_path(o->out);
    IVL_CHECK(names, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_npy_create(o->out, ivl_embedder_dim(e), &k.npy);
    if (s == IVL_OK) s = ivl_out_open(names, &k.names);
    if (s == IVL_OK) s = o->images ? images(o, e, &k) : texts(o, e, &k);
    if (s == IVL_OK) s = ivl_out_sync(&k.names);
    if (s == IVL_OK) s = ivl_npy_finish(&k.npy);
    if (s == IVL_OK) s = ivl_out_commit(&k.names);
    ivl_npy_abandon(&k.npy);
    ivl_out_abandon(&k.names);
    free(names), free(k.rows);
    return s;
}

int cmd_embed(int argc, char **argv)
{
    options o = { 0 };
    ivl_device *dev = NULL;
    ivl_embedder *e = NULL;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = cli_open_model(&o.model, &dev, &e);
    if (s == IVL_OK) s = embed(&o, e);
    ivl_embedder_close(e);
    ivl_device_close(dev);
    free(o.images);
    return s == IVL_OK ? cli_done() : cli_failed();
}
