#!/bin/sh
# check-simulation.sh NAME TOLERANCE SHARD-OPTIONS PASSES IMPORT-OPTIONS...: the tiny
# model (or MODEL), its logits on a simulated GPU against the CPU backend's.
set -e
name=$1 tolerance=$2 shard=$3 passes=$4
shift 4
tp-import "${MODEL:-$INPUTS/tiny}" --batch=2 --seq=6 "$@" -o "$name.mlir"
tp-opt "$name.mlir" --tp-shard="$shard" --mlir-print-debuginfo -o "$name.sharded.mlir" 2> "$name.log"
# shellcheck disable=SC2086 # several passes, or none
tp-opt "$name.sharded.mlir" $passes --mlir-print-debuginfo -o "$name.local.mlir"
# shellcheck disable=SC2086
tp-opt "$name.sharded.mlir" $passes --tp-emit-cuda -o "$name.cu"
tp-compile "$name.local.mlir" -o "$name.cpu.so"
tp-compile "$name.local.mlir" --backend=cuda --nvcc="$NVCC" -o "$name.so"
for program in "$name.cpu.so" "$name.so"; do
  tp-run forward "$program" --random-weights=3 --input input_ids=ids.npy --output "logits=$program.npy"
done
"$PYTHON" "$(dirname "$0")/compare-npy.py" "$name.so.npy" "$name.cpu.so.npy" "$tolerance"
