// RUN: tp-opt %s -split-input-file -tp-simplify-collectives -tp-verify-placements | FileCheck %s

// The example of the pass's description.
tp.mesh @mesh = <["tp"=4]>
// CHECK-LABEL: func.func @documented
// CHECK-NEXT: %[[S:.*]] = tp.reduce_scatter %arg0 sum dims [0] over [#tp.axis<"tp">] of @mesh reason "norm" module "top" : (tensor<8x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: return %[[S]]
func.func @documented(%x: tensor<8x4xf32> {tp.global = tensor<8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>})
    -> (tensor<2x4xf32> {tp.global = tensor<8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %1 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh reason "norm" module "top" : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = tp.slice %1 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<2x4xf32>
  return %2 : tensor<2x4xf32>
}

// What is needed elsewhere stays; the slice of it is then free.
// CHECK-LABEL: func.func @reduced_elsewhere
// CHECK: tp.all_reduce
// CHECK-NEXT: tp.slice
func.func @reduced_elsewhere(%x: tensor<8x4xf32> {tp.global = tensor<8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>})
    -> (tensor<2x4xf32> {tp.global = tensor<8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
        tensor<8x4xf32> {tp.global = tensor<8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
  %1 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = tp.slice %1 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<2x4xf32>
  return %2, %1 : tensor<2x4xf32>, tensor<8x4xf32>
}

// Gathers and slices that undo each other, either way round. A padded dim is no
// different: its padding travels along.
// CHECK-LABEL: func.func @undone
// CHECK-NEXT: return %arg0, %arg1
func.func @undone(%x: tensor<2x4xf32> {tp.global = tensor<7x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8, {}]>},
                  %y: tensor<8x4xf32> {tp.global = tensor<7x4xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 8, {}]>})
    -> (tensor<2x4xf32> {tp.global = tensor<7x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8, {}]>},
        tensor<8x4xf32> {tp.global = tensor<7x4xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 8, {}]>}) {
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2x4xf32>) -> tensor<8x4xf32>
  %2 = tp.slice %1 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<2x4xf32>
  %3 = tp.slice %y dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<2x4xf32>
  %4 = tp.all_gather %3 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2x4xf32>) -> tensor<8x4xf32>
  return %2, %4 : tensor<2x4xf32>, tensor<8x4xf32>
}

// A gather that three need is done once, and serves all that asked for it; a
// slice of it is the value before.
// CHECK-LABEL: func.func @gathered_three_times
// CHECK-NEXT: %[[G:.*]] = tp.all_gather %arg0 dims [0] over [#tp.axis<"tp">] of @mesh reason "q; also: k; also: v" module "attention, mlp"
// CHECK-NEXT: math.exp %[[G]]
// CHECK-NEXT: math.log %[[G]]
// CHECK-NEXT: math.sin %[[G]]
// CHECK-NEXT: math.cos %arg0
// CHECK-NEXT: return
func.func @gathered_three_times(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh reason "q" module "attention" : (tensor<2xf32>) -> tensor<8xf32>
  %2 = math.exp %1 : tensor<8xf32>
  %3 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh reason "k" module "mlp" : (tensor<2xf32>) -> tensor<8xf32>
  %4 = math.log %3 : tensor<8xf32>
  %5 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh reason "v" module "attention" : (tensor<2xf32>) -> tensor<8xf32>
  %6 = math.sin %5 : tensor<8xf32>
  %7 = tp.slice %5 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  %8 = math.cos %7 : tensor<2xf32>
  return %2, %4, %6, %8 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2xf32>
}

// Scattered and gathered again is an all-reduce, unless the part is used too.
// CHECK-LABEL: func.func @scattered_and_gathered
// CHECK-NEXT: %[[R:.*]] = tp.all_reduce %arg0 max over [#tp.axis<"tp">] of @mesh reason "a; also: b"
// CHECK-NEXT: return %[[R]]
func.func @scattered_and_gathered(%x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>}) -> tensor<8xf32> {
  %1 = tp.reduce_scatter %x max dims [0] over [#tp.axis<"tp">] of @mesh reason "a" : (tensor<8xf32>) -> tensor<2xf32>
  %2 = tp.all_gather %1 dims [0] over [#tp.axis<"tp">] of @mesh reason "b" : (tensor<2xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// CHECK-LABEL: func.func @part_used
// CHECK-NEXT: tp.reduce_scatter
// CHECK-NEXT: tp.all_gather
func.func @part_used(%x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>})
    -> (tensor<8xf32>, tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %1 = tp.reduce_scatter %x max dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  %2 = tp.all_gather %1 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %2, %1 : tensor<8xf32>, tensor<2xf32>
}

// Made partial and reduced at once: nothing.
// CHECK-LABEL: func.func @partial_and_reduced
// CHECK-NEXT: return %arg0
func.func @partial_and_reduced(%x: tensor<8xf32>) -> tensor<8xf32> {
  %1 = tp.make_partial %x over [#tp.axis<"tp">] of @mesh : tensor<8xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// What nothing uses goes; of collectives that travel together, only that tensor.
// CHECK-LABEL: func.func @unused
// CHECK-NEXT: %[[G:.*]] = tp.all_gather %arg0 dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<1x4xf32>) -> tensor<1x16xf32>
// CHECK-NEXT: return %[[G]]
func.func @unused(%x: tensor<1x4xf32> {tp.global = tensor<1x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %y: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<1x16xf32> {
  %1:2 = tp.all_gather %y, %x dims [0, 1] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>, tensor<1x4xf32>) -> (tensor<8xf32>, tensor<1x16xf32>)
  return %1#1 : tensor<1x16xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// Gathers of nested axes, reductions of disjoint ones.
// CHECK-LABEL: func.func @nested
// CHECK-NEXT: %[[G:.*]] = tp.all_gather %arg0 dims [0] over [#tp.axis<"dp">, #tp.axis<"tp">] of @mesh
// CHECK-NEXT: %[[R:.*]] = tp.all_reduce %arg1 sum over [#tp.axis<"dp">, #tp.axis<"tp">] of @mesh
// CHECK-NEXT: return %[[G]], %[[R]]
func.func @nested(%x: tensor<1xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}]>},
                  %y: tensor<3xf32> {tp.global = tensor<3xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"dp", "tp"}>}) -> (tensor<8xf32>, tensor<3xf32>) {
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<1xf32>) -> tensor<4xf32>
  %2 = tp.all_gather %1 dims [0] over [#tp.axis<"dp">] of @mesh : (tensor<4xf32>) -> tensor<8xf32>
  %3 = tp.all_reduce %y sum over [#tp.axis<"tp">] of @mesh : (tensor<3xf32>) -> tensor<3xf32>
  %4 = tp.all_reduce %3 sum over [#tp.axis<"dp">] of @mesh : (tensor<3xf32>) -> tensor<3xf32>
  return %2, %4 : tensor<8xf32>, tensor<3xf32>
}

// Parts of an axis, with the rest of it on the same dim, which is not touched.
// CHECK-LABEL: func.func @parts
// CHECK-NEXT: %[[A:.*]] = tp.all_to_all %arg0 gather [0] split [1] over [#tp.axis<"tp":(2)2>] of @mesh
// CHECK-NEXT: return %[[A]]
func.func @parts(%x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp":(1)2}, {"tp":(2)2}]>}) {
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<2x8xf32>) -> tensor<4x8xf32>
  %2 = tp.slice %1 dim 1 over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<4x8xf32>) -> tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=2]>

// Permutations, of axes of which nothing else is known.
// CHECK-LABEL: func.func @permuted
// CHECK-NEXT: return %arg0
func.func @permuted(%x: tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}]>})
    -> (tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}]>}) {
  %1 = tp.permute %x from [#tp.axis<"x">, #tp.axis<"y">] to [#tp.axis<"y">, #tp.axis<"x">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = tp.permute %1 from [#tp.axis<"y">, #tp.axis<"x">] to [#tp.axis<"x">, #tp.axis<"y">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// Gathered, then sharded by other axes: moved to where they are needed.
// CHECK-LABEL: func.func @moved
// CHECK-NEXT: %[[P:.*]] = tp.permute %arg0 from [#tp.axis<"x">, #tp.axis<"y">] to [#tp.axis<"y">, #tp.axis<"x">] of @mesh reason "why"
// CHECK-NEXT: return %[[P]]
func.func @moved(%x: tensor<4x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>})
    -> (tensor<4x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"y"}, {}]>}) {
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"x">] of @mesh reason "why" : (tensor<4x8xf32>) -> tensor<8x8xf32>
  %2 = tp.slice %1 dim 0 over [#tp.axis<"y">] of @mesh : (tensor<8x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// Reductions of different kinds are not one; what is made partial in between and
// reduced at once is nothing.
// CHECK-LABEL: func.func @kinds
// CHECK-NEXT: %[[R:.*]] = tp.all_reduce %arg0 sum over [#tp.axis<"x">] of @mesh
// CHECK-NEXT: return %[[R]]
func.func @kinds(%x: tensor<3xf32> {tp.global = tensor<3xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"x"}>}) -> tensor<3xf32> {
  %1 = tp.all_reduce %x sum over [#tp.axis<"x">] of @mesh : (tensor<3xf32>) -> tensor<3xf32>
  %2 = tp.make_partial %1 as max over [#tp.axis<"y">] of @mesh : tensor<3xf32>
  %3 = tp.all_reduce %2 max over [#tp.axis<"y">] of @mesh : (tensor<3xf32>) -> tensor<3xf32>
  return %3 : tensor<3xf32>
}
