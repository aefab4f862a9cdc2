// What cannot be placed, one message each.
// RUN: sed -e 's|^// tp.mesh|tp.mesh|' -e 's|"normal">}|"normal">, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}|' %s > %t.annotated.mlir
// RUN: echo '{"w": "colwise"}' > %t.json
// RUN: not tp-opt %t.annotated.mlir --tp-apply-plan="plan=%t.json" --tp-place-parameters 2>&1 | FileCheck %s --check-prefix=ANNOTATED
// ANNOTATED: error: parameter "w.weight" is annotated as #tp.sharding<@mesh, [{}, {"tp"}]>, but the plan makes it #tp.sharding<@mesh, [{"tp"}, {}]>; drop one of the two
// RUN: not tp-opt %s --tp-apply-plan="mesh=tp=64" --tp-place-parameters 2>&1 | FileCheck %s --check-prefix=LARGE
// LARGE: error: mesh axis "tp" of size 64 is larger than every dim that it could shard; sizes up to 32 work
// RUN: not tp-opt %s --tp-apply-plan="mesh=x=2" --tp-place-parameters 2>&1 | FileCheck %s --check-prefix=ROLE
// ROLE: error: the automatic plan has no role for mesh axis "x"; name axes dp (the batch) and tp (the rest), or give "roles" in a plan file
// RUN: tp-opt %s --tp-apply-plan="mesh=dp=8,tp=2" --tp-place-parameters 2>&1 | FileCheck %s --check-prefix=BATCH
// BATCH: remark: mesh axis "dp" of size 8 is larger than the batch of 4: the other devices along it compute padding
// BATCH: tp.sharding = #tp.sharding<@mesh, [{"dp"} pad 8, {}]>
// tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<4x8xf32> {nn.input = "x", nn.dims = ["batch", ""]},
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x32xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
