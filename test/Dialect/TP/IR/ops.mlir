// Every op of the dialect prints as it is written.
// RUN: tp-opt %s | tp-opt | FileCheck %s
// RUN: tp-opt %s -mlir-print-op-generic | tp-opt | FileCheck %s
// RUN: tp-opt %s | FileCheck %s --strict-whitespace --check-prefix=SPACE

// Two spaces only ever indent a line.
// SPACE-NOT: {{[^ ]  }}

tp.mesh @mesh = <["dp"=2, "tp"=8]>

// CHECK-LABEL: func.func @global
func.func @global(%x: tensor<16x8xf32>) {
  // CHECK: tp.constraint %{{.*}} to <@mesh, [{"dp"}, {}]> : tensor<16x8xf32>
  %0 = tp.constraint %x to <@mesh, [{"dp"}, {}]> : tensor<16x8xf32>
  // CHECK: tp.reshard %{{.*}} from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]> : tensor<16x8xf32>
  %1 = tp.reshard %0 from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]> : tensor<16x8xf32>
  // CHECK: tp.reshard %{{.*}} from <@mesh, [{}, {} pad 16]> to <@mesh, [{"tp"}, {} pad 16]> reason "why" module "model.norm" : tensor<16x8xf32>
  %2 = tp.reshard %1 from <@mesh, [{}, {} pad 16]> to <@mesh, [{"tp"}, {} pad 16]> reason "why" module "model.norm" : tensor<16x8xf32>
  // From partial to whole, the kind of the new sharding does not matter.
  // CHECK: tp.reshard %{{.*}} from <@mesh, [{}, {}], partial = max{"tp"}> to <@mesh, [{}, {}]>
  %3 = tp.reshard %2 from <@mesh, [{}, {}], partial = max{"tp"}> to <@mesh, [{}, {}]> : tensor<16x8xf32>
  return
}

// CHECK-LABEL: func.func @local
func.func @local(%x: tensor<16x8xf32>, %y: tensor<4xbf16>) {
  // CHECK: %[[START:.*]] = tp.shard_start [#tp.axis<"dp">, #tp.axis<"tp":(2)4>] of @mesh block 5
  %start = tp.shard_start [#tp.axis<"dp">, #tp.axis<"tp":(2)4>] of @mesh block 5
  // Over no axes, the start is 0.
  // CHECK: tp.shard_start [] of @mesh block 1
  %zero = tp.shard_start [] of @mesh block 1
  // CHECK: tp.mask %{{.*}} dim 1 from %[[START]] size 9 fill 0.000000e+00 : tensor<16x8xf32>
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<16x8xf32>
  // CHECK: tp.mask %{{.*}} dim 0 from %[[START]] size 0 fill 0xFFF0000000000000 : tensor<16x8xf32>
  %1 = tp.mask %x dim 0 from %start size 0 fill 0xFFF0000000000000 : tensor<16x8xf32>

  // CHECK: tp.all_reduce %{{.*}} sum over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x8xf32>
  %2 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x8xf32>
  // Several tensors in one message, of several shapes and types.
  // CHECK: tp.all_reduce %{{.*}}, %{{.*}} max over [#tp.axis<"dp">, #tp.axis<"tp":(1)2>] of @mesh reason "r" module "m" : (tensor<16x8xf32>, tensor<4xbf16>) -> (tensor<16x8xf32>, tensor<4xbf16>)
  %3:2 = tp.all_reduce %x, %y max over [#tp.axis<"dp">, #tp.axis<"tp":(1)2>] of @mesh reason "r" module "m" : (tensor<16x8xf32>, tensor<4xbf16>) -> (tensor<16x8xf32>, tensor<4xbf16>)
  // CHECK: tp.all_gather %{{.*}} dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x64xf32>
  %4 = tp.all_gather %x dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x64xf32>
  // CHECK: tp.all_gather %{{.*}}, %{{.*}} dims [1, 0] over [#tp.axis<"dp">] of @mesh : (tensor<16x8xf32>, tensor<4xbf16>) -> (tensor<16x16xf32>, tensor<8xbf16>)
  %5:2 = tp.all_gather %x, %y dims [1, 0] over [#tp.axis<"dp">] of @mesh : (tensor<16x8xf32>, tensor<4xbf16>) -> (tensor<16x16xf32>, tensor<8xbf16>)
  // CHECK: tp.reduce_scatter %{{.*}} sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<2x8xf32>
  %6 = tp.reduce_scatter %x sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<2x8xf32>
  // CHECK: tp.all_to_all %{{.*}} gather [0] split [1] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<128x1xf32>
  %7 = tp.all_to_all %x gather [0] split [1] over [#tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<128x1xf32>
  // CHECK: tp.permute %{{.*}} from [#tp.axis<"dp">, #tp.axis<"tp">] to [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x8xf32>
  %p = tp.permute %x from [#tp.axis<"dp">, #tp.axis<"tp">] to [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh : (tensor<16x8xf32>) -> tensor<16x8xf32>
  // CHECK: tp.slice %{{.*}} dim 0 over [#tp.axis<"dp">, #tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<1x8xf32>
  %8 = tp.slice %x dim 0 over [#tp.axis<"dp">, #tp.axis<"tp">] of @mesh : (tensor<16x8xf32>) -> tensor<1x8xf32>
  // CHECK: tp.resize %{{.*}} dim 1 : (tensor<16x8xf32>) -> tensor<16x9xf32>
  %r = tp.resize %x dim 1 : (tensor<16x8xf32>) -> tensor<16x9xf32>
  // CHECK: tp.make_partial %{{.*}} over [#tp.axis<"tp">] of @mesh : tensor<16x8xf32>
  %9 = tp.make_partial %x over [#tp.axis<"tp">] of @mesh : tensor<16x8xf32>
  // CHECK: tp.make_partial %{{.*}} as{{ +}}product over [#tp.axis<"tp">] of @mesh : tensor<16x8xf32>
  %10 = tp.make_partial %x as product over [#tp.axis<"tp">] of @mesh : tensor<16x8xf32>
  // The two halves of a collective, with something between them.
  // CHECK: %[[P:.*]]:2 = tp.all_gather %{{.*}}, %{{.*}} dims [1, 0] over [#tp.axis<"dp">] of @mesh : (tensor<16x8xf32>, tensor<4xbf16>) -> (!tp.pending<tensor<16x16xf32>>, !tp.pending<tensor<8xbf16>>)
  %11:2 = tp.all_gather %x, %y dims [1, 0] over [#tp.axis<"dp">] of @mesh : (tensor<16x8xf32>, tensor<4xbf16>) -> (!tp.pending<tensor<16x16xf32>>, !tp.pending<tensor<8xbf16>>)
  // CHECK: tp.wait %[[P]]#1 : !tp.pending<tensor<8xbf16>>
  %12 = tp.wait %11#1 : !tp.pending<tensor<8xbf16>>
  %13 = arith.negf %12 : tensor<8xbf16>
  // CHECK: tp.wait %[[P]]#0 : !tp.pending<tensor<16x16xf32>>
  %14 = tp.wait %11#0 : !tp.pending<tensor<16x16xf32>>
  return
}
