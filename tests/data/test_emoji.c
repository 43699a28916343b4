/* The emoji data: base concepts, what is held out from whom, equal bytes for equal options, and what is
 * refused. Cases that need Debian's font and CLDR are skipped, with a word, where these are not installed. */
#include <sys/stat.h>
#include <unistd.h>

#include "data/emoji/cldr.h"
#include "data/emoji/concept.h"
#include "data/emoji/emoji.h"
#include "data/image.h"
#include "data/record.h"
#include "data/tokenizer.h"
#include "runtime/file.h"
#include "runtime/sha256.h"
#include "tests/suite.h"

/* --- concepts ------------------------------------------------------------------------------------------- */

static void base_key(const char *utf8, char key[IVL_EMOJI_KEY])
{
    uint32_t cp[IVL_EMOJI_MAX], base[IVL_EMOJI_MAX];
    int n = ivl_emoji_decode(utf8, cp);
    ck_assert_msg(n > 0, "%s", utf8);
    ivl_emoji_key(base, ivl_emoji_base(cp, n, base), key);
}

START_TEST(test_same_concept)
{
    static const char *const same[][2] = {
        { "👋", "👋🏿" }, { "🏃", "🏃🏽‍♀️" },
        { "🏃", "🏃‍♂‍➡️" }, { "👩‍🚒", "👨🏿‍🚒" },
        { "👩‍🚒", "🧑‍🚒" }, { "👩", "🧑🏻‍🦰" },
        { "👱‍♂️", "👨‍🦲" }, { "👦", "👧🏽" },
        { "👴", "🧓🏿" }, { "🤴", "🫅🏻" },
        { "🎅🏽", "🧑🏼‍🎄" }, { "💃", "🕺" },
        { "🤰", "🫃🏾" }, { "👫", "👩🏻‍🤝‍👩🏿" },
        { "👬🏽", "🧑‍🤝‍🧑" }, { "💏", "👩🏻‍❤️‍💋‍👨🏽" },
        { "💑", "👨‍❤‍👨" }, { "👪", "👩‍👩‍👧‍👦" },
        { "👪", "👨‍👦" }, { "🤝", "🫱🏻‍🫲🏿" },
        { "🫱", "🫲🏿" }, { "🐈", "🐈‍⬛" },
        { "🐻", "🐻‍❄️" }, { "😶", "😶‍🌫️" },
        { "❤️", "❤️‍🔥" }, { "👁", "👁️‍🗨️" },
        { "⬆️", "↙" }, { "👆", "👉🏽" },
        { "🕐", "🕧" }, { "☝️", "☝🏽" },
        { "🕵️", "🕵🏽‍♀️" }, { "👍🏻", "👎" },
        { "🧔‍♀️", "🧔🏿" }, { "🚹", "🚺" },
        { "🙂", "🙃" }, { "🧑🏽‍🦽‍➡️", "👩‍🦽" },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char a[IVL_EMOJI_KEY], b[IVL_EMOJI_KEY];
        base_key(same[i][0], a), base_key(same[i][1], b);
        ck_assert_msg(!strcmp(a, b), "%s is %s, %s is %s", same[i][0], a, same[i][1], b);
    }
}
END_TEST

START_TEST(test_other_concept)
{
    static const char *const other[][2] = {
        { "🇩🇪", "🇫🇷" }, { "🇦🇺", "🇦🇹" },
        { "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿" }, { "🏴‍☠️", "🏴" },
        { "🏳️‍🌈", "🏳️" }, { "🏳️‍🌈", "🏳️‍⚧️" },
        { "👩‍🚒", "👩‍🚀" }, { "👩‍🚒", "👩" },
        { "👩", "👧" }, { "💏", "💑" },
        { "💑", "👪" }, { "👫", "👪" },
        { "😀", "😃" }, { "🟥", "🔴" },
        { "1️⃣", "2️⃣" }, { "♀", "♂" },
        { "❤", "🧡" }, { "🏃", "🚶" },
        { "🤰", "🤱" }, { "🧑‍🍼", "🤱" },
        { "➡", "↔" }, { "🎄", "🎅" },
        { "🔥", "❤‍🔥" }, { "💨", "😮‍💨" },
        { "🦰", "🏻" },
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char a[IVL_EMOJI_KEY], b[IVL_EMOJI_KEY];
        base_key(other[i][0], a), base_key(other[i][1], b);
        ck_assert_msg(strcmp(a, b), "%s and %s are both %s", other[i][0], other[i][1], a);
    }
}
END_TEST

START_TEST(test_sequences)
{
    uint32_t cp[IVL_EMOJI_MAX], base[IVL_EMOJI_MAX];
    char key[IVL_EMOJI_KEY];
    ivl_emoji_key(cp, ivl_emoji_decode("❤️‍🔥", cp), key);
    ck_assert_str_eq(key, "2764-200d-1f525");
    static const char *const bad[] = { "",         "\xef\xb8\x8f",      "\xff",
                                       "\xe2\x80", "\xf0\x9f\x98",      "\xc0\x80",
                                       "\x80",     "0123456789abcdefg", "\xf7\xbf\xbf\xbf" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_int_eq(ivl_emoji_decode(bad[i], cp), 0);
    ck_assert_int_eq(ivl_emoji_decode("0123456789abcdef", cp), 16);
    /* no sequence is too odd: a base has 1..n code points, and is its own base */
    static const uint32_t odd[] = { 0x200d,  0x2640,  0x1f3fb, 0x1f9d1, 0x1f468, 0x2764,
                                    0x1f48b, 0x1f1e6, 0x1f3f4, 0x1f9b0, 0x27a1 };
    enum { ODD = sizeof odd / sizeof *odd };
    for (int i = 0; i < ODD * ODD * ODD * ODD; i++) {
        uint32_t s[4], twice[IVL_EMOJI_MAX];
        for (int k = 0, rest = i; k < 4; k++, rest /= ODD) s[k] = odd[rest % ODD];
        for (int n = 1; n <= 4; n++) {
            int m = ivl_emoji_base(s, n, base);
            ck_assert(m >= 1 && m <= n);
            int again = ivl_emoji_base(base, m, twice);
            ck_assert(again >= 1 && again <= m);
        }
    }
}
END_TEST

/* --- a build of three languages, made once ------------------------------------------------------------- */

static char folder[64] = "";

static bool installed(void)
{
    if (!access(IVL_EMOJI_FONT, R_OK) && !access(IVL_EMOJI_CLDR "/annotations/en.xml", R_OK)) return true;
    fprintf(stderr, "skipped: needs fonts-noto-color-emoji and unicode-cldr-core\n");
    return false;
}

static ivl_status make_data(const char *dir, const char *languages, uint64_t seed)
{
    ivl_emoji_report r;
    ivl_emoji_options o = { .out = dir, .languages = languages, .held_out = "nl,ka", .seed = seed };
    return ivl_emoji_build(&o, &r);
}

static const char *in_folder(const char *name)
{
    static char text[4][128];
    static int turn;
    char *t = text[turn++ & 3];
    snprintf(t, sizeof text[0], "%s/%s", folder, name);
    return t;
}

static ivl_dataset *open_part(const char *name)
{
    ivl_dataset *ds = NULL;
    ck_assert_msg(ivl_dataset_open(in_folder(name), &ds) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_dataset_bad(ds), 0);
    return ds;
}

/* Sorted "TEXT\tKEY"-like strings of a part. */
typedef struct strings { char **v; int n; } strings;

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool has(const strings *s, const char *text)
{
    return bsearch(&text, s->v, (size_t)s->n, sizeof *s->v, by_text) != NULL;
}

static void add_string(strings *s, const char *a, const char *b)
{
    if (s->n % 1024 == 0) s->v = realloc(s->v, (size_t)(s->n + 1024) * sizeof *s->v);
    ck_assert(asprintf(&s->v[s->n++], "%s%s%s", a, b ? "\t" : "", b ? b : "") > 0);
}

static void free_strings(strings *s)
{
    for (int i = 0; i < s->n; i++) free(s->v[i]);
    free(s->v);
}

static void base_of_key(const char *key, char base[IVL_EMOJI_KEY])
{
    uint32_t cp[IVL_EMOJI_MAX], b[IVL_EMOJI_MAX];
    int n = 0;
    for (char *end; *key; key = *end ? end + 1 : end) cp[n++] = (uint32_t)strtoul(key, &end, 16);
    ivl_emoji_key(b, ivl_emoji_base(cp, n, b), base);
}

/* Of a part: base concepts; sha256 of pictures; key and cleaned caption; languages. Any may be NULL. */
static void collect(const char *part, strings *bases, strings *pictures, strings *captions,
                    strings *languages)
{
    ivl_dataset *ds = open_part(part);
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        ivl_sample rec;
        ck_assert_msg(ivl_dataset_read(ds, i, &rec) == IVL_OK, "%s", ivl_last_error());
        ck_assert(rec.n_captions > 0 && rec.group && ivl_image_known(rec.image, rec.image_bytes));
        char base[IVL_EMOJI_KEY], hash[65];
        uint8_t digest[32];
        ivl_sha256 h;
        ivl_sha256_init(&h);
        ivl_sha256_add(&h, rec.image, rec.image_bytes);
        ivl_sha256_end(&h, digest);
        ivl_sha256_text(digest, hash);
        base_of_key(rec.key, base);
        if (bases) add_string(bases, base, NULL);
        if (pictures) add_string(pictures, hash, NULL);
        for (int c = 0; c < rec.n_captions; c++) {
            char *clean;
            ck_assert_int_eq(ivl_text_clean(rec.caption[c].text, 0, &clean), IVL_OK);
            if (captions) add_string(captions, rec.key, clean);
            if (languages) add_string(languages, rec.caption[c].lang, NULL);
            free(clean);
        }
        ivl_sample_free(&rec);
    }
    ivl_dataset_close(ds);
    strings *all[] = { bases, pictures, captions, languages };
    for (int i = 0; i < 4; i++)
        if (all[i]) qsort(all[i]->v, (size_t)all[i]->n, sizeof(char *), by_text);
}

static bool disjoint(const strings *a, const strings *b)
{
    for (int i = 0; i < a->n; i++)
        if (has(b, a->v[i])) return fprintf(stderr, "on both sides: %s\n", a->v[i]), false;
    return true;
}

START_TEST(test_concepts_disjoint)
{
    if (!installed()) return;
    strings train = { 0 }, held = { 0 }, train_pic = { 0 }, held_pic = { 0 };
    collect("train-*.tar", &train, &train_pic, NULL, NULL);
    collect("val_concepts.tar", &held, &held_pic, NULL, NULL);
    ck_assert(disjoint(&held, &train));
    ck_assert(disjoint(&held_pic, &train_pic)); /* nor the same drawing under another name */
    double share = (double)held.n / (train.n + held.n);
    ck_assert_msg(share > 0.05 && share < 0.15, "%d of %d are held out", held.n, train.n + held.n);
    free_strings(&train), free_strings(&held), free_strings(&train_pic), free_strings(&held_pic);
}
END_TEST

START_TEST(test_captions_disjoint)
{
    if (!installed()) return;
    strings train = { 0 }, val = { 0 }, foreign = { 0 }, train_pic = { 0 }, val_pic = { 0 },
            foreign_pic = { 0 };
    collect("train-*.tar", NULL, &train_pic, &train, NULL);
    collect("val_captions.tar", NULL, &val_pic, &val, NULL);
    collect("val_languages.tar", NULL, &foreign_pic, &foreign, NULL);
    ck_assert(val.n > 500 && foreign.n > 200);
    ck_assert(disjoint(&val, &train));
    ck_assert(disjoint(&foreign, &train));
    for (int i = 0; i < val_pic.n; i++) ck_assert(has(&train_pic, val_pic.v[i])); /* seen pictures */
    for (int i = 0; i < foreign_pic.n; i++) ck_assert(has(&train_pic, foreign_pic.v[i]));
    strings *all[] = { &train, &val, &foreign, &train_pic, &val_pic, &foreign_pic };
    for (int i = 0; i < 6; i++) free_strings(all[i]);
}
END_TEST

START_TEST(test_languages_disjoint)
{
    if (!installed()) return;
    static const char *const trained[] = { "train-*.tar", "val_captions.tar", "val_concepts.tar" };
    strings foreign = { 0 };
    collect("val_languages.tar", NULL, NULL, NULL, &foreign);
    ck_assert(has(&foreign, "nl") && has(&foreign, "ka") && !has(&foreign, "en") && !has(&foreign, "de"));
    for (int i = 0; i < 3; i++) {
        strings in = { 0 };
        collect(trained[i], NULL, NULL, NULL, &in);
        ck_assert(has(&in, "en") && has(&in, "de") && has(&in, "ru") && !has(&in, "nl") && !has(&in, "ka"));
        free_strings(&in);
    }
    free_strings(&foreign);
}
END_TEST

static void hash_file(const char *dir, const char *name, char text[65])
{
    char path[160], *data;
    size_t n;
    uint8_t digest[32];
    ivl_sha256 h;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(ivl_read_file(path, 0, &data, &n) == IVL_OK, "%s", ivl_last_error());
    ivl_sha256_init(&h);
    ivl_sha256_add(&h, data, n);
    ivl_sha256_end(&h, digest);
    ivl_sha256_text(digest, text);
    free(data);
}

START_TEST(test_deterministic)
{
    if (!installed()) return;
    static const char *const files[] = { "train-000.tar",    "train-003.tar",     "val_captions.tar",
                                         "val_concepts.tar", "val_languages.tar", "corpus.txt",
                                         "splits.json" };
    char dir[] = "/tmp/ivl_emoji_XXXXXX", a[65], b[65];
    ck_assert(mkdtemp(dir));
    char *stale = ivl_path_join(dir, "train-000.tar");
    FILE *f = fopen(stale, "w");
    fputs("an earlier build", f);
    fclose(f), free(stale);
    ck_assert_int_eq(make_data(dir, "ru,de,en", 1), IVL_OK); /* the order of a list does not count */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        hash_file(folder, files[i], a), hash_file(dir, files[i], b);
        ck_assert_msg(!strcmp(a, b), "%s differs", files[i]);
    }
    ck_assert_int_eq(make_data(dir, "ru,de,en", 2), IVL_OK);
    hash_file(folder, "val_concepts.tar", a), hash_file(dir, "val_concepts.tar", b);
    ck_assert_str_ne(a, b);
    remove_tree(dir);
}
END_TEST

/* --- what is refused ----------------------------------------------------------------------------------- */

static void refused(const ivl_emoji_options *o, const char *words)
{
    ivl_emoji_report r;
    ck_assert(ivl_emoji_build(o, &r) != IVL_OK);
    ck_assert_msg(strstr(ivl_last_error(), words) != NULL, "'%s' lacks '%s'", ivl_last_error(), words);
    ck_assert(access(o->out, F_OK)); /* nothing was begun */
}

START_TEST(test_missing)
{
    ivl_emoji_options o = { .out = "/tmp/ivl_emoji_never", .cldr = "/no/such/folder" };
    refused(&o, "/no/such/folder: no annotations/*.xml in it");
    refused(&o, "apt-get install unicode-cldr-core");
    if (!installed()) return;
    o.cldr = NULL, o.font = "/no/such/font.ttf";
    refused(&o, "/no/such/font.ttf");
    refused(&o, "apt-get install fonts-noto-color-emoji");
    o.font = IVL_EMOJI_CLDR "/annotations/en.xml";
    refused(&o, "not a font with colour bitmaps");
    o.font = NULL, o.languages = "en,xx";
    refused(&o, "'xx' is none of the");
    o.languages = "en,de", o.held_out = "de";
    refused(&o, "'de' is both trained and held out");
    o.languages = "", o.held_out = "de";
    refused(&o, "none of the languages");
}
END_TEST

static ivl_status count_row(void *ctx, const char *sequence, const char *text, bool is_name)
{
    (void)sequence, (void)text;
    *(int *)ctx += is_name ? 1 : 100;
    return IVL_OK;
}

static ivl_status read_xml(const char *content, size_t n, int *rows)
{
    char dir[] = "/tmp/ivl_cldr_XXXXXX", path[80];
    ck_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/annotations", dir);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/annotations/en.xml", dir);
    FILE *f = fopen(path, "w");
    fwrite(content, 1, n, f);
    fclose(f);
    *rows = 0;
    ivl_status s = ivl_cldr_read(dir, "en", count_row, rows);
    remove_tree(dir);
    return s;
}

START_TEST(test_hostile_xml)
{
    int rows;
    char *big = calloc(1, 20000);
    const char *good =
        "<ldml><annotations><annotation cp=\"x\" type=\"tts\">a &amp; b</annotation>"
        "<annotation cp=\"x\">p | q</annotation><annotation cp=\"y\" type=\"tts\">\xe2\x86\x91\xe2\x86\x91"
        "\xe2\x86\x91</annotation><annotation>no sequence</annotation></annotations></ldml>";
    ck_assert_int_eq(read_xml(good, strlen(good), &rows), IVL_OK);
    ck_assert_int_eq(rows, 101);
    static const char *const bad[][2] = {
        { "<ldml><annotations>", "not valid XML" },
        { "", "not valid XML" },
        { "<ldml><annotation cp=\"x\">\xff</annotation></ldml>", "en.xml:1: not valid XML" },
        { "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>", "it defines an entity (a)" },
        { "<!DOCTYPE l [<!ENTITY % a SYSTEM \"/etc/passwd\">%a;]><l/>", "it defines an entity" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(read_xml(bad[i][0], strlen(bad[i][0]), &rows), IVL_EFORMAT);
        ck_assert_msg(strstr(ivl_last_error(), bad[i][1]) != NULL, "'%s' lacks '%s'", ivl_last_error(),
                      bad[i][1]);
    }
    int n = sprintf(big, "<l><annotation cp=\"x\">%*d</annotation></l>", 10000, 1);
    ck_assert_int_eq(read_xml(big, (size_t)n, &rows), IVL_EFORMAT);
    ck_assert(strstr(ivl_last_error(), "more than 4096 bytes") != NULL);
    free(big);
}
END_TEST

int main(void)
{
    char dir[] = "/tmp/ivl_emoji_XXXXXX";
    if (installed()) {
        if (!mkdtemp(dir)) return EXIT_FAILURE;
        memcpy(folder, dir, sizeof dir);
        if (make_data(folder, "en,de,ru", 1) != IVL_OK) {
            fprintf(stderr, "%s\n", ivl_last_error());
            return EXIT_FAILURE;
        }
    }
    TCase *t = tcase_create("emoji");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_same_concept);
    tcase_add_test(t, test_other_concept);
    tcase_add_test(t, test_sequences);
    tcase_add_test(t, test_concepts_disjoint);
    tcase_add_test(t, test_captions_disjoint);
    tcase_add_test(t, test_languages_disjoint);
    tcase_add_test(t, test_deterministic);
    tcase_add_test(t, test_missing);
    tcase_add_test(t, test_hostile_xml);
    int status = run_suite("emoji", t);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (*folder && system(command)) status = EXIT_FAILURE;
    return status;
}
