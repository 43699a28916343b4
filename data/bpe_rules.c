/* Cutting text into words, as the regular expressions of GPT-2 and its kin do; written out, since they need no more
 * than one character of look-ahead. Characters are classed by HarfBuzz's Unicode tables. */
#include "data/bpe.h"

#include <hb.h>
#include <stdio.h>
#include <string.h>

#include "data/tokenizer.h"

typedef enum class { LETTER, NUMBER, SPACE, OTHER } class;

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static hb_unicode_general_category_t category(uint32_t c)
{
    return hb_unicode_general_category(hb_unicode_funcs_get_default(), c);
}

static class class_of(uint32_t c)
{
    if (c < 0x80) {
        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return LETTER;
        if (c >= '0' && c <= '9') return NUMBER;
        return is_space(c) ? SPACE : OTHER;
    }
    if (is_space(c)) return SPACE;
    switch (category(c)) {
    case HB_UNICODE_GENERAL_CATEGORY_LOWERCASE_LETTER:
    case HB_UNICODE_GENERAL_CATEGORY_MODIFIER_LETTER:
    case HB_UNICODE_GENERAL_CATEGORY_OTHER_LETTER:
    case HB_UNICODE_GENERAL_CATEGORY_TITLECASE_LETTER:
    case HB_UNICODE_GENERAL_CATEGORY_UPPERCASE_LETTER: return LETTER;
    case HB_UNICODE_GENERAL_CATEGORY_DECIMAL_NUMBER:
    case HB_UNICODE_GENERAL_CATEGORY_LETTER_NUMBER:
    case HB_UNICODE_GENERAL_CATEGORY_OTHER_NUMBER: return NUMBER;
    default: return OTHER;
    }
}

/* [\p{P}$+<=>^~|] */
static bool is_mark(uint32_t c)
{
    if (c < 0x80 && c && strchr("$+<=>^~|", (int)c)) return true;
    switch (category(c)) {
    case HB_UNICODE_GENERAL_CATEGORY_CONNECT_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_DASH_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_CLOSE_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_FINAL_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_INITIAL_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_OTHER_PUNCTUATION:
    case HB_UNICODE_GENERAL_CATEGORY_OPEN_PUNCTUATION: return true;
    default: return false;
    }
}

static size_t next(const char *p, size_t n, uint32_t *c)
{
    size_t len = ivl_utf8_next(p, n, c);
    return len ? len : (*c = 0xfffd, 1);
}

/* Bytes from p[at] on whose class is `want`. */
static size_t run(const char *p, size_t at, size_t n, class want)
{
    uint32_t c;
    size_t i = at, len;
    for (; i < n; i += len) {
        len = next(p + i, n - i, &c);
        if (class_of(c) != want) break;
    }
    return i - at;
}

/* White space: all of it at the text's end; else all but the last, which may belong to the word behind it. */
static size_t spaces(const char *p, size_t n)
{
    uint32_t c;
    size_t i = 0, len = 0, before = 0;
    for (; i < n; before = i, i += len) {
        len = next(p + i, n - i, &c);
        if (!is_space(c)) break;
    }
    if (i >= n) return i;
    return before ? before : i;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2(const char *p, size_t n)
{
    static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    for (size_t i = 0; *p == '\'' && i < sizeof endings / sizeof *endings; i++) {
        size_t len = strlen(endings[i]);
        if (len <= n && !memcmp(p, endings[i], len)) return len;
    }
    uint32_t c;
    size_t skip = *p == ' ' && n > 1;
    next(p + skip, n - skip, &c);
    class k = class_of(c);
    return k == SPACE ? spaces(p, n) : skip + run(p, skip, n, k);
}

/* Each number alone, and the runs between. */
static size_t digits(const char *p, size_t n)
{
    uint32_t c;
    size_t i = 0, len;
    for (; i < n; i += len) {
        len = next(p + i, n - i, &c);
        if (class_of(c) == NUMBER) return i ? i : len;
    }
    return i;
}

static size_t alike(const char *p, size_t n, bool (*in)(uint32_t))
{
    uint32_t c;
    size_t i = next(p, n, &c), len;
    bool first = in(c);
    for (; i < n; i += len) {
        len = next(p + i, n - i, &c);
        if (in(c) != first) break;
    }
    return i;
}

static bool is_number(uint32_t c) { return class_of(c) == NUMBER; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* [0-9][0-9][0-9], and what lies between. */
static size_t threes(const char *p, size_t n)
{
    for (size_t i = 0; i + 3 <= n; i++)
        if (is_digit(p[i]) && is_digit(p[i + 1]) && is_digit(p[i + 2])) return i ? i : 3;
    return n;
}

int ivl_bpe_steps(ivl_bpe_rule r) { return r == IVL_BPE_GPT2 ? 1 : r == IVL_BPE_DIGITS ? 2 : 4; }

size_t ivl_bpe_piece(ivl_bpe_rule r, int step, const char *p, size_t n)
{
    if (r == IVL_BPE_GPT2) return gpt2(p, n);
    if (r == IVL_BPE_DIGITS) return step == 0 ? digits(p, n) : gpt2(p, n);
    return step == 0   ? alike(p, n, is_mark)
           : step == 1 ? gpt2(p, n)
           : step == 2 ? alike(p, n, is_number)
                       : threes(p, n);
}

const char *ivl_bpe_split(int step)
{
    static const char *const expression[IVL_BPE_SPLITS] = {
        "[\\p{P}\\$\\+<=>\\^~\\|]+",
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "\\p{N}+",
        "[0-9][0-9][0-9]",
    };
    return expression[step];
}

static const struct { const char *pre; ivl_bpe_rule rule; } rules[] = {
    { "gpt-2", IVL_BPE_GPT2 },        { "smollm", IVL_BPE_DIGITS },    { "default", IVL_BPE_DEFAULT },
    { "gpt2", IVL_BPE_GPT2 },         { "phi-2", IVL_BPE_GPT2 },       { "starcoder", IVL_BPE_DIGITS },
    { "refact", IVL_BPE_DIGITS },     { "codeshell", IVL_BPE_DIGITS },
};

ivl_status ivl_bpe_rule_parse(const char *pre, const char *name, ivl_bpe_rule *rule_p)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(pre, rules[i].pre)) {
            *rule_p = rules[i].rule;
            return IVL_OK;
        }
    return ivl_fail(IVL_EUNSUPPORTED, __FILE__, __LINE__,
                    "%s: words are cut by the rule '%.40s'; known are smollm, gpt-2, default and their kin", name, pre);
}

const char *ivl_bpe_rule_name(ivl_bpe_rule r) { return rules[r == IVL_BPE_GPT2 ? 0 : r == IVL_BPE_DIGITS ? 1 : 2].pre; }

/* Printable characters of Latin-1 stand for themselves, the other 68 bytes for U+0100 and on. */
static bool printable(uint32_t c) { return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255); }

uint32_t ivl_bpe_letter(unsigned char byte)
{
    uint32_t n = 0;
    if (printable(byte)) return byte;
    for (uint32_t c = 0; c < byte; c++) n += !printable(c);
    return 256 + n;
}

int ivl_bpe_byte(uint32_t letter)
{
    if (letter < 256) return printable(letter) ? (int)letter : -1;
    uint32_t n = letter - 256;
    for (uint32_t c = 0; c < 256; c++)
        if (!printable(c) && n-- == 0) return (int)c;
    return -1;
}
