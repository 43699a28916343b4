#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "train/captions.h"
#include "train/classes.h"
#include "train/eval.h"
#include "runtime/json_save.h"
#include "train/recall.h"

/* The list under `dataset`, or the file's only entry. */
static ivl_status load_list(const char *path, const char *dataset, json_t **file_p, const json_t **list_p)
{
    json_t *file = NULL;
    IVL_TRY(ivl_json_load(path, 64 << 20, &file));
    *file_p = file;
    const json_t *list = dataset ? json_object_get(file, dataset)
                                 : json_object_iter_value(json_object_iter(file));
    IVL_CHECK(dataset || json_object_size(file) == 1, IVL_EINVAL, "%s: several data sets: name one", path);
    IVL_CHECK(json_is_array(list) && json_array_size(list) > 0, IVL_EFORMAT, "%s: no list for %s", path,
              dataset ? dataset : "it");
    for (size_t i = 0; i < json_array_size(list); i++)
        IVL_CHECK(json_is_string(json_array_get(list, i)), IVL_EFORMAT, "%s: entry %zu is no text", path, i);
    *list_p = list;
    return IVL_OK;
}

/* "a photo of a {c}." with the name in place of {c}. */
static char *fill_template(const char *form, const char *name)
{
    const char *at = strstr(form, "{c}");
    size_t n = strlen(form) + strlen(name) + 1;
    char *text = malloc(n);
    if (text && at) snprintf(text, n, "%.*s%s%s", (int)(at - form), form, name, at + 3);
    else if (text) snprintf(text, n, "%s", form);
    return text;
}

/* Mean of the unit vectors of all templates, made unit. */
static ivl_status class_vector(ivl_embedder *e, const json_t *templates, const char *name, float *out)
{
    int dim = ivl_embedder_dim(e);
    size_t n = json_array_size(templates);
    float *v = malloc((size_t)dim * sizeof *v);
    double norm = 0;
    ivl_status s = v ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int k = 0; k < dim; k++) out[k] = 0;
    for (size_t i = 0; i < n && s == IVL_OK; i++) {
        char *text = fill_template(json_string_value(json_array_get(templates, i)), name);
        s = text ? ivl_embed_texts(e, (const char *const *)&text, 1, v)
                 : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        for (int k = 0; k < dim && s == IVL_OK; k++) out[k] += v[k];
        free(text);
    }
    for (int k = 0; k < dim; k++) norm += (double)out[k] * out[k];
    for (int k = 0; k < dim && norm > 0; k++) out[k] = (float)(out[k] / sqrt(norm));
    free(v);
    return s;
}

/* Class names and the file they are from. */
typedef struct class_list { const char *path; const json_t *list; int n; } class_list;

/* Labels of the records, as numbers of the sorted classes. */
static ivl_status labels(const ivl_dataset *ds, const class_list *c, int32_t *label)
{
    ivl_classes own = { 0 };
    ivl_status s = ivl_classes_read(ds, &own);
    if (s == IVL_OK && own.n > c->n)
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %d classes, and the data has %d", c->path, c->n, own.n);
    if (s == IVL_OK) memcpy(label, own.label, (size_t)own.n_records * sizeof *label);
    ivl_classes_free(&own);
    return s;
}

static ivl_status classify(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, const class_list *names,
                           const json_t *templates, ivl_accuracy *a_p)
{
    int64_t n = ivl_dataset_count(ds), dim = ivl_embedder_dim(e);
    int n_class = names->n;
    float *image = malloc((size_t)(n * dim + 1) * sizeof *image),
          *vector = malloc((size_t)(n_class * dim + 1) * sizeof *vector);
    int32_t *label = malloc((size_t)(n + 1) * sizeof *label);
    ivl_status s = image && vector && label ? labels(ds, names, label)
                                            : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    for (int c = 0; c < n_class && s == IVL_OK; c++) {
        if (o->progress) o->progress(o->ctx, "classes", c, n_class);
        s = class_vector(e, templates, json_string_value(json_array_get(names->list, (size_t)c)), vector + c * dim);
    }
    if (s == IVL_OK) s = ivl_embed_dataset(e, ds, o, image);
    if (s == IVL_OK) s = ivl_zeroshot(image, (int)n, vector, n_class, (int)dim, label, a_p);
    free(image), free(vector), free(label);
    return s;
}

ivl_status ivl_eval_zeroshot(ivl_embedder *e, const ivl_dataset *ds, const ivl_eval_options *o, const char *classes,
                             const char *templates, const char *dataset, const char *out_json)
{
    json_t *class_file = NULL, *template_file = NULL;
    const json_t *names = NULL, *forms = NULL;
    ivl_accuracy a = { 0 };
    ivl_status s = load_list(classes, dataset, &class_file, &names);
    if (s == IVL_OK) s = load_list(templates, dataset, &template_file, &forms);
    class_list list = { classes, names, (int)json_array_size(names) };
    if (s == IVL_OK) s = classify(e, ds, o, &list, forms, &a);
    if (s == IVL_OK)
        s = ivl_json_save(json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:{s:f, s:f, s:f}}", "dataset",
                                    dataset ? dataset : o->data, "model", o->queries ? "internvl_g" : "internvl_c",
                                    "pretrained", o->model, "task", "zeroshot_classification", "language",
                                    o->languages ? o->languages : "en", "images", (json_int_t)a.n, "metrics", "acc1",
                                    a.top1, "acc5", a.top5, "mean_per_class_recall", a.mean_per_class),
                          out_json);
    json_decref(class_file), json_decref(template_file);
    return s;
}
