// RUN: split-file %s %t
// RUN: not tp-report %t/global.mlir 2>&1 | FileCheck %s --check-prefix=GLOBAL
// RUN: not tp-report %t/mesh.mlir 2>&1 | FileCheck %s --check-prefix=MESH
// RUN: tp-opt %t/good.mlir --nn-fuse-kernels -o %t/lowered.mlir
// RUN: not tp-report %t/lowered.mlir 2>&1 | FileCheck %s --check-prefix=LOWERED
// RUN: not tp-report %t/wrong.mlir 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: not tp-report %S/../Import/Inputs/tiny 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: error: of a model, tp-report only says what fits in --device-memory; shard it with tp-opt --tp-shard for more
// RUN: not tp-report %S/../Import/Inputs/tiny --device-memory=much 2>&1 | FileCheck %s --check-prefix=AMOUNT
// AMOUNT: error: --device-memory must be an amount such as 80GB or 80GiB, got 'much'
// RUN: not tp-report %S/../Import/Inputs/tiny --device-memory=80GB --batch=0 2>&1 | FileCheck %s --check-prefix=BATCH
// BATCH: error: --batch must be at least 1, got 0
// RUN: not tp-report %t/good.mlir --layer=-2 2>&1 | FileCheck %s --check-prefix=LAYER
// LAYER: error: --layer must be the number of a layer, or -1, got -2
// RUN: not tp-report %t/mesh.mlir --device-memory=80GB --seq=4 2>&1 | FileCheck %s --check-prefix=OWN
// OWN: error: --seq is for models; a module has what it was imported with
// A module before it is sharded: tried on 1, 2, 4 and 8 devices.
// RUN: tp-report %t/mesh.mlir --device-memory=80GB | FileCheck %s --check-prefix=FITS
// FITS: mesh            as it is
// FITS: tp=8            fits
// FITS: the smallest tensor-parallel size that fits is 1, with

//--- global.mlir
// GLOBAL: error: is not sharded yet: argument 0 has no 'tp.global'; run tp-opt --tp-shard first
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<4xf32>) {
  return
}

//--- mesh.mlir
// MESH: error: there is no tp.mesh in this module; shard it first, with tp-opt --tp-shard
func.func @f(%x: tensor<4xf32>) {
  return
}

//--- wrong.mlir
// What is padding cannot be told where placements are wrong.
// WRONG: error: 'nn.reduce' reduces a dim of size 3 whose padding is not masked
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<2xf32> {tp.global = tensor<3xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4]>}) {
  %0 = nn.reduce %x "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  return
}

//--- good.mlir
// LOWERED: error: this program is lowered already; report on what tp-opt --tp-shard gives
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<2xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = math.exp %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
