#!/bin/sh
# check-attention.sh POSITION: what cpu.so and gpu.so make of attention.mlir with the
# first query there; gpu.log has what the device says of itself.
set -e
names="whole cache window everything keys capped odd wide"
"$PYTHON" "$(dirname "$0")/decode-inputs.py" "$1"
for program in cpu gpu; do
  outputs=
  for name in $names; do
    outputs="$outputs --output $name=$program-$name.npy"
  done
  # shellcheck disable=SC2086 # several words
  tp-run forward $program.so --random-weights=3 --input position=position.npy $outputs 2> $program.log
done
for name in $names; do
  printf "%s " "$name"
  "$PYTHON" "$(dirname "$0")/compare-npy.py" "gpu-$name.npy" "cpu-$name.npy" 1e-2
done
