// What is wrong with a plan is said once, by the pass that applies it; where the
// automatic plan does not apply, there is nothing to compare with.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --tp-estimate-automatic="mesh=tp=2 plan=%t/broken.json" 2>&1 | FileCheck %s
// RUN: tp-opt %t/model.mlir --tp-estimate-automatic="mesh=x=2,y=2 plan=%t/plan.json" 2>&1 | FileCheck %s
// RUN: not tp-opt %t/model.mlir --tp-shard="mesh=tp=2 plan=%t/broken.json" 2>&1 | FileCheck %s --check-prefix=ONCE
// CHECK-NOT: error
// CHECK-NOT: tp.automatic
// CHECK: func.func @f
// ONCE-COUNT-1: error: broken.json: not JSON
// ONCE-NOT: error

//--- broken.json
{"w"
//--- plan.json
{"axis": "x", "plan": {"w": "colwise"}}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x32xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
