/* Scenes into shards and lists. */
#ifndef IVL_DATA_SCENES_WRITE_H
#define IVL_DATA_SCENES_WRITE_H

#include <jansson.h>

#include "data/emoji/shard.h"
#include "data/scenes/kit.h"

enum { SHARD_RECORDS = 1000 };

json_t *record_captions(tell_text *caption, int n);
/* Takes root (NULL: out of memory). */
ivl_status record_add_json(ivl_shard *shard, const char *key, json_t *root);
/* frame: "" or "001". */
ivl_status record_add_picture(const kit *k, ivl_shard *shard, const char *key, const char *frame, const uint8_t *rgb);
/* corpus: gets the captions, each after a prefix that the trainer puts before texts; NULL: none. */
ivl_status record_add_scene(const kit *k, ivl_shard *shard, const char *key, const scene *s, dice *d,
                            const uint8_t *rgb, const uint8_t *mask, FILE *corpus);
/* One conversation into a JSON array that is being written; the caller ends it with "\n]\n". Its answers are sentences,
 * words, one caption, or reasons with a yes or no. */
typedef enum tell_form { TELL_SENTENCES, TELL_IN_WORDS, TELL_CAPTION, TELL_REASONED, TELL_FORMS } tell_form;
ivl_status record_tell(const kit *k, FILE *f, const char *key, const char *image, const scene *s, dice *d,
                       tell_form form, bool first);

/* videos_train.tar, videos_val.tar */
ivl_status videos_write(const kit *k, int64_t count[2]);

#endif
