# IVL_MPI: --with-mpi looks for MPI's C interface through pkg-config (MPICH, Open MPI).
AC_DEFUN([IVL_MPI], [
  AC_ARG_WITH([mpi], [AS_HELP_STRING([--with-mpi], [build the MPI collectives])], [], [with_mpi=no])
  have_mpi=no
  AS_IF([test "x$with_mpi" != xno], [
    PKG_CHECK_MODULES([MPI], [mpich], [have_mpi=yes],
      [PKG_CHECK_MODULES([MPI], [ompi-c], [have_mpi=yes], [AC_MSG_ERROR([no MPI found: install libmpich-dev])])])
  ])
  AS_IF([test $have_mpi = yes], [AC_DEFINE([HAVE_MPI], [1], [MPI present])])
  AM_CONDITIONAL([HAVE_MPI], [test $have_mpi = yes])
])
