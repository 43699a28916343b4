# IVL_CUDA: nvcc (optional). With it every portable kernel is also compiled for NVIDIA GPUs and embedded,
# so the kernel dialect cannot drift from CUDA. The driver itself is loaded at run time, never linked.
AC_DEFUN([IVL_CUDA], [
  AC_ARG_WITH([cuda], [AS_HELP_STRING([--with-cuda=DIR], [CUDA toolkit; "no" builds without])],
    [], [with_cuda=check])
  NVCC=
  AS_CASE([$with_cuda],
    [no], [],
    [yes|check], [AC_PATH_PROG([NVCC], [nvcc], [], [$PATH:/usr/local/cuda/bin])],
    [AC_PATH_PROG([NVCC], [nvcc], [], [$with_cuda/bin])])
  AS_IF([test -z "$NVCC" && test "x$with_cuda" != xno && test "x$with_cuda" != xcheck],
    [AC_MSG_ERROR([no nvcc found: give the toolkit as --with-cuda=DIR])])
  AC_ARG_VAR([CUDA_ARCHS], [architectures that kernels are compiled for, default "80 90"])
  AS_IF([test -z "$CUDA_ARCHS"], [CUDA_ARCHS="80 90"])
  AS_IF([test -n "$NVCC"], [AC_DEFINE([HAVE_NVCC], [1], [kernels compiled by nvcc are embedded])])
  AM_CONDITIONAL([HAVE_NVCC], [test -n "$NVCC"])
])
