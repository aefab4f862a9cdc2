// RUN: tp-opt %s | tp-opt | FileCheck %s
// RUN: tp-opt %s --mlir-print-op-generic | tp-opt | FileCheck %s
// RUN: tp-opt %s | FileCheck %s --strict-whitespace --check-prefix=SPACE

// Two spaces only ever indent a line.
// SPACE-NOT: {{[^ ]  }}

// CHECK: rt.groups = [
module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>

// CHECK-LABEL: @tensors
func.func @tensors(%x: tensor<8x4xf32>, %i: index) -> tensor<8x4xf32> {
  // CHECK: %[[Y:.*]]:2 = rt.fused (%[[A:.*]] = %arg0 : tensor<8x4xf32>, %{{.*}} = %arg1 : index) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK-NEXT: arith.negf %[[A]]
  // CHECK-NEXT: rt.yield
  %0:2 = rt.fused (%a = %x : tensor<8x4xf32>, %b = %i : index) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
    %1 = arith.negf %a : tensor<8x4xf32>
    rt.yield %1, %a : tensor<8x4xf32>, tensor<8x4xf32>
  }
  // CHECK: rt.clone %[[Y]]#0 {rt.places = [#rt.place<arena 64>]} : tensor<8x4xf32>
  %2 = rt.clone %0#0 {rt.places = [#rt.place<arena 64>]} : tensor<8x4xf32>
  return %2 : tensor<8x4xf32>
}

// CHECK-LABEL: @calls
func.func @calls(%x: memref<8x4xf32>, %w: memref<6x4xf32>, %q: memref<1x2x1x3x4xf32>,
                 %k: memref<1x5x1x4xf32>, %p: memref<i32>, %cos: memref<2x2xf32>,
                 %ids: memref<3xi32>) -> memref<8x6xf32> attributes {rt.arena_bytes = 4096 : i64} {
  // CHECK: rt.result 0 : memref<8x6xf32>
  %y = rt.result 0 : memref<8x6xf32>
  // CHECK: rt.argument 0 : memref<8x4xf32>
  %a = rt.argument 0 : memref<8x4xf32>
  // CHECK: rt.buffer 64 : memref<1x2x1x3x4xf32>
  %o = rt.buffer 64 : memref<1x2x1x3x4xf32>
  %e = rt.buffer 512 : memref<3x4xf32>
  %g = rt.buffer 1024 : memref<6x4xf32>
  %v = rt.buffer 2048 : memref<8x2xf32>
  %j = rt.buffer 2560 : memref<8x2xi32>
  %t = rt.buffer 3072 : memref<8xf32>
  // CHECK: %[[C:.*]] = rt.coordinate group 0
  %c = rt.coordinate group 0
  // CHECK: rt.view %arg0 : memref<8x4xf32> to memref<32xf32>
  %flat = rt.view %x : memref<8x4xf32> to memref<32xf32>
  // CHECK: rt.view %arg0 from %[[C]] : memref<8x4xf32> to memref<30xf32>
  %part = rt.view %x from %c : memref<8x4xf32> to memref<30xf32>
  // CHECK: rt.contract %arg0, %arg1 into %{{.*}} "mk,nk->mn" : memref<8x4xf32>, memref<6x4xf32>, memref<8x6xf32>
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x4xf32>, memref<6x4xf32>, memref<8x6xf32>
  %b = rt.buffer 3072 : memref<6xf32>
  // CHECK: rt.contract %arg0, %arg1 plus %{{.*}} into %{{.*}} "mk,nk->mn" : memref<8x4xf32>, memref<6x4xf32>, memref<6xf32>, memref<8x6xf32>
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<8x4xf32>, memref<6x4xf32>, memref<6xf32>, memref<8x6xf32>
  // CHECK: rt.attention %arg2, %arg3, %arg3 at %arg4 from %[[C]] into %{{.*}} scale 5.000000e-01 causal window 3 soft_cap 2.000000e+01 of 4
  rt.attention %q, %k, %k at %p from %c into %o scale 0.5 causal window 3 soft_cap 20.0 of 4
      : memref<1x2x1x3x4xf32>, memref<1x5x1x4xf32>, memref<1x5x1x4xf32>, memref<i32>, index, memref<1x2x1x3x4xf32>
  // CHECK: rt.attention %arg2, %arg3, %arg3 from %[[C]] into
  rt.attention %q, %k, %k from %c into %o scale 0.5
      : memref<1x2x1x3x4xf32>, memref<1x5x1x4xf32>, memref<1x5x1x4xf32>, index, memref<1x2x1x3x4xf32>
  // CHECK: rt.rotary {{.*}} interleaved
  rt.rotary %q, %cos, %cos into %o interleaved
      : memref<1x2x1x3x4xf32>, memref<2x2xf32>, memref<2x2xf32>, memref<1x2x1x3x4xf32>
  // CHECK: rt.embedding %arg6, %arg1 from %[[C]] into %{{.*}} of 12
  rt.embedding %ids, %w from %c into %e of 12 : memref<3xi32>, memref<6x4xf32>, memref<3x4xf32>
  // CHECK: rt.embedding_gradient
  rt.embedding_gradient %ids, %e from %c into %g of 12 : memref<3xi32>, memref<3x4xf32>, memref<6x4xf32>
  // CHECK: rt.top_k %arg0 from %[[C]] into %{{.*}}, %{{.*}} k 2 segments 1 of 4
  rt.top_k %x from %c into %v, %j k 2 segments 1 of 4 : memref<8x4xf32>, memref<8x2xf32>, memref<8x2xi32>
  // CHECK: rt.top_k %{{.*}} ids %{{.*}} : memref<8x2xi32> from
  rt.top_k %v ids %j : memref<8x2xi32> from %c into %v, %j k 1 segments 2 of 4 : memref<8x2xf32>, memref<8x2xf32>, memref<8x2xi32>
  // CHECK: rt.cache_update %arg3, %arg3 at %arg4 length %arg4 from %[[C]] of 10
  rt.cache_update %k, %k at %p length %p from %c of 10 : memref<1x5x1x4xf32>, memref<1x5x1x4xf32>, memref<i32>, memref<i32>
  // CHECK: rt.take %arg0, %arg4 into %{{.*}} dim 1
  rt.take %x, %p into %t dim 1 : memref<8x4xf32>, memref<i32>, memref<8xf32>
  // CHECK: rt.copy %arg0 to %{{.*}} extents [2, 3] from 1 [8, 1] to 0 [3, 1]
  rt.copy %x to %t extents [2, 3] from 1 [8, 1] to 0 [3, 1] : memref<8x4xf32>, memref<8xf32>
  // CHECK: rt.mask %{{.*}} dim 0 from %[[C]] size 3 fill 0.000000e+00
  rt.mask %t dim 0 from %c size 3 fill 0.0 : memref<8xf32>
  // CHECK: rt.make_partial %{{.*}} as sum group 0
  rt.make_partial %t as sum group 0 : memref<8xf32>
  // CHECK: rt.collective all_to_all sum(%{{.*}}) into(%{{.*}}) group 0 id 3 name "m" dims [0] split [1]
  rt.collective all_to_all sum (%v) into (%v) group 0 id 3 name "m" dims [0] split [1] : (memref<8x2xf32>) -> memref<8x2xf32>
  // CHECK: rt.collective permute sum(%{{.*}}) into(%{{.*}}) group 0 id 4 name "m" source 0
  rt.collective permute sum (%v) into (%v) group 0 id 4 name "m" source 0 : (memref<8x2xf32>) -> memref<8x2xf32>
  // CHECK: rt.collective all_reduce sum(%{{.*}}) into(%{{.*}}) group 0 id 5 name "m" started : (memref<8x2xf32>) -> memref<8x2xf32>
  rt.collective all_reduce sum (%v) into (%v) group 0 id 5 name "m" started : (memref<8x2xf32>) -> memref<8x2xf32>
  // CHECK: rt.wait %{{.*}} of 5 : memref<8x2xf32>
  rt.wait %v of 5 : memref<8x2xf32>
  // CHECK: rt.launch @kernel(%arg0, %[[C]]) into(%arg0) : (memref<8x4xf32>, index) -> memref<8x4xf32>
  rt.launch @kernel(%x, %c) into (%x) : (memref<8x4xf32>, index) -> memref<8x4xf32>
  // CHECK: rt.mark "nn.contract" of "mlp"
  rt.mark "nn.contract" of "mlp"
  // CHECK: rt.mark "arith.addf" of "" kernel @kernel
  rt.mark "arith.addf" of "" kernel @kernel
  // CHECK: rt.mark "tp.all_reduce" of "mlp" collective 5 {a = #rt.origin<"nn.contract" of "mlp">}
  rt.mark "tp.all_reduce" of "mlp" collective 5 {a = #rt.origin<"nn.contract" of "mlp">}
  return %y : memref<8x6xf32>
}

func.func private @kernel(%x: tensor<8x4xf32>, %i: index) -> tensor<8x4xf32> attributes {rt.kernel} {
  return %x : tensor<8x4xf32>
}
}

// CHECK-LABEL: @stored
// CHECK-SAME: memref<6x64x!rt.stored<"Q4_1">>
func.func @stored(%x: memref<8x64xf32>, %w: memref<6x64x!rt.stored<"Q4_1">>, %y: memref<8x6xf32>) {
  // CHECK: rt.contract %arg0, %arg1 into %arg2 "mk,nk->mn" : memref<8x64xf32>, memref<6x64x!rt.stored<"Q4_1">>, memref<8x6xf32>
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x64xf32>, memref<6x64x!rt.stored<"Q4_1">>, memref<8x6xf32>
  return
}

// CHECK-LABEL: @interleaved
// CHECK-SAME: memref<8x2x64x!rt.stored<"Q4_1" interleaved 128>>
func.func @interleaved(%x: memref<8x2x64xf32>, %w: memref<8x2x64x!rt.stored<"Q4_1" interleaved 128>>, %y: memref<8x8xf32>) {
  rt.contract %x, %w into %y "mhk,nhk->mn" : memref<8x2x64xf32>, memref<8x2x64x!rt.stored<"Q4_1" interleaved 128>>, memref<8x8xf32>
  return
}
