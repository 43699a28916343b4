#!/bin/sh
# fatbin.sh FILE.cl OUT NVCC "80 90": compiles a portable kernel for NVIDIA GPUs in every storage type, and writes the
# results as C arrays (text to be included by kernels.fatbin.c). GPU defaults of the row-wise parameters. Warnings
# suppressed: 1835, LOCAL on a parameter is a word for OpenCL that CUDA needs not; 177, a variable that one storage
# type does not use.
set -e
cl=$1 out=$2 nvcc=$3 archs=$4
name=$(basename "$cl" .cl)
gencode=
for a in $archs; do gencode="$gencode -gencode arch=compute_$a,code=sm_$a"; done
tmp=$out.$$
trap 'rm -f "$tmp" "$tmp.fatbin"' EXIT
: > "$tmp"
for t in F32 BF16 F16; do
    # shellcheck disable=SC2086
    "$nvcc" -x cu -fatbin $gencode -std=c++17 -diag-suppress 1835,177 -DT_$t -DWG_SIZE=128 -DVEC=4 \
        -o "$tmp.fatbin" "$cl" 2>"$tmp.log" || { cat "$tmp.log" >&2; rm -f "$tmp.log"; exit 1; }
    rm -f "$tmp.log"
    echo "static const unsigned char fatbin_${name}_$t[] = {" >> "$tmp"
    od -An -v -tx1 "$tmp.fatbin" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' >> "$tmp"
    echo "};" >> "$tmp"
done
mv "$tmp" "$out"
