// What the automatic plan would cost, kept on the module.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --tp-estimate-automatic="mesh=tp=2 plan=%t/plan.json" | FileCheck %s
// RUN: tp-opt %t/model.mlir --tp-estimate-automatic="mesh=tp=2 plan=auto" | FileCheck %s --check-prefix=AUTO

// CHECK: module attributes {tp.automatic = {bytes = 128 : i64, collectives = {all_reduce = 1 : i64}, parameters = {down.weight = "tp: Shard(1)", up.weight = "tp: Shard(0)"}, work = 1.024000e+03 : f64}}
// CHECK-NOT: tp.mesh
// CHECK: func.func @f(%arg0: tensor<4x8xf32>, %arg1: tensor<32x8xf32>
// AUTO: module {
// AUTO-NOT: tp.automatic

//--- plan.json
{"up": "colwise_rep", "down": "rowwise_rep"}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %up: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "up", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %down: tensor<8x32xf32> {nn.parameter = #nn.parameter<name = "down.weight", tensor = "down", shape = [8, 32], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x8xf32> {
  %0 = nn.contract %x, %up "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %1 = nn.boundary %0 "output" "0" of "up" : tensor<4x32xf32>
  %2 = nn.boundary %1 "input" "0" of "down" : tensor<4x32xf32>
  %3 = nn.contract %2, %down "sk,nk->sn" : (tensor<4x32xf32>, tensor<8x32xf32>) -> tensor<4x8xf32>
  %4 = arith.addf %3, %x : tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}
