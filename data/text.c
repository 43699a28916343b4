/* LLaMA's rules around sentencepiece, as Hugging Face's LlamaTokenizer has them, and the caption forms of
 * InternVL. */
#include "data/tokenizer.h"
#include "data/bpe.h"
#include "data/sp_config.h"
#include "data/sp_proto.h"
#include "runtime/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_MODEL = 1 << 28, BYTES_PER_TOKEN = 1024, USUAL = 3 /* special tokens of LLaMA */ };

struct ivl_tokenizer {
    ivl_bpe *bpe;       /* or what follows: */
    ivl_sp *sp;
    ivl_sp_info info;
    bool legacy;
    size_t mark; /* tokens of MARK alone */
    char *model; /* tokenizer.model[model_n] */
    size_t model_n;
    ivl_special *special; /* [n_special]; texts of a GGUF file's lie in model, others in beside.text or nowhere */
    int n_special;
    char *chat_template;  /* NULL: none */
    ivl_sp_config beside; /* of a tokenizer.model's folder */
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

static void set_info(ivl_tokenizer *tok)
{
    if (!tok->bpe) return;
    ivl_bpe_info i = ivl_bpe_info_of(tok->bpe);
    tok->info = (ivl_sp_info){ .size = i.size, .unk = i.unk, .bos = i.add_bos ? i.bos : -1, .eos = i.eos };
}

/* LLaMA's three; they have these texts whatever the pieces are called. */
static ivl_status usual_specials(ivl_tokenizer *tok)
{
    const ivl_sp_info *i = &tok->info;
    const ivl_special all[] = { { "<unk>", 5, i->unk }, { "<s>", 3, i->bos }, { "</s>", 4, i->eos } };
    tok->special = calloc(USUAL, sizeof *tok->special);
    IVL_CHECK(tok->special, IVL_ENOMEM, "out of memory");
    for (int k = 0; k < USUAL; k++)
        if (all[k].id >= 0) tok->special[tok->n_special++] = all[k];
    return IVL_OK;
}

/* Those that a GGUF file calls so, "<|im_end|>" and the like; what sentencepiece finds by itself is not among them. */
static ivl_status own_specials(ivl_tokenizer *tok, const char *name)
{
    ivl_sp_piece *piece = NULL;
    int64_t n = 0;
    IVL_TRY(ivl_sp_pieces(tok->model, tok->model_n, name, &piece, &n));
    tok->special = calloc((size_t)n + 1, sizeof *tok->special);
    for (int64_t i = 0; tok->special && i < n; i++)
        if (piece[i].n && (piece[i].type == IVL_SP_CONTROL || piece[i].type == IVL_SP_UNKNOWN))
            tok->special[tok->n_special++] = (ivl_special){ piece[i].p, piece[i].n, (int32_t)i };
    free(piece);
    IVL_CHECK(tok->special, IVL_ENOMEM, "out of memory for %lld tokens", (long long)n);
    return IVL_OK;
}

/* tok->model is there. */
static ivl_status open_sp(ivl_tokenizer *tok, const char *name)
{
    int32_t *mark = NULL;
    IVL_TRY(ivl_sp_open(tok->model, tok->model_n, name, &tok->sp, &tok->info));
    IVL_CHECK(tok->info.bos >= 0 && tok->info.eos >= 0, IVL_EFORMAT,
              "%s: the vocabulary has no <s> and </s>; a LLaMA-type one is needed", name);
    ivl_status s = ivl_sp_encode(tok->sp, MARK, strlen(MARK), &mark, &tok->mark);
    free(mark);
    return s;
}

static ivl_status open_model(ivl_tokenizer *tok, const void *data, size_t n, const char *name)
{
    tok->model = malloc(n + 1), tok->model_n = n;
    IVL_CHECK(tok->model, IVL_ENOMEM, "%s: out of memory", name);
    if (n) memcpy(tok->model, data, n);
    IVL_TRY(open_sp(tok, name));
    return usual_specials(tok);
}

static ivl_status open_sp_of_gguf(ivl_tokenizer *tok, const ivl_gguf *f)
{
    const char *name = ivl_gguf_name(f), *jinja = NULL;
    bool bos = true;
    IVL_TRY(ivl_sp_from_gguf(f, &tok->model, &tok->model_n));
    IVL_TRY(open_sp(tok, name));
    IVL_TRY(own_specials(tok, name));
    IVL_TRY(ivl_gguf_bool(f, "tokenizer.ggml.add_bos_token", &bos));
    if (!bos) tok->info.bos = -1;
    IVL_TRY(ivl_gguf_string(f, "tokenizer.chat_template", &jinja));
    if (jinja) tok->chat_template = strdup(jinja);
    IVL_CHECK(!jinja || tok->chat_template, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

static ivl_status open_gguf(ivl_tokenizer *tok, const void *data, size_t n, const char *name)
{
    ivl_gguf *f = NULL;
    const char *model = "none";
    IVL_TRY(ivl_gguf_open_memory(data, n, name, &f));
    ivl_status s = ivl_gguf_string(f, "tokenizer.ggml.model", &model);
    if (s == IVL_OK) s = strcmp(model, "llama") ? ivl_bpe_from_gguf(f, &tok->bpe) : open_sp_of_gguf(tok, f);
    ivl_gguf_close(f);
    return s;
}

/* What kind of file it is shows in its first bytes: sentencepiece models are protocol buffers. */
ivl_status ivl_tokenizer_open_memory(const void *data, size_t n, const char *name, ivl_tokenizer **tok_p)
{
    ivl_tokenizer *tok = calloc(1, sizeof *tok);
    IVL_CHECK(tok, IVL_ENOMEM, "out of memory");
    bool gguf = ivl_gguf_is(data, n), json = n && *(const char *)data == '{';
    ivl_status s = gguf   ? open_gguf(tok, data, n, name)
                   : json ? ivl_bpe_from_json(data, n, name, &tok->bpe)
                          : open_model(tok, data, n, name);
    if (s != IVL_OK) {
        ivl_tokenizer_close(tok);
        return s;
    }
    set_info(tok);
    tok->legacy = true;
    *tok_p = tok;
    return IVL_OK;
}

/* The file within a folder; NULL: out of memory. */
static char *inside(const char *dir)
{
    static const char *const names[] = { "tokenizer.model", "tokenizer.json", "model.gguf" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat st;
        char *path = ivl_path_join(dir, names[i]);
        if (!path || !stat(path, &st)) return path;
        free(path);
    }
    return ivl_path_join(dir, names[0]); /* which the message will name */
}

/* Is there a special token at p? The longest: its length in *n, its id in *id. */
static bool special_at(const ivl_tokenizer *tok, const char *p, const char *end, size_t *n, int32_t *id)
{
    *n = 0;
    for (int i = 0; i < tok->n_special; i++) {
        const ivl_special *k = &tok->special[i];
        if (k->n > *n && k->n <= (size_t)(end - p) && *k->text == *p && !memcmp(p, k->text, k->n))
            *n = k->n, *id = k->id;
    }
    return *n > 0;
}

/* What the file beside a tokenizer.model adds. */
static ivl_status configure_sp(ivl_tokenizer *tok, const char *json, size_t n, const char *name)
{
    ivl_sp_config *c = &tok->beside;
    IVL_TRY(ivl_sp_config_parse(json, n, name, tok->info.size, c));
    ivl_special *all = realloc(tok->special, (size_t)(tok->n_special + c->n_special + 1) * sizeof *all);
    IVL_CHECK(all, IVL_ENOMEM, "out of memory");
    tok->special = all;
    for (int i = 0; i < c->n_special; i++) {
        size_t same = 0;
        int32_t id = 0;
        const ivl_special *k = &c->special[i];
        if (!special_at(tok, k->text, k->text + k->n, &same, &id) || same < k->n) all[tok->n_special++] = *k;
    }
    tok->chat_template = c->chat_template, c->chat_template = NULL;
    if (c->no_bos) tok->info.bos = -1;
    tok->legacy = c->legacy;
    return IVL_OK;
}

/* tokenizer_config.json beside a tokenizer.json or tokenizer.model, if there is one. */
static ivl_status configure(ivl_tokenizer *tok, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup("."), *data = NULL;
    char *name = dir ? ivl_path_join(dir, "tokenizer_config.json") : NULL;
    struct stat st;
    size_t n = 0;
    ivl_status s = name ? IVL_OK : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK && !stat(name, &st)) {
        s = ivl_read_file(name, MAX_MODEL, &data, &n);
        if (s == IVL_OK) s = tok->bpe ? ivl_bpe_configure(tok->bpe, data, n, name) : configure_sp(tok, data, n, name);
        if (s == IVL_OK) set_info(tok);
    }
    free(dir), free(name), free(data);
    return s;
}

static ivl_status open_file(const char *path, ivl_tokenizer **tok_p)
{
    ivl_map map = { 0 };
    ivl_tokenizer *tok = NULL;
    IVL_TRY(ivl_map_open(path, &map));
    ivl_status s = ivl_tokenizer_open_memory(map.data, map.bytes, path, &tok);
    if (s == IVL_OK && !ivl_gguf_is(map.data, map.bytes)) s = configure(tok, path);
    ivl_map_close(&map);
    if (s == IVL_OK) *tok_p = tok;
    else ivl_tokenizer_close(tok);
    return s;
}

ivl_status ivl_tokenizer_open(const char *path, ivl_tokenizer **tok_p)
{
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) return open_file(path, tok_p);
    char *file = inside(path);
    IVL_CHECK(file, IVL_ENOMEM, "out of memory");
    ivl_status s = open_file(file, tok_p);
    free(file);
    return s;
}

void ivl_tokenizer_close(ivl_tokenizer *tok)
{
    if (!tok) return;
    ivl_sp_close(tok->sp);
    ivl_bpe_close(tok->bpe);
    ivl_sp_config_free(&tok->beside);
    free(tok->model), free(tok->special), free(tok->chat_template), free(tok);
}

void ivl_tokenizer_legacy(ivl_tokenizer *tok, bool legacy) { tok->legacy = legacy; }
bool ivl_tokenizer_is_legacy(const ivl_tokenizer *tok) { return tok->legacy; }
int ivl_tokenizer_size(const ivl_tokenizer *tok) { return tok->info.size; }
int ivl_tokenizer_bos(const ivl_tokenizer *tok) { return tok->info.bos; }
int ivl_tokenizer_eos(const ivl_tokenizer *tok) { return tok->info.eos; }
int ivl_tokenizer_unk(const ivl_tokenizer *tok) { return tok->info.unk; }

const char *ivl_tokenizer_chat_template(const ivl_tokenizer *tok)
{
    return tok->bpe ? ivl_bpe_chat_template(tok->bpe) : tok->chat_template;
}

ivl_status ivl_tokenizer_save(const ivl_tokenizer *tok, const char *dir)
{
    if (tok->bpe) return ivl_bpe_save(tok->bpe, dir);
    bool plain = !tok->chat_template && tok->info.bos >= 0 && tok->legacy && tok->n_special <= USUAL;
    ivl_sp_config c = { tok->chat_template, tok->info.bos < 0, tok->legacy, tok->special, tok->n_special, NULL };
    if (!plain) IVL_TRY(ivl_sp_config_save(&c, dir));
    char *path = ivl_path_join(dir, "tokenizer.model");
    ivl_out_file out = { 0 };
    IVL_CHECK(path, IVL_ENOMEM, "out of memory");
    ivl_status s = ivl_out_open(path, &out);
    if (s == IVL_OK) {
        fwrite(tok->model, 1, tok->model_n, out.f); /* an error shows at commit */
        s = ivl_out_commit(&out);
    }
    free(path);
    return s;
}

ivl_status ivl_tokenizer_put_gguf(const ivl_tokenizer *tok, const char *name, ivl_gguf_meta *m)
{
    if (tok->bpe) return ivl_bpe_put_gguf(tok->bpe, m);
    ivl_status s = ivl_sp_put_gguf(tok->model, tok->model_n, name, &tok->info, m);
    if (s == IVL_OK && tok->chat_template) ivl_gguf_put_string(m, "tokenizer.chat_template", tok->chat_template);
    return s;
}

const struct ivl_bpe *ivl_tokenizer_bpe(const ivl_tokenizer *tok) { return tok->bpe; }

int ivl_tokenizer_special(const ivl_tokenizer *tok, const char *text)
{
    size_t n = 0;
    int32_t id = -1;
    if (tok->bpe) return ivl_bpe_special(tok->bpe, text);
    return special_at(tok, text, text + strlen(text), &n, &id) && !text[n] ? id : -1;
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
        while (stop < end && !special_at(tok, stop, end, &n, &id)) stop++;
        if (stop > p) IVL_TRY(add_stretch(tok, p, (size_t)(stop - p), first, to));
        if (stop < end) IVL_TRY(add(to, &id, 1));
        first = false;
        p = stop + n;
    }
    return IVL_OK;
}

static ivl_status add_bpe(const ivl_tokenizer *tok, const char *p, size_t n, ids *to)
{
    int32_t *v = NULL;
    size_t got = 0;
    IVL_TRY(ivl_bpe_encode(tok->bpe, p, n, &v, &got));
    ivl_status s = add(to, v, got);
    free(v);
    return s;
}

static ivl_status encode(const ivl_tokenizer *tok, const char *text, size_t n, ids *to)
{
    char *valid = NULL;
    int32_t bos = tok->info.bos;
    IVL_TRY(ivl_utf8_clean(text, n, &valid, &n));
    ivl_status s = add(to, &bos, bos >= 0);
    if (s == IVL_OK) s = tok->bpe ? add_bpe(tok, valid, n, to) : add_text(tok, valid, valid + n, to);
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

static ivl_status decode_sp(const ivl_tokenizer *tok, const int32_t *in, size_t n, char **text_p)
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

/* Tokens may end within a character, so the text is made valid at the end. */
static ivl_status decode_bpe(const ivl_tokenizer *tok, const int32_t *in, size_t n, char **text_p)
{
    size_t bytes = 0, len = 0;
    for (size_t i = 0; i < n; i++, bytes += len)
        IVL_CHECK(ivl_bpe_token(tok->bpe, in[i], &len), IVL_EINVAL, "token %zu is %d; the vocabulary has %d", i,
                  (int)in[i], tok->info.size);
    char *raw = malloc(bytes + 1), *at = raw;
    IVL_CHECK(raw, IVL_ENOMEM, "out of memory for %zu tokens", n);
    for (size_t i = 0; i < n; i++, at += len) {
        const char *p = ivl_bpe_token(tok->bpe, in[i], &len);
        if (len) memcpy(at, p, len);
    }
    ivl_status s = ivl_utf8_clean(raw, bytes, text_p, NULL);
    free(raw);
    return s;
}

ivl_status ivl_tokenizer_decode(const ivl_tokenizer *tok, const int32_t *in, size_t n, char **text_p)
{
    return tok->bpe ? decode_bpe(tok, in, n, text_p) : decode_sp(tok, in, n, text_p);
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
    if (s == IVL_OK && eos < 0) s = ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__, "the tokenizer has no end of text");
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
