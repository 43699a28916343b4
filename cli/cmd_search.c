/* ivl search: the pictures of an index that fit a text best. */
#include <stdlib.h>
#include <string.h>

#include "cli/model_args.h"
#include "runtime/file.h"
#include "runtime/npy.h"
#include "train/rerank.h"

typedef struct options { cli_model model; const char *index, *query, *images; int top, rerank; } options;
typedef struct found { double score; int64_t row; } found;

static const struct argp_option rows[] = {
    { "index", 'x', "F.npy", 0, "What `ivl embed --images` wrote, with F.names beside it", 0 },
    { "top", 'k', "N", 0, "How many to print (10)", 0 },
    { "rerank", 'r', "N", 0,
      "Put the best N in order by the matching head of stage 2, and print the probability that they match; needs "
      "--images",
      0 },
    { "images", 'p', "PATH", 0, "For --rerank: the pictures of the index, as they were given to `ivl embed`", 0 },
    { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->model; break;
    case 'x': o->index = arg; break;
    case 'k': o->top = cli_positive(state, arg, "--top"); break;
    case 'r': o->rerank = cli_positive(state, arg, "--rerank"); break;
    case 'p': o->images = arg; break;
    case ARGP_KEY_ARG:
        if (o->query) cli_usage(state, "one query at a time: put it in quotes");
        o->query = arg;
        break;
    case ARGP_KEY_END:
        if (!o->index) cli_usage(state, "which pictures? Give the index that `ivl embed` wrote, as --index F.npy");
        if (!o->query) cli_usage(state, "what for? Give a text in quotes");
        if (o->rerank && !o->images)
            cli_usage(state, "--rerank looks at the pictures again: give them as --images PATH");
        if (o->images && !o->rerank) cli_usage(state, "--images goes with --rerank N");
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

/* Line `row` of the names; *n_p without its end. */
static ivl_status name_of(const char *names, const char *path, int64_t row, const char **name_p, int *n_p)
{
    for (int64_t i = 0; i < row && names; i++) {
        names = strchr(names, '\n');
        if (names) names++;
    }
    IVL_CHECK(names && *names, IVL_EFORMAT, "%s: no line %lld: this is not the index's list of names", path,
              (long long)row + 1);
    *name_p = names, *n_p = (int)strcspn(names, "\n");
    return IVL_OK;
}

typedef struct search { const options *o; ivl_device *dev; ivl_npy index; char *path, *names; found *f; } search;

/* The data set has the index's pictures, in its order. */
static ivl_status check_pictures(const search *s, const ivl_dataset *ds)
{
    int64_t n = ivl_dataset_count(ds);
    IVL_CHECK(n == s->index.rows, IVL_EFORMAT, "%s: %lld pictures, and the index %s has %lld: give what it was made of",
              s->o->images, (long long)n, s->o->index, (long long)s->index.rows);
    const char *name = s->names;
    for (int64_t i = 0; i < n; i++) {
        const char *key = ivl_dataset_key(ds, i);
        size_t len = strcspn(name, "\n");
        IVL_CHECK(strlen(key) == len && !memcmp(key, name, len), IVL_EFORMAT,
                  "%s: picture %lld is %s, and in %s it is %.*s: give what the index was made of", s->o->images,
                  (long long)i + 1, key, s->path, (int)len, name);
        name += len + (name[len] == '\n');
    }
    return IVL_OK;
}

/* The first n in a new order, with new scores. */
static ivl_status rerank(search *s, ivl_matcher *m, const ivl_dataset *ds, int n)
{
    int32_t *record = malloc((size_t)n * sizeof *record);
    float *score = malloc((size_t)n * sizeof *score);
    ivl_status r = record && score ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int i = 0; r == IVL_OK && i < n; i++) record[i] = (int32_t)s->f[i].row;
    if (r == IVL_OK) r = ivl_rerank(m, ds, record, n, s->o->query, score);
    for (int i = 0; r == IVL_OK && i < n; i++) s->f[i].score = score[i];
    if (r == IVL_OK) qsort(s->f, (size_t)n, sizeof *s->f, better_first);
    free(record), free(score);
    return r;
}

static ivl_status look_again(search *s, int n)
{
    ivl_dataset *ds = NULL;
    ivl_matcher *m = NULL;
    const ivl_embedder_options *e = &s->o->model.options;
    ivl_matcher_options o = { e->compute, n < 16 ? n : 16, 1, e->image_size };
    ivl_status r = ivl_dataset_open(s->o->images, &ds);
    if (r == IVL_OK) r = check_pictures(s, ds);
    if (r == IVL_OK) r = ivl_matcher_open(s->o->model.dir, s->dev, &o, &m);
    if (r == IVL_OK) r = rerank(s, m, ds, n);
    ivl_matcher_close(m);
    ivl_dataset_close(ds);
    return r;
}

static ivl_status print_best(search *s, const float *v)
{
    int64_t all = s->index.rows, cols = s->index.cols;
    s->f = malloc((size_t)(all + 1) * sizeof *s->f);
    IVL_CHECK(s->f, IVL_ENOMEM, "out of memory");
    for (int64_t r = 0; r < all; r++) {
        s->f[r] = (found){ 0, r };
        for (int64_t c = 0; c < cols; c++) s->f[r].score += (double)s->index.x[r * cols + c] * v[c];
    }
    qsort(s->f, (size_t)all, sizeof *s->f, better_first);
    int64_t n = s->o->top < all ? s->o->top : all, again = s->o->rerank < all ? s->o->rerank : all;
    if (again > 0) IVL_TRY(look_again(s, (int)again));
    if (again > 0 && n > again) n = again;
    for (int64_t i = 0; i < n; i++) {
        const char *name = NULL;
        int len = 0;
        IVL_TRY(name_of(s->names, s->path, s->f[i].row, &name, &len));
        printf("%8.4f  %.*s\n", s->f[i].score, len, name);
    }
    return IVL_OK;
}

static ivl_status open_index(search *s, int dim)
{
    IVL_TRY(ivl_npy_open(s->o->index, &s->index));
    IVL_CHECK(s->index.cols == dim, IVL_EFORMAT,
              "%s: rows of %lld where this model has %d: embed the pictures with this model", s->o->index,
              (long long)s->index.cols, dim);
    s->path = cli_names_path(s->o->index);
    IVL_CHECK(s->path, IVL_ENOMEM, "out of memory");
    return ivl_read_file(s->path, 0, &s->names, NULL);
}

int cmd_search(int argc, char **argv)
{
    options o = { .top = 10, .model.options.batch = 1 };
    search s = { .o = &o };
    ivl_embedder *e = NULL;
    float *v = NULL;
    cli_parse(&argp, argc, argv, &o);
    ivl_status r = cli_open_model(&o.model, &s.dev, &e);
    if (r == IVL_OK) r = open_index(&s, ivl_embedder_dim(e));
    if (r == IVL_OK && !(v = malloc((size_t)ivl_embedder_dim(e) * sizeof *v)))
        r = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (r == IVL_OK) r = ivl_embed_texts(e, &o.query, 1, v);
    ivl_embedder_close(e); /* before the matching head's weights */
    if (r == IVL_OK) r = print_best(&s, v);
    ivl_npy_close(&s.index);
    free(s.path), free(s.names), free(s.f), free(v);
    ivl_device_close(s.dev);
    return r == IVL_OK ? cli_done() : cli_failed();
}
