/* Clip art: titles from metadata, what is left out, splits, equal bytes; on a small folder made here. */
#include <sys/stat.h>
#include <unistd.h>

#include "data/clipart/clipart.h"
#include "data/image.h"
#include "data/record.h"
#include "runtime/file.h"
#include "tests/suite.h"

enum { TITLED = 60 };

static const char *const head =
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:rdf='r' xmlns:cc='c' xmlns:dc='d' width='40' "
    "height='20'><metadata><rdf:RDF><cc:Work>";
static const char *const tail =
    "</cc:Work></rdf:RDF></metadata><rect width='40' height='20' fill='red'/></svg>";

static void put(const char *dir, const char *folder, const char *name, const void *data, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, folder);
    ck_assert_int_eq(ivl_make_dirs(path), IVL_OK);
    snprintf(path, sizeof path, "%s/%s/%s", dir, folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(data, 1, n, f) == n && !fclose(f));
}

static void put_art(const char *root, const char *folder, int i, const char *title)
{
    char svg[1024], name[64], png_dir[128], svg_dir[128], *png = NULL;
    size_t n = 0;
    snprintf(png_dir, sizeof png_dir, "%s/png", root), snprintf(svg_dir, sizeof svg_dir, "%s/svg", root);
    snprintf(svg, sizeof svg,
             "%s<dc:title>%s</dc:title><dc:subject><rdf:Bag><rdf:li>thing</rdf:li><rdf:li> "
             "</rdf:li><rdf:li>red</rdf:li>"
             "</rdf:Bag></dc:subject><dc:creator><cc:Agent><dc:title>somebody</dc:title></cc:Agent></"
             "dc:creator>%s",
             head, title, tail);
    snprintf(name, sizeof name, "art_%02d.svg", i);
    put(svg_dir, folder, name, svg, strlen(svg));
    ck_assert_int_eq(ivl_read_file(source("tests/golden/images/rgba8.png"), 0, &png, &n), IVL_OK);
    snprintf(name, sizeof name, "art_%02d.png", i);
    put(png_dir, folder, name, png, n);
    free(png);
}

static void make_root(char root[])
{
    ck_assert(mkdtemp(root));
    for (int i = 0; i < TITLED; i++) {
        char title[32];
        snprintf(title, sizeof title, "a %c%c thing", 'a' + i / 6, 'a' + i % 6);
        put_art(root, i % 2 ? "animals/birds" : "food", i, title);
    }
    for (int i = 60; i < 64; i++) put_art(root, "food", i, "one for all"); /* used too often */
    put_art(root, "food", 64, "Clipart by Nicu Buculei - pear");
    put_art(root, "food", 65, "12");
    put_art(root, "unsorted/duplicates", 66, "a twin");
    char png[80];
    snprintf(png, sizeof png, "%s/png", root);
    put_art(root, "food", 67, "a damaged one");
    put(png, "food", "art_67.png", "\x89PNG\r\n\x1a\nrest", 12);
}

static ivl_status build(const char *root, const char *out, bool svg_alone, ivl_clipart_report *r)
{
    char png[80], svg[80];
    snprintf(png, sizeof png, "%s/%s", root, svg_alone ? "none" : "png"),
        snprintf(svg, sizeof svg, "%s/svg", root);
    ivl_clipart_options o = { .out = out, .png = png, .svg = svg, .size = 32, .seed = 1 };
    return ivl_clipart_build(&o, r);
}

static ivl_dataset *open_part(const char *dir, const char *name)
{
    char path[120];
    ivl_dataset *ds = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(ivl_dataset_open(path, &ds) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_dataset_bad(ds), 0);
    return ds;
}

START_TEST(test_titles)
{
    static const struct {
        const char *inside, *title;
    } svg[] = {
        { "<dc:title>  A_red\n  kangaroo </dc:title>", "A red kangaroo" },
        { "<dc:creator><cc:Agent><dc:title>me</dc:title></cc:Agent></dc:creator><dc:title>Pok\xc3\xa9</"
          "dc:title>",
          "Pok\xc3\xa9" },
        { "<dc:title></dc:title>", "" },
        { "<dc:title>cut off", "" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof svg / sizeof *svg; i++) {
        char text[1024], title[96], keywords[192];
        int n = snprintf(text, sizeof text, "%s%s%s", head, svg[i].inside, tail);
        ck_assert_int_eq(ivl_clipart_describe(text, (size_t)n, title, keywords), *svg[i].title != 0);
        ck_assert_str_eq(title, svg[i].title);
    }
    char big[4096], title[96], keywords[192];
    int n = snprintf(big, sizeof big, "%s<dc:title>", head);
    for (int i = 0; i < 60; i++)
        n += snprintf(big + n, sizeof big - (size_t)n, "\xe2\x82\xac"); /* cut within one */
    n += snprintf(big + n, sizeof big - (size_t)n, "</dc:title>%s", tail);
    ck_assert(ivl_clipart_describe(big, (size_t)n, title, keywords));
    ck_assert_uint_eq(strlen(title) % 3, 0);
    ck_assert(strlen(title) > 80);
}
END_TEST

START_TEST(test_build)
{
    char root[] = "/tmp/ivl_clipart_XXXXXX", a[80], b[80], *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    ivl_clipart_report r;
    make_root(root);
    snprintf(a, sizeof a, "%s/a", root), snprintf(b, sizeof b, "%s/b", root);
    ck_assert_msg(build(root, a, false, &r) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(r.usable, TITLED + 1);
    ck_assert_int_eq(r.unreadable, 1);
    ck_assert_int_eq(r.labels, 2);
    ck_assert_int_eq(r.records[0] + r.records[1], TITLED);
    ck_assert(r.records[1] > 0 && r.records[1] < TITLED / 3);
    ivl_dataset *train = open_part(a, "train-*.tar"), *val = open_part(a, "val.tar");
    for (int64_t i = 0; i < ivl_dataset_count(val); i++) {
        ivl_sample rec, other;
        ck_assert_int_eq(ivl_dataset_read(val, i, &rec), IVL_OK);
        ck_assert(!strncmp(rec.key, "animals/", 8) || !strncmp(rec.key, "food/", 5));
        ck_assert_str_eq(rec.caption[1].text, "thing, red");
        for (int64_t j = 0; j < ivl_dataset_count(train); j++) {
            ck_assert_int_eq(ivl_dataset_read_text(train, j, &other), IVL_OK);
            ck_assert_str_ne(other.group, rec.group);
            ivl_sample_free(&other);
        }
        ivl_sample_free(&rec);
    }
    ivl_dataset_close(train), ivl_dataset_close(val);
    ck_assert_int_eq(build(root, b, false, &r), IVL_OK);
    snprintf(a, sizeof a, "%s/a/train-000.tar", root), snprintf(b, sizeof b, "%s/b/train-000.tar", root);
    ck_assert(ivl_read_file(a, 0, &x, &n) == IVL_OK && ivl_read_file(b, 0, &y, &m) == IVL_OK);
    ck_assert(n == m && !memcmp(x, y, n));
    free(x), free(y);
    remove_tree(root);
}
END_TEST

/* Without openclipart-png the drawings themselves are rendered, or the message says what to install. */
START_TEST(test_rendered)
{
    char root[] = "/tmp/ivl_clipart_XXXXXX", out[80];
    ivl_clipart_report r;
    make_root(root);
    snprintf(out, sizeof out, "%s/out", root);
    ivl_status s = build(root, out, true, &r);
    if (!ivl_svg_can_render()) {
        ck_assert_int_eq(s, IVL_EIO);
        ck_assert(strstr(ivl_last_error(), "apt-get install openclipart-png") &&
                  strstr(ivl_last_error(), "librsvg2-dev"));
    } else {
        ck_assert_msg(s == IVL_OK, "%s", ivl_last_error());
        ivl_dataset *ds = open_part(out, "train-*.tar");
        ivl_sample rec;
        ivl_image im = { 0 };
        ck_assert_int_eq(ivl_dataset_read(ds, 0, &rec), IVL_OK);
        ck_assert_int_eq(ivl_image_decode(rec.image, rec.image_bytes, rec.key, 0, &im), IVL_OK);
        ck_assert(im.width == 32 && im.height == 16);
        ck_assert(im.rgb[0] > 240 && im.rgb[1] < 20 && im.rgb[2] < 20);
        ivl_image_free(&im);
        ivl_sample_free(&rec);
        ivl_dataset_close(ds);
    }
    remove_tree(root);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("clipart");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_titles);
    tcase_add_test(t, test_build);
    tcase_add_test(t, test_rendered);
    return run_suite("clipart", t);
}
