/* The loader: batches depend on the seed and the step, and on nothing else; bad records; clean ends. */
#include "data/loader.h"
#include "data/sample.h"
#include "runtime/file.h"
#include "tests/data/tars.h"
#include "tests/suite.h"

#include <pthread.h>
#include <unistd.h>

enum { RECORDS = 20, MOST_SLOTS = 4 };
static char shard[64], where[64];
static ivl_tokenizer *tok;

/* Pictures of several sizes and kinds; every fifth record is bad if asked. */
static void make_shard(bool some_bad)
{
    const char *const name[] = { "rgb8.png", "rgb420.jpg", "palette4.png", "cmyk.jpg", "large.jpg" };
    FILE *f = fopen(shard, "wb");
    for (int i = 0; i < RECORDS; i++) {
        char path[64], key[64], text[256], *data = NULL;
        size_t n = 0;
        snprintf(path, sizeof path, "tests/golden/images/%s", name[i % 5]);
        ck_assert_int_eq(ivl_read_file(source(path), 0, &data, &n), IVL_OK);
        if (some_bad && i % 5 == 4) n /= 2;
        snprintf(key, sizeof key, "k%02d.%s", i, i % 2 ? "jpg" : "png");
        tar_add(f, key, data, n);
        snprintf(key, sizeof key, "k%02d.json", i);
        snprintf(text, sizeof text,
                 "{\"captions\": [{\"lang\": \"en\", \"text\": \"cat %d\"}, {\"lang\": \"de\", "
                 "\"text\": \"Hund %d\"}, {\"lang\": \"pt\", \"text\": \"x\"}, {\"lang\": \"pt-PT\", "
                 "\"text\": \"y\"}]}",
                 i, i);
        tar_text(f, key, text);
        free(data);
    }
    tar_end(f);
}

static void set_up(void)
{
    strcpy(where, "/tmp/ivl-loader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(where));
    snprintf(shard, sizeof shard, "%s/s.tar", where);
    make_shard(false);
    ck_assert_int_eq(ivl_tokenizer_open(source("tests/golden/odd"), &tok), IVL_OK);
}

static void tear_down(void)
{
    unlink(shard), rmdir(where);
    ivl_tokenizer_close(tok);
}

static ivl_loader_config plain(void)
{
    return (ivl_loader_config){
        .seed = 7,
        .segment = { { 0, 12, 8 }, { 5, 16, 4 } },
        .n_segments = 2,
        .workers = 2,
        .transform = { .fit = IVL_FIT_RANDOM, .scale_lo = 0.3, .scale_hi = 1, .flip = 0.5 },
        .tok = tok,
        .text_len = 12
    };
}

typedef struct run {
    ivl_dataset *ds;
    ivl_loader *l;
    ivl_slot_layout layout;
    void *slot[MOST_SLOTS];
    int n_slots;
} run;

static run begin(const ivl_loader_config *cfg, int slots)
{
    run r = { .n_slots = slots };
    ck_assert_msg(ivl_dataset_open(shard, &r.ds) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_slot_layout_make(cfg, &r.layout), IVL_OK);
    for (int i = 0; i < slots; i++) {
        r.slot[i] = malloc(r.layout.bytes);
        memset(r.slot[i], 0xa5, r.layout.bytes);
    }
    ck_assert_msg(ivl_loader_open(r.ds, cfg, &r.layout, r.slot, slots, &r.l) == IVL_OK, "%s",
                  ivl_last_error());
    return r;
}

static void end(run *r)
{
    ivl_loader_close(r->l);
    ivl_dataset_close(r->ds);
    for (int i = 0; i < r->n_slots; i++) free(r->slot[i]);
}

/* Hash of what rows [from, to) of the next step hold. */
static uint64_t next_hash(run *r, int from, int to, uint64_t h)
{
    int s = -1;
    ck_assert_msg(ivl_loader_next(r->l, &s) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_ge(s, 0);
    ivl_slot_info info = ivl_loader_info(r->l, s);
    const char *p = r->slot[s];
    size_t one[] = { (size_t)info.size * (size_t)info.size * 3, 12 * 4, 4, 8, 4 };
    size_t off[] = { r->layout.pixels, r->layout.ids, r->layout.len, r->layout.record, r->layout.caption };
    for (int row = from; row < (to < 0 ? info.rows : to); row++)
        for (int k = 0; k < 5; k++)
            for (size_t b = 0; b < one[k]; b++)
                h = (h ^ (unsigned char)p[off[k] + (size_t)row * one[k] + b]) * 0x100000001b3u;
    ivl_loader_release(r->l, s);
    return h;
}

static uint64_t run_hash(const ivl_loader_config *cfg, int slots, int steps)
{
    run r = begin(cfg, slots);
    uint64_t h = 1;
    for (int i = 0; i < steps; i++) h = next_hash(&r, 0, -1, h);
    end(&r);
    return h;
}

START_TEST(workers_slots_and_cache_change_nothing)
{
    ivl_loader_config cfg = plain();
    uint64_t want = run_hash(&cfg, 2, 9);
    for (int workers = 1; workers <= 5; workers += 2)
        for (int slots = 1; slots <= 3; slots++)
            for (int cached = 0; cached < 3; cached++) {
                cfg.workers = workers, cfg.cache_bytes = cached == 2 ? 1 << 20 : (size_t)cached * 100000;
                ck_assert_uint_eq(run_hash(&cfg, slots, 9), want);
            }
    cfg.seed++;
    ck_assert_uint_ne(run_hash(&cfg, 2, 9), want);
}
END_TEST

START_TEST(begins_anywhere)
{
    ivl_loader_config cfg = plain();
    for (int from = 0; from < 8; from += 3) {
        cfg.first_step = 0;
        run a = begin(&cfg, 2);
        cfg.first_step = from;
        run b = begin(&cfg, 3);
        for (int i = 0; i < from; i++) next_hash(&a, 0, -1, 0);
        for (int i = 0; i < 3; i++) ck_assert_uint_eq(next_hash(&a, 0, -1, 5), next_hash(&b, 0, -1, 5));
        end(&a), end(&b);
    }
}
END_TEST

START_TEST(ranks_share_the_batch)
{
    ivl_loader_config cfg = plain();
    run all = begin(&cfg, 2);
    uint64_t h[7][2];
    for (int i = 0; i < 7; i++) {
        int rows = i < 5 ? 8 : 4;
        h[i][0] = next_hash(&all, 0, rows / 2, 3);
        end(&all);
        cfg.first_step = i;
        all = begin(&cfg, 1);
        h[i][1] = next_hash(&all, rows / 2, rows, 3);
        end(&all);
        cfg.first_step = i + 1;
        all = begin(&cfg, 2);
    }
    end(&all);
    cfg.first_step = 0, cfg.world = 2;
    for (cfg.rank = 0; cfg.rank < 2; cfg.rank++) {
        run one = begin(&cfg, 2);
        for (int i = 0; i < 7; i++) ck_assert_uint_eq(next_hash(&one, 0, -1, 3), h[i][cfg.rank]);
        end(&one);
    }
}
END_TEST

START_TEST(resolution_switches)
{
    ivl_loader_config cfg = plain();
    run r = begin(&cfg, 2);
    for (int i = 0; i < 7; i++) {
        int s = -1;
        ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
        ivl_slot_info info = ivl_loader_info(r.l, s);
        ck_assert_int_eq(info.step, i);
        ck_assert_int_eq(info.size, i < 5 ? 12 : 16);
        ck_assert_int_eq(info.rows, i < 5 ? 8 : 4);
        ck_assert(info.valid == info.rows && !info.skipped && !*info.trouble);
        ivl_loader_release(r.l, s);
    }
    ck_assert_int_eq(ivl_loader_position(&cfg, 7), 48);
    end(&r);
}
END_TEST

START_TEST(one_pass_in_order)
{
    ivl_loader_config cfg = plain();
    cfg.segment[0].batch = 6, cfg.n_segments = 1, cfg.in_order = true, cfg.transform.fit = IVL_FIT_SQUASH;
    run r = begin(&cfg, 2);
    int s = 0;
    for (int64_t i = 0; i < 24; i += 6) {
        ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
        const int64_t *record = (const int64_t *)(const void *)((char *)r.slot[s] + r.layout.record);
        for (int k = 0; k < 6; k++) ck_assert_int_eq(record[k], i + k < RECORDS ? i + k : -1);
        ck_assert_int_eq(ivl_loader_info(r.l, s).valid, i < 18 ? 6 : 2);
        ivl_loader_release(r.l, s);
    }
    ck_assert(ivl_loader_next(r.l, &s) == IVL_OK && s == -1);
    ck_assert(ivl_loader_next(r.l, &s) == IVL_OK && s == -1);
    end(&r);
}
END_TEST

/* Captions of other languages are never taken; a list that matches none is trouble. */
START_TEST(languages)
{
    ivl_loader_config cfg = plain();
    struct { const char *langs, *without; unsigned want; } t[] = {
        { NULL, NULL, 15 }, { "de", NULL, 2 },     { "en,pt-PT", NULL, 9 },
        { "pt", NULL, 4 },  { NULL, "de,en", 12 }, { "en,de", "en", 2 },
    };
    for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
        cfg.langs = t[k].langs, cfg.without = t[k].without;
        run r = begin(&cfg, 2);
        unsigned seen = 0;
        for (int i = 0, s = 0; i < 20; i++) {
            ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
            const int32_t *caption = (const int32_t *)(const void *)((char *)r.slot[s] + r.layout.caption);
            for (int row = 0; row < ivl_loader_info(r.l, s).rows; row++) seen |= 1u << caption[row];
            ivl_loader_release(r.l, s);
        }
        ck_assert_uint_eq(seen, t[k].want);
        end(&r);
    }
    cfg.langs = "sw";
    run r = begin(&cfg, 2);
    int s = 0;
    ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "no caption in a wanted language"));
    end(&r);
}
END_TEST

START_TEST(bad_records_are_replaced)
{
    make_shard(true);
    ivl_loader_config cfg = plain();
    uint64_t want = run_hash(&cfg, 2, 12);
    cfg.workers = 4;
    ck_assert_uint_eq(run_hash(&cfg, 3, 12), want);
    run r = begin(&cfg, 2);
    int skipped = 0, s = 0;
    for (int i = 0; i < 5; i++) { /* two epochs */
        ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
        ivl_slot_info info = ivl_loader_info(r.l, s);
        ck_assert(info.valid == 8 && (info.skipped > 0) == (strstr(info.trouble, "s.tar: k") != NULL));
        const int64_t *record = (const int64_t *)(const void *)((char *)r.slot[s] + r.layout.record);
        for (int k = 0; k < 8; k++) ck_assert_int_ne(record[k] % 5, 4);
        skipped += info.skipped;
        ivl_loader_release(r.l, s);
    }
    ck_assert_int_ge(skipped, 8);
    end(&r);
}
END_TEST

START_TEST(bad_records_fail)
{
    make_shard(true);
    ivl_loader_config cfg = plain();
    cfg.bad = IVL_BAD_FAIL, cfg.workers = 3;
    run r = begin(&cfg, 3);
    int s = 0;
    ivl_status status = IVL_OK;
    for (int i = 0; i < 9 && status == IVL_OK; i++) {
        status = ivl_loader_next(r.l, &s);
        if (status == IVL_OK) ivl_loader_release(r.l, s);
    }
    ck_assert_int_eq(status, IVL_EFORMAT);
    ck_assert_msg(strstr(ivl_last_error(), "s.tar: k") && strstr(ivl_last_error(), "step "), "%s",
                  ivl_last_error());
    ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_EFORMAT); /* and stays so */
    end(&r);
}
END_TEST

START_TEST(closes_at_any_time)
{
    ivl_loader_config cfg = plain();
    for (int i = 0; i < 40; i++) {
        cfg.workers = 1 + i % 4;
        run r = begin(&cfg, 1 + i % 3);
        int s = 0;
        for (int k = 0; k < i % 7; k++) next_hash(&r, 0, 1, 0);
        if (i % 2) ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK); /* a slot that is never released */
        end(&r);
    }
    ivl_loader_close(NULL);
}
END_TEST

START_TEST(misuse)
{
    ivl_loader_config cfg = plain();
    run r = begin(&cfg, 1);
    int s = 0;
    ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
    ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_EINVAL); /* would wait for ever */
    ivl_loader *l = NULL;
    cfg.world = 3;
    ck_assert_int_eq(ivl_loader_open(r.ds, &cfg, &r.layout, r.slot, 1, &l), IVL_EINVAL);
    cfg = plain(), cfg.text_len = 0;
    ck_assert_int_eq(ivl_loader_open(r.ds, &cfg, &r.layout, r.slot, 1, &l), IVL_EINVAL);
    cfg = plain(), cfg.segment[1].from_step = 0;
    ck_assert_int_eq(ivl_loader_open(r.ds, &cfg, &r.layout, r.slot, 1, &l), IVL_EINVAL);
    const int64_t beyond = RECORDS;
    cfg = plain(), cfg.subset = &beyond, cfg.n_subset = 1;
    ck_assert_int_eq(ivl_loader_open(r.ds, &cfg, &r.layout, r.slot, 1, &l), IVL_EINVAL);
    end(&r);
}
END_TEST

START_TEST(subsets)
{
    const int64_t only[] = { 3, 11, 12 };
    ivl_loader_config cfg = plain();
    cfg.subset = only, cfg.n_subset = 3;
    run r = begin(&cfg, 2);
    unsigned seen = 0;
    for (int i = 0, s = 0; i < 3; i++) {
        ck_assert_int_eq(ivl_loader_next(r.l, &s), IVL_OK);
        const int64_t *record = (const int64_t *)(const void *)((char *)r.slot[s] + r.layout.record);
        for (int k = 0; k < 8; k++) seen |= 1u << record[k];
        ivl_loader_release(r.l, s);
    }
    ck_assert_uint_eq(seen, 1u << 3 | 1u << 11 | 1u << 12);
    end(&r);
}
END_TEST

/* Parts of a data set as often as is said, and what is no such saying. */
START_TEST(parts_repeat)
{
    static const char *const wrong[] = { "", "3", "3,1,1", "3,", "0,1", "1001,1", "x,1", "3;1", "3,-1", "3, 1" };
    char spec[192];
    ivl_dataset *ds = NULL;
    int64_t *record = NULL, n = 0;
    snprintf(spec, sizeof spec, "%s::%s", shard, source("tests/golden/images/rgb8.png"));
    ck_assert_msg(ivl_dataset_open(spec, &ds) == IVL_OK, "%s", ivl_last_error());
    ck_assert_msg(ivl_dataset_repeat(ds, "1,3", &record, &n) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(n, RECORDS + 3);
    for (int64_t i = 0; i < n; i++) ck_assert_int_eq(record[i], i < RECORDS ? i : RECORDS);
    free(record);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(ivl_dataset_repeat(ds, wrong[i], &record, &n) == IVL_EINVAL, "\"%s\" was taken", wrong[i]);
        ck_assert_ptr_nonnull(strstr(ivl_last_error(), "repeat: "));
    }
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(epochs_are_permutations)
{
    const int64_t sizes[] = { 1, 2, 3, 5, 64, 100, 1000, 4097 }, blocks[] = { 0, 1, 7, 10, 5000 };
    for (int a = 0; a < 8; a++)
        for (int b = 0; b < 5; b++) {
            ivl_sampler s = { 11, sizes[a], blocks[b] };
            char *seen = calloc((size_t)s.n, 1);
            int same = 0;
            for (int64_t i = 0; i < s.n; i++) {
                int64_t k = ivl_sampler_at(&s, 3 * s.n + i);
                ck_assert(k >= 0 && k < s.n && !seen[k]);
                seen[k] = 1;
                same += k == ivl_sampler_at(&s, 4 * s.n + i);
            }
            ck_assert(s.n < 64 || same < s.n / 10); /* another epoch, another order */
            free(seen);
        }
    ivl_rng r = ivl_rng_make(5, "x");
    for (int64_t i = 0; i < 1000; i++)
        ck_assert_int_eq(ivl_permute_inverse(r, 9, 1000, ivl_permute(r, 9, 1000, i)), i);
    int64_t big = (int64_t)5e9;
    ck_assert_int_eq(ivl_permute_inverse(r, 9, big, ivl_permute(r, 9, big, big - 1)), big - 1);
}
END_TEST

/* Reads stay within a window of blocks. */
START_TEST(blocks_stay_together)
{
    ivl_sampler s = { 11, 100000, 100 };
    int64_t jumps = 0;
    char touched[1000] = { 0 };
    for (int64_t i = 0; i < IVL_SAMPLE_WINDOW * 100; i++) touched[ivl_sampler_at(&s, i) / 100] = 1;
    for (int i = 0; i < 1000; i++) jumps += touched[i];
    ck_assert_int_eq(jumps, IVL_SAMPLE_WINDOW);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("loader");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, workers_slots_and_cache_change_nothing);
    tcase_add_test(t, begins_anywhere);
    tcase_add_test(t, ranks_share_the_batch);
    tcase_add_test(t, resolution_switches);
    tcase_add_test(t, one_pass_in_order);
    tcase_add_test(t, languages);
    tcase_add_test(t, bad_records_are_replaced);
    tcase_add_test(t, bad_records_fail);
    tcase_add_test(t, closes_at_any_time);
    tcase_add_test(t, misuse);
    tcase_add_test(t, subsets);
    tcase_add_test(t, parts_repeat);
    tcase_add_test(t, epochs_are_permutations);
    tcase_add_test(t, blocks_stay_together);
    return run_suite("loader", t);
}
