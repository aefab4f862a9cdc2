// Meshes, axes and shardings print as they are written.
// RUN: tp-opt %s | tp-opt | FileCheck %s
// RUN: tp-opt %s -mlir-print-op-generic | tp-opt | FileCheck %s

// CHECK: tp.mesh @mesh = <["dp"=2, "tp"=8, "x"=3]>
tp.mesh @mesh = <["dp"=2, "tp"=8, "x"=3]>
// CHECK: tp.mesh @none = <[]>
tp.mesh @none = <[]>
// CHECK: tp.mesh @most = <["a"=1048576, "b"=1048576]>
tp.mesh @most = <["a"=1048576, "b"=1048576]>

// CHECK-LABEL: func.func private @shardings
func.func private @shardings(
// Several axes on one dim, major to minor; a dim without any.
// CHECK-SAME: #tp.sharding<@mesh, [{"dp", "tp"}, {}]>
  tensor<16x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}, {}]>},
// Parts of one axis on two dims, the minor part first.
// CHECK-SAME: #tp.sharding<@mesh, [{"tp":(2)4}, {"tp":(1)2}]>
  tensor<16x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(2)4}, {"tp":(1)2}]>},
// A padded extent.
// CHECK-SAME: #tp.sharding<@mesh, [{"tp"} pad 16, {}]>
  tensor<9x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>},
// Padding without an axis: another tensor of the class is sharded.
// CHECK-SAME: #tp.sharding<@mesh, [{} pad 16, {}]>
  tensor<9x8xf32> {tp.sharding = #tp.sharding<@mesh, [{} pad 16, {}]>},
// Partial values of every kind, over axes and parts of them.
// CHECK-SAME: #tp.sharding<@mesh, [{}, {}], partial = sum{"dp", "tp":(1)2}>
  tensor<9x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"dp", "tp":(1)2}>},
// CHECK-SAME: #tp.sharding<@mesh, [{"dp"}], partial = max{"x"}>
  tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}], partial = max{"x"}>},
// CHECK-SAME: #tp.sharding<@mesh, [{}], partial = min{"x"}>
  tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = min{"x"}>},
// CHECK-SAME: #tp.sharding<@mesh, [{}], partial = product{"x"}>
  tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = product{"x"}>},
// A scalar has no dims, and may be partial.
// CHECK-SAME: #tp.sharding<@mesh, [], partial = sum{"tp"}>
  tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>},
// The argument of a local function has a global type too.
// CHECK-SAME: tensor<2x8xf32> {tp.global = tensor<9x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>}
  tensor<2x8xf32> {tp.global = tensor<9x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>})
// CHECK-SAME: -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
  -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// Open dims, priorities and padding, alone and together.
// CHECK-LABEL: func.func @constraints
func.func @constraints(%x: tensor<8x9xf32>) {
  // CHECK: tp.constraint %{{.*}} to <@mesh, [{"dp", ?}, {?}]>
  %0 = tp.constraint %x to <@mesh, [{"dp", ?}, {?}]> : tensor<8x9xf32>
  // CHECK: tp.constraint %{{.*}} to <@mesh, [{"dp", ?}p1, {}p0]>
  %1 = tp.constraint %x to <@mesh, [{"dp", ?}p1, {}p0]> : tensor<8x9xf32>
  // CHECK: tp.constraint %{{.*}} to <@mesh, [{}, {"x", ?}p2 pad 12]>
  %2 = tp.constraint %x to <@mesh, [{}, {"x", ?} pad 12 p2]> : tensor<8x9xf32>
  // Padding that is not given is chosen later.
  // CHECK: tp.constraint %{{.*}} to <@mesh, [{}, {"tp"}]>
  %3 = tp.constraint %x to <@mesh, [{}, {"tp"}]> : tensor<8x9xf32>
  return
}

// The cache on an op has a sharding for each result, of rank 0 for what is no
// tensor.
// CHECK-LABEL: func.func @cache
func.func @cache(%x: tensor<8xf32>) -> index {
  // CHECK: arith.negf %{{.*}} {tp.shardings = [#tp.sharding<@mesh, [{"tp"}]>]}
  %0 = arith.negf %x {tp.shardings = [#tp.sharding<@mesh, [{"tp"}]>]} : tensor<8xf32>
  // CHECK: tp.shard_start {{.*}} {tp.shardings = [#tp.sharding<@mesh, []>]}
  %1 = tp.shard_start [#tp.axis<"tp">] of @mesh block 1 {tp.shardings = [#tp.sharding<@mesh, []>]}
  return %1 : index
}

// Attributes by themselves, on an op of no dialect of ours.
// CHECK-LABEL: func.func private @alone
// CHECK-SAME: a = #tp.axis<"tp">
// CHECK-SAME: b = #tp.axis<"tp":(2)4>
// CHECK-SAME: c = #tp<mesh_axis "tp" = 8>
// CHECK-SAME: d = #tp.mesh<["tp"=8]>
// CHECK-SAME: e = #tp.dim_sharding<{"tp", ?}p3 pad 12>
// CHECK-SAME: f = #tp<reduce max>
// CHECK-SAME: g = #tp.sharding<@elsewhere, []>
func.func private @alone() attributes {test = {
  a = #tp.axis<"tp">, b = #tp.axis<"tp":(2)4>, c = #tp<mesh_axis "tp" = 8>,
  d = #tp.mesh<["tp"=8]>, e = #tp.dim_sharding<{"tp", ?}p3 pad 12>,
  f = #tp<reduce max>, g = #tp.sharding<@elsewhere, []>}}
