#include "model/pickle.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- names that may be referred to ---------------------------------------------------------------- */

enum { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGES }; /* from STORAGES on: the type of a storage */

static const struct { const char *text; int id; ivl_st_type type; } names[] = {
    { "collections\nOrderedDict\n", ORDERED_DICT, 0 },
    { "torch._utils\n_rebuild_tensor_v2\n", REBUILD_TENSOR, 0 },
    { "torch._utils\n_rebuild_parameter\n", REBUILD_PARAMETER, 0 },
    { "torch\nFloatStorage\n", STORAGES, IVL_ST_F32 },   { "torch\nDoubleStorage\n", STORAGES, IVL_ST_F64 },
    { "torch\nHalfStorage\n", STORAGES, IVL_ST_F16 },    { "torch\nBFloat16Storage\n", STORAGES, IVL_ST_BF16 },
    { "torch\nLongStorage\n", STORAGES, IVL_ST_I64 },    { "torch\nIntStorage\n", STORAGES, IVL_ST_I32 },
    { "torch\nByteStorage\n", STORAGES, IVL_ST_U8 },     { "torch\nBoolStorage\n", STORAGES, IVL_ST_BOOL },
};

/* --- the machine ---------------------------------------------------------------------------------- */

/* Values are referred to by number, so that the memo may hold them more than once. An opcode makes at most one value,
 * so there are no more of them than bytes. */
typedef struct vm {
    const char          *name;
    const unsigned char *p, *begin, *end;
    ivl_pickle_value    *value;
    int                  n, room;
    int32_t             *stack;  /* MARK: -1 */
    int                  depth, stack_room;
    int32_t             *memo;
    int64_t              n_memo; /* room; free places hold -1 */
    int64_t              next_memo;
} vm;

static ivl_status bad(const vm *m, const char *what)
{
    return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: its pickle is damaged at byte %zu: %s", m->name,
                    (size_t)(m->p - m->begin), what);
}

static ivl_status grow(void **list, int *room, int n, size_t size)
{
    if (n < *room) return IVL_OK;
    IVL_CHECK(n < INT_MAX / 4, IVL_EFORMAT, "a pickle of too many values");
    int more = 2 * *room + 16;
    void *p = realloc(*list, (size_t)more * size);
    IVL_CHECK(p, IVL_ENOMEM, "out of memory");
    *list = p, *room = more;
    return IVL_OK;
}

static ivl_status push(vm *m, int32_t v)
{
    void *p = m->stack;
    IVL_TRY(grow(&p, &m->stack_room, m->depth, sizeof *m->stack));
    m->stack = p;
    m->stack[m->depth++] = v;
    return IVL_OK;
}

static ivl_status push_value(vm *m, ivl_pickle_value v)
{
    void *p = m->value;
    IVL_TRY(grow(&p, &m->room, m->n, sizeof *m->value));
    m->value = p;
    m->value[m->n] = v;
    return push(m, m->n++);
}

static ivl_status push_int(vm *m, int64_t i)
{
    return push_value(m, (ivl_pickle_value){ .kind = IVL_PICKLE_INT, .i = i });
}

static ivl_status pop(vm *m, int32_t *v_p)
{
    if (!m->depth || m->stack[m->depth - 1] < 0) return bad(m, "a value is missing");
    *v_p = m->stack[--m->depth];
    return IVL_OK;
}

/* Number of values above the last mark, which goes. */
static ivl_status above_mark(vm *m, int *n_p)
{
    int at = m->depth - 1;
    while (at >= 0 && m->stack[at] >= 0) at--;
    if (at < 0) return bad(m, "a mark is missing");
    *n_p = m->depth - 1 - at;
    memmove(m->stack + at, m->stack + at + 1, (size_t)*n_p * sizeof *m->stack);
    m->depth--;
    return IVL_OK;
}

static ivl_status add_items(ivl_pickle_value *v, const int32_t *from, int n)
{
    while (v->room < v->n + n) {
        void *p = v->item;
        int room = v->room;
        IVL_TRY(grow(&p, &room, room, sizeof *v->item));
        v->item = p, v->room = room;
    }
    if (n) memcpy(v->item + v->n, from, (size_t)n * sizeof *from);
    v->n += n;
    return IVL_OK;
}

/* The top n of the stack become a tuple. */
static ivl_status make_tuple(vm *m, int n)
{
    ivl_pickle_value v = { .kind = IVL_PICKLE_TUPLE };
    for (int i = 0; i < n; i++)
        if (m->depth < n || m->stack[m->depth - 1 - i] < 0) return bad(m, "a tuple lacks values");
    ivl_status s = n ? add_items(&v, m->stack + m->depth - n, n) : IVL_OK;
    if (s == IVL_OK) {
        m->depth -= n;
        s = push_value(m, v);
    }
    if (s != IVL_OK) free(v.item);
    return s;
}

/* The top n of the stack go into the dictionary below them. */
static ivl_status set_items(vm *m, int n)
{
    if (n % 2 || m->depth <= n || m->stack[m->depth - n - 1] < 0) return bad(m, "keys and values do not pair");
    ivl_pickle_value *d = &m->value[m->stack[m->depth - n - 1]];
    for (int i = 0; i < n; i++)
        if (m->stack[m->depth - 1 - i] < 0) return bad(m, "keys and values do not pair");
    if (d->kind != IVL_PICKLE_DICT) return bad(m, "items are set in what is no dictionary");
    IVL_TRY(add_items(d, m->stack + m->depth - n, n));
    m->depth -= n;
    return IVL_OK;
}

/* What lists hold is of no use here. */
static ivl_status append(vm *m, int n)
{
    if (m->depth <= n || m->stack[m->depth - n - 1] < 0) return bad(m, "a list is missing");
    m->depth -= n;
    return m->value[m->stack[m->depth - 1]].kind == IVL_PICKLE_OTHER
               ? IVL_OK
               : bad(m, "items are appended to what is no list");
}

/* --- calls, which are none ------------------------------------------------------------------------ */

static const ivl_pickle_value *item(const vm *m, const ivl_pickle_value *t, int i, ivl_pickle_kind kind)
{
    const ivl_pickle_value *v = i < t->n ? &m->value[t->item[i]] : NULL;
    return v && v->kind == kind ? v : NULL;
}

/* ("storage", torch.FloatStorage, "0", "cpu", 12) */
static ivl_status persistent(vm *m)
{
    int32_t at = 0;
    IVL_TRY(pop(m, &at));
    const ivl_pickle_value *t = &m->value[at];
    const ivl_pickle_value *word = t->kind == IVL_PICKLE_TUPLE ? item(m, t, 0, IVL_PICKLE_TEXT) : NULL;
    const ivl_pickle_value *type = word ? item(m, t, 1, IVL_PICKLE_NAME) : NULL,
                           *key = word ? item(m, t, 2, IVL_PICKLE_TEXT) : NULL,
                           *n = word ? item(m, t, 4, IVL_PICKLE_INT) : NULL;
    if (!word || word->text.n != 7 || memcmp(word->text.p, "storage", 7) || !type || type->i != STORAGES || !key || !n)
        return bad(m, "a persistent id is no storage");
    ivl_pickle_value v = { .kind = IVL_PICKLE_STORAGE, .i = n->i, .text = key->text, .type = type->type };
    return push_value(m, v);
}

static ivl_status all_ints(const vm *m, const ivl_pickle_value *t)
{
    for (int i = 0; i < t->n; i++)
        if (m->value[t->item[i]].kind != IVL_PICKLE_INT) return bad(m, "a size is no whole number");
    return IVL_OK;
}

/* (storage, offset, sizes, strides, requires_grad, hooks) */
static ivl_status rebuild_tensor(vm *m, const ivl_pickle_value *t)
{
    const ivl_pickle_value *s = item(m, t, 0, IVL_PICKLE_STORAGE), *off = item(m, t, 1, IVL_PICKLE_INT),
                           *size = item(m, t, 2, IVL_PICKLE_TUPLE), *stride = item(m, t, 3, IVL_PICKLE_TUPLE);
    if (!s || !off || !size || !stride || size->n != stride->n || size->n > IVL_ST_RANK)
        return bad(m, "a tensor lacks its storage or sizes");
    IVL_TRY(all_ints(m, size));
    IVL_TRY(all_ints(m, stride));
    ivl_pickle_value v = { .kind = IVL_PICKLE_TENSOR, .i = off->i, .text = s->text, .type = s->type, .elements = s->i };
    ivl_status st = add_items(&v, size->item, size->n);
    if (st == IVL_OK) st = add_items(&v, stride->item, stride->n);
    if (st == IVL_OK) st = push_value(m, v);
    if (st != IVL_OK) free(v.item);
    return st;
}

static ivl_status reduce(vm *m)
{
    int32_t args = 0, what = 0;
    IVL_TRY(pop(m, &args));
    IVL_TRY(pop(m, &what));
    const ivl_pickle_value *t = &m->value[args];
    if (m->value[what].kind != IVL_PICKLE_NAME || t->kind != IVL_PICKLE_TUPLE)
        return bad(m, "a call of what is no function");
    switch (m->value[what].i) {
    case ORDERED_DICT:
        return t->n ? bad(m, "an OrderedDict with arguments")
                    : push_value(m, (ivl_pickle_value){ .kind = IVL_PICKLE_DICT });
    case REBUILD_TENSOR: return rebuild_tensor(m, t);
    case REBUILD_PARAMETER:
        return item(m, t, 0, IVL_PICKLE_TENSOR) ? push(m, t->item[0]) : bad(m, "a parameter without tensor");
    default: return bad(m, "a call of what is no function");
    }
}

/* module\nname\n */
static ivl_status push_name(vm *m, const char *text, size_t n)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].text) == n && !memcmp(names[i].text, text, n))
            return push_value(m,
                              (ivl_pickle_value){ .kind = IVL_PICKLE_NAME, .i = names[i].id, .type = names[i].type });
    char shown[121];
    size_t k = n && n - 1 < 120 ? n - 1 : n < 120 ? n : 120;
    for (size_t i = 0; i < k; i++) shown[i] = text[i] == '\n' ? '.' : text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
    shown[k] = 0;
    return ivl_fail(
        IVL_EUNSUPPORTED, __FILE__, __LINE__,
        "%s: refers to %s, which tensors have no need of; nothing in it was run. Save the model's state_dict() "
        "alone",
        m->name, shown);
}

static ivl_status global(vm *m)
{
    const unsigned char *a = memchr(m->p, '\n', (size_t)(m->end - m->p));
    const unsigned char *b = a ? memchr(a + 1, '\n', (size_t)(m->end - a - 1)) : NULL;
    if (!b) return bad(m, "a name does not end");
    const char *text = (const char *)m->p;
    m->p = b + 1;
    return push_name(m, text, (size_t)(b + 1 - (const unsigned char *)text));
}

static ivl_status stack_global(vm *m)
{
    int32_t name = 0, module = 0;
    char text[256];
    IVL_TRY(pop(m, &name));
    IVL_TRY(pop(m, &module));
    const ivl_pickle_value *a = &m->value[module], *b = &m->value[name];
    if (a->kind != IVL_PICKLE_TEXT || b->kind != IVL_PICKLE_TEXT || a->text.n + b->text.n + 2 > sizeof text)
        return bad(m, "a name is no text");
    size_t n = a->text.n;
    memcpy(text, a->text.p, n), text[n++] = '\n';
    memcpy(text + n, b->text.p, b->text.n), n += b->text.n;
    text[n++] = '\n';
    return push_name(m, text, n);
}

/* --- opcodes -------------------------------------------------------------------------------------- */

static ivl_status number(vm *m, int bytes, uint64_t *v_p)
{
    if (m->end - m->p < bytes) return bad(m, "it is cut off");
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)m->p[i] << 8 * i;
    m->p += bytes;
    *v_p = v;
    return IVL_OK;
}

static ivl_status text(vm *m, int bytes)
{
    uint64_t n = 0;
    IVL_TRY(number(m, bytes, &n));
    if (n > (uint64_t)(m->end - m->p)) return bad(m, "a text is cut off");
    ivl_pickle_value v = { .kind = IVL_PICKLE_TEXT, .text = { (const char *)m->p, (size_t)n } };
    m->p += n;
    return push_value(m, v);
}

/* LONG1: signed, little endian, of any length up to 8. */
static ivl_status long1(vm *m)
{
    uint64_t n = 0, v = 0;
    IVL_TRY(number(m, 1, &n));
    if (n > 8) return bad(m, "a number of more than 64 bits");
    IVL_TRY(number(m, (int)n, &v));
    if (n && n < 8 && v >> (8 * n - 1) & 1) v |= UINT64_MAX << 8 * n;
    return push_int(m, (int64_t)v);
}

static ivl_status put_memo(vm *m, int64_t at)
{
    if (!m->depth || m->stack[m->depth - 1] < 0) return bad(m, "nothing to remember");
    if (at > m->end - m->begin) return bad(m, "a place to remember is too far");
    if (at >= m->n_memo) {
        int64_t room = 2 * at + 64;
        int32_t *p = realloc(m->memo, (size_t)room * sizeof *p);
        IVL_CHECK(p, IVL_ENOMEM, "out of memory");
        for (int64_t i = m->n_memo; i < room; i++) p[i] = -1;
        m->memo = p, m->n_memo = room;
    }
    m->memo[at] = m->stack[m->depth - 1];
    if (at >= m->next_memo) m->next_memo = at + 1;
    return IVL_OK;
}

static ivl_status get_memo(vm *m, uint64_t at)
{
    if (at >= (uint64_t)m->n_memo || m->memo[at] < 0) return bad(m, "what it refers to is not there");
    return push(m, m->memo[at]);
}

static ivl_status build(vm *m)
{
    int32_t state = 0;
    IVL_TRY(pop(m, &state));
    if (!m->depth || m->stack[m->depth - 1] < 0 || m->value[m->stack[m->depth - 1]].kind != IVL_PICKLE_DICT)
        return bad(m, "attributes of what is no dictionary");
    return IVL_OK; /* _metadata of a state dict: of no use here */
}

static ivl_status step_marked(vm *m, unsigned char op)
{
    int n = 0;
    IVL_TRY(above_mark(m, &n));
    return op == 't' ? make_tuple(m, n) : op == 'u' ? set_items(m, n) : append(m, n);
}

/* Opcodes with an argument. */
static ivl_status step_argument(vm *m, unsigned char op)
{
    static const struct {
        unsigned char op;
        int bytes;
    } size[] = { { 'q', 1 }, { 'r', 4 }, { 'h', 1 }, { 'j', 4 },  { 'K', 1 },
                 { 'M', 2 }, { 'J', 4 }, { 'G', 8 }, { 0x80, 1 }, { 0x95, 8 } };
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        if (size[i].op == op) IVL_TRY(number(m, size[i].bytes, &v));
    switch (op) {
    case 'q': case 'r': return put_memo(m, (int64_t)v);
    case 'h': case 'j': return get_memo(m, v);
    case 'K': case 'M': return push_int(m, (int64_t)v);
    case 'J': return push_int(m, (int32_t)(uint32_t)v);
    case 'G': return push_value(m, (ivl_pickle_value){ 0 });
    case 0x80: return v <= 5 ? IVL_OK : bad(m, "an unknown version");
    case 0x95: return IVL_OK; /* a frame's length */
    default:
        m->p--;
        return ivl_fail(
            IVL_EUNSUPPORTED, __FILE__, __LINE__,
            "%s: pickle opcode 0x%02x at byte %zu, which tensors have no need of; nothing in it was run. Save the "
            "model's state_dict() alone",
            m->name, op, (size_t)(m->p - m->begin));
    }
}

static ivl_status step(vm *m, unsigned char op)
{
    switch (op) {
    case '(': return push(m, -1);
    case '}': return push_value(m, (ivl_pickle_value){ .kind = IVL_PICKLE_DICT });
    case ')': return make_tuple(m, 0);
    case ']': case 'N': case 0x88: case 0x89: return push_value(m, (ivl_pickle_value){ 0 });
    case 't': case 'u': case 'e': return step_marked(m, op);
    case 's': return set_items(m, 2);
    case 'a': return append(m, 1);
    case 0x85: case 0x86: case 0x87: return make_tuple(m, op - 0x84);
    case 'X': case 'T': return text(m, 4);
    case 0x8c: case 'U': return text(m, 1);
    case 0x8a: return long1(m);
    case 'c': return global(m);
    case 0x93: return stack_global(m);
    case 'Q': return persistent(m);
    case 'R': return reduce(m);
    case 'b': return build(m);
    case 0x94: return put_memo(m, m->next_memo);
    default: return step_argument(m, op);
    }
}

ivl_status ivl_pickle_read(const void *data, size_t n, const char *name, ivl_pickle *p_p)
{
    vm m = { .name = name, .p = data, .begin = data, .end = (const unsigned char *)data + n };
    int32_t top = 0;
    ivl_status s = IVL_OK;
    bool stopped = false;
    while (s == IVL_OK && !stopped) {
        if (m.p == m.end) s = bad(&m, "it does not stop");
        else if (*m.p == '.') stopped = true;
        else s = step(&m, *m.p++);
    }
    if (s == IVL_OK) s = pop(&m, &top);
    free(m.stack), free(m.memo);
    ivl_pickle p = { m.value, m.n, top };
    if (s == IVL_OK) *p_p = p;
    else ivl_pickle_free(&p);
    return s;
}

void ivl_pickle_free(ivl_pickle *p)
{
    for (int i = 0; i < p->n; i++) free(p->value[i].item);
    free(p->value);
    *p = (ivl_pickle){ 0 };
}
