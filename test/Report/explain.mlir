// What gave a value its placement, op by op, from what was asked for; the same
// as remarks at the ops.
// RUN: tp-opt %s --tp-propagate --tp-explain=%%2 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: tp-opt %s --tp-propagate --tp-explain=state 2>/dev/null | FileCheck %s --check-prefix=STATE
// RUN: tp-opt %s --tp-propagate --tp-explain=norm.weight 2>/dev/null | FileCheck %s --check-prefix=WHOLE
// RUN: tp-opt %s --tp-propagate --tp-explain=y 2>/dev/null | FileCheck %s --check-prefix=PARTIAL
// RUN: tp-opt %s --tp-propagate --tp-explain=block 2>/dev/null | FileCheck %s --check-prefix=MODULE

// VALUE: explain.mlir:[[@LINE+25]]:{{[0-9]+}}: remark: %2: by nn.contract, from up.weight dim 0 to the result of nn.contract dim 1
// VALUE: remark: loc("block"): %2: by math.exp of block, from the result of nn.contract dim 1 to the result of math.exp of block dim 1
// VALUE: @f: %2 is [dp: Shard(0), tp: Shard(1)]
// VALUE-NEXT: dp on dim 0:
// VALUE-NEXT: x dim 0 was asked for by its sharding in the program
// VALUE: tp on dim 1:
// VALUE-NEXT: up.weight dim 0 was asked for by its sharding in the program
// VALUE-NEXT: by nn.contract, from up.weight dim 0 to the result of nn.contract dim 1
// VALUE-NEXT: by math.exp of block, from

// STATE: @f: state is [dp: Shard(0), tp: Replicate]
// STATE: by {{.*}} to state dim 0
// WHOLE: tp: whole; nothing asked for it here, and no op that it meets brings the axis to one of its dims
// PARTIAL: tp: partial, since nn.contract sums over the result of math.exp of block dim 1, which is on it
// PARTIAL-NEXT: tp on dim 1:
// MODULE: @f: block is [dp: Shard(0), tp: Shard(1)]
tp.mesh @mesh = <["dp"=2, "tp"=2]>
func.func @f(
    %x: tensor<4x8xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
    %norm: tensor<8xf32> {nn.parameter = #nn.parameter<name = "norm.weight", tensor = "n", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "ones">},
    %up: tensor<6x8xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "u", shape = [6, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %down: tensor<8x6xf32> {nn.parameter = #nn.parameter<name = "down.weight", tensor = "d", shape = [8, 6], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %state: tensor<4x8xf32> {nn.state = "state"})
    -> (tensor<4x8xf32> {nn.output = "y"}, tensor<4x8xf32> {nn.state = "state"}) {
  %0 = nn.rms_norm %x, %norm epsilon 1.0e-6 : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %1 = nn.contract %0, %up "sk,nk->sn" : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  %2 = math.exp %1 : tensor<4x6xf32> loc(#at)
  %3 = nn.contract %2, %down "sk,nk->sn" : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
  %4 = arith.addf %state, %0 : tensor<4x8xf32>
  return %3, %4 : tensor<4x8xf32>, tensor<4x8xf32>
}
#at = loc("block")
