// RUN: tp-opt %s --pass-pipeline="builtin.module(func.func(tp-keep-origins))" --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s

// What an op is called and the module that it belongs to: of the parameter that it
// reads, of what its operands share, or of its location. What was there stays.
// CHECK-LABEL: func.func @f
// CHECK: nn.contract {{.*}} loc("mlp.down_proj"(fused<#rt.origin<"nn.contract" of "mlp.down_proj">>["model.mlir":7:8]))
// CHECK: arith.addf {{.*}} loc("mlp.down_proj"(fused<#rt.origin<"arith.addf" of "mlp.down_proj">>[unknown]))
// CHECK: tp.all_reduce {{.*}} loc("mlp"(fused<#rt.origin<"tp.all_reduce" of "mlp">>[
// CHECK: arith.negf {{.*}} loc("head"(fused<#rt.origin<"arith.negf" of "head">>["head"("model.mlir":9:8)]))
// A module that no one knows is empty.
// CHECK: arith.mulf {{.*}} loc(fused<#rt.origin<"arith.mulf" of "">>[
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<8x4xf32> {nn.input = "x"},
             %w: tensor<4x4xf32> {nn.parameter = #nn.parameter<name = "mlp.down_proj.weight", tensor = "w", shape = [4, 4], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">})
    -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32> loc("model.mlir":7:8)
  %1 = arith.addf %0, %x : tensor<8x4xf32> loc(unknown)
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh module "mlp" : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %3 = arith.negf %2 : tensor<8x4xf32> loc("head"("model.mlir":9:8))
  %4 = arith.mulf %x, %x : tensor<8x4xf32>
  return %3, %4 : tensor<8x4xf32>, tensor<8x4xf32>
}

// Kernels and declarations are left as they are.
// CHECK-LABEL: func.func private @kernel
// CHECK-NOT: rt.origin
func.func private @kernel(%x: tensor<8xf32>) -> tensor<8xf32> attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func private @declared(tensor<8xf32>)
