#!/bin/sh
# check-tokens.sh RANKS...: a prompt in chunks and decode steps, with top-k over
# ranks: the same tokens on a simulated GPU as on CPUs, by tp-run and by a host in
# C. model.mlir lies here.
set -e
export TPRT_POISON=1 # memory that was never written shows
for ranks in "$@"; do
  tp-compile model.mlir --mesh=tp="$ranks" -o cpu.so
  tp-compile model.mlir --mesh=tp="$ranks" --backend=cuda --nvcc="$NVCC" -o gpu.so
  for program in cpu gpu; do
    tp-run generate $program.so --random-weights=1 --prompt-ids=1,2,3,4,5,6 --tokens=12 --backend=auto > $program 2> $program.log
    tp-example-generate $program.so 12 1 2 3 4 5 6 > $program.c
  done
  cmp cpu gpu
  cmp cpu.c gpu.c
  [ "$ranks" = 1 ] || grep "^remark: on simulated GPU, $ranks ranks share it: loopback collectives; attention by the program's kernels (no libcudnn.so.9)$" gpu.log
done
