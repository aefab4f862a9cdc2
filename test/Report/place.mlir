// How one tensor lies on the mesh: rows by devices, two dims as a table, three
// as tables of a table; padding; parts of axes; what is not there.
// RUN: tp-report place one %s | FileCheck %s --check-prefix=ONE --match-full-lines --strict-whitespace
// RUN: tp-report place two.weight %s | FileCheck %s --check-prefix=TWO --match-full-lines --strict-whitespace
// RUN: tp-report place three %s | FileCheck %s --check-prefix=THREE --match-full-lines --strict-whitespace
// RUN: tp-report place whole %s | FileCheck %s --check-prefix=WHOLE --match-full-lines --strict-whitespace
// RUN: tp-report place two.weight %s --format=json | FileCheck %s --check-prefix=JSON
// RUN: not tp-report place too %s 2>&1 | FileCheck %s --check-prefix=NAME

// NAME: error: there is no tensor 'too'; the nearest are in, one, three

// Major part of "y" on rows that are padded.
//      ONE:one, input: 3x8 f32
// ONE-NEXT:[x: Replicate, y: Shard(0), z: Replicate], 4 devices have each block, 1x8
// ONE-NEXT:dim 0: 3, padded to 4, in 4 blocks of 1 over y
//ONE-EMPTY:
// ONE-NEXT:dim 0             devices
// ONE-NEXT:0                 0, 1, 8, 9
// ONE-NEXT:1                 2, 3, 10, 11
// ONE-NEXT:2                 4, 5, 12, 13
// ONE-NEXT:padding           6, 7, 14, 15

//      TWO:two.weight, parameter: 4x6 f32
// TWO-NEXT:[x: Shard(1), y:(1)2: Shard(0), z: Replicate], 4 devices have each block, 2x3
// TWO-NEXT:dim 0: 4 in 2 blocks of 2 over y:(1)2
// TWO-NEXT:dim 1: 6 in 2 blocks of 3 over x
//TWO-EMPTY:
// TWO-NEXT:dim 0             dim 1: 0..2   dim 1: 3..5
// TWO-NEXT:0..1              0,1,2,3       8,9,10,11
// TWO-NEXT:2..3              4,5,6,7       12,13,14,15

//        THREE:three, output: 2x4x2 f32
//   THREE-NEXT:[x: Shard(0), y: Shard(1), z: Shard(2)], 1 device has each block, 1x1x1
//        THREE:dim 0: 0
//   THREE-NEXT:dim 1             dim 2: 0      dim 2: 1
//   THREE-NEXT:0                 0             1
//        THREE:dim 0: 1
//   THREE-NEXT:dim 1             dim 2: 0      dim 2: 1
//   THREE-NEXT:0                 8             9
//   THREE-NEXT:1                 10            11

//      WHOLE:whole, input: 4 f32
// WHOLE-NEXT:[x: Replicate, y: Replicate, z: Replicate], 16 devices have each block, 4
//WHOLE-EMPTY:
// WHOLE-NEXT:every device holds all of it: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

// JSON:      "blocks_by_dim": [
// JSON-NEXT:   2,
// JSON-NEXT:   2
// JSON:      "devices_by_block": 4,
// JSON:      "index": [
// JSON:      "index": [
// JSON:      "index": [
// JSON:      "index": [
// JSON-NEXT:   1,
// JSON-NEXT:   1
// JSON-NEXT: ],
// JSON-NEXT: "offset": [
// JSON-NEXT:   2,
// JSON-NEXT:   3
// JSON-NEXT: ],
// JSON-NEXT: "extent": [
// JSON-NEXT:   2,
// JSON-NEXT:   3
// JSON-NEXT: ],
// JSON-NEXT: "devices": [
// JSON-NEXT:   12,
// JSON-NEXT:   13,
// JSON-NEXT:   14,
// JSON-NEXT:   15
// JSON-NEXT: ]
tp.mesh @mesh = <["x"=2, "y"=4, "z"=2]>
func.func @f(
    %one: tensor<1x8xf32> {nn.input = "one", tp.global = tensor<3x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"y"} pad 4, {}]>},
    %two: tensor<2x3xf32> {nn.parameter = #nn.parameter<name = "two.weight", tensor = "two", shape = [4, 6], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<4x6xf32>, tp.sharding = #tp.sharding<@mesh, [{"y":(1)2}, {"x"}]>},
    %three: tensor<1x1x1xf32> {nn.input = "in", tp.global = tensor<2x4x2xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}, {"z"}]>},
    %whole: tensor<4xf32> {nn.input = "whole", tp.global = tensor<4xf32>})
    -> (tensor<1x1x1xf32> {nn.output = "three", tp.global = tensor<2x4x2xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}, {"z"}]>}) {
  %0 = math.exp %three : tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}
