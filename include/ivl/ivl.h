/* libivl: InternVL as a portable compute library. The user's header.
 *
 * Conventions, valid for every public function:
 *   - A function that can fail returns ivl_status; IVL_OK is 0. The first function to know an error
 *     records a message with the values in it; read it with ivl_last_error() on the same thread.
 *   - Outputs come last, are named `_p`, and are written only on success.
 *   - x_open/x_create give ownership to the caller; x_close/x_destroy release it and accept NULL.
 *   - The library never exits, never prints, and keeps no global state but the thread's last error.
 */
#ifndef IVL_IVL_H
#define IVL_IVL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ivl/version.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef enum ivl_status {
    IVL_OK = 0,
    IVL_ENOMEM = -1,       /* host or device memory is exhausted */
    IVL_EINVAL = -2,       /* an argument or setting is wrong */
    IVL_ESHAPE = -3,       /* tensors do not fit together */
    IVL_EUNSUPPORTED = -4, /* valid, but this build or device cannot do it */
    IVL_EDEVICE = -5,      /* a driver failed, or there is no such device */
    IVL_EIO = -6,          /* a file or directory could not be read or written */
    IVL_EFORMAT = -7,      /* a file was read, and its content is wrong */
    IVL_ECOMM = -8         /* another process of the run failed */
} ivl_status;

/* Short name of a status, "EINVAL"; never NULL. */
const char *ivl_status_name(ivl_status s);

/* The message of the last failure on this thread; "" if there was none. Valid until the next failure. */
const char *ivl_last_error(void);

/* "0.1.0": the version of the library that runs (IVL_VERSION_STRING is that of the headers). */
const char *ivl_version(void);

/* Element types. Quantised types store blocks of 32 values of one row, as GGUF lays them out. */
typedef enum ivl_dtype {
    IVL_F32, IVL_BF16, IVL_F16, IVL_F64, IVL_I32, IVL_U8, IVL_Q8_0, IVL_Q4_0, IVL_Q4_1
} ivl_dtype;

/* Bytes that n elements take; n must be a multiple of 32 for quantised types. */
size_t ivl_dtype_bytes(ivl_dtype t, int64_t n);

/* "f32", "bf16", ...; never NULL. */
const char *ivl_dtype_name(ivl_dtype t);

/* The other way; also takes "fp32", "fp16". IVL_EINVAL names the accepted words. */
ivl_status ivl_dtype_parse(const char *name, ivl_dtype *dtype_p);

/* A compute device. Several threads may share one. */
typedef struct ivl_device ivl_device;

/* Opens "host", "opencl", "opencl:P.D" (platform and device number of `ivl devices`), "cuda:N", or
 * "check:SPEC", which wraps another device and checks every op it runs. NULL or "" picks the best:
 * a GPU, else PoCL, else any OpenCL device, else host. */
ivl_status ivl_device_open(const char *spec, ivl_device **dev_p);
void       ivl_device_close(ivl_device *dev);

/* Human-readable name, "opencl:0.0 pthread-haswell-... (PoCL 3.1)"; lives as long as the device. */
const char *ivl_device_name(const ivl_device *dev);

/* --- embedding pictures and texts ---------------------------------------------------------------- */

/* A model with its tokenizer, ready to turn pictures and texts into vectors of one space. One thread at a
 * time. The rows that come out are float32, of length ivl_embedder_dim, and of unit norm: the cosine of a
 * picture and a text is their dot product (InternVL-C, or by option G; 2312.14238 section 3.3). */
typedef struct ivl_embedder ivl_embedder;

typedef struct ivl_embedder_options {
    ivl_dtype compute;     /* storage of weights and activations: IVL_F32, IVL_BF16, IVL_F16 */
    int       batch;       /* pictures or texts at a time; 0: 8 */
    bool      center_crop; /* short side to S and centre crop (classification); else squash (retrieval) */
    bool      queries;     /* InternVL-G: QLLaMA's queries look at the picture too (a model after stage 2) */
    int       image_size;  /* another input size than the model's: positions are resized; 0: the model's */
} ivl_embedder_options;

/* model_dir: config.json, safetensors and tokenizer.model, as Hugging Face lays them out. The device must
 * outlive the embedder. options may be NULL. */
ivl_status ivl_embedder_open(const char *model_dir, ivl_device *dev, const ivl_embedder_options *options,
                             ivl_embedder **e_p);
void       ivl_embedder_close(ivl_embedder *e);
int        ivl_embedder_dim(const ivl_embedder *e);

/* out[n, dim]; each text is UTF-8 and gets the prefix "summarize:". */
ivl_status ivl_embed_texts(ivl_embedder *e, const char *const *text, int n, float *out);
/* Pictures as files' bytes (JPEG or PNG); `name` is used in messages. out[n, dim]. */
typedef struct ivl_picture { const void *bytes; size_t n; const char *name; } ivl_picture;
ivl_status ivl_embed_pictures(ivl_embedder *e, const ivl_picture *picture, int n, float *out);
/* The same from paths. */
ivl_status ivl_embed_files(ivl_embedder *e, const char *const *path, int n, float *out);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
