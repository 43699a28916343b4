/* Training checkpoints: everything that a run needs to go on bit for bit. A checkpoint is a folder that appears under
 * its name only when complete and on the disk:
 *   step-00000200/weights.safetensors   master weights by public name, f32, of what trains
 *   step-00000200/moment1.safetensors, moment2.safetensors
 *   step-00000200/state.json            step, device, recipe
 * What does not train is read from where the run began. Data order, masks and dropped branches are functions of (seed,
 * step), so nothing else has state. */
#ifndef IVL_TRAIN_STATE_H
#define IVL_TRAIN_STATE_H

#include "model/params.h"

typedef struct ivl_state { int64_t step; char *device, *recipe; } ivl_state; /* recipe: its effective YAML */
void ivl_state_free(ivl_state *st);

/* dir/step-N, then removes all but the newest `keep`. A failure (a full disk) leaves the older ones as they are. */
ivl_status ivl_state_save(const char *dir, const ivl_params *p, ivl_stream *s, const ivl_state *st, int keep);
/* The newest complete checkpoint's path (freed by the caller); NULL if there is none. Half-written ones of a killed run
 * are removed. */
ivl_status ivl_state_latest(const char *dir, char **path_p);
ivl_status ivl_state_load(const char *path, const ivl_params *p, ivl_stream *s, ivl_state *st_p);
/* Only what state.json says. */
ivl_status ivl_state_read(const char *path, ivl_state *st_p);

#endif
