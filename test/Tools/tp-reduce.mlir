// What a fault does not need goes, by any pass; the op that shows it stays. (The
// tree search of mlir-reduce, -reduction-tree, crashes in MLIR 22.1 itself as
// soon as it comes upon IR that does not show the fault.)
// RUN: tp-reduce %s -opt-reduction-pass="opt-pass=canonicalize test=%S/Inputs/still-reduces.sh" | FileCheck %s
// RUN: tp-reduce %s -opt-reduction-pass="opt-pass=symbol-dce test=%S/Inputs/still-reduces.sh" | FileCheck %s --check-prefix=SYMBOLS

// A pass after which the fault is gone is not taken.
// RUN: tp-reduce %s -opt-reduction-pass="opt-pass=symbol-dce test=%S/Inputs/still-has-other.sh" | FileCheck %s --check-prefix=KEPT

// CHECK-LABEL: func.func @f
// CHECK-NOT: math.exp
// CHECK: nn.reduce
// CHECK: @other
// SYMBOLS: nn.reduce
// SYMBOLS-NOT: @other
// KEPT: @other
func.func @f(%x: tensor<4x8xf32>) -> tensor<8xf32> {
  %0 = math.exp %x : tensor<4x8xf32>
  %1 = nn.reduce %x "sum" dims [0] : (tensor<4x8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

func.func private @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
