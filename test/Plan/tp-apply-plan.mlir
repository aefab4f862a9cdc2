// Entries become requests on parameters and boundaries, by module name.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/plan.json" | FileCheck %s
// RUN: tp-opt %t/model.mlir --tp-apply-plan="plan=%t/with-mesh.json" | FileCheck %s --check-prefix=MESH
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=none" --tp-place-parameters | FileCheck %s --check-prefix=NONE

// CHECK: module attributes {tp.plan = "file"}
// CHECK: tp.mesh @mesh = <["tp"=2]>
// CHECK: name = "model.layers.0.mlp.up_proj.weight"
// CHECK-SAME: tp.request = [{axis = "tp", dim = 0 : i64, entry = "layers.*.mlp.up_proj", style = "colwise"}]
// CHECK: name = "model.layers.0.mlp.down_proj.weight"
// CHECK-SAME: tp.request = [{axis = "tp", dim = 1 : i64, entry = "mlp.down_proj", style = "rowwise"}]
// CHECK: nn.boundary {{.*}} "input" "0" of "model.layers.0.mlp.up_proj" {tp.request = [{axis = "tp", dim = -1 : i64, entry = "layers.*.mlp.up_proj", stage = 1 : i64, style = "colwise"}]}
// CHECK: nn.boundary {{.*}} "output" "0" of "model.layers.0.mlp.down_proj" {tp.request = [{axis = "tp", dim = -1 : i64, entry = "mlp.down_proj", lazy, stage = 1 : i64, style = "rowwise"}]}

// MESH: tp.mesh @mesh = <["dp"=2, "tp"=4]>

// NONE: tp.sharding = #tp.sharding<@mesh, [{}, {}]>
// NONE-NOT: tp.request

//--- plan.json
{"layers.*.mlp.up_proj": "colwise", "mlp.down_proj": "rowwise"}
//--- with-mesh.json
{"mesh": {"tp": 4, "dp": 2}, "plan": {"layers.*.mlp.up_proj": "colwise"}}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %up: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "model.layers.0.mlp.up_proj.weight", tensor = "up", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %down: tensor<8x32xf32> {nn.parameter = #nn.parameter<name = "model.layers.0.mlp.down_proj.weight", tensor = "down", shape = [8, 32], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x8xf32> {
  %0 = nn.boundary %x "input" "0" of "model.layers.0.mlp.up_proj" : tensor<4x8xf32>
  %1 = nn.contract %0, %up "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %2 = nn.contract %1, %down "sk,nk->sn" : (tensor<4x32xf32>, tensor<8x32xf32>) -> tensor<4x8xf32>
  %3 = nn.boundary %2 "output" "0" of "model.layers.0.mlp.down_proj" : tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}
