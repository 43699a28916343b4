/* Device-free helpers shared by kernels; also compiled as host C in unit tests. All are branch-free, so that
 * compilers vectorise loops over them (PoCL's own exp and erf are scalar calls), and keep NaN. The polynomials
 * were fitted for this file: minimax, by reweighted least squares in 50 digits. */
#ifndef IVL_KERNELS_MATH_H
#define IVL_KERNELS_MATH_H

/* 2^(n + r) for whole n in [-125, 128], |r| <= 1/2, to 1e-7; `t` holds n + 1.5 * 2^23, so its low bits are n.
 * The polynomial is 2 * 2^r, so the scale 2^(n - 1) is never infinite. */
DEVICE float exp2_parts(float t, float r)
{
    float p = 3.069131248e-4f;
    p = FMA(p, r, 2.680012598e-3f);
    p = FMA(p, r, 1.923698109e-2f);
    p = FMA(p, r, 1.11006569e-1f);
    p = FMA(p, r, 4.804529373e-1f);
    p = FMA(p, r, 1.386294412f);
    p = FMA(p, r, 2.0f);
    return p * AS_FLOAT((AS_UINT(t) + 126u) << 23);
}

/* 2^x for x < 128: 0 below -125 */
DEVICE float exp2_f(float x)
{
    float v = x < -125.0f ? -125.0f : x, t = v + 12582912.0f;
    float e = exp2_parts(t, v - (t - 12582912.0f));
    return x < -125.0f ? 0.0f : e;
}

/* e^x: 0 below -86.9, infinity above 88.73, error 1 ulp */
DEVICE float exp_f(float x)
{
    float v = x < -86.9f ? -86.9f : x > 89.0f ? 89.0f : x;
    float t = FMA(v, 1.44269502f, 12582912.0f), n = t - 12582912.0f;
    float r = FMA(v, 1.925963033e-8f, FMA(v, 1.44269502f, -n));
    float e = exp2_parts(t, r);
    return x < -86.9f ? 0.0f : e;
}

DEVICE float sigmoid_f(float x) { return 1.0f / (1.0f + exp_f(-x)); }

/* Phi(-a), the tail of the normal distribution, for a in [0, 9]: 2^q(a), where q is the logarithm's polynomial.
 * Fitted for the error of a Phi(-a): 5e-9. */
DEVICE float tail_f(float a)
{
    float q = 3.145287606e-7f;
    q = FMA(q, a, -6.799803547e-6f);
    q = FMA(q, a, 5.938381939e-5f);
    q = FMA(q, a, -2.381883118e-4f);
    q = FMA(q, a, -6.228240337e-5f);
    q = FMA(q, a, 7.004653439e-3f);
    q = FMA(q, a, -5.247270819e-2f);
    q = FMA(q, a, -4.592119878e-1f);
    q = FMA(q, a, -1.151105152f);
    q = FMA(q, a, -1.0f);
    return exp2_f(q);
}

/* |x|, at most 9: beyond it the tail is nothing. */
DEVICE float tail_arg(float x)
{
    float a = x < 0.0f ? -x : x;
    return a > 9.0f ? 9.0f : a;
}

/* gelu(x) = x Phi(x), exact; with a = |x| this is max(x, 0) - a Phi(-a) on both sides, without cancellation. */
DEVICE float gelu_f(float x)
{
    float a = tail_arg(x), relu = x > 0.0f ? x : 0.0f;
    return FMA(-a, tail_f(a), relu);
}

/* gelu'(x) = Phi(x) + x phi(x); for x < 0 it is d = Phi(-a) - a phi(a), else 1 - d. */
DEVICE float gelu_grad_f(float x)
{
    float a = tail_arg(x), phi = 0.39894228f * exp2_f(-0.72134752f * a * a);
    float d = FMA(-a, phi, tail_f(a));
    return x < 0.0f ? d : 1.0f - d;
}

/* x + scale ls y, as the residual op and its fused form round it */
DEVICE float residual_f(float x, float scale, float ls, float y) { return FMA(scale * ls, y, x); }

#endif
