/* The dialect: about 25 words that OpenCL C and CUDA C share. Kernels are C99 plus these: no swizzles, no
 * 3-vectors, no templates, no dynamic local memory. Storage type T is f32, bf16 or f16; arithmetic is float.
 *
 *   KERNEL void f(TENSOR_IN(x), TENSOR_OUT(y), int n) { BEGIN(x); BEGIN(y); ... }
 * A tensor argument is (pointer, offset, pitch): x, x_off, x_pitch; BEGIN moves x to its first element.
 * TENSOR_IN/OUT hold T; TENSOR_IN_AS(float, w) another type. */
#ifdef __OPENCL_VERSION__
#define KERNEL __kernel
#define DEVICE static inline
#define GLOBAL __global
#define LOCAL __local
#define RESTRICT restrict
#define WG(n) __attribute__((reqd_work_group_size(n, 1, 1)))
#define LID ((int)get_local_id(0))
#define GROUP(d) ((int)get_group_id(d))
#define NUM_GROUPS(d) ((int)get_num_groups(d))
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define AS_FLOAT as_float
#define AS_UINT as_uint
typedef long IDX;
#define EXP exp
#define LOG log
#define SQRT sqrt
#define RSQRT rsqrt
#define ERF erf
#define SIN sin
#define COS cos
#define FMIN fmin
#define FMAX fmax
#define FMA fma
#define POW pow
#define ISFINITE isfinite
#else
#define KERNEL extern "C" __global__
#define DEVICE static __device__ inline
#define GLOBAL
#define LOCAL __shared__
#define RESTRICT __restrict__
#define WG(n) __launch_bounds__(n)
#define LID ((int)threadIdx.x)
#define GROUP(d) ((int)((d) == 0 ? blockIdx.x : (d) == 1 ? blockIdx.y : blockIdx.z))
#define NUM_GROUPS(d) ((int)((d) == 0 ? gridDim.x : (d) == 1 ? gridDim.y : gridDim.z))
#define BARRIER __syncthreads()
#define AS_FLOAT __uint_as_float
#define AS_UINT __float_as_uint
typedef long long IDX;
typedef unsigned int uint;
typedef unsigned short ushort;
typedef unsigned char uchar;
#define EXP expf
#define LOG logf
#define SQRT sqrtf
#define RSQRT rsqrtf
#define ERF erff
#define SIN sinf
#define COS cosf
#define FMIN fminf
#define FMAX fmaxf
#define FMA fmaf
#define POW powf
#define ISFINITE isfinite
#include <cuda_fp16.h>
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#endif

/* Parameters with defaults, so every file compiles alone. */
#ifndef WG_SIZE
#define WG_SIZE 1
#endif
#ifndef VEC
#define VEC 16
#endif

/* The storage types. */
DEVICE float load_f32(GLOBAL const float *p, IDX i) { return p[i]; }
DEVICE void store_f32(GLOBAL float *p, IDX i, float v) { p[i] = v; }
DEVICE float load_bf16(GLOBAL const ushort *p, IDX i) { return AS_FLOAT((uint)p[i] << 16); }
DEVICE void store_bf16(GLOBAL ushort *p, IDX i, float v)
{
    uint u = AS_UINT(v);
    p[i] = (ushort)((v != v) ? (u >> 16 | 0x40) : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}
#if defined(__OPENCL_VERSION__) && WG_SIZE == 1
/* CPUs: PoCL converts halves one by one; arithmetic on the bits vectorises, and needs no subnormal floats. */
DEVICE float half_value(uint h)
{
    uint a = h & 0x7fff, rebased = (a << 13) + (a < 0x7c00 ? 0x38000000u : 0x70000000u);
    float f = a < 0x400 ? (float)(int)a * 0x1p-24f : AS_FLOAT(rebased);
    return AS_FLOAT(AS_UINT(f) | (h & 0x8000) << 16);
}
/* Round to nearest even; adding 0.5 leaves a subnormal half in the low bits. */
DEVICE uint half_bits(float v)
{
    uint u = AS_UINT(v), a = u & 0x7fffffff;
    uint normal = (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13;
    uint small = AS_UINT(AS_FLOAT(a) + 0.5f) - 0x3f000000;
    uint h = a > 0x7f800000 ? 0x7e00 : a >= 0x477ff000 ? 0x7c00 : a < 0x38800000 ? small : normal;
    return h | (u >> 16 & 0x8000);
}
DEVICE float load_f16(GLOBAL const ushort *p, IDX i) { return half_value(p[i]); }
DEVICE void store_f16(GLOBAL ushort *p, IDX i, float v) { p[i] = (ushort)half_bits(v); }
#elif defined(__OPENCL_VERSION__)
DEVICE float load_f16(GLOBAL const ushort *p, IDX i) { return vload_half((size_t)i, (GLOBAL const half *)p); }
DEVICE void store_f16(GLOBAL ushort *p, IDX i, float v) { vstore_half_rte(v, (size_t)i, (GLOBAL half *)p); }
#else
DEVICE float load_f16(GLOBAL const ushort *p, IDX i) { return __half2float(__ushort_as_half(p[i])); }
DEVICE void store_f16(GLOBAL ushort *p, IDX i, float v) { p[i] = __half_as_ushort(__float2half_rn(v)); }
#endif

/* T, and O: an output's type where it may differ (-DO_F32, ...), else T. */
#ifdef T_BF16
typedef ushort T;
#define load1 load_bf16
#define store1 store_bf16
#elif defined(T_F16)
typedef ushort T;
#define load1 load_f16
#define store1 store_f16
#else
typedef float T;
#define load1 load_f32
#define store1 store_f32
#endif
#ifdef O_F32
typedef float O;
#define load_o load_f32
#define store_o store_f32
#elif defined(O_BF16)
typedef ushort O;
#define load_o load_bf16
#define store_o store_bf16
#elif defined(O_F16)
typedef ushort O;
#define load_o load_f16
#define store_o store_f16
#else
typedef T O;
#define load_o load1
#define store_o store1
#endif

/* v as it is after a round trip through T. */
DEVICE float round_t(float v)
{
#ifdef T_BF16
    uint u = AS_UINT(v);
    return v != v ? v : AS_FLOAT((u + 0x7fff + (u >> 16 & 1)) >> 16 << 16);
#elif defined(T_F16) && defined(__OPENCL_VERSION__) && WG_SIZE == 1
    return half_value(half_bits(v));
#elif defined(T_F16) && defined(__OPENCL_VERSION__)
    ushort h;
    vstore_half_rte(v, 0, (half *)&h);
    return vload_half(0, (half *)&h);
#elif defined(T_F16)
    return __half2float(__float2half_rn(v));
#else
    return v;
#endif
}

/* Stores, or adds to what is there. */
DEVICE void put1(GLOBAL T *p, IDX i, float v, int add) { store1(p, i, add ? load1(p, i) + v : v); }
DEVICE void put_o(GLOBAL O *p, IDX i, float v, int add) { store_o(p, i, add ? load_o(p, i) + v : v); }
DEVICE void put_f(GLOBAL float *p, IDX i, float v, int add) { p[i] = add ? p[i] + v : v; }

#define TENSOR_IN_AS(type, x) GLOBAL const type *RESTRICT x, IDX x##_off, IDX x##_pitch
#define TENSOR_OUT_AS(type, x) GLOBAL type *RESTRICT x, IDX x##_off, IDX x##_pitch
#define TENSOR_IN(x) TENSOR_IN_AS(T, x)
#define TENSOR_OUT(x) TENSOR_OUT_AS(T, x)
#define BUFFER(type, x) GLOBAL type *RESTRICT x, IDX x##_off   /* scratch: buffer and offset */
#define BEGIN(x) x += x##_off

/* Sum over the group's lanes of each lane's v; every lane gets it. `tmp` is LOCAL float[WG_SIZE]. */
DEVICE float group_sum(float v, LOCAL float *tmp)
{
#if WG_SIZE == 1
    return v;
#else
    tmp[LID] = v;
    BARRIER;
    for (int s = WG_SIZE / 2; s > 0; s >>= 1) {
        if (LID < s) tmp[LID] += tmp[LID + s];
        BARRIER;
    }
    float r = tmp[0];
    BARRIER;
    return r;
#endif
}

/* Pairwise sum of VEC partial sums. */
DEVICE float vec_sum(float *a)
{
    for (int s = VEC / 2; s > 0; s >>= 1)
        for (int i = 0; i < s; i++) a[i] += a[i + s];
    return a[0];
}
