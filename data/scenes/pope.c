/* Yes/no lists in POPE's form (Li et al. 2023, section 4): for each scene as many things that are there as
 * things that are not. Those that are not: any (random), the most frequent of training (popular), those that
 * stood most often beside what is there (adversarial). */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "data/scenes/kit.h"
#include "runtime/file.h"

typedef enum list_id { RANDOM, POPULAR, ADVERSARIAL, LISTS } list_id;
static const char *const list_name[LISTS] = { "pope_random.json", "pope_popular.json",
                                              "pope_adversarial.json" };

typedef struct question {
    char image[32];
    int concept;
    bool yes;
} question;
struct pope {
    const kit *k;
    int64_t *often, *together; /* [concepts], [concepts, concepts]: training scenes with it, with both */
    question *list[LISTS];
    int64_t n[LISTS], room[LISTS];
    ivl_rng rng;
    uint32_t scenes;
};

ivl_status pope_open(const kit *k, pope **p_p)
{
    size_t n = (size_t)k->n_concepts;
    pope *p = calloc(1, sizeof *p);
    if (p) p->often = calloc(n, sizeof *p->often), p->together = calloc(n * n, sizeof *p->together);
    if (!p || !p->often || !p->together) {
        pope_close(p);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    p->k = k, p->rng = ivl_rng_make(k->o->seed, "scenes:pope");
    *p_p = p;
    return IVL_OK;
}

void pope_close(pope *p)
{
    if (!p) return;
    for (int l = 0; l < LISTS; l++) free(p->list[l]);
    free(p->often), free(p->together), free(p);
}

void pope_learn(pope *p, const scene *s)
{
    int c[SCENE_GROUPS], n = scene_concepts(s, c);
    for (int i = 0; i < n; i++) {
        p->often[c[i]]++;
        for (int j = 0; j < n; j++)
            p->together[(size_t)c[i] * (size_t)p->k->n_concepts + (size_t)c[j]] += i != j;
    }
}

static ivl_status add(pope *p, list_id l, const char *image, int concept, bool yes)
{
    if (p->n[l] == p->room[l]) {
        int64_t room = 2 * p->room[l] + 256;
        question *more = realloc(p->list[l], (size_t)room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory");
        p->list[l] = more, p->room[l] = room;
    }
    question *q = &p->list[l][p->n[l]++];
    *q = (question){ .concept = concept, .yes = yes };
    snprintf(q->image, sizeof q->image, "%s", image);
    return IVL_OK;
}

/* How much list l wants the concept as one that is not there. */
static double score(const pope *p, list_id l, const int *there, int n, int concept)
{
    double beside = 0, often = (double)p->often[concept];
    if (l == RANDOM) return ivl_rng_uniform(p->rng, p->scenes, 0, p->k->concept[concept].hash);
    if (l == POPULAR) return often;
    for (int i = 0; i < n; i++)
        beside += (double)p->together[(size_t)there[i] * (size_t)p->k->n_concepts + (size_t) concept];
    return beside + often / 1e9; /* of equals the more frequent */
}

static void take_absent(const pope *p, list_id l, const scene *s, const int *there, int n,
                        int absent[SCENE_GROUPS])
{
    for (int i = 0; i < n; i++) {
        double best = -1;
        absent[i] = -1;
        for (int c = 0; c < p->k->n_concepts; c++) {
            bool taken = p->k->concept[c].held_out || scene_count_of(s, c);
            for (int j = 0; j < i; j++) taken |= absent[j] == c;
            double v = taken ? -2 : score(p, l, there, n, c);
            if (v > best) best = v, absent[i] = c;
        }
    }
}

ivl_status pope_ask(pope *p, const scene *s, const char *image)
{
    int there[SCENE_GROUPS], absent[SCENE_GROUPS], n = scene_concepts(s, there);
    for (int l = 0; l < LISTS; l++) {
        take_absent(p, (list_id)l, s, there, n, absent);
        for (int i = 0; i < n; i++) {
            if (absent[i] < 0) continue; /* fewer concepts than that: the pair is left out */
            IVL_TRY(add(p, (list_id)l, image, there[i], true));
            IVL_TRY(add(p, (list_id)l, image, absent[i], false));
        }
    }
    p->scenes++;
    return IVL_OK;
}

static ivl_status write_list(const pope *p, list_id l, FILE *f)
{
    for (int64_t i = 0; i < p->n[l]; i++) {
        const question *q = &p->list[l][i];
        const char *noun = p->k->concept[q->concept].one;
        char text[128];
        snprintf(text, sizeof text, "Is there %s %s in the image?", tell_article(noun), noun);
        json_t *line = json_pack("{sI ss ss ss}", "question_id", (json_int_t)(i + 1), "image", q->image,
                                 "text", text, "label", q->yes ? "yes" : "no");
        IVL_CHECK(line, IVL_ENOMEM, "out of memory");
        json_dumpf(line, f, 0); /* a write error is found by commit */
        fputc('\n', f);
        json_decref(line);
    }
    return IVL_OK;
}

ivl_status pope_write(pope *p, const char *dir, int64_t questions[3])
{
    for (int l = 0; l < LISTS; l++) {
        ivl_out_file out = { 0 };
        char *path = ivl_path_join(dir, list_name[l]);
        ivl_status s =
            path ? ivl_out_open(path, &out) : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
        free(path);
        if (s == IVL_OK) s = write_list(p, (list_id)l, out.f);
        if (s == IVL_OK) s = ivl_out_commit(&out);
        ivl_out_abandon(&out);
        IVL_TRY(s);
        questions[l] = p->n[l];
    }
    return IVL_OK;
}
