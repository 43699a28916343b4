/* Data sets: shards, folders and lists read as they should be, and hostile ones refused with file and key. */
#include "data/record.h"
#include "data/tar.h"
#include "runtime/file.h"
#include "tests/data/tars.h"
#include "tests/suite.h"

#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <unistd.h>

static char dir[64];
static char *png, *jpg;
static size_t png_n, jpg_n;

static const char *at(const char *name)
{
    static char text[4][256];
    static int turn;
    char *t = text[turn++ & 3];
    snprintf(t, sizeof text[0], "%s/%s", dir, name);
    return t;
}

static FILE *make(const char *name)
{
    FILE *f = fopen(at(name), "wb");
    ck_assert_ptr_nonnull(f);
    return f;
}

static void put(const char *name, const void *data, size_t n)
{
    FILE *f = make(name);
    fwrite(data, 1, n, f);
    fclose(f);
}

static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void set_up(void)
{
    strcpy(dir, "/tmp/ivl-record-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(ivl_read_file(source("tests/golden/images/rgb8.png"), 0, &png, &png_n), IVL_OK);
    ck_assert_int_eq(ivl_read_file(source("tests/golden/images/rgb420.jpg"), 0, &jpg, &jpg_n), IVL_OK);
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *w)
{
    (void)st, (void)flag, (void)w;
    return remove(path);
}

static void tear_down(void)
{
    nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
    free(png), free(jpg);
}

static ivl_dataset *open_set(const char *spec)
{
    ivl_dataset *ds = NULL;
    ck_assert_msg(ivl_dataset_open(spec, &ds) == IVL_OK, "%s", ivl_last_error());
    return ds;
}

static void refuse_set(const char *spec, const char *word)
{
    ivl_dataset *ds = NULL;
    ck_assert_int_ne(ivl_dataset_open(spec, &ds), IVL_OK);
    ck_assert_msg(strstr(ivl_last_error(), word), "\"%s\" lacks \"%s\"", ivl_last_error(), word);
}

static bool has_note(const ivl_dataset *ds, const char *a, const char *b)
{
    const char *t = NULL;
    for (int i = 0; (t = ivl_dataset_bad_text(ds, i)); i++)
        if (strstr(t, a) && strstr(t, b)) return true;
    return false;
}

static ivl_sample read_one(const ivl_dataset *ds, int64_t i)
{
    ivl_sample r = { 0 };
    ck_assert_msg(ivl_dataset_read(ds, i, &r) == IVL_OK, "%s", ivl_last_error());
    return r;
}

static void expect(const ivl_dataset *ds, int64_t i, const char *key, const char *captions, const char *group)
{
    ivl_sample r = read_one(ds, i);
    char got[512] = "";
    for (int k = 0; k < r.n_captions; k++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s%s%s", k ? "|" : "",
                 r.caption[k].lang ? r.caption[k].lang : "", r.caption[k].lang ? "=" : "", r.caption[k].text);
    ck_assert_str_eq(r.key, key);
    ck_assert_str_eq(ivl_dataset_key(ds, i), key);
    ck_assert_str_eq(got, captions);
    ck_assert_str_eq(r.group ? r.group : "", group ? group : "");
    ck_assert_ptr_nonnull(r.image);
    ck_assert(r.image_bytes == png_n || r.image_bytes == jpg_n);
    ivl_sample_free(&r);
}

static void honest_shard(const char *name)
{
    FILE *f = make(name);
    tar_text(f, "00/", ""), tar_add_type(f, "dir", "", 0, '5');
    tar_add(f, "0001.jpg", jpg, jpg_n);
    tar_text(f, "0001.txt", "a red cat\n");
    tar_text(f, "0001.json",
             "{\"caption\": \"other\", \"key\": \"0001\", \"status\": \"success\", \"image_id\": 3}");
    tar_text(f, "./0002.json",
             "{\"concept\": \"grin\", \"captions\": [{\"lang\": \"en\", \"text\": \"grinning face\"},"
             " {\"lang\": \"de\", \"text\": \"grinsendes Gesicht\"}, \"plain\", 7, {\"lang\": \"x\"}]}");
    tar_add(f, "./0002.PNG", png, png_n);
    tar_text(f, "a.b/c.txt", "one\r\ntwo\n\n");
    tar_add(f, "a.b/c.png", png, png_n);
    tar_text(f, "._a.b", "what other systems leave");
    tar_text(f, "lonely.txt", "no picture");
    tar_text(f, "modern.tiff", "II*");
    tar_add(f, "bare.png", png, png_n);
    tar_end(f);
}

START_TEST(shard)
{
    honest_shard("s.tar");
    ivl_dataset *ds = open_set(at("s.tar"));
    ck_assert_int_eq(ivl_dataset_count(ds), 4);
    expect(ds, 0, "0001", "other", NULL);
    expect(ds, 1, "0002", "en=grinning face|de=grinsendes Gesicht|plain", "grin");
    expect(ds, 2, "a.b/c", "one|two", NULL);
    expect(ds, 3, "bare", "", NULL);
    ck_assert_int_eq(ivl_dataset_bad(ds), 2);
    ck_assert(has_note(ds, "s.tar: lonely", "no picture") && has_note(ds, "s.tar: modern", ".tiff"));
    ivl_sample r = { 0 };
    ck_assert_int_eq(ivl_dataset_read_text(ds, 0, &r), IVL_OK);
    ck_assert(!r.image && r.n_captions == 1);
    ivl_sample_free(&r);
    ck_assert_int_eq(ivl_dataset_read(ds, 4, &r), IVL_EINVAL);
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(long_names)
{
    FILE *f = make("l.tar");
    char name[300], pax[400];
    memset(name, 'n', 200), strcpy(name + 200, ".png");
    tar_add_type(f, "././@LongLink", name, strlen(name) + 1, 'L');
    tar_add(f, "short.png", png, png_n);
    name[0] = 'p';
    int n = snprintf(pax, sizeof pax, "214 path=%s\n", name);
    ck_assert_int_eq(n, 214);
    tar_add_type(f, "pax", "30 comment=nothing of interest\n", 0, 'g');
    tar_add_type(f, "pax", pax, (size_t)n, 'x');
    tar_add(f, "short.png", png, png_n);
    unsigned char h[512]; /* a ustar prefix, and a size in base 256 */
    tar_header(h, "tail.png", png_n, '0');
    strcpy((char *)h + 345, "some/dir");
    memset(h + 124, 0, 12);
    h[124] = 0x80, h[134] = (unsigned char)(png_n >> 8), h[135] = (unsigned char)png_n;
    tar_sum(h);
    fwrite(h, 1, 512, f), fwrite(png, 1, png_n, f), tar_pad(f, png_n);
    tar_end(f);
    ivl_dataset *ds = open_set(at("l.tar"));
    ck_assert_int_eq(ivl_dataset_count(ds), 3);
    ck_assert_int_eq(ivl_dataset_bad(ds), 0);
    name[200] = 0;
    expect(ds, 1, name, "", NULL);
    name[0] = 'n';
    expect(ds, 0, name, "", NULL);
    expect(ds, 2, "some/dir/tail", "", NULL);
    ivl_dataset_close(ds);
}
END_TEST

START_TEST(hostile_members)
{
    FILE *f = make("h.tar");
    tar_add(f, "../../etc/passwd.png", png, png_n);
    tar_add(f, "/abs.png", png, png_n);
    tar_add(f, "a/../b.png", png, png_n);
    tar_add_type(f, "link.png", "", 0, '2');
    tar_add_type(f, "hard.png", "", 0, '1');
    tar_add_type(f, "fifo.png", "", 0, '6');
    tar_add(f, "bell\a.png", png, png_n);
    tar_add(f, "twice.png", png, png_n), tar_add(f, "twice.jpg", jpg, jpg_n);
    tar_add(f, "caf\xe9.png", png, png_n);
    tar_text(f, "bad.json", "{\"caption\": "), tar_add(f, "bad.png", png, png_n);
    tar_text(f, "list.json", "[1]"), tar_add(f, "list.png", png, png_n);
    tar_text(f, "deep.json", "{\"captions\": [[[[{}]]]], \"concept\": [1]}"),
        tar_add(f, "deep.png", png, png_n);
    tar_end(f);
    ivl_dataset *ds = open_set(at("h.tar"));
    ck_assert_int_eq(ivl_dataset_count(ds), 5);
    ck_assert_int_eq(ivl_dataset_bad(ds), 8);
    ck_assert(has_note(ds, "h.tar: ../../etc/passwd.png", "leaves the folder"));
    ck_assert(has_note(ds, "h.tar: /abs.png", "absolute") && has_note(ds, "a/../b.png", "leaves the folder"));
    ck_assert(has_note(ds, "link.png", "links") && has_note(ds, "hard.png", "links") &&
              has_note(ds, "fifo.png", "regular"));
    ck_assert(has_note(ds, "bell", "control") && has_note(ds, "twice", "second"));
    ck_assert_str_eq(ivl_dataset_key(ds, 1), "caf\xef\xbf\xbd");
    ivl_sample r = { 0 };
    ck_assert_int_eq(ivl_dataset_read(ds, 2, &r), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "h.tar: bad: its .json is damaged"));
    ck_assert_int_eq(ivl_dataset_read(ds, 3, &r), IVL_EFORMAT);
    expect(ds, 4, "deep", "", NULL);
    ivl_dataset_close(ds);
}
END_TEST

/* Cut anywhere, the records before the cut are there. */
START_TEST(truncated)
{
    honest_shard("s.tar");
    char *all = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_read_file(at("s.tar"), 0, &all, &n), IVL_OK);
    for (size_t cut = 0; cut < n; cut += 211) {
        put("cut.tar", all, cut);
        ivl_dataset *ds = NULL;
        if (ivl_dataset_open(at("cut.tar"), &ds) != IVL_OK) {
            ck_assert_ptr_nonnull(strstr(ivl_last_error(), "cut.tar"));
            continue;
        }
        ck_assert_int_le(ivl_dataset_count(ds), 4);
        for (int64_t i = 0; i < ivl_dataset_count(ds); i++) {
            ivl_sample r = read_one(ds, i);
            ivl_sample_free(&r);
        }
        ivl_dataset_close(ds);
    }
    free(all);
}
END_TEST

START_TEST(damaged)
{
    unsigned char h[512];
    FILE *f = make("d.tar");
    tar_add(f, "good.png", png, png_n);
    tar_header(h, "huge.png", 0, '0');
    memcpy(h + 124, "77777777777", 12), tar_sum(h);
    fwrite(h, 1, 512, f);
    tar_end(f);
    ivl_dataset *ds = open_set(at("d.tar"));
    ck_assert_int_eq(ivl_dataset_count(ds), 1);
    ck_assert(has_note(ds, "d.tar: huge.png", "truncated: 8589934591 bytes"));
    ivl_dataset_close(ds);
    f = make("d.tar");
    tar_add(f, "good.png", png, png_n);
    memset(h, 'x', sizeof h), fwrite(h, 1, 512, f);
    tar_add(f, "lost.png", png, png_n);
    tar_end(f);
    ds = open_set(at("d.tar"));
    ck_assert_int_eq(ivl_dataset_count(ds), 1);
    ck_assert(has_note(ds, "d.tar", "damaged header at byte"));
    ivl_dataset_close(ds);
    f = make("d.tar");
    tar_header(h, "neg.png", 0, '0');
    memset(h + 124, 0xff, 12), tar_sum(h);
    fwrite(h, 1, 512, f);
    tar_end(f);
    refuse_set(at("d.tar"), "no sensible number");
    put_text("d.tar", "");
    refuse_set(at("d.tar"), "empty");
    char *junk = calloc(1, 5000);
    memset(junk, 'j', 5000);
    put("d.tar", junk, 5000), free(junk);
    refuse_set(at("d.tar"), "not a tar file");
    put("d.tar", png, png_n);
    refuse_set(at("d.tar"), "not a tar");
}
END_TEST

START_TEST(specs)
{
    honest_shard("x-08.tar"), honest_shard("x-09.tar"), honest_shard("x-10.tar");
    put("one.png", png, png_n);
    struct { const char *spec; int count; } t[] = {
        { "%s/x-{08..10}.tar", 12 },
        { "%s/x-*.tar", 12 },
        { "%s/x-{09,10}.tar", 8 },
        { "%s/x-08.tar::%s/one.png", 5 },
        { "%s", 12 },
        { "%s/x-0[89].tar", 8 },
        { "%s/x-{08..09}.tar::%s/x-10.tar", 12 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char spec[512];
        snprintf(spec, sizeof spec, t[i].spec, dir, dir);
        ivl_dataset *ds = open_set(spec);
        ck_assert_int_eq(ivl_dataset_count(ds), t[i].count);
        ivl_dataset_close(ds);
    }
    refuse_set(at("x-{08..11}.tar"), "x-11.tar");
    refuse_set(at("y-*.tar"), "y-*.tar");
    refuse_set(at("x-{10..08}.tar"), "empty");
    refuse_set("https://example.org/{000..999}.tar", "download");
    refuse_set("", "part is empty");
    refuse_set("/dev/null", "regular file");
    refuse_set(source("configure.ac"), "not a data set");
}
END_TEST

START_TEST(compressed)
{
    honest_shard("s.tar");
    char *all = NULL;
    size_t n = 0;
    ck_assert_int_eq(ivl_read_file(at("s.tar"), 0, &all, &n), IVL_OK);
    struct archive *a = archive_write_new();
    archive_write_set_format_raw(a), archive_write_add_filter_gzip(a);
    ck_assert_int_eq(archive_write_open_filename(a, at("s.tar.gz")), ARCHIVE_OK);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_filetype(e, AE_IFREG), archive_entry_set_pathname(e, "data");
    archive_write_header(a, e), archive_write_data(a, all, n);
    archive_entry_free(e), archive_write_free(a), free(all);
    ivl_dataset *ds = open_set(at("s.tar.gz"));
    ck_assert_int_eq(ivl_dataset_count(ds), 4);
    expect(ds, 1, "0002", "en=grinning face|de=grinsendes Gesicht|plain", "grin");
    ivl_dataset_close(ds);
    int fd = -1;
    ck_assert_int_eq(ivl_tar_unpack(at("s.tar.gz"), 1000, &fd), IVL_EFORMAT);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "s.tar.gz"));
    ck_assert_int_eq(truncate(at("s.tar.gz"), 300), 0);
    refuse_set(at("s.tar.gz"), "s.tar.gz");
}
END_TEST

START_TEST(folder)
{
    ck_assert_int_eq(ivl_make_dirs(at("f/sub/deep")), IVL_OK);
    put("f/b.png", png, png_n), put_text("f/b.txt", "bee\nbumble bee\n");
    put("f/a.JPG", jpg, jpg_n), put_text("f/a.json", "{\"caption\": \"ay\"}");
    put("f/sub/deep/c.jpeg", jpg, jpg_n);
    put("f/.hidden.png", png, png_n), put_text("f/notes.md", "no picture");
    put_text("f/captions.txt",
             "image,caption\nsub/deep/c.jpeg,\"sea, blue\"\nsub/deep/c.jpeg#1,again\nnone.jpg,x\nb.png,\n");
    ivl_dataset *ds = open_set(at("f"));
    char where[256];
    ck_assert_int_eq(ivl_dataset_count(ds), 3);
    expect(ds, 0, "a", "ay", NULL);
    expect(ds, 1, "b", "bee|bumble bee", NULL);
    expect(ds, 2, "sub/deep/c", "sea, blue|again", NULL);
    ck_assert_str_eq(ivl_dataset_where(ds, 2, where, sizeof where), at("f/sub/deep/c.jpeg"));
    ck_assert(ivl_dataset_bad(ds) == 1 && has_note(ds, "captions.txt: line 4", "none.jpg"));
    ivl_dataset_close(ds);
    ds = open_set(at("f/b.png"));
    expect(ds, 0, "b", "bee|bumble bee", NULL);
    ivl_dataset_close(ds);
    ck_assert_int_eq(ivl_make_dirs(at("empty")), IVL_OK);
    refuse_set(at("empty"), "no record");
}
END_TEST

START_TEST(lists)
{
    put("p.png", png, png_n), put("q.jpg", jpg, jpg_n);
    put_text("t.csv", "\xef\xbb\xbflang,caption,path,concept\r\nen,\"say "
                      "\"\"hi\"\",\nnow\",p.png,greet\r\n\r\nde,hallo,p.png,greet\n"
                      ",no tag,q.jpg,\nfr,,gone.jpg,\nxx,orphan,,\n");
    ivl_dataset *ds = open_set(at("t.csv"));
    ck_assert_int_eq(ivl_dataset_count(ds), 3);
    expect(ds, 0, "p", "en=say \"hi\",\nnow|de=hallo", "greet");
    expect(ds, 1, "q", "no tag", NULL);
    ivl_sample r = { 0 };
    ck_assert_int_eq(ivl_dataset_read(ds, 2, &r), IVL_EIO);
    ck_assert_ptr_nonnull(strstr(ivl_last_error(), "gone.jpg"));
    ck_assert(has_note(ds, "t.csv: line 8", "no path"));
    ivl_dataset_close(ds);
    put_text("t.tsv", "p.png\ta \"quoted\" word\ten\nq.jpg\tsecond");
    ds = open_set(at("t.tsv"));
    ck_assert_int_eq(ivl_dataset_count(ds), 2);
    expect(ds, 0, "p", "en=a \"quoted\" word", NULL);
    expect(ds, 1, "q", "second", NULL);
    ivl_dataset_close(ds);
    put_text("t.csv", "path,caption\np.png,\"never closed\n");
    refuse_set(at("t.csv"), "t.csv: line 2: a quoted cell never ends");
    put_text("t.csv", "path,caption\n");
    refuse_set(at("t.csv"), "no record");
}
END_TEST

static bool count_reports(void *user, int64_t record, const char *message)
{
    int *n = user;
    ck_assert_ptr_nonnull(strstr(message, "k.tar: "));
    n[record < 0]++;
    return true;
}

START_TEST(checking)
{
    FILE *f = make("k.tar");
    tar_add(f, "good.png", png, png_n);
    tar_add(f, "cut.png", png, png_n - 60);
    tar_text(f, "empty.jpg", "");
    tar_text(f, "text.jpg", "not a picture");
    tar_text(f, "alone.txt", "x");
    tar_end(f);
    ivl_dataset *ds = open_set(at("k.tar"));
    int n[2] = { 0 };
    int64_t bad = 0;
    ck_assert_int_eq(ivl_dataset_check(ds, count_reports, n, &bad), IVL_OK);
    ck_assert(n[0] == 3 && n[1] == 1 && bad == 4);
    ivl_dataset_close(ds);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("record");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, shard);
    tcase_add_test(t, long_names);
    tcase_add_test(t, hostile_members);
    tcase_add_test(t, truncated);
    tcase_add_test(t, damaged);
    tcase_add_test(t, specs);
    tcase_add_test(t, compressed);
    tcase_add_test(t, folder);
    tcase_add_test(t, lists);
    tcase_add_test(t, checking);
    return run_suite("record", t);
}
