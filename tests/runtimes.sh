#!/bin/bash
# Runs the runtime's and the ops' tests on every OpenCL implementation of this machine.
#
#   tests/runtimes.sh BUILDDIR [RUNTIME...]     RUNTIME: pocl pocl-copy intel rusticl oclgrind; all by default
#   tests/runtimes.sh --fetch-intel BUILDDIR    installs Intel's CPU runtime into BUILDDIR/runtimes/intel (pip)
#
# pocl      pocl-opencl-icd; pocl-copy: the same as if its memory were its own, the way of a GPU
# intel     the Python packages intel-opencl-rt and intel-cmplr-lib-rt, or an installed intel.icd
# rusticl   mesa-opencl-icd, on llvmpipe
# oclgrind  oclgrind: a simulator; any race or access out of bounds that it reports is a failure
#
# A missing one is skipped with the reason. Failures listed in tests/quirks are reported as known. Exit status 1 if
# anything else failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" = --fetch-intel ]; then
    dir=${2:?usage: runtimes.sh --fetch-intel BUILDDIR}/runtimes/intel
    python3 -m venv "$dir" && "$dir/bin/pip" -q install intel-opencl-rt intel-cmplr-lib-rt && echo "Intel's runtime is in $dir"
    exit
fi
build=$(cd "${1:?usage: runtimes.sh BUILDDIR [RUNTIME...]}" && pwd) || exit 2
shift
[ $# -gt 0 ] || set -- pocl pocl-copy intel rusticl oclgrind
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# Icd file by name, among the system's.
vendor() { ls /etc/OpenCL/vendors/$1 /usr/local/etc/OpenCL/vendors/$1 2>/dev/null | head -1; }

# Sets the environment in which only this runtime is seen; prints why when it is missing.
enter() {
    local lib
    export IVL_TEST_DEVICE=opencl IVL_TEST_SIZE=normal IVL_CACHE_DIR=$build/tests/cache
    case $1 in
        pocl | pocl-copy)
            [ "$1" = pocl ] || export IVL_OPENCL_COPY=1
            [ -n "$(vendor pocl.icd)" ] || { echo "apt-get install pocl-opencl-icd"; return 1; }
            export OCL_ICD_VENDORS=pocl.icd ;;
        intel)
            lib=$(ls "$build"/runtimes/intel/lib/libintelocl.so "${IVL_INTEL_OPENCL:-/none}"/libintelocl.so 2>/dev/null | head -1)
            if [ -n "$lib" ]; then
                mkdir -p "$work/intel" && echo "$lib" > "$work/intel/intel.icd"
                export OCL_ICD_VENDORS=$work/intel LD_LIBRARY_PATH=${lib%/*}
            elif [ -n "$(vendor intel.icd)" ]; then
                export OCL_ICD_VENDORS=intel.icd
            else
                echo "tests/runtimes.sh --fetch-intel BUILDDIR"
                return 1
            fi ;;
        rusticl)
            [ -n "$(vendor rusticl.icd)" ] || { echo "apt-get install mesa-opencl-icd"; return 1; }
            export OCL_ICD_VENDORS=rusticl.icd RUSTICL_ENABLE=llvmpipe ;;
        oclgrind)
            command -v oclgrind >/dev/null || { echo "apt-get install oclgrind"; return 1; }
            export CK_FORK=no IVL_TEST_SIZE=tiny ;;
        *) echo "no such runtime: pocl pocl-copy intel rusticl oclgrind"; return 1 ;;
    esac
}

run() { # runtime test
    local wrap=() log=$work/$1.$(basename "$2") ok=0
    [ "$1" = oclgrind ] && wrap=(oclgrind --data-races --log "$log.races")
    timeout "${IVL_TEST_TIMEOUT:-1800}" "${wrap[@]}" "$build/$2" > "$log" 2>&1 || ok=$?
    if [ -s "$log.races" ]; then
        echo "    oclgrind reports:"
        grep -v '^[[:space:]]*$' "$log.races" | sed 's/^/      /' | head -40
        ok=1
    fi
    [ $ok -eq 0 ] && { printf '  ok    %s\n' "$2"; return; }
    known "$1" "$2" "$log" && return
    printf '  FAIL  %s (status %d)\n' "$2" $ok
    awk '/^FAIL  / { if (!n[$2]++) first[$2] = substr($0, 7) } END { for (op in n) print "    " n[op] " x " first[op] }' "$log" |
        cut -c1-300
    grep -E ':[FES]:' "$log" | cut -c1-300 | head -20 | sed 's/^/    /'
    bad=1
}

# All that failed is in tests/quirks: says so.
known() {
    local ops op
    ops=$(sed -n 's/^FAIL  \([a-z0-9_]*\)  .*/\1/p' "$3" | sort -u)
    [ -n "$ops" ] && [ ! -s "$3.races" ] || return 1
    for op in $ops; do grep -q "^$1 $op " "$here/quirks" || return 1; done
    printf '  known %s:\n' "$2"
    for op in $ops; do grep "^$1 $op " "$here/quirks" | sed 's/^/    /'; done
}

for r; do
    why=$(enter "$r") || { echo "$r: skipped: $why"; continue; }
    (
        enter "$r"
        case $r in oclgrind) wrap=oclgrind ;; *) wrap= ;; esac
        echo "$r: $($wrap "$build/ivl" devices 2>/dev/null | sed -n '1s/ *<- default//p')"
        for t in runtime/test_buffers runtime/test_check runtime/test_kernels ops/test_ops; do run "$r" "tests/$t"; done
        exit $bad
    ) || bad=1
done
exit $bad
