# IVL_SUMMARY: what was found, and what a missing part would bring.
AC_DEFUN([IVL_SUMMARY], [
  AS_ECHO(["
  libivl $PACKAGE_VERSION           $host, install under $prefix
  OpenCL ICD loader   $have_opencl   (ocl-icd-opencl-dev: run on any OpenCL device)
  CLBlast             $have_clblast   (libclblast-dev: one more GEMM)
  CUDA compiler       ${NVCC:-no}   (--with-cuda=DIR: kernels for NVIDIA GPUs; archs $CUDA_ARCHS)
  librsvg             $have_rsvg   (librsvg2-dev: clip art from openclipart-svg alone)
  MPI                 $have_mpi   (--with-mpi: many machines)
  tests (Check)       $have_check   (check: make check)
  man page            ${HELP2MAN:-no}   (help2man)
  sanitizers          $enable_asan   (--enable-asan)
  libjpeg-turbo, libpng, libwebp, libarchive, jansson, libyaml, expat, FreeType, HarfBuzz, sentencepiece: yes
"])
])
