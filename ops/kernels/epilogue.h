/* What follows a matrix product, element by element, by flags, so that fused and unfused forms have the same bits:
 *   v = sum + bias; linear_gelu and linear_residual: z = v in T, v = gelu(z) or res + scale ls z. */
#ifndef IVL_KERNELS_EPILOGUE_H
#define IVL_KERNELS_EPILOGUE_H

/* as in ops/gemm_tiled.h */
enum { HAS_BIAS = 1, HAS_LS = 2, HAS_SCALE = 4, HAS_Z = 8 };
enum { ADD_Y = 16, ADD_Z = 32, GELU = 64, RESIDUAL = 128 };

typedef struct epilogue {
    GLOBAL const T *bias, *res, *ls;
    GLOBAL const float *scale;
    GLOBAL O *y;
    GLOBAL T *z;
    IDX res_pitch, y_pitch, z_pitch;
    int flags, per_sample; /* rows that share one scale */
} epilogue;

DEVICE void finish(const epilogue *e, IDX r, int c, float v)
{
    if (e->flags & HAS_BIAS) v += load1(e->bias, c);
    if (e->flags & (GELU | RESIDUAL)) v = round_t(v);
    if (e->flags & HAS_Z) put1(e->z, r * e->z_pitch + c, v, e->flags & ADD_Z);
    if (e->flags & GELU) v = gelu_f(v);
    if (e->flags & RESIDUAL) {
        float s = e->flags & HAS_SCALE ? e->scale[r / e->per_sample] : 1.0f;
        float l = e->flags & HAS_LS ? load1(e->ls, c) : 1.0f;
        v = residual_f(load1(e->res, r * e->res_pitch + c), s, l, v);
    }
    put_o(e->y, r * e->y_pitch + c, v, e->flags & ADD_Y);
}

#endif
