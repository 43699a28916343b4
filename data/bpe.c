#include "data/bpe.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"

/* letters: written in the alphabet */
typedef struct token { const char *p; uint32_t n; uint8_t kind; bool letters; } token;
typedef struct merge { uint64_t pair; int32_t rank, id; } merge; /* rank -1: an empty place */

struct ivl_bpe {
    ivl_bpe_info info;
    char     *bytes, *chat_template;
    token    *token;
    int32_t   byte[256];      /* id of each single byte; -1: none */
    int32_t  *by_text;        /* ids by hash of their bytes, open addressing; -1: empty */
    merge    *by_pair;        /* the same of merges */
    uint32_t  text_mask, pair_mask;
    int32_t  *special;        /* control and user-defined tokens, longest first */
    int       n_special;
    bool      starts[256];    /* first bytes of special tokens */
};

/* --- tables --------------------------------------------------------------------------------------- */

static uint32_t mask_for(int64_t n)
{
    uint32_t size = 16;
    while (size < 2 * (uint64_t)n) size *= 2;
    return size - 1;
}

static uint32_t hash_text(const char *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t hash_pair(uint64_t pair) { return (uint32_t)((pair * 0x9e3779b97f4a7c15u) >> 32); }
static uint64_t pair_of(int32_t a, int32_t b) { return (uint64_t)(uint32_t)a << 32 | (uint32_t)b; }

static int32_t find_text(const ivl_bpe *b, const char *p, size_t n)
{
    for (uint32_t i = hash_text(p, n) & b->text_mask;; i = (i + 1) & b->text_mask) {
        int32_t id = b->by_text[i];
        if (id < 0 || (b->token[id].n == n && !memcmp(b->token[id].p, p, n))) return id;
    }
}

static const merge *find_merge(const ivl_bpe *b, int32_t left, int32_t right)
{
    uint64_t pair = pair_of(left, right);
    for (uint32_t i = hash_pair(pair) & b->pair_mask;; i = (i + 1) & b->pair_mask) {
        const merge *m = &b->by_pair[i];
        if (m->rank < 0) return NULL;
        if (m->pair == pair) return m;
    }
}

/* --- making --------------------------------------------------------------------------------------- */

/* Bytes that p[n], written in GPT-2's alphabet, stands for; false: it is written in no such alphabet. */
static bool plain(const char *p, size_t n, char *out, size_t *n_p)
{
    size_t m = 0;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = 0;
        len = ivl_utf8_next(p + i, n - i, &c);
        int byte = len ? ivl_bpe_byte(c) : -1;
        if (byte < 0) return false;
        out[m++] = (char)byte;
    }
    *n_p = m;
    return true;
}

static bool is_special(int kind) { return kind == IVL_BPE_CONTROL || kind == IVL_BPE_USER || kind == IVL_BPE_UNKNOWN; }

static ivl_status make_tokens(ivl_bpe *b, const ivl_bpe_source *from)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < from->n; i++) {
        IVL_CHECK(from->token[i].n <= 1 << 20, IVL_EFORMAT, "%s: token %lld has %zu bytes", from->name, (long long)i,
                  from->token[i].n);
        bytes += from->token[i].n;
    }
    b->bytes = malloc(bytes + 1);
    b->token = calloc((size_t)from->n + 1, sizeof *b->token);
    IVL_CHECK(b->bytes && b->token, IVL_ENOMEM, "out of memory for %lld tokens", (long long)from->n);
    char *at = b->bytes;
    for (int64_t i = 0; i < from->n; i++) {
        int64_t kind = from->kind ? from->kind[i] : IVL_BPE_NORMAL;
        size_t n = from->token[i].n;
        IVL_CHECK(kind >= 0 && kind <= IVL_BPE_BYTE, IVL_EFORMAT, "%s: token %lld is of the unknown type %lld",
                  from->name, (long long)i, (long long)kind);
        bool letters = kind == IVL_BPE_NORMAL && plain(from->token[i].p, n, at, &n);
        if (!letters && (n = from->token[i].n)) memcpy(at, from->token[i].p, n);
        b->token[i] = (token){ at, (uint32_t)n, (uint8_t)kind, letters };
        at += n;
    }
    return IVL_OK;
}

static ivl_status index_tokens(ivl_bpe *b)
{
    b->text_mask = mask_for(b->info.size);
    b->by_text = malloc(((size_t)b->text_mask + 1) * sizeof *b->by_text);
    b->special = malloc(((size_t)b->info.size + 1) * sizeof *b->special);
    IVL_CHECK(b->by_text && b->special, IVL_ENOMEM, "out of memory for %d tokens", b->info.size);
    memset(b->by_text, 0xff, ((size_t)b->text_mask + 1) * sizeof *b->by_text);
    for (int32_t i = 0; i < b->info.size; i++) {
        const token *t = &b->token[i];
        if (is_special(t->kind)) {
            if (!t->n) continue;
            b->special[b->n_special++] = i;
            b->starts[(unsigned char)t->p[0]] = true;
        } else if (t->kind == IVL_BPE_NORMAL && find_text(b, t->p, t->n) < 0) {
            uint32_t at = hash_text(t->p, t->n) & b->text_mask;
            while (b->by_text[at] >= 0) at = (at + 1) & b->text_mask;
            b->by_text[at] = i;
        }
    }
    for (int c = 0; c < 256; c++) b->byte[c] = find_text(b, (char[]){ (char)c }, 1);
    return IVL_OK;
}

/* Longest first; equals by id. */
static int by_length(const void *x, const void *y, void *ctx)
{
    const ivl_bpe *b = ctx;
    int32_t i = *(const int32_t *)x, j = *(const int32_t *)y;
    if (b->token[i].n != b->token[j].n) return b->token[i].n > b->token[j].n ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* The ids of "left right" and of what they make. */
static ivl_status parse_merge(const ivl_bpe *b, const ivl_bpe_source *from, int64_t at, char *room, merge *m_p)
{
    ivl_gguf_text t = from->merge[at];
    const char *space = t.n ? memchr(t.p + 1, ' ', t.n - 1) : NULL;
    size_t left = space ? (size_t)(space - t.p) : 0, a = 0, c = 0;
    bool ok = space && plain(t.p, left, room, &a) && plain(space + 1, t.n - left - 1, room + a, &c);
    int32_t x = ok ? find_text(b, room, a) : -1, y = ok ? find_text(b, room + a, c) : -1;
    int32_t both = ok ? find_text(b, room, a + c) : -1;
    IVL_CHECK(x >= 0 && y >= 0 && both >= 0, IVL_EFORMAT, "%s: merge %lld, '%.*s', is not of two tokens into a third",
              from->name, (long long)at, (int)(t.n < 60 ? t.n : 60), t.p);
    *m_p = (merge){ pair_of(x, y), (int32_t)at, both };
    return IVL_OK;
}

static ivl_status make_merges(ivl_bpe *b, const ivl_bpe_source *from)
{
    size_t longest = 0;
    for (int64_t i = 0; i < from->n_merges; i++)
        if (from->merge[i].n > longest) longest = from->merge[i].n;
    b->pair_mask = mask_for(from->n_merges);
    b->by_pair = malloc(((size_t)b->pair_mask + 1) * sizeof *b->by_pair);
    char *room = malloc(longest + 1);
    ivl_status s = b->by_pair && room ? IVL_OK
                                      : ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for %lld merges",
                                                 (long long)from->n_merges);
    for (uint32_t i = 0; s == IVL_OK && i <= b->pair_mask; i++) b->by_pair[i].rank = -1;
    for (int64_t i = 0; s == IVL_OK && i < from->n_merges; i++) {
        merge m;
        s = parse_merge(b, from, i, room, &m);
        if (s != IVL_OK || find_merge(b, (int32_t)(m.pair >> 32), (int32_t)(uint32_t)m.pair)) continue;
        uint32_t at = hash_pair(m.pair) & b->pair_mask;
        while (b->by_pair[at].rank >= 0) at = (at + 1) & b->pair_mask;
        b->by_pair[at] = m;
    }
    free(room);
    return s;
}

static ivl_status check_id(const ivl_bpe_source *from, const char *what, int64_t id, int *id_p)
{
    IVL_CHECK(id >= -1 && id < from->n, IVL_EFORMAT, "%s: %s is token %lld of %lld", from->name, what, (long long)id,
              (long long)from->n);
    *id_p = (int)id;
    return IVL_OK;
}

static ivl_status make(ivl_bpe *b, const ivl_bpe_source *from)
{
    IVL_CHECK(from->n > 0 && from->n <= 1 << 24 && from->n_merges <= 1 << 24, IVL_EFORMAT,
              "%s: a vocabulary of %lld tokens and %lld merges", from->name, (long long)from->n,
              (long long)from->n_merges);
    b->info = (ivl_bpe_info){ .size = (int)from->n, .add_bos = from->add_bos, .rule = from->rule };
    IVL_TRY(check_id(from, "BOS", from->bos, &b->info.bos));
    IVL_TRY(check_id(from, "EOS", from->eos, &b->info.eos));
    IVL_TRY(check_id(from, "the unknown token", from->unk, &b->info.unk));
    IVL_TRY(check_id(from, "padding", from->pad, &b->info.pad));
    IVL_TRY(make_tokens(b, from));
    IVL_TRY(index_tokens(b));
    qsort_r(b->special, (size_t)b->n_special, sizeof *b->special, by_length, b);
    IVL_TRY(make_merges(b, from));
    if (!from->chat_template) return IVL_OK;
    b->chat_template = strdup(from->chat_template);
    IVL_CHECK(b->chat_template, IVL_ENOMEM, "out of memory");
    return IVL_OK;
}

ivl_status ivl_bpe_create(const ivl_bpe_source *from, ivl_bpe **b_p)
{
    ivl_bpe *b = calloc(1, sizeof *b);
    IVL_CHECK(b, IVL_ENOMEM, "out of memory");
    ivl_status s = make(b, from);
    if (s == IVL_OK) *b_p = b;
    else ivl_bpe_close(b);
    return s;
}

void ivl_bpe_close(ivl_bpe *b)
{
    if (!b) return;
    free(b->bytes), free(b->token), free(b->by_text), free(b->by_pair), free(b->special), free(b->chat_template);
    free(b);
}

ivl_bpe_info ivl_bpe_info_of(const ivl_bpe *b) { return b->info; }

ivl_status ivl_bpe_set(ivl_bpe *b, const ivl_bpe_info *ids, const char *chat_template)
{
    char *copy = chat_template ? strdup(chat_template) : NULL;
    IVL_CHECK(copy || !chat_template, IVL_ENOMEM, "out of memory");
    free(b->chat_template);
    b->chat_template = copy;
    b->info.bos = ids->bos, b->info.eos = ids->eos, b->info.unk = ids->unk, b->info.pad = ids->pad;
    b->info.add_bos = ids->add_bos;
    return IVL_OK;
}

const char *ivl_bpe_chat_template(const ivl_bpe *b) { return b->chat_template; }

const char *ivl_bpe_token(const ivl_bpe *b, int32_t id, size_t *n_p)
{
    if (id < 0 || id >= b->info.size) return NULL;
    int kind = b->token[id].kind;
    *n_p = kind == IVL_BPE_CONTROL || kind == IVL_BPE_UNKNOWN || kind == IVL_BPE_UNUSED ? 0 : b->token[id].n;
    return b->token[id].p;
}

int32_t ivl_bpe_special(const ivl_bpe *b, const char *text)
{
    for (int i = 0; i < b->n_special; i++) {
        const token *t = &b->token[b->special[i]];
        if (t->n == strlen(text) && !memcmp(t->p, text, t->n)) return b->special[i];
    }
    return -1;
}

ivl_bpe_kind ivl_bpe_kind_of(const ivl_bpe *b, int32_t id) { return (ivl_bpe_kind)b->token[id].kind; }

size_t ivl_bpe_written(const ivl_bpe *b, int32_t id, char *room)
{
    size_t n = 0;
    if (!room) {
        for (int i = 0; i < b->info.size; i++)
            if (b->token[i].n > n) n = b->token[i].n;
        return 2 * n + 1;
    }
    const token *t = &b->token[id];
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t c = t->letters ? ivl_bpe_letter((unsigned char)t->p[i]) : (unsigned char)t->p[i];
        if (!t->letters || c < 0x80) room[n++] = (char)c;
        else room[n++] = (char)(0xc0 | c >> 6), room[n++] = (char)(0x80 | (c & 0x3f)); /* all below U+0800 */
    }
    return n;
}

static int by_rank(const void *a, const void *b)
{
    const ivl_bpe_pair *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

ivl_status ivl_bpe_merges(const ivl_bpe *b, ivl_bpe_pair **list_p, size_t *n_p)
{
    size_t n = 0;
    ivl_bpe_pair *list = malloc(((size_t)b->pair_mask + 1) * sizeof *list);
    IVL_CHECK(list, IVL_ENOMEM, "out of memory");
    for (size_t i = 0; i <= b->pair_mask; i++) {
        const merge *m = &b->by_pair[i];
        if (m->rank >= 0) list[n++] = (ivl_bpe_pair){ (int32_t)(m->pair >> 32), (int32_t)(uint32_t)m->pair, m->rank };
    }
    qsort(list, n, sizeof *list, by_rank);
    *list_p = list, *n_p = n;
    return IVL_OK;
}

/* --- encoding ------------------------------------------------------------------------------------- */

/* A word's symbols as a linked list, and the possible merges in a heap: lowest rank first, then leftmost. */
typedef struct symbol { int32_t id, prev, next; } symbol; /* next -1: the last; id -1: merged into the one before */
typedef struct candidate { int32_t rank, at, id; } candidate;

typedef struct work {
    const ivl_bpe *b;
    symbol    *sym;
    candidate *heap;
    size_t     room, n_heap;
    int32_t   *ids;
    size_t     n, ids_room;
} work;

static bool before(candidate a, candidate b) { return a.rank != b.rank ? a.rank < b.rank : a.at < b.at; }

static void push(work *w, candidate c)
{
    size_t i = w->n_heap++;
    for (; i && before(c, w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = c;
}

static candidate pop(work *w)
{
    candidate top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < w->n_heap; i = k) {
        if (k + 1 < w->n_heap && before(w->heap[k + 1], w->heap[k])) k++;
        if (!before(w->heap[k], last)) break;
        w->heap[i] = w->heap[k];
    }
    w->heap[i] = last;
    return top;
}

static void consider(work *w, int32_t at)
{
    if (at < 0 || w->sym[at].next < 0) return;
    const merge *m = find_merge(w->b, w->sym[at].id, w->sym[w->sym[at].next].id);
    if (m) push(w, (candidate){ m->rank, at, m->id });
}

/* Each merge makes at most two new candidates. */
static ivl_status reserve(work *w, size_t n)
{
    if (n > w->room) {
        size_t room = 2 * n + 64;
        symbol *sym = realloc(w->sym, room * sizeof *sym);
        if (sym) w->sym = sym;
        candidate *heap = realloc(w->heap, 3 * room * sizeof *heap);
        if (heap) w->heap = heap;
        IVL_CHECK(sym && heap, IVL_ENOMEM, "out of memory for a word of %zu bytes", n);
        w->room = room;
    }
    if (w->n + n > w->ids_room) {
        size_t room = 2 * w->ids_room + n + 64;
        int32_t *ids = realloc(w->ids, room * sizeof *ids);
        IVL_CHECK(ids, IVL_ENOMEM, "out of memory for %zu tokens", room);
        w->ids = ids, w->ids_room = room;
    }
    return IVL_OK;
}

static ivl_status add_word(work *w, const char *p, size_t n)
{
    IVL_CHECK(n < INT_MAX / 4, IVL_EINVAL, "a word of %zu bytes is too long", n);
    IVL_TRY(reserve(w, n));
    int32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = w->b->byte[(unsigned char)p[i]];
        if (id < 0) continue;
        w->sym[count] = (symbol){ id, count - 1, count + 1 };
        count++;
    }
    if (!count) return IVL_OK;
    w->sym[count - 1].next = -1;
    w->n_heap = 0;
    for (int32_t i = 0; i < count; i++) consider(w, i);
    while (w->n_heap) {
        candidate c = pop(w);
        symbol *s = &w->sym[c.at];
        if (s->id < 0 || s->next < 0) continue;
        const merge *m = find_merge(w->b, s->id, w->sym[s->next].id);
        if (!m || m->id != c.id || m->rank != c.rank) continue; /* one side has changed since */
        symbol *gone = &w->sym[s->next];
        s->id = c.id, s->next = gone->next, gone->id = -1;
        if (s->next >= 0) w->sym[s->next].prev = c.at;
        consider(w, s->prev), consider(w, c.at);
    }
    for (int32_t i = 0; i >= 0; i = w->sym[i].next) w->ids[w->n++] = w->sym[i].id;
    return IVL_OK;
}

static ivl_status add_pieces(work *w, int step, const char *p, size_t n)
{
    ivl_bpe_rule rule = w->b->info.rule;
    if (step == ivl_bpe_steps(rule)) return add_word(w, p, n);
    for (size_t len; n; p += len, n -= len) {
        len = ivl_bpe_piece(rule, step, p, n);
        IVL_TRY(add_pieces(w, step + 1, p, len));
    }
    return IVL_OK;
}

/* The special token that p[n] begins with; -1: none. */
static int32_t special_at(const ivl_bpe *b, const char *p, size_t n)
{
    if (!b->starts[(unsigned char)*p]) return -1;
    for (int i = 0; i < b->n_special; i++) {
        const token *t = &b->token[b->special[i]];
        if (t->n <= n && !memcmp(t->p, p, t->n)) return b->special[i];
    }
    return -1;
}

static ivl_status add_text(work *w, const char *p, size_t n)
{
    size_t begin = 0;
    for (size_t i = 0; i < n;) {
        int32_t id = special_at(w->b, p + i, n - i);
        if (id < 0) {
            i++;
            continue;
        }
        IVL_TRY(add_pieces(w, 0, p + begin, i - begin));
        IVL_TRY(reserve(w, 1));
        w->ids[w->n++] = id;
        begin = i += w->b->token[id].n;
    }
    return add_pieces(w, 0, p + begin, n - begin);
}

ivl_status ivl_bpe_encode(const ivl_bpe *b, const char *text, size_t n, int32_t **ids_p, size_t *n_p)
{
    work w = { .b = b };
    ivl_status s = reserve(&w, 1); /* so that an empty text has an array, too */
    if (s == IVL_OK) s = add_text(&w, text, n);
    free(w.sym), free(w.heap);
    if (s != IVL_OK) {
        free(w.ids);
        return s;
    }
    *ids_p = w.ids, *n_p = w.n;
    return IVL_OK;
}
