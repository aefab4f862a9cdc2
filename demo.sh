#!/usr/bin/env bash
# Installs what is missing, builds, fetches SmolLM2-135M-Instruct, answers a
# prompt on three CPU ranks, and shows what the compiler inserted.
#   ./demo.sh [PROMPT...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prompt=${*:-Explain in two sentences why the sky is blue.}
mesh=tp=3

tp_setup
tp_build release
tp_fetch_model

cd "$tp_root"
bin=$tp_build_dir/bin
printf '\n> %s\n\n' "$prompt"
"$tp_python" examples/chat.py --bin "$bin" --model "$tp_model" --mesh "$mesh" --tokens 120 -- "$prompt"

# The same pipeline step by step leaves IR that can be read.
work=$tp_build_dir/demo
mkdir -p "$work"
tp_shard() {
  "$bin/tp-import" "$tp_model" --entry=generate --max-seq=512 -o "$work/model.mlir"
  "$bin/tp-opt" "$work/model.mlir" --tp-shard="mesh=$mesh plan=auto" -o "$work/sharded.mlir.part"
  mv "$work/sharded.mlir.part" "$work/sharded.mlir"
}
if [[ ! $work/sharded.mlir -nt $bin/tp-opt || ! $work/sharded.mlir -nt $bin/tp-import ]]; then
  tp_step 'sharding, for the report' demo-shard tp_shard
fi
printf '\n'
"$bin/tp-report" "$work/sharded.mlir" --format=text
