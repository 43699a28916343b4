/* Times a language model file (GGUF, or a folder) on a device: taking in a prompt, then a token at a time, and prints
 * one JSON line. bench/vs_llama.sh runs it and llama.cpp in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "runtime/clock.h"
#include "train/language.h"

typedef struct options { const char *device; int prompt, tokens, steps; ivl_dtype dtype; } options;

typedef struct bench {
    const options *o;
    ivl_device    *dev;
    ivl_stream    *s;
    ivl_language   l;
    ivl_decoder   *d;
    ivl_val        ids;
    int32_t       *prompt;
    float         *logits;
    double        *took[2]; /* seconds of a prompt, of a token: medians */
} bench;

/* Token i of the text: anything but special ones. */
static int32_t token_at(const bench *b, int i)
{
    return 10 + (int32_t)((int64_t)i * 7919 % (b->l.config.llm.vocab - 10));
}


static ivl_status record(void *ctx, const ivl_scope *s, ivl_prompt *p)
{
    bench *b = ctx;
    ivl_llama m = ivl_chat_llm(s, &b->l.config);
    b->ids = ivl_input(s->g, "ids", IVL_I32, 2, (int64_t[]){ 1, b->o->prompt });
    *p = (ivl_prompt){ .x = ivl_llama_embed(&m, b->ids), .vision = IVL_NONE, .mask = IVL_MASK_CAUSAL };
    return IVL_OK;
}

static ivl_status begin(bench *b, const char *model)
{
    IVL_TRY(ivl_device_open(b->o->device, &b->dev));
    IVL_TRY(ivl_stream_open(b->dev, &b->s));
    IVL_TRY(ivl_language_load(model, b->dev, b->s, b->o->dtype, &b->l));
    ivl_decoder_model m = { b->l.params, &b->l.config.tower, &b->l.config.llm, "llm.", b->o->dtype };
    ivl_decoder_options o = { 1, 1, b->o->prompt + b->o->tokens };
    IVL_TRY(ivl_decoder_create(b->dev, b->s, &m, &o, record, b, &b->d));
    b->prompt = calloc((size_t)b->o->prompt, sizeof *b->prompt);
    b->logits = calloc((size_t)b->l.config.llm.vocab, sizeof *b->logits);
    for (int i = 0; i < 2; i++) b->took[i] = calloc((size_t)b->o->steps, sizeof *b->took[i]);
    IVL_CHECK(b->prompt && b->logits && b->took[0] && b->took[1], IVL_ENOMEM, "out of memory");
    for (int i = 0; i < b->o->prompt; i++) b->prompt[i] = token_at(b, i);
    return IVL_OK;
}

static ivl_status once(bench *b, double *prompt, double *token)
{
    double start = ivl_seconds();
    size_t bytes = (size_t)b->o->prompt * sizeof *b->prompt;
    IVL_TRY(ivl_plan_write(ivl_decoder_prompts(b->d), b->s, b->ids, b->prompt, bytes));
    IVL_TRY(ivl_decoder_prefill(b->d, &b->o->prompt, b->logits));
    *prompt = ivl_seconds() - start, start = ivl_seconds();
    for (int i = 0; i < b->o->tokens; i++) {
        int32_t id = token_at(b, b->o->prompt + i);
        IVL_TRY(ivl_decoder_step(b->d, &id, b->logits));
    }
    *token = (ivl_seconds() - start) / b->o->tokens;
    return IVL_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ivl_status run(bench *b, const char *model)
{
    double warm;
    IVL_TRY(begin(b, model));
    IVL_TRY(once(b, &warm, &warm));
    for (int i = 0; i < b->o->steps; i++) IVL_TRY(once(b, &b->took[0][i], &b->took[1][i]));
    for (int i = 0; i < 2; i++) qsort(b->took[i], (size_t)b->o->steps, sizeof *b->took[i], ascending);
    int n = b->o->steps / 2;
    printf("{\"engine\": \"ivl %s\", \"device\": \"%s\", \"prompt\": %d, \"tokens\": %d, \"prompt_seconds\": %.6f, "
           "\"token_seconds\": %.6f}\n",
           ivl_version(), ivl_device_name(b->dev), b->o->prompt, b->o->tokens, b->took[0][n], b->took[1][n]);
    return IVL_OK;
}

static void end(bench *b)
{
    ivl_decoder_destroy(b->d);
    ivl_language_free(&b->l);
    ivl_stream_close(b->s);
    ivl_device_close(b->dev);
    free(b->prompt), free(b->logits), free(b->took[0]), free(b->took[1]);
}

static bool parse(options *o, int argc, char **argv)
{
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--device")) o->device = value;
        else if (!strcmp(key, "--prompt")) o->prompt = atoi(value);
        else if (!strcmp(key, "--tokens")) o->tokens = atoi(value);
        else if (!strcmp(key, "--steps")) o->steps = atoi(value);
        else if (strcmp(key, "--dtype") || ivl_dtype_parse(value, &o->dtype) != IVL_OK) return false;
    }
    return argc % 2 == 0 && argc > 1 && o->prompt > 0 && o->tokens > 0 && o->steps > 0;
}

int main(int argc, char **argv)
{
    options o = { .prompt = 512, .tokens = 128, .steps = 3 };
    bench b = { .o = &o };
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: language MODEL [--prompt N] [--tokens N] [--steps N] [--device D] [--dtype T]\n");
        return 2;
    }
    ivl_status s = run(&b, argv[1]);
    if (s != IVL_OK) fprintf(stderr, "language: %s\n", ivl_last_error());
    end(&b);
    return s != IVL_OK;
}
