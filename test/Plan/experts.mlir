// A mixture of experts, written with plain ops, under each placement that experts
// can have: what is sent, and no more. Mixtral's: softmax, the best 2 of 8, their
// shares renormalised.
// DEFINE: %{shard} = -tp-propagate -tp-decompose -tp-propagate -tp-insert-reshards \
// DEFINE:   -tp-keep-program -tp-partition -tp-verify-placements -tp-verify-erasure \
// DEFINE:   -tp-merge-collectives -tp-verify-placements -tp-verify-erasure=drop
// RUN: split-file %s %t
// RUN: tp-opt %t/split.mlir %{shard} -o %t/split.local.mlir
// RUN: FileCheck %s --check-prefix=SPLIT --input-file=%t/split.local.mlir
// RUN: tp-report %t/split.local.mlir --format=json | FileCheck %s --check-prefix=ONE
// RUN: tp-opt %t/inside.mlir %{shard} -o %t/inside.local.mlir
// RUN: FileCheck %s --check-prefix=INSIDE --input-file=%t/inside.local.mlir
// RUN: tp-report %t/inside.local.mlir --format=json | FileCheck %s --check-prefix=ONE
// RUN: tp-opt %t/dispatch.mlir %{shard} -o %t/dispatch.local.mlir
// RUN: FileCheck %s --check-prefix=DISPATCH --input-file=%t/dispatch.local.mlir
// RUN: tp-report %t/dispatch.local.mlir --format=json | FileCheck %s --check-prefix=TWO

// Experts split over devices, tokens on all of them: each device has its own
// experts' gates, and the sum over experts is reduced once, after they are combined.
// SPLIT: nn.contract {{.*}} "sef,ehf->seh" : (tensor<12x2x32xf32>, tensor<2x16x32xf32>) -> tensor<12x2x16xf32>
// SPLIT: %[[SUM:.*]] = nn.contract {{.*}} "seh,se->sh" : (tensor<12x2x16xf32>, tensor<12x2xf32>) -> tensor<12x16xf32>
// SPLIT: tp.all_reduce %[[SUM]] sum

// Experts sharded inside: what each expert gives is a partial sum, and stays one
// until all are combined.
// INSIDE: %[[EACH:.*]] = nn.contract {{.*}} "sef,ehf->seh" : (tensor<12x8x8xf32>, tensor<8x16x8xf32>) -> tensor<12x8x16xf32>
// INSIDE: %[[SUM:.*]] = nn.contract %[[EACH]], {{.*}} "seh,se->sh" : (tensor<12x8x16xf32>, tensor<12x8xf32>) -> tensor<12x16xf32>
// INSIDE: tp.all_reduce %[[SUM]] sum

// 2 * 3/4 of 12 x 16 numbers of 4 bytes.
// ONE: "totals": {
// ONE-NEXT: "all_reduce": {
// ONE-NEXT: "count": 1,
// ONE-NEXT: "bytes_sent": 1152
// ONE-NEXT: },
// ONE-NEXT: "bytes_sent": 1152

// Groups of tokens and experts over the same devices: each group puts its tokens
// into 3 rows for each of 12 experts, which go to the expert's device and back. What
// is over the capacity goes to a row of its own, which nobody computes, and is
// counted.
// DISPATCH: nn.cumulative_sum {{.*}} dim 1 exclusive : tensor<1x24x12xf32>
// DISPATCH: %[[LOST:.*]] = nn.reduce {{.*}} "sum" dims [1] : (tensor<1x24xf32>) -> tensor<1xf32>
// DISPATCH: nn.scatter_add {{.*}} -> tensor<1x37x16xf32>
// DISPATCH: tp.all_to_all {{.*}} gather [0] split [1] {{.*}} : (tensor<1x12x3x16xf32>) -> tensor<4x3x3x16xf32>
// DISPATCH: nn.contract {{.*}} "gech,efh->gecf"
// DISPATCH: nn.contract {{.*}} "gecf,ehf->gech"
// DISPATCH: tp.all_to_all {{.*}} gather [1] split [0] {{.*}} : (tensor<4x9x16xf32>) -> tensor<1x36x16xf32>
// DISPATCH: nn.gather
// DISPATCH: return %{{.*}}, %[[LOST]]

// Each 3/4 of 36 rows of 16 numbers of 4 bytes.
// TWO: "totals": {
// TWO-NEXT: "all_to_all": {
// TWO-NEXT: "count": 2,
// TWO-NEXT: "bytes_sent": 3456
// TWO-NEXT: },
// TWO-NEXT: "bytes_sent": 3456

//--- split.mlir
tp.mesh @mesh = <["tp"=4]>
func.func @f(%x: tensor<12x16xf32> {nn.input = "x"},
    %router: tensor<8x16xf32> {nn.input = "router", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %gate: tensor<8x32x16xf32> {nn.input = "gate", tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}]>},
    %up: tensor<8x32x16xf32> {nn.input = "up", tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}]>},
    %down: tensor<8x16x32xf32> {nn.input = "down", tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}]>}) -> (tensor<12x16xf32> {nn.output = "y"}) {
  %logits = nn.contract %x, %router "sh,eh->se" : (tensor<12x16xf32>, tensor<8x16xf32>) -> tensor<12x8xf32>
  %p = nn.softmax %logits dim 1 : tensor<12x8xf32>
  %v, %i = nn.top_k %p k 2 : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
  %sum = nn.reduce %v "sum" dims [1] : (tensor<12x2xf32>) -> tensor<12xf32>
  %sums = nn.broadcast %sum dims [0] : (tensor<12xf32>) -> tensor<12x2xf32>
  %share = arith.divf %v, %sums : tensor<12x2xf32>
  %expert = nn.iota dim 2 : tensor<12x2x8xi32>
  %ids = nn.broadcast %i dims [0, 1] : (tensor<12x2xi32>) -> tensor<12x2x8xi32>
  %chosen = arith.cmpi eq, %expert, %ids : tensor<12x2x8xi32>
  %shares = nn.broadcast %share dims [0, 1] : (tensor<12x2xf32>) -> tensor<12x2x8xf32>
  %zero = arith.constant dense<0.0> : tensor<12x2x8xf32>
  %part = arith.select %chosen, %shares, %zero : tensor<12x2x8xi1>, tensor<12x2x8xf32>
  %gates = nn.reduce %part "sum" dims [1] : (tensor<12x2x8xf32>) -> tensor<12x8xf32>
  %g = nn.contract %x, %gate "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %u = nn.contract %x, %up "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %n = arith.negf %g : tensor<12x8x32xf32>
  %e = math.exp %n : tensor<12x8x32xf32>
  %one = arith.constant dense<1.0> : tensor<12x8x32xf32>
  %d = arith.addf %e, %one : tensor<12x8x32xf32>
  %s = arith.divf %g, %d : tensor<12x8x32xf32>
  %a = arith.mulf %s, %u : tensor<12x8x32xf32>
  %o = nn.contract %a, %down "sef,ehf->seh" : (tensor<12x8x32xf32>, tensor<8x16x32xf32>) -> tensor<12x8x16xf32>
  %y = nn.contract %o, %gates "seh,se->sh" : (tensor<12x8x16xf32>, tensor<12x8xf32>) -> tensor<12x16xf32>
  return %y : tensor<12x16xf32>
}
//--- inside.mlir
tp.mesh @mesh = <["tp"=4]>
func.func @f(%x: tensor<12x16xf32> {nn.input = "x"},
    %router: tensor<8x16xf32> {nn.input = "router", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %gate: tensor<8x32x16xf32> {nn.input = "gate", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}]>},
    %up: tensor<8x32x16xf32> {nn.input = "up", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}]>},
    %down: tensor<8x16x32xf32> {nn.input = "down", tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}]>}) -> (tensor<12x16xf32> {nn.output = "y"}) {
  %logits = nn.contract %x, %router "sh,eh->se" : (tensor<12x16xf32>, tensor<8x16xf32>) -> tensor<12x8xf32>
  %p = nn.softmax %logits dim 1 : tensor<12x8xf32>
  %v, %i = nn.top_k %p k 2 : (tensor<12x8xf32>) -> (tensor<12x2xf32>, tensor<12x2xi32>)
  %sum = nn.reduce %v "sum" dims [1] : (tensor<12x2xf32>) -> tensor<12xf32>
  %sums = nn.broadcast %sum dims [0] : (tensor<12xf32>) -> tensor<12x2xf32>
  %share = arith.divf %v, %sums : tensor<12x2xf32>
  %expert = nn.iota dim 2 : tensor<12x2x8xi32>
  %ids = nn.broadcast %i dims [0, 1] : (tensor<12x2xi32>) -> tensor<12x2x8xi32>
  %chosen = arith.cmpi eq, %expert, %ids : tensor<12x2x8xi32>
  %shares = nn.broadcast %share dims [0, 1] : (tensor<12x2xf32>) -> tensor<12x2x8xf32>
  %zero = arith.constant dense<0.0> : tensor<12x2x8xf32>
  %part = arith.select %chosen, %shares, %zero : tensor<12x2x8xi1>, tensor<12x2x8xf32>
  %gates = nn.reduce %part "sum" dims [1] : (tensor<12x2x8xf32>) -> tensor<12x8xf32>
  %g = nn.contract %x, %gate "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %u = nn.contract %x, %up "sh,efh->sef" : (tensor<12x16xf32>, tensor<8x32x16xf32>) -> tensor<12x8x32xf32>
  %n = arith.negf %g : tensor<12x8x32xf32>
  %e = math.exp %n : tensor<12x8x32xf32>
  %one = arith.constant dense<1.0> : tensor<12x8x32xf32>
  %d = arith.addf %e, %one : tensor<12x8x32xf32>
  %s = arith.divf %g, %d : tensor<12x8x32xf32>
  %a = arith.mulf %s, %u : tensor<12x8x32xf32>
  %o = nn.contract %a, %down "sef,ehf->seh" : (tensor<12x8x32xf32>, tensor<8x16x32xf32>) -> tensor<12x8x16xf32>
  %y = nn.contract %o, %gates "seh,se->sh" : (tensor<12x8x16xf32>, tensor<12x8xf32>) -> tensor<12x16xf32>
  return %y : tensor<12x16xf32>
}
//--- dispatch.mlir
tp.mesh @mesh = <["ep"=4]>
func.func @f(%x: tensor<4x12x16xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{"ep"}, {}, {}]>},
    %router: tensor<12x16xf32> {nn.input = "router", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %gate: tensor<12x32x16xf32> {nn.input = "gate", tp.sharding = #tp.sharding<@mesh, [{"ep"}, {}, {}]>},
    %up: tensor<12x32x16xf32> {nn.input = "up", tp.sharding = #tp.sharding<@mesh, [{"ep"}, {}, {}]>},
    %down: tensor<12x16x32xf32> {nn.input = "down", tp.sharding = #tp.sharding<@mesh, [{"ep"}, {}, {}]>}) -> (tensor<4x12x16xf32> {nn.output = "y"}, tensor<4xf32> {nn.output = "overflow"}) {
  %logits = nn.contract %x, %router "gsh,eh->gse" : (tensor<4x12x16xf32>, tensor<12x16xf32>) -> tensor<4x12x12xf32>
  %p = nn.softmax %logits dim 2 : tensor<4x12x12xf32>
  %v, %i = nn.top_k %p k 2 : (tensor<4x12x12xf32>) -> (tensor<4x12x2xf32>, tensor<4x12x2xi32>)
  %sum = nn.reduce %v "sum" dims [2] : (tensor<4x12x2xf32>) -> tensor<4x12xf32>
  %sums = nn.broadcast %sum dims [0, 1] : (tensor<4x12xf32>) -> tensor<4x12x2xf32>
  %share = arith.divf %v, %sums : tensor<4x12x2xf32>
  %ids = nn.reshape %i : (tensor<4x12x2xi32>) -> tensor<4x24xi32>
  %expert = nn.iota dim 2 : tensor<4x24x12xi32>
  %idse = nn.broadcast %ids dims [0, 1] : (tensor<4x24xi32>) -> tensor<4x24x12xi32>
  %chosen = arith.cmpi eq, %expert, %idse : tensor<4x24x12xi32>
  %one = arith.constant dense<1.0> : tensor<4x24x12xf32>
  %zero = arith.constant dense<0.0> : tensor<4x24x12xf32>
  %hot = arith.select %chosen, %one, %zero : tensor<4x24x12xi1>, tensor<4x24x12xf32>
  %before = nn.cumulative_sum %hot dim 1 exclusive : tensor<4x24x12xf32>
  %mine = arith.mulf %hot, %before : tensor<4x24x12xf32>
  %place = nn.reduce %mine "sum" dims [2] : (tensor<4x24x12xf32>) -> tensor<4x24xf32>
  %placei = arith.fptosi %place : tensor<4x24xf32> to tensor<4x24xi32>
  %cap = arith.constant dense<3> : tensor<4x24xi32>
  %fits = arith.cmpi slt, %placei, %cap : tensor<4x24xi32>
  %first = arith.muli %ids, %cap : tensor<4x24xi32>
  %slot = arith.addi %first, %placei : tensor<4x24xi32>
  %nowhere = arith.constant dense<36> : tensor<4x24xi32>
  %row = arith.select %fits, %slot, %nowhere : tensor<4x24xi1>, tensor<4x24xi32>
  %zeros = arith.constant dense<0.0> : tensor<4x24xf32>
  %ones = arith.constant dense<1.0> : tensor<4x24xf32>
  %lost = arith.select %fits, %zeros, %ones : tensor<4x24xi1>, tensor<4x24xf32>
  %overflow = nn.reduce %lost "sum" dims [1] : (tensor<4x24xf32>) -> tensor<4xf32>
  %xk = nn.broadcast %x dims [0, 1, 3] : (tensor<4x12x16xf32>) -> tensor<4x12x2x16xf32>
  %tokens = nn.reshape %xk : (tensor<4x12x2x16xf32>) -> tensor<4x24x16xf32>
  %table = nn.scatter_add %row, %tokens : (tensor<4x24xi32>, tensor<4x24x16xf32>) -> tensor<4x37x16xf32>
  %kept = nn.slice %table offsets [0, 0, 0] strides [1, 1, 1] : (tensor<4x37x16xf32>) -> tensor<4x36x16xf32>
  %split = nn.reshape %kept : (tensor<4x36x16xf32>) -> tensor<4x12x3x16xf32>
  %in = tp.constraint %split to <@mesh, [{}, {"ep"}, {}, {}]> : tensor<4x12x3x16xf32>
  %g = nn.contract %in, %gate "gech,efh->gecf" : (tensor<4x12x3x16xf32>, tensor<12x32x16xf32>) -> tensor<4x12x3x32xf32>
  %u = nn.contract %in, %up "gech,efh->gecf" : (tensor<4x12x3x16xf32>, tensor<12x32x16xf32>) -> tensor<4x12x3x32xf32>
  %n = arith.negf %g : tensor<4x12x3x32xf32>
  %e = math.exp %n : tensor<4x12x3x32xf32>
  %onef = arith.constant dense<1.0> : tensor<4x12x3x32xf32>
  %d = arith.addf %e, %onef : tensor<4x12x3x32xf32>
  %s = arith.divf %g, %d : tensor<4x12x3x32xf32>
  %a = arith.mulf %s, %u : tensor<4x12x3x32xf32>
  %o = nn.contract %a, %down "gecf,ehf->gech" : (tensor<4x12x3x32xf32>, tensor<12x16x32xf32>) -> tensor<4x12x3x16xf32>
  %flat = nn.reshape %o : (tensor<4x12x3x16xf32>) -> tensor<4x36x16xf32>
  %back = nn.pad %flat low [0, 0, 0] high [0, 1, 0] value 0.0 : (tensor<4x36x16xf32>) -> tensor<4x37x16xf32>
  %found = nn.gather %row, %back : (tensor<4x24xi32>, tensor<4x37x16xf32>) -> tensor<4x24x16xf32>
  %each = nn.reshape %found : (tensor<4x24x16xf32>) -> tensor<4x12x2x16xf32>
  %y = nn.contract %each, %share "gskh,gsk->gsh" : (tensor<4x12x2x16xf32>, tensor<4x12x2xf32>) -> tensor<4x12x16xf32>
  return %y, %overflow : tensor<4x12x16xf32>, tensor<4xf32>
}
