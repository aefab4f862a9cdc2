// A plan that costs more than the automatic one is obeyed, with a remark; one that
// does not is obeyed without.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --tp-shard="mesh=tp=2 plan=%t/dear.json" 2>&1 | FileCheck %s
// RUN: tp-opt %t/model.mlir --tp-shard="mesh=tp=2 plan=%t/cheap.json" 2>&1 | FileCheck %s --check-prefix=CHEAP
// RUN: tp-opt %t/model.mlir --tp-shard="mesh=tp=2 plan=%t/dear.json compare=false" 2>&1 | FileCheck %s --check-prefix=CHEAP
// RUN: tp-opt %t/model.mlir --tp-shard="mesh=tp=2 plan=%t/whole.json" 2>&1 | FileCheck %s --check-prefix=WHOLE

// CHECK: remark: the plan costs more than the automatic one: a device sends 384 B in 2 collectives (1 all_gather, 1 all_reduce); by the automatic plan it would send 128 B in 1 collective (1 all_reduce); that is 3.000 times the traffic
// CHECK-NEXT: note: the automatic plan shards the same parameters; what differs is asked of inputs and outputs
// CHECK: module {
// CHECK: = tp.all_gather
// CHEAP-NOT: remark
// CHEAP: module {
// WHOLE: remark: the plan computes more than the automatic one: a device does 2.000 times the multiply-adds; it sends 0 B in 0 collectives, and by the automatic plan it would send 128 B in 1 collective (1 all_reduce)
// WHOLE-NEXT: note: the automatic plan has "layers.*.down.weight" tp: Shard(1) instead of whole
// WHOLE-NEXT: note: the automatic plan has "layers.*.up.weight" tp: Shard(0) instead of whole

//--- dear.json
{"up": "colwise_rep", "down": "rowwise_rep"}
//--- cheap.json
{"up": "colwise", "down": "rowwise"}
//--- whole.json
{"up": "replicate", "down": "replicate"}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %up: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "layers.0.up.weight", tensor = "up", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %down: tensor<8x32xf32> {nn.parameter = #nn.parameter<name = "layers.0.down.weight", tensor = "down", shape = [8, 32], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x8xf32> {
  %0 = nn.contract %x, %up "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %1 = nn.boundary %0 "output" "0" of "layers.0.up" : tensor<4x32xf32>
  %whole = math.tanh %1 : tensor<4x32xf32>
  %2 = nn.boundary %whole "input" "0" of "layers.0.down" : tensor<4x32xf32>
  %3 = nn.contract %2, %down "sk,nk->sn" : (tensor<4x32xf32>, tensor<8x32xf32>) -> tensor<4x8xf32>
  %4 = arith.addf %3, %x : tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}
