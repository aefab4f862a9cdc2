// A plan and a gradient, in either order: boundaries pass gradients as they are, and
// propagation decides how those lie. What was gathered for the forward pass serves the
// weight's gradient.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --nn-differentiate --tp-shard="mesh=tp=2 plan=%t/plan.json compare=false" | FileCheck %s
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/plan.json" --nn-normalise --nn-differentiate --tp-place-parameters \
// RUN:   --tp-propagate --tp-decompose --tp-propagate --cse --tp-insert-reshards --tp-keep-program --tp-partition \
// RUN:   --tp-verify-placements --tp-verify-erasure --tp-simplify-collectives --tp-merge-collectives | FileCheck %s

// CHECK-LABEL: func.func @f_gradient
// CHECK-SAME: %[[X:.*]]: tensor<2x4x16xf32> {{.*}} %[[U:.*]]: tensor<12x16xf32> {{.*}} %[[D:.*]]: tensor<16x12xf32> {{.*}} %[[G:.*]]: tensor<2x8x16xf32>
// CHECK: %[[WHOLE:.*]] = tp.all_gather %[[X]] {{.*}} -> tensor<2x8x16xf32>
// CHECK: %[[DX:.*]] = nn.contract {{.*}}, %[[U]] "bsn,nk->bsk"
// CHECK: nn.contract {{.*}}, %[[WHOLE]] "bsn,bsk->nk" : {{.*}} -> tensor<12x16xf32>
// CHECK: tp.all_reduce %[[DX]] sum
// CHECK-NOT: = tp.
// CHECK: return

//--- plan.json
{"mlp": "PrepareModuleInput(input_layouts=Shard(1), desired_input_layouts=Replicate())",
 "mlp.up": "colwise", "mlp.down": "RowwiseParallel(output_layouts=Shard(1))"}
//--- model.mlir
func.func @f(%x: tensor<2x8x16xf32> {nn.input = "x", nn.dims = ["batch", "sequence", ""]},
    %u: tensor<24x16xf32> {nn.parameter = #nn.parameter<name = "mlp.up.weight", tensor = "u", shape = [24, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %d: tensor<16x24xf32> {nn.parameter = #nn.parameter<name = "mlp.down.weight", tensor = "d", shape = [16, 24], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<2x8x16xf32> {nn.output = "y"}) {
  %0 = nn.boundary %x "input" "0" of "mlp" : tensor<2x8x16xf32>
  %1 = nn.boundary %0 "input" "0" of "mlp.up" : tensor<2x8x16xf32>
  %2 = nn.contract %1, %u "bsk,nk->bsn" : (tensor<2x8x16xf32>, tensor<24x16xf32>) -> tensor<2x8x24xf32>
  %3 = nn.boundary %2 "output" "0" of "mlp.up" : tensor<2x8x24xf32>
  %4 = arith.mulf %3, %3 : tensor<2x8x24xf32>
  %5 = nn.boundary %4 "input" "0" of "mlp.down" : tensor<2x8x24xf32>
  %6 = nn.contract %5, %d "bsk,nk->bsn" : (tensor<2x8x24xf32>, tensor<16x24xf32>) -> tensor<2x8x16xf32>
  %7 = nn.boundary %6 "output" "0" of "mlp.down" : tensor<2x8x16xf32>
  %8 = arith.addf %x, %7 : tensor<2x8x16xf32>
  return %8 : tensor<2x8x16xf32>
}
