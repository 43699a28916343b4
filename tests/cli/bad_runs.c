/* Recipes, indices and other files that commands read. */
#include "tests/cli/bad_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

static void put_npy(const char *name, const char *descr, const char *shape, size_t bytes)
{
    char head[129], all[4096] = "";
    int n = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    memcpy(all, "\x93NUMPY\1\0\x76\0", 10);
    memset(all + 10, ' ', 118);
    memcpy(all + 10, head, (size_t)n);
    all[127] = '\n';
    put(name, all, 128 + bytes);
}

static void make_indices(void)
{
    put_npy("flat.npy", "<f4", "(32,)", 128);
    put_npy("doubles.npy", "<f8", "(1, 32)", 256);
    put_npy("cut.npy", "<f4", "(9, 32)", 300);
    put_npy("narrow.npy", "<f4", "(2, 5)", 40);
    put_npy("nameless.npy", "<f4", "(2, 32)", 256);
    put_npy("two.npy", "<f4", "(2, 32)", 256), put_text("two.names", "one\ntwo\n");
    put_npy("few.npy", "<f4", "(2, 32)", 256), put_text("few.names", "one\n");
    put_npy("overflow.npy", "<f4", "(9223322036854775807, 32)", 128);
    put_text("text.npy", "no array at all, but long enough for a header\n");
}

/* A recipe that would train, with one more line. */
static void recipe(const char *name, const char *more)
{
    char text[2048];
    snprintf(text, sizeof text,
             "model: tiny\nsteps: 2\nbatch: 2\ntext_len: 16\nimage_size: 28\nlow_size: 28\ncheckpoint_every: 1\n"
             "workers: 1\ndata: %s\ntokenizer: %s\n%s\n",
             at("pair.csv"), golden("odd/tokenizer.model"), more);
    put_text(name, text);
}

static void make_recipes(void)
{
    recipe("good.yaml", "");
    recipe("unknown.yaml", "learning_rate: 1");
    recipe("type.yaml", "warmup: many");
    recipe("range.yaml", "drop_path: 7");
    recipe("list.yaml", "seed: [1, 2]");
    recipe("twice.yaml", "steps: 3");
    recipe("broken.yaml", "seed: [1");
    recipe("tab.yaml", "\tseed: 1");
    recipe("choice.yaml", "compute: fp12");
    recipe("utf8.yaml", "init: \"caf\xe9\"");
    put_text("empty.yaml", "");
    put_text("scalar.yaml", "hello\n");
}

/* What is evaluated. */
static void make_lists(void)
{
    put_text("t.txt", "a cat\na dog\n");
    put("nul.txt", "a cat\0a dog\n", 12);
    put_text("empty.txt", "");
    put_text("latin1.txt", "caf\xe9\n");
    put_text("classes.json", "{\"x\": [\"cat\", \"dog\"]}");
    put_text("forms.json", "{\"x\": [\"a photo of a {c}.\"]}");
    put_text("one-class.json", "{\"x\": [\"cat\"]}");
    put_text("no-list.json", "{\"x\": 3}");
    put_text("numbers.json", "{\"x\": [1, 2]}");
    put_text("two-sets.json", "{\"x\": [\"a\"], \"y\": [\"b\"]}");
    put_text("broken.json", "{\"x\": [\"cat\"");
    put_text("array.json", "[\"cat\"]");
}

static void make_caps(void)
{
    static const char head[] = "# libivl: capabilities of a device\n";
    char text[256];
    put_text("words.caps", "what a device can do\n");
    snprintf(text, sizeof text, "%sspec host\nspeed 12\n", head), put_text("key.caps", text);
    snprintf(text, sizeof text, "%sspec host\nwave -3\n", head), put_text("number.caps", text);
    snprintf(text, sizeof text, "%sspec host\n", head), put_text("short.caps", text);
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

static void copy_run(const char *to)
{
    char line[1200];
    snprintf(line, sizeof line, "cp -r '%s' '%s'", at("run-good"), at(to));
    ck_assert_int_eq(system(line), 0);
}

/* A run like the good one, one file of whose newest checkpoint holds these bytes only. */
static void damage_run(const char *run, const char *file, size_t keep)
{
    char name[128];
    size_t n;
    copy_run(run);
    snprintf(name, sizeof name, "%s/checkpoints/step-00000002/%s", run, file);
    char *p = get(name, &n);
    put(name, p, keep < n ? keep : n);
    free(p);
}

void bad_good_run_make(void)
{
    char line[1200];
    size_t n;
    char *p = get_golden("images/rgb8.png", &n);
    put("one.png", p, n), put("two.png", p, n);
    free(p);
    put_text("pair.csv", "path,caption\none.png,a cat\ntwo.png,a dog\n");
    make_recipes();
    snprintf(line, sizeof line, "./ivl train '%s' --device host --out '%s' >/dev/null 2>&1", at("good.yaml"),
             at("run-good"));
    ck_assert_int_eq(system(line), 0);
}

void bad_runs_make(void)
{
    make_indices();
    make_lists();
    make_caps();
    damage_run("run-weights", "weights.safetensors", 5000);
    damage_run("run-moment", "moment2.safetensors", 5000);
    damage_run("run-state", "state.json", 20);
    copy_run("run-again");
    put_folder("run-none");
    put_text("a-file", "x");
    put_text("no-font.ttf", "this is no font, whatever its name says\n");
}
