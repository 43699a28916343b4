/* Which template a model was trained with, from the Jinja text in its files. No Jinja is run: only the known forms are
 * told apart, by the marks they put into the text. */
#include "data/conversation.h"

#include <stdlib.h>
#include <string.h>

/* "\n" written as two characters, as Jinja strings in JSON often have it, is a line break. */
static const char *skip_break(const char *p)
{
    if (*p == '\n') return p + 1;
    return p[0] == '\\' && p[1] == 'n' ? p + 2 : NULL;
}

/* The text that ChatML templates put before a conversation that has no system message of its own. */
static ivl_status default_system(const char *jinja, char **system_p)
{
    static const char mark[] = "<|im_start|>system";
    char *out = NULL, *to;
    for (const char *p = jinja; !out && (p = strstr(p, mark));) {
        p += strlen(mark);
        const char *text = skip_break(p), *end = text ? strstr(text, "<|im_end|>") : NULL;
        if (!end || memchr(text, '{', (size_t)(end - text)) || *text == '\'' || *text == '"') continue;
        to = out = malloc((size_t)(end - text) + 1);
        IVL_CHECK(out, IVL_ENOMEM, "out of memory for a system message");
        for (const char *q = text; q < end; q++) {
            const char *after = skip_break(q);
            if (after) *to++ = '\n', q = after - 1;
            else if (*q == '\\' && q + 1 < end) *to++ = *++q;
            else *to++ = *q;
        }
        *to = 0;
    }
    *system_p = out;
    return IVL_OK;
}

ivl_status ivl_template_of_jinja(const char *jinja, ivl_template *t_p, char **system_p)
{
    char *system = NULL;
    bool chatml = strstr(jinja, "<|im_start|>"), vicuna = strstr(jinja, "USER:") && strstr(jinja, "ASSISTANT:");
    IVL_CHECK(chatml || vicuna, IVL_EUNSUPPORTED,
              "the model's chat template is neither ChatML nor Vicuna's; choose vicuna, plain or chatml");
    if (chatml) IVL_TRY(default_system(jinja, &system));
    *t_p = chatml ? IVL_TEMPLATE_CHATML : IVL_TEMPLATE_VICUNA, *system_p = system;
    return IVL_OK;
}

ivl_status ivl_template_detect(const ivl_tokenizer *tok, ivl_template *t_p, char **system_p)
{
    const char *jinja = ivl_tokenizer_chat_template(tok);
    if (jinja) return ivl_template_of_jinja(jinja, t_p, system_p);
    bool chatml = ivl_tokenizer_special(tok, "<|im_end|>") >= 0;
    IVL_CHECK(chatml || ivl_tokenizer_special(tok, "</s>") >= 0, IVL_EUNSUPPORTED,
              "the model brings no chat template; choose vicuna, plain or chatml");
    *t_p = chatml ? IVL_TEMPLATE_CHATML : IVL_TEMPLATE_VICUNA, *system_p = NULL;
    return IVL_OK;
}
