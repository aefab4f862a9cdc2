// A router says which experts see a token: little work, of which every device needs
// all. It stays whole, and so does what it says, whether the experts' shares are made
// of what was picked or are the picked part of all; one reduction is left.
// RUN: split-file %s %t
// RUN: tp-opt %t/picked.mlir --tp-shard="mesh=tp=4" | FileCheck %s
// RUN: tp-opt %t/masked.mlir --tp-shard="mesh=tp=4" | FileCheck %s
// RUN: tp-opt %t/picked.mlir --tp-shard="mesh=tp=4 plan=%t/experts.json" | FileCheck %s --check-prefix=PLAN
// RUN: tp-opt %t/masked.mlir --tp-shard="mesh=tp=4 plan=%t/experts.json" | FileCheck %s --check-prefix=PLAN
// CHECK: name = "mlp.gate.weight"
// CHECK-SAME: tp.sharding = #tp.sharding<@mesh, [{}, {}]>}, %{{[^:]*: tensor<[^>]*> .}}nn.parameter = #nn.parameter<name = "mlp.experts.up_proj"
// CHECK-NOT: = tp.all_{{g|t}}
// CHECK: nn.top_k {{.*}} : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
// CHECK: = tp.all_reduce {{.*}} : (tensor<12x16xf32>) -> tensor<12x16xf32>
// CHECK-NEXT: arith.addf
// PLAN: name = "mlp.experts.up_proj"
// PLAN-SAME: tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}]>
// PLAN-NOT: = tp.all_
// PLAN: nn.top_k {{.*}} : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
// PLAN: = tp.all_reduce {{.*}} : (tensor<12x16xf32>) -> tensor<12x16xf32>
// PLAN-NEXT: arith.addf

// A plan that shards the router is obeyed: the best are found together. So is a head
// whose logits are picked from: nothing is computed with what is picked.
// RUN: tp-opt %t/picked.mlir --tp-shard="mesh=tp=4 plan=%t/router.json compare=false" | FileCheck %s --check-prefix=ROUTER
// ROUTER: nn.top_k {{.*}} : (tensor<12x2xf32>, index) -> (tensor<12x2xf32>, tensor<12x2xi32>)
// ROUTER: = tp.all_gather
// RUN: tp-opt %t/head.mlir --tp-shard="mesh=tp=4" | FileCheck %s --check-prefix=HEAD
// HEAD: tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>

//--- experts.json
{"mlp.experts": "ep_dispatch_experts", "mlp.gate": "ep_router"}
//--- router.json
{"mlp.experts": "ep_dispatch_experts", "mlp.gate": "colwise"}
//--- picked.mlir
func.func @f(%x: tensor<12x16xf32> {nn.input = "x"},
    %router: tensor<8x16xf32> {nn.parameter = #nn.parameter<name = "mlp.gate.weight", tensor = "mlp.gate.weight", shape = [8, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %up: tensor<8x32x16xf32> {nn.parameter = #nn.parameter<name = "mlp.experts.up_proj", tensor = "mlp.experts.up_proj", shape = [8, 32, 16], offset = [0, 0, 0], dims = [0, 1, 2], strides = [1, 1, 1], initialisation = "normal">},
    %down: tensor<8x16x32xf32> {nn.parameter = #nn.parameter<name = "mlp.experts.down_proj", tensor = "mlp.experts.down_proj", shape = [8, 16, 32], offset = [0, 0, 0], dims = [0, 1, 2], strides = [1, 1, 1], initialisation = "normal">}) -> tensor<12x16xf32> {
  %logits = nn.contract %x, %router "sh,eh->se" : (tensor<12x16xf32>, tensor<8x16xf32>) -> tensor<12x8xf32>
  %p = nn.softmax %logits dim 1 : tensor<12x8xf32>
  %v, %i = nn.top_k %p k 2 : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
  %sum = nn.reduce %v "sum" dims [1] : (tensor<12x2xf32>) -> tensor<12xf32>
  %sums = nn.broadcast %sum dims [0] : (tensor<12xf32>) -> tensor<12x2xf32>
  %share = arith.divf %v, %sums : tensor<12x2xf32>
  %shares = nn.broadcast %share dims [0, 1] : (tensor<12x2xf32>) -> tensor<12x2x8xf32>
  %expert = nn.iota dim 2 : tensor<12x2x8xi32>
  %ids = nn.broadcast %i dims [0, 1] : (tensor<12x2xi32>) -> tensor<12x2x8xi32>
  %chosen = arith.cmpi eq, %expert, %ids : tensor<12x2x8xi32>
  %zero = arith.constant dense<0.0> : tensor<12x2x8xf32>
  %part = arith.select %chosen, %shares, %zero : tensor<12x2x8xi1>, tensor<12x2x8xf32>
  %gates = nn.reduce %part "sum" dims [1] : (tensor<12x2x8xf32>) -> tensor<12x8xf32>
  %u = nn.contract %x, %up "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %a = math.tanh %u : tensor<12x8x32xf32>
  %o = nn.contract %a, %down "sef,ehf->seh" : (tensor<12x8x32xf32>, tensor<8x16x32xf32>) -> tensor<12x8x16xf32>
  %y = nn.contract %o, %gates "seh,se->sh" : (tensor<12x8x16xf32>, tensor<12x8xf32>) -> tensor<12x16xf32>
  %z = arith.addf %x, %y : tensor<12x16xf32>
  return %z : tensor<12x16xf32>
}
//--- masked.mlir
func.func @f(%x: tensor<12x16xf32> {nn.input = "x"},
    %router: tensor<8x16xf32> {nn.parameter = #nn.parameter<name = "mlp.gate.weight", tensor = "mlp.gate.weight", shape = [8, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %up: tensor<8x32x16xf32> {nn.parameter = #nn.parameter<name = "mlp.experts.up_proj", tensor = "mlp.experts.up_proj", shape = [8, 32, 16], offset = [0, 0, 0], dims = [0, 1, 2], strides = [1, 1, 1], initialisation = "normal">},
    %down: tensor<8x16x32xf32> {nn.parameter = #nn.parameter<name = "mlp.experts.down_proj", tensor = "mlp.experts.down_proj", shape = [8, 16, 32], offset = [0, 0, 0], dims = [0, 1, 2], strides = [1, 1, 1], initialisation = "normal">}) -> tensor<12x16xf32> {
  %logits = nn.contract %x, %router "sh,eh->se" : (tensor<12x16xf32>, tensor<8x16xf32>) -> tensor<12x8xf32>
  %p = nn.softmax %logits dim 1 : tensor<12x8xf32>
  %v, %i = nn.top_k %p k 2 : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
  %shares = nn.broadcast %p dims [0, 2] : (tensor<12x8xf32>) -> tensor<12x2x8xf32>
  %expert = nn.iota dim 2 : tensor<12x2x8xi32>
  %ids = nn.broadcast %i dims [0, 1] : (tensor<12x2xi32>) -> tensor<12x2x8xi32>
  %chosen = arith.cmpi eq, %expert, %ids : tensor<12x2x8xi32>
  %zero = arith.constant dense<0.0> : tensor<12x2x8xf32>
  %part = arith.select %chosen, %shares, %zero : tensor<12x2x8xi1>, tensor<12x2x8xf32>
  %gates = nn.reduce %part "sum" dims [1] : (tensor<12x2x8xf32>) -> tensor<12x8xf32>
  %u = nn.contract %x, %up "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %a = math.tanh %u : tensor<12x8x32xf32>
  %o = nn.contract %a, %down "sef,ehf->seh" : (tensor<12x8x32xf32>, tensor<8x16x32xf32>) -> tensor<12x8x16xf32>
  %y = nn.contract %o, %gates "seh,se->sh" : (tensor<12x8x16xf32>, tensor<12x8xf32>) -> tensor<12x16xf32>
  %z = arith.addf %x, %y : tensor<12x16xf32>
  return %z : tensor<12x16xf32>
}
//--- head.mlir
func.func @f(%x: tensor<12x16xf32> {nn.input = "x"},
    %head: tensor<40x16xf32> {nn.parameter = #nn.parameter<name = "lm_head.weight", tensor = "lm_head.weight", shape = [40, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<12x1xf32>, tensor<12x1xi32>) {
  %logits = nn.contract %x, %head "sh,eh->se" : (tensor<12x16xf32>, tensor<40x16xf32>) -> tensor<12x40xf32>
  %v, %i = nn.top_k %logits k 1 : (tensor<12x40xf32>) -> (tensor<12x1xf32>, tensor<12x1xi32>)
  return %v, %i : tensor<12x1xf32>, tensor<12x1xi32>
}
