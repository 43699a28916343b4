/* Model folders as Hugging Face lays them out: config.json, model.safetensors or shards with an index,
 * tokenizer.model. */
#ifndef IVL_MODEL_CHECKPOINT_H
#define IVL_MODEL_CHECKPOINT_H

#include "model/config.h"
#include "model/params.h"

typedef enum ivl_note_kind {
    IVL_NOTE_MISSING,  /* a parameter that the files lack */
    IVL_NOTE_SHAPE,    /* of another shape */
    IVL_NOTE_EXTRA,    /* a tensor that is nobody's */
    IVL_NOTE_UNUSED,   /* a tensor of a part of the model that is not in use */
    IVL_NOTE_RESIZED,  /* position embeddings of another grid, resized */
    IVL_NOTE_NAN,      /* holds values that are not finite */
    IVL_NOTE_TYPE      /* written in another type than was asked for */
} ivl_note_kind;

typedef struct ivl_note { ivl_note_kind kind; char *name, *detail; } ivl_note;

/* What happened, tensor by tensor, in order of name. */
typedef struct ivl_load_report {
    int       loaded;     /* parameters filled */
    int       n;
    ivl_note *note;
} ivl_load_report;

const char *ivl_note_name(ivl_note_kind kind);   /* "missing" */
int         ivl_load_count(const ivl_load_report *r, ivl_note_kind kind);
void        ivl_load_report_free(ivl_load_report *r);
ivl_status  ivl_load_note(ivl_load_report *r, ivl_note_kind kind, const char *name, const char *detail); /* adds one */
/* IVL_EFORMAT with the first few names of a kind, "DIR: missing: a, b and 12 more" and the advice behind it. */
ivl_status  ivl_load_refuse(const char *dir, const ivl_load_report *r, ivl_note_kind kind, const char *advice);
/* "[2,3]" into text[n]; returns it. */
const char *ivl_shape_text(int rank, const int64_t *dim, char *text, size_t n);

typedef struct ivl_load_options {
    unsigned allow_missing; /* IVL_PART_*: parameters of these parts may be missing and keep their values */
    bool strict;            /* extra tensors are an error too */
    bool check_nan;         /* values that are not finite are an error */
    bool resize_positions;  /* of another grid: resize (bicubic) instead of refusing */
    /* What a parameter is called in these files; NULL: it is not from there. Tensors that are nobody's then count as
     * unused. Not given: param.file. */
    const char *(*name_of)(const ivl_param *q);
} ivl_load_options;

/* Fills allocated parameters from the weights of DIR (also a GGUF or .pth file, see model/weights.h), converting to the
 * compute type. *report_p (may be NULL) is set whenever the files could be opened, also on failure, and is freed by the
 * caller. Missing, mis-shaped and, by option, extra and non-finite tensors are IVL_EFORMAT with the first few names in
 * the message; nothing is written to the parameters if names or shapes are wrong. Ignored without a note:
 * rotary_emb.inv_freq, which old files carry. */
ivl_status ivl_checkpoint_load(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_load_options *o,
                               ivl_load_report *report_p);

/* Lets the frozen matrices of a language model stay quantised where DIR has them so (GGUF files): same values, a
 * fraction of the memory. Before ivl_params_alloc in f32. */
ivl_status ivl_checkpoint_keep_blocks(const char *dir, ivl_params *p);

/* Only compares names and shapes, with the same errors; the parameters need not be allocated. */
ivl_status ivl_checkpoint_match(const char *dir, const ivl_params *p, const ivl_load_options *o);

typedef struct ivl_save_options {
    ivl_dtype   dtype;       /* of the files: f32, bf16 or f16 */
    size_t      shard_bytes; /* 0: one file */
    const char *tokenizer;   /* tokenizer.model to copy beside it; NULL: none */
} ivl_save_options;

/* Writes DIR (made if need be); weights come from the master copy where there is one. Each file is complete
 * on the disk before it replaces an older one. */
ivl_status ivl_checkpoint_save(const char *dir, const ivl_model_config *c, const ivl_params *p, ivl_stream *s,
                               const ivl_save_options *o);

/* Only the weights, under the names that they have in files. */
ivl_status ivl_checkpoint_save_weights(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_save_options *o);

#endif
