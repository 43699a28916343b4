#!/bin/bash
# make fuzz: builds the library with clang's libFuzzer and sanitizers in BUILDDIR/fuzz and runs every harness of
# tests/fuzz for SECONDS (default 60), starting from its committed corpus. Exit status 1 if one finds something; the
# input is then in BUILDDIR/fuzz/NAME.crash-*.
# usage: fuzz.sh SRCDIR BUILDDIR [SECONDS] [NAME...]
set -e
src=$(cd "$1" && pwd)
mkdir -p "$2/fuzz" && cd "$2/fuzz"
seconds=${3:-60}
shift 3 || shift $#
command -v clang > /dev/null || { echo "fuzz: install clang"; exit 1; }
san="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
[ -f Makefile ] || "$src/configure" -q CC=clang CXX=clang++ --with-cuda=no \
    CFLAGS="-g -O1 -fsanitize=fuzzer-no-link $san" CXXFLAGS="-g -O1 -fsanitize=fuzzer-no-link $san" LDFLAGS="$san" \
    CPPFLAGS=-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
make -s -j"$(nproc)" libivlcore.la
[ $# -gt 0 ] || set -- $(cd "$src/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
bad=0
for name; do
    ./libtool --silent --tag=CXX --mode=link clang++ -g -O1 -fsanitize=fuzzer $san \
        $(clang -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer-no-link $san -I. -Iinclude -I"$src" -I"$src/include" \
            -c "$src/tests/fuzz/fuzz_$name.c" -o "fuzz_$name.o" && echo "fuzz_$name.o") libivlcore.la -o "fuzz_$name"
    mkdir -p "corpus/$name"
    echo "fuzz: $name, $seconds s"
    "./fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$name." "corpus/$name" "$src/tests/fuzz/corpus/$name" 2> "$name.log" ||
        { bad=1; echo "fuzz: $name found something:"; grep -E "ERROR|SUMMARY|runtime error" "$name.log" | head -3; }
    grep -E "number_of_executed_units|new_units_added" "$name.log" | sed "s/^/fuzz: $name: /" || true
done
exit $bad
