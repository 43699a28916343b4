#include "train/ptb.h"

#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"

/* Text is first made simple (put_simple), then cut by next_token. Bytes from 0x80 on are letters by then, but for the
 * symbols that SYMBOL stands before. */
enum { SYMBOL = 1 };

static const char *const abbreviations[] = {
    "mr", "mrs", "ms", "dr", "prof", "rev", "sen", "gov", "gen", "col", "capt", "lt", "sgt", "st", "jr", "sr", "ave",
    "blvd", "rd", "ft", "vs", "etc", "inc", "co", "corp", "ltd", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep",
    "sept", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "est", "dept", "univ", "al", "ph.d", "messrs",
};
static const char *const clitics[] = { "s", "m", "d", "ll", "re", "ve" };
static const struct { const char *word, *as; } split[] = {
    { "cannot", "can not" }, { "gonna", "gon na" }, { "gotta", "got ta" }, { "wanna", "wan na" },
    { "lemme", "lem me" }, { "gimme", "gim me" },
};

/* Text left, its beginning, tokens so far. */
typedef struct lexer { const char *p, *start; char *out; size_t n; } lexer;

static bool white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool letter(char c) { return (c >= 'a' && c <= 'z') || upper(c) || (unsigned char)c >= 0x80; }
static bool alnum(char c) { return letter(c) || digit(c); }
static char fold(char c) { return upper(c) ? (char)(c + 32) : c; }

/* The text at p begins with `word`, whatever the case. */
static bool begins(const char *p, const char *word)
{
    while (*word && fold(*p) == *word) p++, word++;
    return !*word;
}

static bool is(const char *p, size_t n, const char *word) { return strlen(word) == n && begins(p, word); }

/* --- simple text ------------------------------------------------------------------------------------------------- */

static const char *simple(uint32_t c)
{
    static const struct { uint32_t c; const char *as; } table[] = {
        { 0x2018, "'" },     { 0x2019, "'" },    { 0x201c, "\"" },   { 0x201d, "\"" },     { 0xab, "\"" },
        { 0xbb, "\"" },      { 0x2026, " ... " }, { 0x2013, " -- " }, { 0x2014, " -- " },   { 0xa3, "#" },
        { 0x20ac, "$" },     { 0xa0, " " },      { 0xa2, " cents " }, { 0xbc, "1/4" },      { 0xbd, "1/2" },
        { 0xbe, "3/4" },     { 0x3000, " " },    { 0xfeff, "" },     { 0x00ad, "" },        { 0x200b, "" },
        { 0x2028, " " },     { 0x2029, " " },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].c == c) return table[i].as;
    return c >= 0x10000 || (c >= 0xfe00 && c <= 0xfe0f) || c < 9 ? " " : NULL; /* what that tokenizer drops */
}

/* out has room for 8 bytes per byte of text. */
static void put_simple(const char *text, size_t n, char *out)
{
    for (size_t i = 0, len = 1; i < n; i += len) {
        uint32_t c = 0;
        len = ivl_utf8_next(text + i, n - i, &c);
        const char *as = simple(c);
        if (as) {
            out = stpcpy(out, as);
            continue;
        }
        if ((c >= 0xa1 && c <= 0xbf) || c == 0xd7 || c == 0xf7 || (c >= 0x2010 && c <= 0x2bff) ||
            (c >= 0x3001 && c <= 0x303f))
            *out++ = SYMBOL;
        memcpy(out, text + i, len);
        out += len;
    }
    *out = 0;
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static void emit(lexer *l, const char *word, size_t n)
{
    if (l->n) l->out[l->n++] = ' ';
    memcpy(l->out + l->n, word, n);
    l->n += n;
}

/* Emits n bytes and goes on behind them. */
static void take(lexer *l, size_t n)
{
    emit(l, l->p, n);
    l->p += n;
}

/* Lengths of what may stand at p; 0: it does not. */
static size_t address(const char *p)
{
    size_t n = 0;
    if (begins(p, "http://") || begins(p, "https://") || begins(p, "www.")) {
        while (p[n] && !white(p[n]) && !strchr("\"<>|()", p[n])) n++;
        while (n && strchr(".,;:!?'", p[n - 1])) n--;
        return n;
    }
    while (alnum(p[n]) || (n && p[n] && strchr("._%+-", p[n]))) n++; /* mail */
    if (!n || p[n] != '@') return 0;
    size_t end = 0;
    int labels = 0;
    for (size_t i = n + 1, from = i;; from = ++i) {
        while (alnum(p[i]) || p[i] == '-') i++;
        if (i > from) end = i, labels++;
        if (i == from || p[i] != '.') return labels >= 2 ? end : 0;
    }
}

static size_t tag(const char *p)
{
    size_t n = 1 + (p[1] == '/');
    if (p[0] != '<' || !letter(p[n])) return 0;
    while (p[n] && p[n] != '>' && p[n] != '<' && !white(p[n])) n++;
    return p[n] == '>' ? n + 1 : 0;
}

static size_t hash_word(const char *p)
{
    size_t n = 1;
    if ((p[0] != '#' && p[0] != '@') || !letter(p[1])) return 0;
    while (alnum(p[n]) || p[n] == '_') n++;
    return n;
}

static size_t number(const char *p)
{
    size_t n = *p == '+' || *p == '-';
    if (!digit(p[n])) return 0;
    while (digit(p[n]) || (p[n] && strchr(".,:/-", p[n]) && digit(p[n + 1]))) n++;
    return n;
}

static size_t letters(const char *p)
{
    size_t n = 0;
    while (letter(p[n])) n++;
    return n;
}

static bool clitic(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof clitics / sizeof *clitics; i++)
        if (is(p, n, clitics[i])) return true;
    return false;
}

/* "o'clock", "d'angelo", "ma'am", "c'mon": does the word p[n] go on behind the apostrophe after it? */
static bool joins(const char *p, size_t n)
{
    size_t after = letters(p + n + 1);
    if (n == 1) return after >= 2 && strchr("dlo", fold(*p)) && !clitic(p + 2, after) ? true : begins(p, "c'mon");
    return is(p, n + 1 + after, "ma'am");
}

static size_t word(const char *p)
{
    size_t n = 0;
    for (; alnum(p[n]) || n; n++) {
        char c = p[n], next = c ? p[n + 1] : 0;
        if (alnum(c)) continue;
        bool goes_on = (c == '-' && alnum(next)) || (c == '_' && alnum(next)) ||
                       ((c == '.' || c == '/') && letter(p[n - 1]) && letter(next)) ||
                       (c == '&' && upper(p[n - 1]) && upper(next)) || (c == '\'' && letter(next) && joins(p, n));
        if (!goes_on) break;
    }
    return n;
}

/* Letters each followed by a point, but for the last: "u.s", "t". */
static bool acronym(const char *p, size_t n)
{
    if (n % 2 == 0) return false;
    for (size_t i = 0; i < n; i++)
        if (i % 2 ? p[i] != '.' : !letter(p[i])) return false;
    return true;
}

static bool abbreviated(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof abbreviations / sizeof *abbreviations; i++)
        if (is(p, n, abbreviations[i])) return true;
    const char *after = p + n + 1;
    while (white(*after)) after++;
    return acronym(p, n) || (is(p, n, "no") && after > p + n + 1 && digit(*after));
}

static void take_word(lexer *l, size_t n)
{
    const char *p = l->p;
    for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
        if (!is(p, n, split[i].word)) continue;
        emit(l, split[i].as, strlen(split[i].as));
        l->p += n;
        return;
    }
    if (p[n] == '\'' && n > 1 && fold(p[n - 1]) == 'n' && fold(p[n + 1]) == 't' && !letter(p[n + 2])) {
        take(l, n - 1);
        take(l, 3);
        return;
    }
    if (p[n] == '\'' && (is(p, n, "y") ? letter(p[n + 1]) : is(p, n, "ol"))) n++;
    else if (p[n] == '.' && abbreviated(p, n)) n++;
    else if (is(p, n, "c") && p[n] == '#') n++;
    else if (is(p, n, "c") && p[n] == '+' && p[n + 1] == '+') n += 2;
    else if (is(p, n, "us") && p[n] == '$') n++;
    take(l, n);
}

/* Length of the token that begins with the apostrophe at p; 0: it is a quotation mark. */
static size_t apostrophe(const lexer *l)
{
    const char *p = l->p;
    size_t n = letters(p + 1);
    if (digit(p[1]) && digit(p[2])) {
        size_t year = 3 + (fold(p[3]) == 's');
        if (!p[year] || white(p[year])) return year;
    }
    if (clitic(p + 1, n) || is(p + 1, n, "em") || is(p + 1, n, "cause") || is(p + 1, n, "til")) return n + 1;
    if (is(p + 1, n, "tis") || is(p + 1, n, "twas")) return 2;
    bool inner = is(p + 1, n, "n") && (p[2] == '\'' || (p > l->start && letter(p[-1])));
    return inner ? 2 + (p[2] == '\'') : 0;
}

/* Length of the token of signs at p; 0: punctuation that is left out. */
static size_t sign(const char *p)
{
    size_t n = 1;
    if (strchr(".,;:-\"`", *p)) return 0;
    if (*p == '?' || *p == '!') {
        while (p[n] == '?' || p[n] == '!') n++;
        return n > 1 ? n : 0;
    }
    if (*p == '*' || *p == '_')
        while (p[n] == *p) n++;
    return n;
}

static void take_sign(lexer *l)
{
    static const struct { char c; const char *as; } bracket[] = {
        { '(', "-lrb-" }, { ')', "-rrb-" }, { '[', "-lsb-" }, { ']', "-rsb-" }, { '{', "-lcb-" }, { '}', "-rcb-" },
    };
    const char *p = l->p;
    for (size_t i = 0; i < sizeof bracket / sizeof *bracket; i++) {
        if (*p != bracket[i].c) continue;
        emit(l, bracket[i].as, 5);
        l->p++;
        return;
    }
    size_t n = *p == '\'' ? apostrophe(l) : sign(p);
    if (*p == SYMBOL) {
        l->p++;
        while ((p[n + 1] & 0xc0) == 0x80) n++;
    }
    if (n) take(l, n);
    else l->p++;
}

static void next_token(lexer *l)
{
    size_t n, w = word(l->p), d = number(l->p);
    if ((n = address(l->p)) || (n = tag(l->p)) || (n = hash_word(l->p))) take(l, n);
    else if (d && d >= w) take(l, d);
    else if (w) take_word(l, w);
    else take_sign(l);
}

static void lower_all(char *text, size_t n, char *out)
{
    for (size_t i = 0, len = 1; i < n; i += len) {
        uint32_t c = 0, low;
        len = ivl_utf8_next(text + i, n - i, &c);
        if (!len) len = 1, *out++ = text[i]; /* cannot be: the text is valid */
        else if ((low = ivl_lower(c)) == c) memcpy(out, text + i, len), out += len;
        else out += ivl_utf8_put(out, low);
    }
    *out = 0;
}

ivl_status ivl_ptb_tokenize(const char *text, char **out_p)
{
    char *clean = NULL;
    size_t n = 0;
    IVL_TRY(ivl_utf8_clean(text, strlen(text), &clean, &n));
    char *plain = malloc(8 * n + 1), *tokens = malloc(24 * n + 8), *out = malloc(24 * n + 8);
    if (plain && tokens && out) {
        put_simple(clean, n, plain);
        lexer l = { .p = plain, .start = plain, .out = tokens };
        while (*l.p) {
            if (white(*l.p)) l.p++;
            else next_token(&l);
        }
        lower_all(tokens, l.n, out);
    }
    free(clean), free(plain), free(tokens);
    if (!out || !plain || !tokens) {
        free(out);
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "out of memory for a caption of %zu bytes", n);
    }
    *out_p = out;
    return IVL_OK;
}
