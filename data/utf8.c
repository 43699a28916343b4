/* UTF-8 made valid, and the cleaning of captions. */
#include "data/tokenizer.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

size_t ivl_utf8_next(const char *text, size_t n, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)text;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (p[0] < 0x80) return *c = p[0], 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    if (len > n) return 0;
    *c = p[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        *c = *c << 6 | (p[i] & 0x3f);
    }
    return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

size_t ivl_utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) return out[0] = (char)c, 1;
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(0xf00 >> len | c);
    return len;
}

ivl_status ivl_utf8_clean(const char *text, size_t n, char **out_p, size_t *n_p)
{
    char *out = malloc(3 * n + 1);
    IVL_CHECK(out, IVL_ENOMEM, "out of memory for a text of %zu bytes", n);
    size_t m = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t len = ivl_utf8_next(text + i, n - i, &c);
        m += ivl_utf8_put(out + m, len ? c : 0xfffd);
        i += len ? len : 1;
    }
    out[m] = 0;
    *out_p = out;
    if (n_p) *n_p = m;
    return IVL_OK;
}

static locale_t unicode;
static pthread_once_t unicode_once = PTHREAD_ONCE_INIT;
static void make_unicode(void) { unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }

static uint32_t lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return unicode ? (uint32_t)towlower_l((wint_t)c, unicode) : c;
}

uint32_t ivl_lower(uint32_t c)
{
    pthread_once(&unicode_once, make_unicode);
    return lower(c);
}

static bool has_case(uint32_t c)
{
    return unicode && (iswlower_l((wint_t)c, unicode) || iswupper_l((wint_t)c, unicode));
}

/* Signs that stand within words: they do not end one. */
static bool is_within(uint32_t c)
{
    return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xad || c == 0xb7 ||
           c == 0x2019 || (c >= 0x300 && c < 0x370) || (c >= 0x200b && c <= 0x200f);
}

/* Does a letter with case follow at p? */
static bool goes_on(const char *p, size_t n)
{
    uint32_t c = 0;
    size_t len = 0;
    for (size_t i = 0; i < n; i += len) {
        len = ivl_utf8_next(p + i, n - i, &c);
        if (!is_within(c)) return has_case(c);
    }
    return false;
}

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

/* Lower case into out (room for twice the bytes); the capital sigma at a word's end becomes the final one,
 * and the dotted capital I keeps its dot, as Unicode's special rules have it. */
static size_t lower_all(const char *in, size_t n, char *out)
{
    size_t m = 0;
    bool after_letter = false;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        i += ivl_utf8_next(in + i, n - i, &c);
        if (c == 0x3a3) m += ivl_utf8_put(out + m, after_letter && !goes_on(in + i, n - i) ? 0x3c2 : 0x3c3);
        else if (c == 0x130) m += ivl_utf8_put(out + m, 'i'), m += ivl_utf8_put(out + m, 0x307);
        else m += ivl_utf8_put(out + m, lower(c));
        if (!is_within(c)) after_letter = has_case(c);
    }
    return m;
}

/* In place: marks to spaces, runs of two and more white spaces to one space. */
static size_t squeeze(char *s, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (strchr(".!\"()*#:;~", s[i]) && s[i]) s[i] = ' ';
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t run = 0, end = i, first = 0;
        for (; end < n; run++) {
            size_t len = ivl_utf8_next(s + end, n - end, &c);
            if (!run) first = len;
            if (!is_space(c)) break;
            end += len;
        }
        if (run >= 2) s[m++] = ' ', i = end;
        else memmove(s + m, s + i, first), m += first, i += first;
    }
    return m;
}

/* Strips line ends at the end, then spaces at both; keeps `words` words. */
static void trim(char *s, size_t n, int words)
{
    while (n && s[n - 1] == '\n') n--;
    while (n && s[n - 1] == ' ') n--;
    size_t from = 0;
    while (from < n && s[from] == ' ') from++;
    memmove(s, s + from, n -= from);
    s[n] = 0;
    for (char *p = s; words && (p = strchr(p, ' ')); p++)
        if (!--words) {
            *p = 0;
            break;
        }
}

ivl_status ivl_text_clean(const char *text, int words, char **out_p)
{
    pthread_once(&unicode_once, make_unicode);
    char *valid = NULL, *out = NULL;
    size_t n = 0;
    IVL_TRY(ivl_utf8_clean(text, strlen(text), &valid, &n));
    out = malloc(2 * n + 1);
    if (out) trim(out, squeeze(out, lower_all(valid, n, out)), words);
    free(valid);
    IVL_CHECK(out, IVL_ENOMEM, "out of memory for a text of %zu bytes", n);
    *out_p = out;
    return IVL_OK;
}
