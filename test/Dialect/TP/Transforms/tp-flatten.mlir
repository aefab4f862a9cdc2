// Calls and loops are written out.
// RUN: tp-opt %s -tp-flatten -split-input-file | FileCheck %s
// RUN: tp-opt %s -tp-flatten -split-input-file -mlir-print-debuginfo | FileCheck %s -check-prefix=WHERE

// The example of the pass's description.
// CHECK-NOT: @layer
// CHECK-LABEL: func.func @documented
// CHECK: %[[A:.*]] = math.exp %arg0
// CHECK-NEXT: %[[B:.*]] = math.exp %[[A]]
// CHECK-NEXT: return %[[B]]
func.func private @layer(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = math.exp %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func @documented(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %0 = scf.for %i = %c0 to %c2 step %c1 iter_args(%y = %x) -> tensor<8xf32> {
    %1 = func.call @layer(%y) : (tensor<8xf32>) -> tensor<8xf32>
    scf.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

// Requests on what is called become constraints; each layer keeps its name.
tp.mesh @mesh = <["tp"=2]>
// WHERE-LABEL: func.func @requests
// WHERE: tp.constraint {{.*}} loc(#[[FIRST:.*]])
// WHERE: math.exp {{.*}} loc(#[[EXP:.*]])
// CHECK-LABEL: func.func @requests
// CHECK-NEXT: %[[X:.*]] = tp.constraint %arg0 to <@mesh, [{"tp"}]>
// CHECK-NEXT: %[[E:.*]] = math.exp %[[X]]
// CHECK-NEXT: %[[Y:.*]] = tp.constraint %[[E]] to <@mesh, [{}]>
// CHECK-NEXT: return %[[Y]]
func.func @requests(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = func.call @asks(%x) : (tensor<8xf32>) -> tensor<8xf32> loc("layers.0")
  return %0 : tensor<8xf32>
}
// A public function stays.
// CHECK-LABEL: func.func @asks
func.func @asks(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  %0 = math.exp %x : tensor<8xf32> loc("exp")
  return %0 : tensor<8xf32>
}
// WHERE-DAG: #[[CALLEE:.*]] = loc("exp")
// WHERE-DAG: #[[CALLER:.*]] = loc("layers.0")
// WHERE-DAG: #[[EXP]] = loc(callsite(#[[CALLEE]] at #[[CALLER]]))

// -----

// Loops within loops, what they read from outside, and counts that are used.
// CHECK-LABEL: func.func @nested
// CHECK-DAG: arith.addf %{{.*}}, %arg1
// CHECK-COUNT-3: arith.addf
// CHECK-NOT: scf.for
// CHECK: return
func.func @nested(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %0 = scf.for %i = %c0 to %c3 step %c2 iter_args(%a = %x) -> tensor<8xf32> {
    %1 = scf.for %j = %c0 to %c3 step %c2 iter_args(%b = %a) -> tensor<8xf32> {
      %2 = arith.addf %b, %y : tensor<8xf32>
      scf.yield %2 : tensor<8xf32>
    }
    scf.yield %1 : tensor<8xf32>
  }
  // No iteration at all.
  %3 = scf.for %i = %c3 to %c0 step %c2 iter_args(%a = %x) -> tensor<8xf32> {
    %4 = arith.negf %a : tensor<8xf32>
    scf.yield %4 : tensor<8xf32>
  }
  return %0, %3 : tensor<8xf32>, tensor<8xf32>
}
