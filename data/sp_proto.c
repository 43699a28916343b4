#include "data/sp_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields: of the model, of a piece, of the trainer's and the normaliser's settings. */
enum { PIECES = 1, TRAINER = 2, NORMALISER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_TYPE = 3, TRAINER_BYTES = 35, TRAINER_UNK = 45, TRAINER_BOS = 46, TRAINER_EOS = 47, BPE = 2 };
enum { NORMAL_NAME = 1, NORMAL_MAP = 2, NORMAL_PREFIX = 3, NORMAL_SPACES = 4 };
enum { VARINT = 0, EIGHT = 1, BYTES = 2, FOUR = 5 }; /* wire types */

/* --- reading -------------------------------------------------------------------------------------- */

typedef struct span { const unsigned char *p, *end; } span;
typedef struct field { int number, wire; uint64_t v; span bytes; } field;

static bool varint(span *s, uint64_t *v_p)
{
    uint64_t v = 0;
    for (int shift = 0; s->p < s->end && shift < 64; shift += 7) {
        unsigned char byte = *s->p++;
        v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *v_p = v;
            return true;
        }
    }
    return false;
}

static bool fixed(span *s, int bytes, uint64_t *v_p)
{
    if (s->end - s->p < bytes) return false;
    *v_p = 0;
    for (int i = 0; i < bytes; i++) *v_p |= (uint64_t)*s->p++ << 8 * i;
    return true;
}

static bool next(span *s, field *f)
{
    uint64_t key = 0;
    if (!varint(s, &key) || key >> 3 > 1 << 28) return false;
    *f = (field){ .number = (int)(key >> 3), .wire = (int)(key & 7) };
    if (f->wire == VARINT) return varint(s, &f->v);
    if (f->wire == FOUR || f->wire == EIGHT) return fixed(s, f->wire == FOUR ? 4 : 8, &f->v);
    if (f->wire != BYTES || !varint(s, &f->v) || f->v > (uint64_t)(s->end - s->p)) return false;
    f->bytes = (span){ s->p, s->p + f->v };
    s->p = f->bytes.end;
    return true;
}

static bool read_piece(span s, ivl_sp_piece *p)
{
    *p = (ivl_sp_piece){ .p = "", .type = IVL_SP_NORMAL };
    for (field f; s.p < s.end;) {
        if (!next(&s, &f)) return false;
        uint32_t bits = (uint32_t)f.v;
        if (f.number == PIECE_TEXT && f.wire == BYTES)
            p->p = (const char *)f.bytes.p, p->n = (size_t)(f.bytes.end - f.bytes.p);
        if (f.number == PIECE_SCORE && f.wire == FOUR) memcpy(&p->score, &bits, sizeof bits);
        if (f.number == PIECE_TYPE && f.wire == VARINT) p->type = f.v <= IVL_SP_BYTE ? (int)f.v : 0;
    }
    return true;
}

/* What else matters: is it BPE, does it normalise, where do spaces go? */
typedef struct manner { bool bpe, map, prefix, squeeze; } manner;

static bool read_manner(int part, span s, manner *m)
{
    for (field f; s.p < s.end;) {
        if (!next(&s, &f)) return false;
        if (part == TRAINER && f.number == TRAINER_TYPE) m->bpe = f.v == BPE;
        if (part == NORMALISER && f.number == NORMAL_MAP) m->map = f.bytes.p < f.bytes.end;
        if (part == NORMALISER && f.number == NORMAL_PREFIX) m->prefix = f.v != 0;
        if (part == NORMALISER && f.number == NORMAL_SPACES) m->squeeze = f.v != 0;
    }
    return true;
}

static ivl_status read_model(span s, const char *name, ivl_sp_piece *piece, int64_t *n_p, manner *m)
{
    *m = (manner){ .prefix = true, .squeeze = true }; /* where nothing is said */
    *n_p = 0;
    for (field f; s.p < s.end;) {
        bool good = next(&s, &f);
        if (good && f.wire == BYTES && f.number == PIECES) {
            good = !piece || read_piece(f.bytes, &piece[*n_p]);
            ++*n_p;
        } else if (good && f.wire == BYTES) good = read_manner(f.number, f.bytes, m);
        IVL_CHECK(good, IVL_EFORMAT, "%s: not a sentencepiece model", name);
    }
    return IVL_OK;
}

static ivl_status read_all(const void *bytes, size_t n, const char *name, ivl_sp_piece **list_p, int64_t *n_p,
                           manner *m)
{
    span s = { bytes, (const unsigned char *)bytes + n };
    IVL_TRY(read_model(s, name, NULL, n_p, m));
    ivl_sp_piece *list = calloc((size_t)*n_p + 1, sizeof *list);
    IVL_CHECK(list, IVL_ENOMEM, "out of memory for %lld pieces", (long long)*n_p);
    ivl_status status = read_model(s, name, list, n_p, m);
    if (status == IVL_OK) *list_p = list;
    else free(list);
    return status;
}

ivl_status ivl_sp_pieces(const void *bytes, size_t n, const char *name, ivl_sp_piece **list_p, int64_t *n_p)
{
    manner m;
    return read_all(bytes, n, name, list_p, n_p, &m);
}

/* --- writing; errors of the stream show when it closes -------------------------------------------- */

static void put_varint(FILE *f, uint64_t v)
{
    for (; v >= 128; v >>= 7) fputc((int)(v & 127) | 128, f);
    fputc((int)v, f);
}

static void put_number(FILE *f, int number, uint64_t v)
{
    put_varint(f, (uint64_t)number << 3 | VARINT);
    put_varint(f, v);
}

static void put_bytes(FILE *f, int number, const char *p, size_t n)
{
    put_varint(f, (uint64_t)number << 3 | BYTES);
    put_varint(f, n);
    fwrite(p, 1, n, f);
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 128; v >>= 7) n++;
    return n;
}

static void put_piece(FILE *f, const ivl_sp_piece *p)
{
    uint32_t bits;
    memcpy(&bits, &p->score, sizeof bits);
    put_varint(f, PIECES << 3 | BYTES);
    put_varint(f, 1 + varint_bytes(p->n) + p->n + 5 + 2);
    put_bytes(f, PIECE_TEXT, p->p, p->n);
    put_varint(f, PIECE_SCORE << 3 | FOUR);
    for (int i = 0; i < 4; i++) fputc((int)(bits >> 8 * i & 255), f);
    put_number(f, PIECE_TYPE, (uint64_t)p->type);
}

/* A part of the model with its length before it. */
static ivl_status put_part(FILE *f, int number, void (*write)(FILE *to, const void *ctx), const void *ctx)
{
    char *p = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&p, &n);
    IVL_CHECK(to, IVL_ENOMEM, "out of memory");
    write(to, ctx);
    int bad = fclose(to);
    if (!bad) put_bytes(f, number, p, n);
    free(p);
    IVL_CHECK(!bad, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

typedef struct model { ivl_sp_piece *piece; int64_t n, unk, bos, eos; bool prefix, squeeze; } model;

static void write_trainer(FILE *f, const void *ctx)
{
    const model *m = ctx;
    const struct { int number; int64_t id; } name[] = { { TRAINER_UNK, m->unk }, { TRAINER_BOS, m->bos },
                                                        { TRAINER_EOS, m->eos } };
    bool bytes = false;
    for (int64_t i = 0; i < m->n; i++) bytes = bytes || m->piece[i].type == IVL_SP_BYTE;
    put_number(f, TRAINER_TYPE, BPE);
    put_number(f, TRAINER_BYTES, bytes);
    for (int i = 0; i < 3; i++) put_bytes(f, name[i].number, m->piece[name[i].id].p, m->piece[name[i].id].n);
}

static void write_normaliser(FILE *f, const void *ctx)
{
    const model *m = ctx;
    put_bytes(f, NORMAL_NAME, "identity", 8);
    put_number(f, NORMAL_PREFIX, m->prefix);
    put_number(f, NORMAL_SPACES, m->squeeze);
}

static ivl_status write_model(const model *m, char **out_p, size_t *n_p)
{
    char *p = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&p, &n);
    IVL_CHECK(f, IVL_ENOMEM, "out of memory for %lld pieces", (long long)m->n);
    for (int64_t i = 0; i < m->n; i++) put_piece(f, &m->piece[i]);
    ivl_status s = put_part(f, TRAINER, write_trainer, m);
    if (s == IVL_OK) s = put_part(f, NORMALISER, write_normaliser, m);
    if (fclose(f) && s == IVL_OK) s = ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (s == IVL_OK) *out_p = p, *n_p = n;
    else free(p);
    return s;
}

/* --- GGUF ----------------------------------------------------------------------------------------- */

static ivl_status get_id(const ivl_gguf *f, const char *key, const model *m, int64_t *id_p)
{
    IVL_TRY(ivl_gguf_int(f, key, id_p));
    IVL_CHECK(*id_p >= 0 && *id_p < m->n, IVL_EFORMAT, "%s: %s is %lld; there are %lld tokens", ivl_gguf_name(f), key,
              (long long)*id_p, (long long)m->n);
    return IVL_OK;
}

static ivl_status fill(const ivl_gguf *f, const ivl_gguf_text *token, const double *score, const int64_t *type,
                       model *m)
{
    bool unknown = false;
    m->piece = calloc((size_t)m->n + 1, sizeof *m->piece);
    IVL_CHECK(m->piece, IVL_ENOMEM, "out of memory for %lld tokens", (long long)m->n);
    for (int64_t i = 0; i < m->n; i++) {
        IVL_CHECK(!type || (type[i] >= IVL_SP_NORMAL && type[i] <= IVL_SP_BYTE), IVL_EFORMAT,
                  "%s: token %lld is of type %lld; types are 1 to 6", ivl_gguf_name(f), (long long)i,
                  (long long)type[i]);
        m->piece[i] = (ivl_sp_piece){ token[i].p, token[i].n, (float)score[i], type ? (int)type[i] : IVL_SP_NORMAL };
        unknown = unknown || m->piece[i].type == IVL_SP_UNKNOWN;
    }
    if (!unknown) m->piece[m->unk].type = IVL_SP_UNKNOWN;
    return IVL_OK;
}

static ivl_status read_settings(const ivl_gguf *f, model *m)
{
    m->unk = 0, m->bos = 1, m->eos = 2, m->prefix = true;
    IVL_TRY(get_id(f, "tokenizer.ggml.unknown_token_id", m, &m->unk));
    IVL_TRY(get_id(f, "tokenizer.ggml.bos_token_id", m, &m->bos));
    IVL_TRY(get_id(f, "tokenizer.ggml.eos_token_id", m, &m->eos));
    IVL_TRY(ivl_gguf_bool(f, "tokenizer.ggml.add_space_prefix", &m->prefix));
    return ivl_gguf_bool(f, "tokenizer.ggml.remove_extra_whitespaces", &m->squeeze);
}

ivl_status ivl_sp_from_gguf(const ivl_gguf *f, char **model_p, size_t *n_p)
{
    model m = { 0 };
    ivl_gguf_text *token = NULL;
    double *score = NULL;
    int64_t *type = NULL, n_scores = 0, n_types = 0;
    ivl_status s = ivl_gguf_strings(f, "tokenizer.ggml.tokens", &token, &m.n);
    if (s == IVL_OK) s = ivl_gguf_reals(f, "tokenizer.ggml.scores", &score, &n_scores);
    if (s == IVL_OK) s = ivl_gguf_ints(f, "tokenizer.ggml.token_type", &type, &n_types);
    if (s == IVL_OK && (n_scores != m.n || (type && n_types != m.n)))
        s = ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %lld tokens, but %lld scores and %lld token types",
                     ivl_gguf_name(f), (long long)m.n, (long long)n_scores, (long long)n_types);
    if (s == IVL_OK) s = read_settings(f, &m);
    if (s == IVL_OK) s = fill(f, token, score, type, &m);
    if (s == IVL_OK) s = write_model(&m, model_p, n_p);
    free(token), free(score), free(type), free(m.piece);
    return s;
}

static ivl_status put_pieces(const ivl_sp_piece *piece, int64_t n, ivl_gguf_meta *m)
{
    ivl_gguf_text *token = calloc((size_t)n + 1, sizeof *token);
    float *score = calloc((size_t)n + 1, sizeof *score);
    int32_t *type = calloc((size_t)n + 1, sizeof *type);
    bool there = token && score && type;
    for (int64_t i = 0; there && i < n; i++)
        token[i] = (ivl_gguf_text){ piece[i].p, piece[i].n }, score[i] = piece[i].score, type[i] = piece[i].type;
    if (there) {
        ivl_gguf_put_strings(m, "tokenizer.ggml.tokens", token, n);
        ivl_gguf_put_f32s(m, "tokenizer.ggml.scores", score, n);
        ivl_gguf_put_i32s(m, "tokenizer.ggml.token_type", type, n);
    }
    free(token), free(score), free(type);
    IVL_CHECK(there, IVL_ENOMEM, "out of memory for %lld tokens", (long long)n);
    return IVL_OK;
}

ivl_status ivl_sp_put_gguf(const void *bytes, size_t n, const char *name, const ivl_sp_info *ids, ivl_gguf_meta *m)
{
    ivl_sp_piece *piece = NULL;
    int64_t count = 0;
    manner how;
    IVL_TRY(read_all(bytes, n, name, &piece, &count, &how));
    ivl_status s = how.bpe && !how.map
                       ? IVL_OK
                       : ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__,
                                  "%s: GGUF files hold sentencepiece's BPE without normalisation, and this is another",
                                  name);
    if (s == IVL_OK) s = put_pieces(piece, count, m);
    free(piece);
    IVL_TRY(s);
    ivl_gguf_put_string(m, "tokenizer.ggml.model", "llama");
    ivl_gguf_put_string(m, "tokenizer.ggml.pre", "default");
    const struct { const char *key; int id; } id[] = { { "tokenizer.ggml.unknown_token_id", ids->unk },
                                                       { "tokenizer.ggml.bos_token_id", ids->bos },
                                                       { "tokenizer.ggml.eos_token_id", ids->eos } };
    for (int i = 0; i < 3; i++)
        if (id[i].id >= 0) ivl_gguf_put_u32(m, id[i].key, (uint32_t)id[i].id);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_bos_token", ids->bos >= 0);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_eos_token", false);
    ivl_gguf_put_bool(m, "tokenizer.ggml.add_space_prefix", how.prefix);
    if (how.squeeze) ivl_gguf_put_bool(m, "tokenizer.ggml.remove_extra_whitespaces", true);
    return IVL_OK;
}
