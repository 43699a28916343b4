/* Cosines between pictures and texts with libivl. Build against an installed library:
 *
 *     cc embed.c $(pkg-config --cflags --libs ivl) -o embed && ./embed MODEL_DIR PICTURE "a text" ["another text" ...]
 */
#include <ivl/ivl.h>

#include <stdio.h>
#include <stdlib.h>

static ivl_status compare(ivl_embedder *e, const char *picture, const char *const *text, int n)
{
    int dim = ivl_embedder_dim(e);
    float *v = malloc((size_t)(n + 1) * (size_t)dim * sizeof *v);
    if (!v) return IVL_ENOMEM;
    ivl_status s = ivl_embed_files(e, &picture, 1, v);
    if (s == IVL_OK) s = ivl_embed_texts(e, text, n, v + dim);
    for (int i = 0; s == IVL_OK && i < n; i++) {
        float cosine = 0;
        for (int j = 0; j < dim; j++) cosine += v[j] * v[(i + 1) * dim + j];
        printf("%.6f  %s\n", (double)cosine, text[i]);
    }
    free(v);
    return s;
}

int main(int argc, char **argv)
{
    ivl_device *dev = NULL;
    ivl_embedder *e = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL_DIR PICTURE TEXT...\n", argv[0]);
        return 2;
    }
    ivl_status s = ivl_device_open(getenv("IVL_DEVICE"), &dev);
    if (s == IVL_OK) s = ivl_embedder_open(argv[1], dev, NULL, &e);
    if (s == IVL_OK) s = compare(e, argv[2], (const char *const *)argv + 3, argc - 3);
    if (s != IVL_OK) fprintf(stderr, "%s: %s\n", argv[0], ivl_last_error());
    ivl_embedder_close(e);
    ivl_device_close(dev);
    return s != IVL_OK;
}
