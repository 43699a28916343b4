#include "train/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "model/json.h"
#include "model/safetensors.h"
#include "runtime/file.h"

void ivl_state_free(ivl_state *st)
{
    free(st->device), free(st->recipe);
    *st = (ivl_state){ 0 };
}

/* --- tensors -------------------------------------------------------------------------------------- */

typedef struct source { const ivl_param *q; ivl_stream *s; ivl_slot slot; } source;

static ivl_status read_param(const ivl_st_item *item, int64_t first, int64_t n, void *dst)
{
    const source *from = item->ctx;
    return ivl_param_read(from->q, from->s, from->slot, first, n, dst, IVL_F32);
}

static ivl_status save_slot(const char *dir, const char *name, const ivl_params *p, ivl_stream *s, ivl_slot slot)
{
    ivl_st_item *item = calloc((size_t)p->n + 1, sizeof *item);
    source *from = calloc((size_t)p->n + 1, sizeof *from);
    char *path = ivl_path_join(dir, name);
    int n = 0;
    for (int i = 0; item && from && i < p->n; i++) {
        const ivl_param *q = &p->param[i];
        if (!q->trainable) continue;
        from[n] = (source){ q, s, slot };
        item[n] = (ivl_st_item){
            .name = q->name, .type = IVL_ST_F32, .rank = q->rank, .fill = read_param, .ctx = &from[n]
        };
        for (int j = 0; j < q->rank; j++) item[n].dim[j] = q->dim[j];
        n++;
    }
    ivl_status e = item && from && path ? ivl_st_save(path, item, n, NULL, 0)
                                        : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    free(item), free(from), free(path);
    return e;
}

static ivl_status load_one(const ivl_st *f, const char *file, const ivl_param *q, ivl_stream *s, ivl_slot slot)
{
    const ivl_st_tensor *t = ivl_st_find(f, q->name);
    IVL_CHECK(t && t->elements == q->elements, IVL_EFORMAT,
              "%s: %s is %s: this checkpoint is of another model", file, q->name,
              t ? "of another size" : "missing");
    float *v = malloc((size_t)q->elements * sizeof *v);
    IVL_CHECK(v, IVL_ENOMEM, "out of memory");
    ivl_status e = ivl_st_read(t, 0, t->elements, IVL_F32, v);
    if (e == IVL_OK) e = ivl_param_write(q, s, slot, 0, -1, v, IVL_F32);
    free(v);
    return e;
}

static ivl_status load_slot(const char *dir, const char *name, const ivl_params *p, ivl_stream *s, ivl_slot slot)
{
    ivl_st *f = NULL;
    char *path = ivl_path_join(dir, name);
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status e = ivl_st_open(path, &f);
    for (int i = 0; e == IVL_OK && i < p->n; i++)
        if (p->param[i].trainable) e = load_one(f, path, &p->param[i], s, slot);
    ivl_st_close(f);
    free(path);
    return e;
}

/* --- state.json ----------------------------------------------------------------------------------- */

static ivl_status save_json(const char *dir, const ivl_state *st)
{
    json_t *j = json_pack("{s:I, s:s, s:s}", "step", (json_int_t)st->step, "device", st->device, "recipe", st->recipe);
    return ivl_json_save_in(j, dir, "state.json", JSON_INDENT(1));
}

ivl_status ivl_state_read(const char *dir, ivl_state *st_p)
{
    json_t *j = NULL;
    char *path = ivl_path_join(dir, "state.json");
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    json_int_t step = -1;
    const char *device = "", *recipe = "";
    ivl_status e = ivl_json_load(path, 1 << 20, &j);
    if (e == IVL_OK &&
        (json_unpack(j, "{s:I, s:s, s:s}", "step", &step, "device", &device, "recipe", &recipe) || step < 0))
        e = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: not the state of a training run", path);
    if (e == IVL_OK)
        *st_p = (ivl_state){ step, strdup(device), strdup(recipe) };
    json_decref(j);
    free(path);
    return e;
}

/* --- folders -------------------------------------------------------------------------------------- */

static void remove_folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char *name = ivl_path_join(path, e->d_name);
        if (name && e->d_name[0] != '.') unlink(name);
        free(name);
    }
    if (d) closedir(d);
    rmdir(path);
}

static ivl_status sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int err = errno;
    if (fd >= 0) close(fd);
    IVL_CHECK(ok, IVL_EIO, "%s: cannot sync: %s", path, strerror(err));
    return IVL_OK;
}

/* Step of "step-00000200"; -1 for anything else. *half: it ends in ".tmp". */
static int64_t step_of(const char *name, bool *half)
{
    long long step;
    int end = 0;
    *half = false;
    if (sscanf(name, "step-%lld%n", &step, &end) != 1) return -1;
    *half = !strcmp(name + end, ".tmp");
    return !name[end] || *half ? step : -1;
}

/* Removes the half-written (by a killed run) and all but the newest `keep` (0: all kept). */
static ivl_status tidy(const char *dir, int keep, int64_t *newest_p)
{
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, NULL, alphasort), complete = 0;
    *newest_p = -1;
    if (n < 0) return IVL_OK; /* no folder: no checkpoint */
    for (int i = n - 1; i >= 0; i--) {
        bool half;
        int64_t step = step_of(entry[i]->d_name, &half);
        if (step >= 0 && !half && complete++ == 0) *newest_p = step;
        char *path = step >= 0 ? ivl_path_join(dir, entry[i]->d_name) : NULL;
        if (path && (half || (keep && complete > keep))) remove_folder(path);
        free(path), free(entry[i]);
    }
    free(entry);
    return IVL_OK;
}

static char *step_path(const char *dir, int64_t step, const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "step-%08lld%s", (long long)step, suffix);
    return ivl_path_join(dir, name);
}

ivl_status ivl_state_latest(const char *dir, char **path_p)
{
    int64_t newest;
    IVL_TRY(tidy(dir, 0, &newest));
    *path_p = newest >= 0 ? step_path(dir, newest, "") : NULL;
    IVL_CHECK(newest < 0 || *path_p, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

static ivl_status save_all(const char *temp, const ivl_params *p, ivl_stream *s, const ivl_state *st)
{
    IVL_TRY(ivl_make_dirs(temp));
    IVL_TRY(save_slot(temp, "weights.safetensors", p, s, IVL_WEIGHT));
    IVL_TRY(save_slot(temp, "moment1.safetensors", p, s, IVL_M));
    IVL_TRY(save_slot(temp, "moment2.safetensors", p, s, IVL_V));
    IVL_TRY(save_json(temp, st));
    return sync_folder(temp);
}

ivl_status ivl_state_save(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_state *st, int keep)
{
    char *temp = step_path(dir, st->step, ".tmp"), *path = step_path(dir, st->step, "");
    ivl_status e = temp && path ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (e == IVL_OK) e = save_all(temp, p, s, st);
    if (e == IVL_OK && access(path, F_OK) == 0) remove_folder(path); /* the same step of an earlier try */
    if (e == IVL_OK && rename(temp, path))
        e = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot be put in place: %s", path, strerror(errno));
    if (e == IVL_OK) e = sync_folder(dir);
    if (e != IVL_OK && temp) remove_folder(temp);
    int64_t newest;
    if (e == IVL_OK) e = tidy(dir, keep, &newest);
    free(temp), free(path);
    return e;
}

ivl_status ivl_state_load(const char *path, const ivl_params *p, ivl_stream *s, ivl_state *st_p)
{
    IVL_TRY(load_slot(path, "weights.safetensors", p, s, IVL_WEIGHT));
    IVL_TRY(load_slot(path, "moment1.safetensors", p, s, IVL_M));
    IVL_TRY(load_slot(path, "moment2.safetensors", p, s, IVL_V));
    return ivl_state_read(path, st_p);
}
