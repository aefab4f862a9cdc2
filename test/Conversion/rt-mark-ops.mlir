// RUN: tp-opt %s --pass-pipeline="builtin.module(func.func(rt-mark-ops))" | FileCheck %s
// Twice is once.
// RUN: tp-opt %s --pass-pipeline="builtin.module(func.func(rt-mark-ops,rt-mark-ops))" | FileCheck %s

// A mark before each call and launch, not before addresses and coordinates.
module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
// CHECK-LABEL: func.func @f
// CHECK-SAME: rt.marked
// CHECK-NEXT: rt.buffer 0
// CHECK-NEXT: rt.mark "nn.contract" of "mlp.down_proj"
// CHECK-NEXT: rt.contract
// CHECK-NEXT: rt.coordinate
// CHECK-NEXT: rt.mark "tp.all_reduce" of "mlp.down_proj" collective 3
// CHECK-NEXT: rt.collective
// CHECK-NEXT: rt.wait
// CHECK-NEXT: rt.mark "arith.addf" of "mlp" kernel @kernel_0
// CHECK-NEXT: rt.launch
// Without an origin: what the location says, and the op's own name.
// CHECK-NEXT: rt.mark "rt.contract" of "lm_head"
// CHECK-NEXT: rt.contract
// CHECK-NEXT: rt.mark "rt.collective" of "tail" collective 4
// CHECK-NEXT: rt.collective
// CHECK-NEXT: return
func.func @f(%x: memref<8x8xf32>, %w: memref<8x8xf32>) attributes {rt.arena_bytes = 256 : i64} {
  %0 = rt.buffer 0 : memref<8x8xf32>
  rt.contract %x, %w into %0 "mk,nk->mn" : memref<8x8xf32>, memref<8x8xf32>, memref<8x8xf32> loc("mlp.down_proj"(fused<#rt.origin<"nn.contract" of "mlp.down_proj">>["model.mlir":7:8]))
  %c = rt.coordinate group 0
  rt.collective all_reduce sum (%0) into (%0) group 0 id 3 name "mlp.down_proj" started : (memref<8x8xf32>) -> memref<8x8xf32> loc(fused<#rt.origin<"tp.all_reduce" of "mlp.down_proj">>["model.mlir":8:8])
  rt.wait %0 of 3 : memref<8x8xf32>
  rt.launch @kernel_0(%0) into (%0) : (memref<8x8xf32>) -> memref<8x8xf32> loc(callsite(fused[unknown, fused<#rt.origin<"arith.addf" of "mlp">>[unknown]] at unknown))
  rt.contract %0, %w into %x "mk,nk->mn" : memref<8x8xf32>, memref<8x8xf32>, memref<8x8xf32> loc("lm_head")
  rt.collective all_reduce sum (%x) into (%x) group 0 id 4 name "tail" : (memref<8x8xf32>) -> memref<8x8xf32>
  return
}

// CHECK-LABEL: func.func private @kernel_0
// CHECK-NOT: rt.mark
func.func private @kernel_0(%x: tensor<8x8xf32>) -> tensor<8x8xf32> attributes {rt.kernel} {
  %0 = arith.addf %x, %x : tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}
}
