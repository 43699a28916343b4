/* Scenes: equal bytes for equal options; nothing held out in training; masks, boxes, conversations and
 * questions that agree with each other. Cases that need Debian's font and CLDR are skipped, with a word,
 * where these are not installed. */
#include <glob.h>
#include <unistd.h>

#include <jansson.h>

#include "data/conversations.h"
#include "data/dataset.h"
#include "data/emoji/emoji.h"
#include "data/image.h"
#include "data/scenes/kit.h"
#include "runtime/file.h"
#include "runtime/sha256.h"
#include "tests/suite.h"
#include "train/pope.h"

enum { SIZE = 64, PICTURES = 150, VAL = 40 };
static char folder[64] = "";

static bool installed(void)
{
    if (!access(IVL_EMOJI_FONT, R_OK) && !access(IVL_EMOJI_CLDR "/annotations/en.xml", R_OK)) return true;
    fprintf(stderr, "skipped: needs fonts-noto-color-emoji and unicode-cldr-core\n");
    return false;
}

static ivl_status make_data(const char *dir, uint64_t seed)
{
    char backs[1600];
    ivl_scenes_report r;
    snprintf(backs, sizeof backs, "%s:%s:%s", source("tests/golden/images/large.jpg"),
             source("tests/golden/images/rgb8.png"), source("tests/golden/images/lossy.webp"));
    ivl_scenes_options o = { .out = dir,
                             .pictures = PICTURES,
                             .val = VAL,
                             .videos = 3,
                             .frames = 4,
                             .size = SIZE,
                             .objects = 120,
                             .backgrounds = backs,
                             .seed = seed };
    return ivl_scenes_build(&o, &r);
}

static ivl_dataset *open_part(const char *name)
{
    char path[160];
    ivl_dataset *ds = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg(ivl_dataset_open(path, &ds) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_dataset_bad(ds), 0);
    return ds;
}

static json_t *json_file(const char *name)
{
    char path[160];
    json_error_t e;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *root = json_load_file(path, 0, &e);
    ck_assert_msg(root != NULL, "%s:%d: %s", name, e.line, e.text);
    return root;
}

/* What KEY.json says. */
static json_t *json_of(const ivl_dataset *ds, int64_t i)
{
    char *text = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_dataset_part(ds, &ds->item[i], IVL_PART_JSON, &text, &n), IVL_OK);
    json_t *root = json_loadb(text, n, 0, NULL);
    ck_assert(root != NULL);
    free(text);
    return root;
}

static const char *str(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}
static int num(const json_t *o, const char *key) { return (int)json_integer_value(json_object_get(o, key)); }

/* The row of splits.json about a class. */
static const json_t *class_of(const json_t *splits, int id)
{
    const json_t *c = json_array_get(json_object_get(splits, "concepts"), (size_t)id - 1);
    ck_assert_int_eq(num(c, "class"), id);
    return c;
}

static bool listed(const json_t *list, const char *text, int number)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) if (text ? !strcmp(json_string_value(v), text)
                                            : json_integer_value(v) == number) return true;
    return false;
}

/* --- splits --------------------------------------------------------------------------------------------- */

/* Held-out things of a scene; whether it holds a known thing at a held-out place or in a held-out number. */
static int held_out_things(const json_t *splits, const json_t *facts, bool *combo_p)
{
    const json_t *objects = json_object_get(facts, "objects"), *o;
    int held = 0;
    size_t i, j;
    *combo_p = false;
    json_array_foreach(objects, i, o)
    {
        const json_t *c = class_of(splits, num(o, "class")), *p;
        int count = 0;
        json_array_foreach(objects, j, p) count += num(p, "class") == num(o, "class");
        if (json_is_true(json_object_get(c, "held_out")))
            held++;
        else if (listed(json_object_get(c, "held_out_places"), str(o, "place"), 0) ||
                 listed(json_object_get(c, "held_out_counts"), NULL, count))
            *combo_p = true;
    }
    ck_assert(i >= 1 && i <= SCENE_OBJECTS);
    return held;
}

START_TEST(test_splits)
{
    static const char *const part[] = { "train-*.tar", "val_scenes.tar", "val_objects.tar", "val_combos.tar",
                                        "val_backgrounds.tar" };
    if (!installed()) return;
    json_t *splits = json_file("splits.json");
    const json_t *unseen = json_object_get(splits, "held_out_backgrounds");
    ck_assert_int_eq(json_array_size(unseen), 1);
    int on_unseen = 0;
    for (int p = 0; p < 5; p++) {
        ivl_dataset *ds = open_part(part[p]);
        ck_assert_int_eq(ivl_dataset_count(ds), p ? VAL : PICTURES);
        for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
            json_t *facts = json_of(ds, i);
            bool combo, back = listed(unseen, str(facts, "background"), 0);
            int held = held_out_things(splits, facts, &combo);
            ck_assert_msg((held > 0) == (p == 2), "%s: %d things held out", ds->item[i].key, held);
            ck_assert_msg(combo == (p == 3), "%s: combination", ds->item[i].key);
            ck_assert(p == 4 || !back);
            on_unseen += back;
            json_decref(facts);
        }
        ivl_dataset_close(ds);
    }
    ck_assert(on_unseen > VAL / 2);
    json_decref(splits);
}
END_TEST

START_TEST(test_deterministic)
{
    if (!installed()) return;
    char dir[] = "/tmp/ivl_scenes_XXXXXX", pattern[80];
    ck_assert(mkdtemp(dir));
    ck_assert_int_eq(make_data(dir, 3), IVL_OK);
    ck_assert_int_eq(make_data(dir, 1), IVL_OK); /* over an earlier one */
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    glob_t g;
    ck_assert_int_eq(glob(pattern, 0, NULL, &g), 0);
    ck_assert_int_eq(g.gl_pathc, 33);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        char other[160], *a = NULL, *b = NULL;
        size_t n = 0, m = 0;
        snprintf(other, sizeof other, "%s/%s", dir, strrchr(g.gl_pathv[i], '/') + 1);
        ck_assert_int_eq(ivl_read_file(g.gl_pathv[i], 0, &a, &n), IVL_OK);
        ck_assert_int_eq(ivl_read_file(other, 0, &b, &m), IVL_OK);
        ck_assert_msg(n == m && !memcmp(a, b, n), "%s differs", other);
        free(a), free(b);
    }
    globfree(&g);
    remove_tree(dir);
}
END_TEST

/* --- masks and boxes ------------------------------------------------------------------------------------ */

typedef struct bounds {
    int x0, y0, x1, y1;
} bounds;

static void widen(bounds *b, int x0, int y0, int x1, int y1)
{
    if (b->x1 == 0) *b = (bounds){ x0, y0, x1, y1 };
    if (x0 < b->x0) b->x0 = x0;
    if (y0 < b->y0) b->y0 = y0;
    if (x1 > b->x1) b->x1 = x1;
    if (y1 > b->y1) b->y1 = y1;
}

START_TEST(test_masks)
{
    if (!installed()) return;
    ivl_dataset *ds = open_part("train-*.tar");
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        bounds told[256] = { { 0, 0, 0, 0 } }, seen[256] = { { 0, 0, 0, 0 } };
        uint8_t *png = NULL;
        size_t n = 0, k;
        ivl_image mask = { 0 };
        ck_assert_int_eq(ivl_dataset_read_mask(ds, i, &png, &n), IVL_OK);
        ck_assert_int_eq(ivl_image_decode(png, n, "mask", 0, &mask), IVL_OK);
        ck_assert(mask.width == SIZE && mask.height == SIZE);
        for (int p = 0; p < SIZE * SIZE; p++)
            if (mask.rgb[3 * p])
                widen(&seen[mask.rgb[3 * p]], p % SIZE, p / SIZE, p % SIZE + 1, p / SIZE + 1);
        json_t *facts = json_of(ds, i), *o;
        json_array_foreach(json_object_get(facts, "objects"), k, o)
        {
            int box[4], wide, high;
            ck_assert_int_eq(json_unpack(o, "{s[iiii!]}", "box", &box[0], &box[1], &box[2], &box[3]), 0);
            widen(&told[num(o, "class")], box[0], box[1], box[2], box[3]);
            wide = box[2] - box[0], high = box[3] - box[1];
            ck_assert((wide > high ? wide : high) >= SIZE / 5); /* large enough to be recognised */
            ck_assert_int_ge(num(o, "visible_percent"), 80);
        }
        ck_assert_msg(!memcmp(told, seen, sizeof told), "%s: the boxes are not the mask's", ds->item[i].key);
        json_decref(facts);
        ivl_image_free(&mask);
        free(png);
    }
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(test_records)
{
    if (!installed()) return;
    ivl_dataset *ds = open_part("train-*.tar");
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        ivl_sample rec;
        ivl_image im = { 0 };
        ck_assert_int_eq(ivl_dataset_read(ds, i, &rec), IVL_OK);
        ck_assert(rec.n_captions >= TELL_CAPTIONS && rec.group);
        ck_assert_int_eq(ivl_image_decode(rec.image, rec.image_bytes, rec.key, 0, &im), IVL_OK);
        ck_assert(im.width == SIZE && im.height == SIZE);
        ivl_image_free(&im);
        ivl_sample_free(&rec);
    }
    ivl_dataset_close(ds);
    ds = open_part("videos_train.tar");
    ck_assert_int_eq(ivl_dataset_count(ds), 3);
    json_t *video = json_of(ds, 0);
    ck_assert_int_eq(num(video, "frames"), 4);
    json_decref(video);
    ivl_dataset_close(ds);
}
END_TEST

/* --- texts ---------------------------------------------------------------------------------------------- */

START_TEST(test_conversations)
{
    if (!installed()) return;
    json_t *all = json_file("conversations_train.json"), *one, *turn;
    size_t i, j;
    int yes = 0, no = 0;
    ck_assert_int_eq(json_array_size(all), PICTURES);
    json_array_foreach(all, i, one)
    {
        char key[32], image[40];
        snprintf(key, sizeof key, "train-%06d", (int)i), snprintf(image, sizeof image, "%s.jpg", key);
        ck_assert_str_eq(str(one, "id"), key);
        ck_assert_str_eq(str(one, "image"), image);
        const json_t *turns = json_object_get(one, "conversations");
        ck_assert(json_array_size(turns) >= 2 && json_array_size(turns) % 2 == 0);
        json_array_foreach(turns, j, turn)
        {
            const char *text = str(turn, "value");
            ck_assert_str_eq(str(turn, "from"), j % 2 ? "gpt" : "human");
            ck_assert_int_eq(!strncmp(text, "<image>\n", 8), j == 0);
            ck_assert(strchr(j % 2 ? "." : "?.", text[strlen(text) - 1]));
            yes += j % 2 && !strncmp(text, "Yes", 3), no += j % 2 && !strncmp(text, "No", 2);
        }
    }
    ck_assert_msg(yes > 2 * no / 3 && no > 2 * yes / 3, "%d yes, %d no", yes, no);
    json_decref(all);
}
END_TEST

static int spaces_in(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == ' ';
    return n;
}

/* Brief answers: a word or a place; as often yes as no, also after a yes: earlier answers tell nothing. */
START_TEST(test_brief_answers)
{
    if (!installed()) return;
    static const char how[] = "\nAnswer the question using a single word or phrase.";
    json_t *all = json_file("words_train.json"), *one;
    size_t i, yes = 0, no = 0, yes_yes = 0, yes_no = 0;
    ck_assert_int_eq(json_array_size(all), PICTURES);
    json_array_foreach(all, i, one)
    {
        const json_t *turns = json_object_get(one, "conversations");
        size_t n = json_array_size(turns);
        ck_assert(n >= 2 && n % 2 == 0);
        const char *first = str(json_array_get(turns, 0), "value");
        ck_assert_str_eq(first + strlen(first) - strlen(how), how);
        bool after_yes = false;
        for (size_t j = 1; j < n; j += 2) {
            const char *answer = str(json_array_get(turns, j), "value");
            ck_assert(answer[0] >= 'A' && answer[0] <= 'Z');
            ck_assert_int_le(spaces_in(answer), 4); /* "In the top left corner" */
            bool is_yes = !strcmp(answer, "Yes"), is_no = !strcmp(answer, "No");
            yes += is_yes, no += is_no;
            yes_yes += after_yes && is_yes, yes_no += after_yes && is_no;
            after_yes = after_yes || is_yes;
        }
    }
    ck_assert_msg(yes > 2 * no / 3 && no > 2 * yes / 3, "%zu yes, %zu no", yes, no);
    ck_assert_msg(yes_yes > 2 * yes_no / 3 && yes_no > 2 * yes_yes / 3, "after yes: %zu yes, %zu no", yes_yes, yes_no);
    json_decref(all);
}
END_TEST

/* The reader of conversations finds the pictures in the shards beside the list. */
START_TEST(test_conversations_with_pictures)
{
    if (!installed()) return;
    char path[160], shards[160];
    snprintf(path, sizeof path, "%s/conversations_val_objects.json", folder);
    snprintf(shards, sizeof shards, "%s/val_{combos,objects}.tar", folder);
    for (int i = 0; i < 2; i++) {
        ivl_conversations *c = NULL;
        ivl_conversation one;
        ck_assert_msg(ivl_conversations_open(path, i ? shards : NULL, &c) == IVL_OK, "%s", ivl_last_error());
        ck_assert_int_eq(ivl_conversations_count(c), VAL);
        ck_assert_int_eq(ivl_conversations_read(c, VAL - 1, &one), IVL_OK);
        ck_assert(one.n_images == 1 && ivl_image_known(one.image[0].bytes, one.image[0].n));
        ivl_conversation_free(&one);
        ivl_conversations_close(c);
    }
}
END_TEST

static bool scene_has(const ivl_dataset *ds, const char *image, const char *name)
{
    size_t k;
    for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
        size_t n = strlen(ds->item[i].key);
        if (strncmp(ds->item[i].key, image, n) || strcmp(image + n, ".jpg")) continue;
        json_t *facts = json_of(ds, i), *o;
        bool has = false;
        json_array_foreach(json_object_get(facts, "objects"), k, o) has |= !strcmp(str(o, "name"), name);
        json_decref(facts);
        return has;
    }
    ck_abort_msg("%s is not in the shard", image);
}

/* The noun of "Is there an owl in the image?" */
static void noun_asked_for(const char *question, char noun[64])
{
    const char *from = strstr(question, "Is there a");
    ck_assert(from != NULL);
    from += strlen("Is there a");
    from += 1 + (*from == 'n');
    snprintf(noun, 64, "%.*s", (int)(strstr(from, " in the ") - from), from);
}

/* "I see a ring, so no.": what is seen comes first, and yes follows where the thing is there. */
START_TEST(test_reasons)
{
    if (!installed()) return;
    json_t *all = json_file("reasons_val_scenes.json"), *one;
    ivl_dataset *ds = open_part("val_scenes.tar");
    size_t i, yes = 0, no = 0;
    json_array_foreach(all, i, one)
    {
        const json_t *turns = json_object_get(one, "conversations");
        ck_assert_int_le(json_array_size(turns), 2 * TELL_REASONS);
        for (size_t j = 0; j < json_array_size(turns); j += 2) {
            const char *answer = str(json_array_get(turns, j + 1), "value"), *end;
            ck_assert_msg(!strncmp(answer, "I see ", 6), "%s", answer);
            char noun[64];
            if (strncmp(str(json_array_get(turns, j), "value") + (j ? 0 : 8), "Is there", 8)) continue;
            noun_asked_for(str(json_array_get(turns, j), "value"), noun);
            bool has = scene_has(ds, str(one, "image"), noun);
            end = strstr(answer, ", so ");
            ck_assert_str_eq(end, has ? ", so yes." : ", so no.");
            ck_assert(ivl_pope_says_yes(answer) == has);
            yes += has, no += !has;
        }
    }
    ck_assert(yes > VAL / 3 && no > VAL / 3);
    ivl_dataset_close(ds);
    json_decref(all);
}
END_TEST

START_TEST(test_pope)
{
    static const char *const list[] = { "pope_random.json", "pope_popular.json", "pope_adversarial.json" };
    if (!installed()) return;
    ivl_dataset *ds = open_part("val_scenes.tar");
    for (int l = 0; l < 3; l++) {
        char path[160], line[512], name[64];
        int yes = 0, no = 0;
        snprintf(path, sizeof path, "%s/%s", folder, list[l]);
        FILE *f = fopen(path, "r");
        ck_assert(f != NULL);
        while (fgets(line, sizeof line, f)) {
            json_t *q = json_loads(line, 0, NULL);
            ck_assert(q != NULL);
            ck_assert_int_eq(num(q, "question_id"), yes + no + 1);
            bool label = !strcmp(str(q, "label"), "yes");
            noun_asked_for(str(q, "text"), name);
            ck_assert_msg(scene_has(ds, str(q, "image"), name) == label, "%s: %s", list[l], line);
            yes += label, no += !label;
            json_decref(q);
        }
        fclose(f);
        ck_assert(yes == no && yes >= VAL);
    }
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(test_words)
{
    ck_assert_str_eq(tell_article("owl"), "an");
    ck_assert_str_eq(tell_article("unicorn"), "a");
    ck_assert_str_eq(tell_article("umbrella"), "an");
    ck_assert_str_eq(tell_article("red heart"), "a");
    ck_assert_int_eq(tint_in_name("red heart"), TINT_RED);
    ck_assert_int_eq(tint_in_name("large orange diamond"), TINT_ORANGE);
    ck_assert_int_eq(tint_in_name("greenhouse"), TINT_NONE);
    if (!installed()) return;
    static const char *const plural[][2] = { { "mouse", "mice" },
                                             { "knife", "knives" },
                                             { "strawberry", "strawberries" },
                                             { "fox", "foxes" },
                                             { "bus", "buses" },
                                             { "tomato", "tomatoes" },
                                             { "sheep", "sheep" },
                                             { "monkey", "monkeys" },
                                             { "planet", "planets" },
                                             { "slice of pizza", "slices of pizza" },
                                             { "heart", "hearts" } };
    kit k = { 0 };
    ivl_scenes_options o = { .out = "", .backgrounds = "", .size = SIZE, .seed = 1 };
    ck_assert_msg(kit_open(&o, &k) == IVL_OK, "%s", ivl_last_error());
    for (size_t i = 0; i < sizeof plural / sizeof *plural; i++) {
        int found = 0;
        for (int c = 0; c < k.n_concepts; c++)
            if (!strcmp(k.concept[c].one, plural[i][0])) {
                ck_assert_str_eq(k.concept[c].many, plural[i][1]);
                found++;
            }
        ck_assert_msg(found == 1, "%s is there %d times", plural[i][0], found);
    }
    kit_close(&k);
}
END_TEST

START_TEST(test_tints)
{
    static const struct {
        uint8_t px[4];
        tint t;
    } is[] = {
        { { 220, 30, 30, 255 }, TINT_RED },     { { 250, 140, 20, 255 }, TINT_ORANGE },
        { { 250, 220, 40, 255 }, TINT_YELLOW }, { { 60, 160, 60, 255 }, TINT_GREEN },
        { { 40, 90, 220, 255 }, TINT_BLUE },    { { 140, 60, 200, 255 }, TINT_PURPLE },
        { { 250, 120, 190, 255 }, TINT_PINK },  { { 120, 70, 40, 255 }, TINT_BROWN },
        { { 20, 20, 20, 255 }, TINT_BLACK },    { { 250, 250, 250, 255 }, TINT_WHITE },
        { { 140, 140, 140, 255 }, TINT_GRAY },  { { 250, 0, 0, 0 }, TINT_NONE },
    };
    for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
        int hue;
        ck_assert_int_eq(tint_of_pixels(is[i].px, 1, &hue), is[i].t);
        for (int to = 0; to < TINT_VIVID && is[i].t >= 0 && is[i].t < TINT_VIVID; to++) {
            uint8_t px[4] = { is[i].px[0], is[i].px[1], is[i].px[2], 255 };
            int then;
            tint_turn(px, hue, (tint)to);
            ck_assert_int_eq(tint_of_pixels(px, 1, &then), to);
        }
    }
}
END_TEST

START_TEST(test_refused)
{
    if (!installed()) return;
    static const struct {
        ivl_scenes_options o;
        const char *words;
    } bad[] = {
        { { .size = 20, .pictures = 1, .val = 1, .frames = 8 }, "20 pixels" },
        { { .size = 64, .pictures = 0, .val = 1, .frames = 8 }, "0 pictures" },
        { { .size = 64, .pictures = 1, .val = 1, .frames = 1 }, "1 frames" },
        { { .size = 64, .pictures = 1, .val = 1, .frames = 8, .objects = 2 }, "raise --objects" },
        { { .size = 64, .pictures = 1, .val = 1, .frames = 8, .backgrounds = "/no/such" },
          "/no/such: no such folder" },
        { { .size = 64, .pictures = 1, .val = 1, .frames = 8, .font = "/no/font.ttf" }, "/no/font.ttf" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ivl_scenes_options o = bad[i].o;
        ivl_scenes_report r;
        o.out = "/tmp/ivl_scenes_never", o.seed = 1;
        ck_assert(ivl_scenes_build(&o, &r) != IVL_OK);
        ck_assert_msg(strstr(ivl_last_error(), bad[i].words) != NULL, "'%s' lacks '%s'", ivl_last_error(),
                      bad[i].words);
        ck_assert(access(o.out, F_OK)); /* nothing was begun */
    }
}
END_TEST

int main(void)
{
    char dir[] = "/tmp/ivl_scenes_XXXXXX";
    if (installed()) {
        if (!mkdtemp(dir)) return EXIT_FAILURE;
        memcpy(folder, dir, sizeof dir);
        if (make_data(folder, 1) != IVL_OK) {
            fprintf(stderr, "%s\n", ivl_last_error());
            return EXIT_FAILURE;
        }
    }
    TCase *t = tcase_create("scenes");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_splits);
    tcase_add_test(t, test_deterministic);
    tcase_add_test(t, test_masks);
    tcase_add_test(t, test_records);
    tcase_add_test(t, test_conversations);
    tcase_add_test(t, test_brief_answers);
    tcase_add_test(t, test_conversations_with_pictures);
    tcase_add_test(t, test_reasons);
    tcase_add_test(t, test_pope);
    tcase_add_test(t, test_words);
    tcase_add_test(t, test_tints);
    tcase_add_test(t, test_refused);
    int status = run_suite("scenes", t);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (*folder && system(command)) status = EXIT_FAILURE;
    return status;
}
