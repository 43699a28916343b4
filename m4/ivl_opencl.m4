# IVL_OPENCL: the ICD loader (wanted; without it only the host backend is built) and CLBlast (optional).
AC_DEFUN([IVL_OPENCL], [
  AC_ARG_WITH([opencl], [AS_HELP_STRING([--without-opencl], [build without the OpenCL backend])],
    [], [with_opencl=check])
  have_opencl=no
  AS_IF([test "x$with_opencl" != xno], [
    PKG_CHECK_MODULES([OPENCL], [OpenCL], [have_opencl=yes], [
      AS_IF([test "x$with_opencl" = xyes], [AC_MSG_ERROR([no OpenCL ICD loader: install ocl-icd-opencl-dev])])])
  ])
  AS_IF([test $have_opencl = yes], [AC_DEFINE([HAVE_OPENCL], [1], [OpenCL ICD loader present])])
  AM_CONDITIONAL([HAVE_OPENCL], [test $have_opencl = yes])

  AC_ARG_WITH([clblast], [AS_HELP_STRING([--without-clblast], [do not use CLBlast as one more GEMM])],
    [], [with_clblast=check])
  have_clblast=no
  AS_IF([test "x$with_clblast" != xno && test $have_opencl = yes],
    [PKG_CHECK_MODULES([CLBLAST], [clblast], [have_clblast=yes], [have_clblast=no])])
  AS_IF([test $have_clblast = yes], [AC_DEFINE([HAVE_CLBLAST], [1], [CLBlast present])])
  AM_CONDITIONAL([HAVE_CLBLAST], [test $have_clblast = yes])
])
