/* Training of a tokenizer.model: reads the corpus line by line, writes the result atomically. */
#include "data/tokenizer.h"
#include "data/sentencepiece.h"
#include "runtime/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_VOCAB = 260 }; /* unk, bos, eos, 256 bytes, and one piece */

typedef struct corpus { FILE *f; char *line, *valid; size_t room; ivl_status status; } corpus;

static const char *next_line(void *user, size_t *n_p)
{
    corpus *c = user;
    ssize_t n = c->status == IVL_OK ? getline(&c->line, &c->room, c->f) : -1;
    free(c->valid);
    c->valid = NULL;
    if (n < 0) return NULL;
    while (n > 0 && (c->line[n - 1] == '\n' || c->line[n - 1] == '\r')) n--;
    c->status = ivl_utf8_clean(c->line, (size_t)n, &c->valid, n_p);
    return c->valid;
}

static ivl_status write_model(const char *out, const char *model, size_t n)
{
    ivl_out_file f = { 0 };
    IVL_TRY(ivl_out_open(out, &f));
    fwrite(model, 1, n, f.f);
    return ivl_out_commit(&f);
}

ivl_status ivl_tokenizer_train(const char *path, int vocab, const char *out)
{
    IVL_CHECK(vocab >= MIN_VOCAB && vocab <= 1 << 20, IVL_EINVAL, "a vocabulary of %d; %d to %d are possible",
              vocab, MIN_VOCAB, 1 << 20);
    corpus c = { .f = fopen(path, "rb") };
    IVL_CHECK(c.f, IVL_EIO, "%s: cannot read: %s", path, strerror(errno));
    char *model = NULL;
    size_t n = 0;
    ivl_status s = ivl_sp_train(next_line, &c, vocab, path, &model, &n);
    if (c.status != IVL_OK) s = c.status;
    if (ferror(c.f)) s = ivl_fail(IVL_EIO, __FILE__, __LINE__, "%s: cannot read to its end", path);
    if (s == IVL_OK) s = write_model(out, model, n);
    fclose(c.f);
    free(c.line), free(c.valid), free(model);
    return s;
}
