/* LLaMA's rules around sentencepiece, as Hugging Face's LlamaTokenizer has them, and the caption forms of
 * InternVL. */
#include "data/tokenizer.h"
#include "data/sentencepiece.h"
#include "runtime/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_MODEL = 1 << 28, BYTES_PER_TOKEN = 1024 };

struct ivl_tokenizer {
    ivl_sp *sp;
    ivl_sp_info info;
    bool legacy;
    size_t mark; /* tokens of MARK alone */
};

/* A character whose tokens never join those of what follows; encoding behind it keeps the dummy space off the
 * text. */
#define MARK "\xe2\x81\x87"

typedef struct ids { int32_t *v; size_t n, room; } ids;

static ivl_status add(ids *to, const int32_t *v, size_t n)
{
    if (to->n + n > to->room) {
        size_t room = 2 * to->room + n + 16;
        int32_t *more = realloc(to->v, room * sizeof *more);
        IVL_CHECK(more, IVL_ENOMEM, "out of memory for %zu tokens", room);
        to->v = more, to->room = room;
    }
    if (n) memcpy(to->v + to->n, v, n * sizeof *v);
    to->n += n;
    return IVL_OK;
}

ivl_status ivl_tokenizer_open_memory(const void *data, size_t n, const char *name, ivl_tokenizer **tok_p)
{
    int32_t *mark = NULL;
    ivl_tokenizer *tok = calloc(1, sizeof *tok);
    IVL_CHECK(tok, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_sp_open(data, n, name, &tok->sp, &tok->info);
    if (s == IVL_OK && (tok->info.bos < 0 || tok->info.eos < 0))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__,
                     "%s: the vocabulary has no <s> and </s>; a LLaMA-type one is needed", name);
    if (s == IVL_OK) s = ivl_sp_encode(tok->sp, MARK, strlen(MARK), &mark, &tok->mark);
    free(mark);
    if (s != IVL_OK) {
        ivl_tokenizer_close(tok);
        return s;
    }
    tok->legacy = true;
    *tok_p = tok;
    return IVL_OK;
}

ivl_status ivl_tokenizer_open(const char *path, ivl_tokenizer **tok_p)
{
    struct stat st;
    char *inside = !stat(path, &st) && S_ISDIR(st.st_mode) ? ivl_path_join(path, "tokenizer.model") : NULL;
    const char *name = inside ? inside : path;
    char *data = NULL;
    size_t n = 0;
    ivl_status s = ivl_read_file(name, MAX_MODEL, &data, &n);
    if (s == IVL_OK) s = ivl_tokenizer_open_memory(data, n, name, tok_p);
    free(data), free(inside);
    return s;
}

void ivl_tokenizer_close(ivl_tokenizer *tok)
{
    if (tok) ivl_sp_close(tok->sp);
    free(tok);
}

void ivl_tokenizer_legacy(ivl_tokenizer *tok, bool legacy) { tok->legacy = legacy; }
bool ivl_tokenizer_is_legacy(const ivl_tokenizer *tok) { return tok->legacy; }
int ivl_tokenizer_size(const ivl_tokenizer *tok) { return tok->info.size; }
int ivl_tokenizer_bos(const ivl_tokenizer *tok) { return tok->info.bos; }
int ivl_tokenizer_eos(const ivl_tokenizer *tok) { return tok->info.eos; }
int ivl_tokenizer_unk(const ivl_tokenizer *tok) { return tok->info.unk; }

/* Is there a special token at p? Its length in *n, its id in *id. */
static bool special_at(const ivl_tokenizer *tok, const char *p, const char *end, size_t *n, int32_t *id)
{
    const struct { const char *text; int id; } all[] = { { "<unk>", tok->info.unk }, { "<s>", tok->info.bos },
                                                         { "</s>", tok->info.eos } };
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(all[i].text);
        if (all[i].id < 0 || (size_t)(end - p) < len || memcmp(p, all[i].text, len)) continue;
        *n = len, *id = all[i].id;
        return true;
    }
    return false;
}

static ivl_status add_stretch(const ivl_tokenizer *tok, const char *p, size_t n, bool first, ids *to)
{
    bool bare = !tok->legacy && !first;
    char *marked = NULL;
    int32_t *v = NULL;
    size_t got = 0;
    if (bare) {
        marked = malloc(n + sizeof MARK);
        IVL_CHECK(marked, IVL_ENOMEM, "out of memory for a text of %zu bytes", n);
        memcpy(marked, MARK, strlen(MARK));
        memcpy(marked + strlen(MARK), p, n);
    }
    ivl_status s = bare ? ivl_sp_encode(tok->sp, marked, n + strlen(MARK), &v, &got)
                        : ivl_sp_encode(tok->sp, p, n, &v, &got);
    size_t skip = bare ? tok->mark < got ? tok->mark : got : 0;
    if (s == IVL_OK) s = add(to, v + skip, got - skip);
    free(v), free(marked);
    return s;
}

/* Valid UTF-8 text p..end, cut at special tokens. */
static ivl_status add_text(const ivl_tokenizer *tok, const char *p, const char *end, ids *to)
{
    bool first = true;
    while (p < end) {
        const char *stop = p;
        size_t n = 0;
        int32_t id = 0;
        while (stop < end && !(*stop == '<' && special_at(tok, stop, end, &n, &id))) stop++;
        if (stop > p) IVL_TRY(add_stretch(tok, p, (size_t)(stop - p), first, to));
        if (stop < end) IVL_TRY(add(to, &id, 1));
        first = false;
        p = stop + n;
    }
    return IVL_OK;
}

static ivl_status encode(const ivl_tokenizer *tok, const char *text, size_t n, ids *to)
{
    char *valid = NULL;
    int32_t bos = tok->info.bos;
    IVL_TRY(ivl_utf8_clean(text, n, &valid, &n));
    ivl_status s = add(to, &bos, 1);
    if (s == IVL_OK) s = add_text(tok, valid, valid + n, to);
    free(valid);
    return s;
}

ivl_status ivl_tokenizer_encode(const ivl_tokenizer *tok, const char *text, int32_t **ids_p, size_t *n_p)
{
    ids v = { 0 };
    ivl_status s = encode(tok, text, strlen(text), &v);
    if (s != IVL_OK) {
        free(v.v);
        return s;
    }
    *ids_p = v.v, *n_p = v.n;
    return IVL_OK;
}

ivl_status ivl_tokenizer_decode(const ivl_tokenizer *tok, const int32_t *in, size_t n, char **text_p)
{
    int32_t *kept = malloc((n + 1) * sizeof *kept);
    IVL_CHECK(kept, IVL_ENOMEM, "out of memory for %zu tokens", n);
    size_t m = 0, bad = n;
    for (size_t i = 0; i < n; i++) {
        if (in[i] < 0 || in[i] >= tok->info.size) bad = i;
        else if (in[i] != tok->info.unk && in[i] != tok->info.bos && in[i] != tok->info.eos)
            kept[m++] = in[i];
    }
    ivl_status s = bad < n
                       ? ivl_fail(IVL_EINVAL, __FILE__, __LINE__, "token %zu is %d; the vocabulary has %d",
                                  bad, (int)in[bad], tok->info.size)
                       : ivl_sp_decode(tok->sp, kept, m, text_p);
    free(kept);
    return s;
}

ivl_status ivl_text_encode(const ivl_tokenizer *tok, const char *prefix, const char *text, int max_len,
                           int32_t *out, int32_t *len_p)
{
    IVL_CHECK(max_len >= 2, IVL_EINVAL, "texts of at most %d tokens have no room for <s> and </s>", max_len);
    size_t most = (size_t)max_len * BYTES_PER_TOKEN, np = strlen(prefix), nt = strnlen(text, most);
    char *all = malloc(np + nt + 1);
    IVL_CHECK(all, IVL_ENOMEM, "out of memory for a text of %zu bytes", nt);
    memcpy(all, prefix, np);
    memcpy(all + np, text, nt);
    ids v = { 0 };
    int32_t eos = tok->info.eos;
    ivl_status s = encode(tok, all, np + nt, &v);
    if (v.n > (size_t)max_len - 1) v.n = (size_t)max_len - 1;
    if (s == IVL_OK) s = add(&v, &eos, 1);
    if (s == IVL_OK) {
        memset(out, 0, (size_t)max_len * sizeof *out);
        memcpy(out, v.v, v.n * sizeof *out);
        *len_p = (int32_t)v.n;
    }
    free(all), free(v.v);
    return s;
}

ivl_status ivl_text_contrastive(const ivl_tokenizer *tok, const char *text, int max_len, int32_t *out,
                                int32_t *len_p)
{
    return ivl_text_encode(tok, "summarize:", text, max_len, out, len_p);
}
