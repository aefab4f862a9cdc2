// RUN: tp-opt %s -split-input-file -tp-simplify-collectives -allow-unregistered-dialect -verify-diagnostics | FileCheck %s

tp.mesh @mesh = <["tp"=2]>
tp.mesh @other = <["tp"=2]>
func.func @other_mesh(%x: tensor<2xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{speaks of another mesh than @mesh, the first of the module; a program is sharded over one mesh}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @other : (tensor<2xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// What is not understood is left alone: no mesh, no body, several blocks, ops
// and element types that are unknown.
// CHECK: func.func private @external
func.func private @external(tensor<8xf32>)
// CHECK-LABEL: func.func @no_mesh
// CHECK: "my.op"
func.func @no_mesh(%x: tensor<?xf32>) {
  "my.op"(%x) : (tensor<?xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2, "x"=2]>
// CHECK-LABEL: func.func @blocks
// CHECK: tp.all_gather
// CHECK: tp.slice
func.func @blocks(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<4xf32>
  %1 = tp.slice %0 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<4xf32>) -> tensor<2xf32>
  cf.br ^next
^next:
  return %1 : tensor<2xf32>
}
// CHECK-LABEL: func.func @complex
// CHECK: tp.all_gather
// CHECK: tp.slice
func.func @complex(%x: tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = tp.slice %0 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<4xcomplex<f32>>) -> tensor<2xcomplex<f32>>
  return %1 : tensor<2xcomplex<f32>>
}
// Programs that no verifier accepts: sliced twice over one axis.
// CHECK-LABEL: func.func @misplaced
// CHECK-COUNT-2: tp.slice
// CHECK: tp.all_reduce
func.func @misplaced(%x: tensor<4xf32>) -> tensor<1xf32> {
  %0 = tp.slice %x dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<4xf32>) -> tensor<2xf32>
  %1 = tp.slice %0 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<1xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<1xf32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}
