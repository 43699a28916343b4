/* The report: every kind of result gets its table, pictures their texts, and texts are escaped. */
#include <sys/stat.h>

#include "runtime/file.h"
#include "tests/suite.h"
#include "train/report.h"

static char dir[] = "/tmp/ivl-report-XXXXXX";

static char *at(const char *name)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(mkdir(at("one"), 0777) | mkdir(at("two"), 0777) | mkdir(at("two/eval"), 0777), 0);
    put("one/metrics.jsonl", "{\"step\": 0, \"loss\": 2}\n{\"step\": 1, \"loss\": 1}\n");
    put("two/recipe.yaml", "seed: 1\n");
}

static void teardown(void) { remove_tree(dir); }

/* The page of these runs, to be freed. */
static char *page(const char *const *run, int n)
{
    char *html = NULL;
    ck_assert_msg(ivl_report_write(run, n, at("x.html")) == IVL_OK, "%s", ivl_last_error());
    ck_assert_int_eq(ivl_read_file(at("x.html"), 0, &html, NULL), IVL_OK);
    return html;
}

#define HAS(html, text) ck_assert_msg(strstr(html, text) != NULL, "no %s", text)
#define LACKS(html, text) ck_assert_msg(strstr(html, text) == NULL, "there is %s", text)

START_TEST(bare_run)
{
    char *html = page((const char *[]){ at("one") }, 1);
    HAS(html, "No evaluation yet"), HAS(html, "<svg");
    LACKS(html, "POPE"), LACKS(html, "Do picture and text match");
    free(html);
    const char *none[] = { at("one"), at("eval") };
    ck_assert_int_eq(ivl_report_write(none, 2, at("y.html")), IVL_EIO);
}
END_TEST

#define RETRIEVAL(model, value) "{\"task\": \"zeroshot_retrieval\", \"dataset\": \"d/val.tar\", \"model\": \"" model \
    "\", \"pretrained\": \"m\", \"language\": \"all\", \"script\": \"all\", \"images\": 5, \"texts\": 6, " \
    "\"metrics\": {\"image_retrieval_recall@1\": " value "}}"
#define POPE(blind, f1) "{\"task\": \"pope\", \"dataset\": \"q/pope_random.json\", " \
    "\"pretrained\": \"/r/stage3/model\", \"blind\": \"" blind "\", \"metrics\": {\"f1\": " f1 "}, " \
    "\"always_yes\": {\"f1\": 0.667}, \"chance\": {\"f1\": 0.5}}"

START_TEST(all_stages)
{
    put("two/eval/a.json", "{\"results\": [" RETRIEVAL("internvl_c", "0.123") "]}");
    put("two/eval/b.json", "{\"results\": [" RETRIEVAL("internvl_g", "0.456") "]}");
    put("two/eval/c.json", "{\"results\": [{\"task\": \"image_text_matching\", \"dataset\": \"v.tar\", "
                           "\"pictures\": 9, "
                           "\"metrics\": {\"acc\": 0.812}, \"ci95\": {\"acc\": [0.7, 0.9]}}]}");
    put("two/eval/d.json", "{\"results\": [{\"task\": \"image_captioning\", \"dataset\": \"v.tar\", "
                           "\"metrics\": {\"cider\": 1.25}, \"neighbour\": {\"cider\": 0.75}}]}");
    put("two/eval/e.json", "{\"results\": [" POPE("no", "0.871") "]}");
    put("two/eval/f.json", "{\"results\": [" POPE("grey", "0.432") "]}");
    put("two/eval/g.json", "{\"results\": [{\"task\": \"chat_exact_match\", \"dataset\": \"t.json\", "
                           "\"pretrained\": \"m\", "
                           "\"blind\": \"none\", \"questions\": 7, \"metrics\": {\"color\": 0.345}}]}");
    put("two/eval/h.json", "{\"results\": [3, {}, {\"task\": 4}]}");
    put("two/eval/i.json", "not JSON");
    put("two/captions.json", "{\"captions\": [{\"text\": \"a <b> cat\", \"references\": [\"the cat\"], "
                             "\"image\": \"data:image/png;base64,AAAA\"}, {\"text\": \"no url\", \"image\": "
                             "\"http://x\"}]}");
    put("two/conversation.json", "{\"conversations\": [{\"image\": \"data:image/png;base64,BBBB\", \"turns\": "
                                 "[{\"question\": \"Is there?\", \"answer\": \"Yes & no\", \"truth\": \"Surely\"}]}]}");
    char *html = page((const char *[]){ at("one"), at("two") }, 2);
    HAS(html, "<svg"), HAS(html, "InternVL-C and InternVL-G"), HAS(html, "<td>12.3</td>"), HAS(html, "<td>45.6</td>");
    HAS(html, "<td>81.2 <span class=\"note\">70-90</span></td>");
    HAS(html, "<td>1.250</td>"), HAS(html, "the neighbour"), HAS(html, "<td>0.750</td>");
    HAS(html, "stage3/model sees the picture</td><td>87.1</td>");
    HAS(html, "stage3/model sees a grey picture</td><td>43.2</td>");
    HAS(html, "a coin</td><td>50.0</td>"), HAS(html, "always yes</td><td>66.7</td>");
    ck_assert_ptr_eq(strstr(strstr(html, "a coin") + 1, "a coin"), NULL); /* one list */
    HAS(html, "sees no picture</td><td>7</td>"), HAS(html, "<td>34.5</td>");
    HAS(html, "a &lt;b&gt; cat"), HAS(html, "the cat"), HAS(html, "src=\"data:image/png;base64,AAAA\"");
    HAS(html, "<dt>Is there?</dt><dd>Yes &amp; no"), HAS(html, "(Surely)"), HAS(html, "base64,BBBB");
    LACKS(html, "http://x"), LACKS(html, "<b> cat");
    free(html);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("report");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, bare_run);
    tcase_add_test(t, all_stages);
    return run_suite("report", t);
}
