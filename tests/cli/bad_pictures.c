/* Pictures, shards and tables that are not what they say. */
#include "tests/cli/bad_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/data/tars.h"
#include "tests/suite.h"

/* The first `keep` bytes of a golden picture, `hit` of them spoilt from the middle on. */
static void damage(const char *from, const char *to, size_t keep, size_t hit)
{
    size_t n;
    char *p = get_golden(from, &n);
    if (keep && keep < n) n = keep;
    memset(p + n / 2, 0x55, hit < n / 2 ? hit : n / 2);
    put(to, p, n);
    free(p);
}

/* A PNG of nothing but a right header that declares this size. */
static void bomb(const char *name, unsigned side)
{
    size_t n;
    char *p = get_golden("images/rgb8.png", &n);
    for (int i = 0; i < 4; i++) p[16 + i] = p[20 + i] = (char)(side >> (24 - 8 * i));
    uint32_t crc = 0xffffffff;
    for (int i = 12; i < 29; i++) {
        crc ^= (uint8_t)p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; i++) p[29 + i] = (char)(~crc >> (24 - 8 * i));
    put(name, p, n);
    free(p);
}

static FILE *tar(const char *name)
{
    FILE *f = fopen(at(name), "wb");
    ck_assert(f != NULL);
    return f;
}

static void tar_picture(FILE *f, const char *name)
{
    size_t n;
    char *p = get_golden("images/rgb8.png", &n);
    tar_add(f, name, p, n);
    free(p);
}

static void make_hostile(const char *name, const char *member, char type)
{
    FILE *f = tar(name);
    tar_picture(f, "good.png"), tar_text(f, "good.txt", "a good one\n");
    if (type == '2') {
        unsigned char h[512];
        tar_header(h, member, 0, type);
        memcpy(h + 157, "/etc/passwd", 11);
        tar_sum(h);
        fwrite(h, 1, sizeof h, f);
    } else {
        tar_picture(f, member);
    }
    tar_end(f);
}

static void make_tars(void)
{
    make_hostile("up.tar", "../../up.png", '0');
    make_hostile("root.tar", "/etc/root.png", '0');
    make_hostile("link.tar", "link.png", '2');
    FILE *f = tar("no-picture.tar");
    tar_text(f, "a.txt", "words alone\n"), tar_end(f);
    f = tar("no-caption.tar");
    tar_picture(f, "a.png"), tar_end(f);
    f = tar("bad-json.tar");
    tar_picture(f, "a.png"), tar_text(f, "a.json", "{\"caption\": "), tar_end(f);
    f = tar("utf8.tar");
    tar_picture(f, "a.png"), tar_text(f, "a.json", "{\"caption\": \"caf\xe9\"}"), tar_end(f);
    f = tar("latin1.tar");
    tar_picture(f, "a.png"), tar_text(f, "a.txt", "caf\xe9 noir\n"), tar_end(f);
    f = tar("cut.tar");
    tar_picture(f, "a.png"), tar_picture(f, "b.png"), tar_end(f);
    size_t n;
    char *p = get("cut.tar", &n);
    put("cut.tar", p, 512 + 1000);
    p[0] ^= 1;
    put("header.tar", p, n);
    put("packed.tar.gz", p, n / 2);
    free(p);
}

static void make_tables(void)
{
    put_text("no-column.csv", "name,words\nx,y\n");
    put_text("no-file.csv", "path,caption\nnot-here.png,a cat\n");
    put_text("no-end.csv", "path,caption\n\"rgb8.png,a cat\n");
    put_text("no-path.tsv", "path\tcaption\n\ta cat\n");
    put_text("header-only.csv", "path,caption\n");
    put_folder("classless");
    size_t n;
    char *p = get_golden("images/rgb8.png", &n);
    put("classless/a.png", p, n), put("one.png", p, n);
    free(p);
    put_folder("classes/cat"), put_folder("classes/dog");
    p = get_golden("images/rgb8.png", &n);
    put("classes/cat/1.png", p, n), put("classes/dog/1.png", p, n);
    free(p);
    put_text("one.csv", "path,caption\none.png,a cat\n");
    put_text("latin1.csv", "path,caption\none.png,caf\xe9\n");
    put_folder("nothing");
}

void bad_pictures_make(void)
{
    size_t n;
    char *p = get_golden("images/rgb8.png", &n);
    damage("images/rgb444.jpg", "cut.jpg", 300, 0);
    damage("images/rgb444.jpg", "short.jpg", 700, 0);
    damage("images/rgb444.jpg", "spoilt.jpg", 0, 64);
    damage("images/rgb8.png", "cut.png", n / 2, 0);
    damage("images/rgb8.png", "spoilt.png", 0, 16);
    put("jpeg-that-is-png.jpg", p, 20);
    free(p);
    bomb("bomb.png", 100000);
    bomb("waste.png", 20000);
    bomb("zero.png", 0);
    put_text("text.png", "this is a text\n");
    put_text("page.jpg", "<html><body>404</body></html>\n");
    put("gif.png", "GIF89a\1\0\1\0\0\0\0;", 14);
    put("empty.png", "", 0);
    put_folder("folder.png/x");
    put("locked.png", "", 0);
    ck_assert_int_eq(chmod(at("locked.png"), 0), 0);
    make_tars();
    make_tables();
}
