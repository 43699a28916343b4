/* Device-free helpers shared by kernels; also compiled as host C in unit tests. */
#ifndef IVL_KERNELS_MATH_H
#define IVL_KERNELS_MATH_H

/* gelu(x) = x Phi(x), exact. */
DEVICE float gelu_f(float x) { return 0.5f * x * (1.0f + ERF(x * 0.70710678118654752f)); }
/* gelu'(x) = Phi(x) + x phi(x) */
DEVICE float gelu_grad_f(float x)
{
    return 0.5f * (1.0f + ERF(x * 0.70710678118654752f)) + x * 0.39894228040143268f * EXP(-0.5f * x * x);
}
DEVICE float sigmoid_f(float x) { return 1.0f / (1.0f + EXP(-x)); }

#endif
