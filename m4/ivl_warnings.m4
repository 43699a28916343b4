# IVL_WARNINGS: the warnings that the code keeps free of, for C and C++.
AC_DEFUN([IVL_WARNINGS], [
  IVL_CFLAGS="-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -fvisibility=hidden -ffp-contract=off"
  IVL_CXXFLAGS="-std=c++17 -Wall -Wextra -fvisibility=hidden"
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])],
    [AS_IF([test "x$enableval" = xyes], [IVL_CFLAGS="$IVL_CFLAGS -Werror"])])
  AC_SUBST([IVL_CFLAGS])
  AC_SUBST([IVL_CXXFLAGS])
])

# IVL_SANITIZERS: --enable-asan builds everything with address and undefined-behaviour checks.
AC_DEFUN([IVL_SANITIZERS], [
  AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with address and undefined sanitizers])],
    [], [enable_asan=no])
  IVL_SANITIZE=
  AS_IF([test "x$enable_asan" = xyes], [
    IVL_SANITIZE="-fsanitize=address,undefined"
    IVL_CFLAGS="$IVL_CFLAGS -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
    IVL_CXXFLAGS="$IVL_CXXFLAGS -fsanitize=address,undefined -fno-omit-frame-pointer"
    LDFLAGS="$LDFLAGS -fsanitize=address,undefined"
  ])
  AC_SUBST([IVL_SANITIZE])
  AM_CONDITIONAL([ASAN], [test "x$enable_asan" = xyes])
])
