#include "train/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "runtime/file.h"
#include "train/tfevents.h"

struct ivl_metrics { FILE *json, *events; char *path, *events_path; };

static double now(void)
{
    struct timeval t;
    gettimeofday(&t, NULL);
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

/* Keeps the lines whose "step" is below first_step: what a resumed run will not write again. */
static ivl_status cut(const char *path, int64_t first_step)
{
    char *text = NULL;
    FILE *probe = fopen(path, "rb");
    if (!probe) return IVL_OK;
    fclose(probe);
    IVL_TRY(ivl_read_file(path, 0, &text, NULL));
    ivl_out_file out = { 0 };
    ivl_status s = ivl_out_open(path, &out);
    for (char *line = text, *end; s == IVL_OK && (end = strchr(line, '\n')); line = end + 1) {
        long long step = -1;
        if (sscanf(line, "{\"step\": %lld", &step) == 1 && step < first_step)
            fwrite(line, 1, (size_t)(end + 1 - line), out.f);
    }
    if (s == IVL_OK) s = ivl_out_commit(&out);
    free(text);
    return s;
}

static ivl_status open_files(ivl_metrics *m, const char *dir, int64_t first_step)
{
    m->path = ivl_path_join(dir, "metrics.jsonl");
    IVL_CHECK(m->path, IVL_ENOMEM, "out of memory");
    IVL_TRY(cut(m->path, first_step));
    char name[64];
    snprintf(name, sizeof name, "events.out.tfevents.%lld.ivl", (long long)now());
    m->events_path = ivl_path_join(dir, name);
    IVL_CHECK(m->events_path, IVL_ENOMEM, "out of memory");
    m->json = fopen(m->path, "ab");
    m->events = fopen(m->events_path, "ab");
    IVL_CHECK(m->json && m->events, IVL_EIO, "%s: cannot write metrics: %s", dir, strerror(errno));
    return ivl_tfevents_begin(m->events, m->events_path, now());
}

ivl_status ivl_metrics_open(const char *dir, int64_t first_step, ivl_metrics **m_p)
{
    ivl_metrics *m = calloc(1, sizeof *m);
    IVL_CHECK(m, IVL_ENOMEM, "out of memory");
    ivl_status s = open_files(m, dir, first_step);
    if (s != IVL_OK) {
        ivl_metrics_close(m);
        return s;
    }
    *m_p = m;
    return IVL_OK;
}

ivl_status ivl_metrics_write(ivl_metrics *m, int64_t step, const ivl_metric *metric, int n)
{
    fprintf(m->json, "{\"step\": %lld", (long long)step);
    for (int i = 0; i < n; i++)
        if (isfinite(metric[i].value)) fprintf(m->json, ", \"%s\": %.9g", metric[i].name, metric[i].value);
        else fprintf(m->json, ", \"%s\": null", metric[i].name);
    fprintf(m->json, "}\n");
    IVL_CHECK(fflush(m->json) == 0 && !ferror(m->json), IVL_EIO, "%s: cannot write: %s", m->path, strerror(errno));
    return ivl_tfevents_scalars(m->events, m->events_path, now(), step, metric, n);
}

ivl_status ivl_metrics_close(ivl_metrics *m)
{
    if (!m) return IVL_OK;
    int bad = 0;
    if (m->json) bad |= fclose(m->json);
    if (m->events) bad |= fclose(m->events);
    ivl_status s =
        bad ? ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot write: %s", m->path, strerror(errno))
            : IVL_OK;
    free(m->path), free(m->events_path), free(m);
    return s;
}
