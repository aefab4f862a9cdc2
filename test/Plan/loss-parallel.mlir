// A head and its loss under the automatic plan: classes are shared out, and the loss
// sends 24 bytes a token, times (t - 1)/t: a maximum, and two sums in one message.
// Backward it sends nothing: what is left is the gradient of the head's input.
// RUN: tp-opt %s --tp-shard=mesh=tp=2 -o %t.2.mlir
// RUN: tp-report %t.2.mlir --format=json | FileCheck %s --check-prefix=TOTAL -DCOUNT=2 -DBYTES=192
// RUN: tp-opt %s --tp-shard=mesh=tp=4 -o %t.4.mlir
// RUN: tp-report %t.4.mlir --format=json | FileCheck %s --check-prefix=TOTAL -DCOUNT=2 -DBYTES=288
// RUN: tp-opt %s --tp-shard=mesh=tp=8 -o %t.8.mlir
// RUN: tp-report %t.8.mlir --format=json | FileCheck %s --check-prefix=TOTAL -DCOUNT=2 -DBYTES=336
// RUN: tp-opt %s --tp-shard=mesh=dp=2,tp=5 | FileCheck %s
// RUN: tp-opt %s --nn-differentiate --tp-shard=mesh=tp=4 | FileCheck %s --check-prefix=BACKWARD

// TOTAL: "totals": {
// TOTAL-NEXT: "all_reduce": {
// TOTAL-NEXT: "count": [[COUNT]],
// TOTAL-NEXT: "bytes_sent": [[BYTES]]
// TOTAL-NEXT: },
// TOTAL-NEXT: "bytes_sent": [[BYTES]]

// The batch over 2, 128256 classes over 5: the mean divides by the targets of both
// halves.
// CHECK: nn.contract {{.*}} : (tensor<1x8x4096xbf16>, tensor<25652x4096xbf16>) -> tensor<1x8x25652xbf16>
// CHECK: tp.all_reduce {{.*}} max over [#tp.axis<"tp">] {{.*}} : (tensor<1x8xf32>) -> tensor<1x8xf32>
// CHECK: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">] {{.*}} : (tensor<1x8xf32>, tensor<1x8xf32>) -> (tensor<1x8xf32>, tensor<1x8xf32>)
// CHECK: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">] {{.*}} : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
// CHECK-NOT: tp.all_
// CHECK-NOT: tp.reduce_scatter

// BACKWARD-LABEL: func.func @f_gradient
// BACKWARD: tp.all_reduce {{.*}} max {{.*}} : (tensor<2x8xf32>) -> tensor<2x8xf32>
// BACKWARD: tp.all_reduce {{.*}} sum {{.*}} : (tensor<2x8xf32>, tensor<2x8xf32>) -> (tensor<2x8xf32>, tensor<2x8xf32>)
// BACKWARD-NOT: tp.all_
// BACKWARD: nn.contract {{.*}} "bsn,nk->bsk"
// BACKWARD: nn.contract {{.*}} "bsn,bsk->nk"
// BACKWARD: tp.all_reduce {{.*}} sum {{.*}} : (tensor<2x8x4096xbf16>) -> tensor<2x8x4096xbf16>
// BACKWARD-NOT: tp.all_
func.func @f(%x: tensor<2x8x4096xbf16> {nn.input = "x", nn.dims = ["batch", "sequence", ""]},
    %t: tensor<2x8xi32> {nn.input = "labels", nn.dims = ["batch", "sequence"]},
    %w: tensor<128256x4096xbf16> {nn.parameter = #nn.parameter<name = "lm_head.weight", tensor = "lm_head.weight", shape = [128256, 4096],
                                  offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<f32> {nn.output = "loss"}) {
  %0 = nn.contract %x, %w "bsk,nk->bsn" : (tensor<2x8x4096xbf16>, tensor<128256x4096xbf16>) -> tensor<2x8x128256xbf16>
  %1 = nn.cross_entropy %0, %t ignore_index -100 reduction "mean" : (tensor<2x8x128256xbf16>, tensor<2x8xi32>) -> tensor<f32>
  return %1 : tensor<f32>
}
