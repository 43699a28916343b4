/* ivl search: the pictures of an index that fit a text best. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "runtime/file.h"
#include "runtime/npy.h"

typedef struct options { cli_model model; const char *index, *query; int top; } options;
typedef struct found { double score; int64_t row; } found;

static const struct argp_option rows[] = {
    { "index", 'x', "F.npy", 0, "What `ivl embed --images` wrote, with F.names beside it", 0 },
    { "top", 'k', "N", 0, "How many to print (10)", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model; break;
    case 'x': o->index = arg; break;
    case 'k': o->top = cli_positive(state, arg, "--top"); break;
    case ARGP_KEY_ARG:
        if (o->query) cli_usage(state, "one query at a time: put it in quotes");
        o->query = arg;
        break;
    case ARGP_KEY_END:
        if (!o->index) cli_usage(state, "which pictures? Give the index that `ivl embed` wrote, as --index F.npy");
        if (!o->query) cli_usage(state, "what for? Give a text in quotes");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = { CLI_MODEL_CHILD, { 0 } };
static const struct argp argp = {
    rows,     parse, "QUERY", "Searches pictures with words: prints score and name of the best.",
    children, NULL,  NULL
};

static int better_first(const void *a, const void *b)
{
    const found *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : (x->row > y->row) - (x->row < y->row);
}

/* Line `row` of the names, without its end. */
static ivl_status print_name(const char *names, const char *path, double score, int64_t row)
{
    for (int64_t i = 0; i < row && names; i++) {
        names = strchr(names, '\n');
        if (names) names++;
    }
    IVL_CHECK(names && *names, IVL_EFORMAT, "%s: no line %lld: this is not the index's list of names", path,
              (long long)row + 1);
    printf("%8.4f  %.*s\n", score, (int)strcspn(names, "\n"), names);
    return IVL_OK;
}

static ivl_status print_best(const options *o, const ivl_npy *index, const float *v, const char *names,
                             const char *path)
{
    found *f = malloc((size_t)(index->rows + 1) * sizeof *f);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < index->rows; r++) {
        f[r] = (found){ 0, r };
        for (int64_t c = 0; c < index->cols; c++) f[r].score += (double)index->x[r * index->cols + c] * v[c];
    }
    qsort(f, (size_t)index->rows, sizeof *f, better_first);
    ivl_status s = IVL_OK;
    for (int i = 0; i < o->top && i < index->rows && s == IVL_OK; i++)
        s = print_name(names, path, f[i].score, f[i].row);
    free(f);
    return s;
}

static ivl_status search(const options *o, ivl_embedder *e)
{
    ivl_npy index = { 0 };
    char *path = cli_names_path(o->index), *names = NULL;
    float *v = malloc((size_t)ivl_embedder_dim(e) * sizeof *v);
    ivl_status s = path && v ? ivl_npy_open(o->index, &index)
                             : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK && index.cols != ivl_embedder_dim(e))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                     "%s: rows of %lld where this model has %d: embed the pictures with this model", o->index,
                     (long long)index.cols, ivl_embedder_dim(e));
    if (s == IVL_OK) s = ivl_read_file(path, 0, &names, NULL);
    if (s == IVL_OK) s = ivl_embed_texts(e, &o->query, 1, v);
    if (s == IVL_OK) s = print_best(o, &index, v, names, path);
    ivl_npy_close(&index);
    free(path), free(names), free(v);
    return s;
}

int cmd_search(int argc, char **argv)
{
    options o = { .top = 10, .model.options.batch = 1 };
    ivl_device *dev = NULL;
    ivl_embedder *e = NULL;
    cli_parse(&argp, argc, argv, &o);
    ivl_status s = cli_open_model(&o.model, &dev, &e);
    if (s == IVL_OK) s = search(&o, e);
    ivl_embedder_close(e);
    ivl_device_close(dev);
    return s == IVL_OK ? cli_done() : cli_failed();
}
