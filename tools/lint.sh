#!/bin/bash
# make lint: the house's gates. Lengths, include arrows between layers, stand-alone headers in C and C++, exported
# symbols. Prints every offence; exit status 1 if there is one.
# usage: lint.sh SRCDIR BUILDDIR
cd "$1" || exit 2
build=$2
bad=0
offence() { echo "lint: $*"; bad=1; }
files=$(git ls-files '*.c' '*.h' '*.cl' '*.cc' 2>/dev/null)
[ -n "$files" ] || files=$(find . -path "./build*" -prune -o \( -name '*.c' -o -name '*.h' -o -name '*.cl' -o -name '*.cc' \) -print | sed 's#^\./##' | sort)

# 1. Lengths: 600 lines a file, 80 a function (150 a kernel), 120 columns.
for f in $files; do
    n=$(wc -l < "$f")
    [ "$n" -le 600 ] || offence "$f: $n lines, 600 at most"
    gate=80; case $f in *.cl) gate=150 ;; esac
    awk -v gate=$gate -v f="$f" '
        length($0) > 120 { printf "lint: %s:%d: %d columns, 120 at most\n", f, NR, length($0); bad = 1 }
        /^\{/ { start = NR }
        /^\}/ && start { if (NR - start > gate) { printf "lint: %s:%d: a function of %d lines, %d at most\n", f, start, NR - start, gate; bad = 1 }; start = 0 }
        END { exit bad }' "$f" || bad=1
done

# 2. Include arrows: a folder may include itself and what stands here. (runtime/open.c and backends/list.h are the
#    one place where the facade meets the list of backends.)
allowed() {
    case $1 in
        include) echo "" ;;
        runtime) echo "runtime" ;;
        ops) echo "ops runtime" ;;
        backends) echo "backends ops runtime" ;;
        data) echo "data runtime" ;;
        model) echo "model ops runtime" ;;
        train) echo "train model data ops runtime" ;;
        cli) echo "cli train model data ops backends runtime tests bench" ;;
        bench) echo "bench train model data ops backends runtime tests" ;;
        tests) echo "tests cli train model data ops backends runtime" ;;
        *) echo "*" ;;
    esac
}
for f in $files; do
    layer=${f%%/*}
    ok=" $(allowed "$layer") "
    [ "$ok" = " * " ] && continue
    case $f in *.cl | ops/kernels/* | runtime/open.c | runtime/device.c) continue ;; esac
    for to in $(sed -n 's/^#include "\([a-z_]*\)\/.*/\1/p' "$f" | sort -u); do
        case $ok in *" $to "*) ;; *) offence "$f includes $to/: $layer may include only:$ok" ;; esac
    done
done

# 3. Every header stands alone, in C and (the installed ones) in C++.
inc="-D_GNU_SOURCE -I$build -I$build/include -Iinclude -I."
for f in $(echo "$files" | grep '\.h$' | grep -v -e '^ops/kernels/' -e '^ops/ref/'); do
    echo "#include \"$f\"" | ${CC:-gcc} -std=c11 -Wall -Wextra -Wno-unused-function $inc ${CHECK_CFLAGS:-} -xc -fsyntax-only - 2>/tmp/lint.$$ ||
        { offence "$f does not compile alone"; head -3 /tmp/lint.$$; }
done
for f in include/ivl/*.h; do
    echo "#include \"$f\"" | ${CXX:-g++} -std=c++17 -Wall -Wextra -Wpedantic $inc -xc++ -fsyntax-only - 2>/tmp/lint.$$ ||
        { offence "$f does not compile as C++"; head -3 /tmp/lint.$$; }
done
rm -f /tmp/lint.$$

# 4. The shared library exports nothing but ivl_ names.
so=$(ls "$build"/.libs/libivl.so 2>/dev/null)
if [ -n "$so" ]; then
    for s in $(nm -D --defined-only "$so" | awk '{ print $3 }' | grep -v -e '^ivl_' -e '^_'); do
        offence "libivl exports $s"
    done
fi
[ $bad -eq 0 ] && echo "lint: clean"
exit $bad
