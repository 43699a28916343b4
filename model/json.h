/* JSON as the readers of this folder need it: sizes limited, duplicate keys refused, errors that name file,
 * key and what was found. */
#ifndef IVL_MODEL_JSON_H
#define IVL_MODEL_JSON_H

#include <jansson.h>

#include "model/config.h"
#include "runtime/json_save.h"

/* The text must hold one object. */
ivl_status ivl_json_parse(const char *text, size_t n, const char *name, json_t **root_p);
ivl_status ivl_json_load(const char *path, size_t limit, json_t **root_p);

/* Where a message says a key was: "config.json: vision_config.hidden_size". prefix may be "". */
typedef struct ivl_json_at { const char *name, *prefix; const json_t *object; } ivl_json_at;

/* Each leaves *v_p alone when the key is absent or null, and refuses other types. Numbers must be finite. */
ivl_status ivl_json_int(ivl_json_at at, const char *key, int *v_p);
ivl_status ivl_json_real(ivl_json_at at, const char *key, double *v_p);
ivl_status ivl_json_bool(ivl_json_at at, const char *key, bool *v_p);
ivl_status ivl_json_string(ivl_json_at at, const char *key, const char **v_p);
/* An object; stays NULL when absent or null. */
ivl_status ivl_json_object(ivl_json_at at, const char *key, const json_t **v_p);

/* A whole config.json as a value; see model/config.h. */
ivl_status ivl_config_from_json(const json_t *root, const char *name, ivl_model_config *c_p);
/* The config.json of a bare InternViT (the decoder and the heads stay at defaults), and of a LLaMA. */
ivl_status ivl_config_vit_from_json(const json_t *root, const char *name, ivl_model_config *c_p);
ivl_status ivl_config_text_from_json(const json_t *root, const char *name, ivl_text_config *c_p);
/* A config.json of an InternViT alone, of a language model (model/llm.h); NULL: out of memory. */
json_t *ivl_config_vit_to_json(const ivl_model_config *c);
json_t *ivl_llm_config_to_json(const ivl_text_config *c, ivl_dtype dtype);
/* Atomically writes PATH and drops root (NULL: IVL_ENOMEM). */
ivl_status ivl_json_write(json_t *root, const char *path);

#endif
