// What of a program is padding: rows by module and dim, layers folded.
// RUN: tp-report %s | FileCheck %s --match-full-lines --strict-whitespace
// RUN: tp-report %s --format=json | FileCheck %s --check-prefix=JSON

tp.mesh @mesh = <["dp"=1, "tp"=2]>

// Two layers of 3 hidden units on 2 devices, and a cache of 3 heads. Of what a
// contraction computes, 1/4 is padding: 2 units on a device, 3/2 on average.
//       CHECK:mesh dp=1,tp=2; machine H200, 8 on NVLink 4
//       CHECK:forward all_reduce     tp         2  4x8xf32              x2     128 B 15.0 us  layers.*.down
//       CHECK:padding on a device, on average
//  CHECK-NEXT:phase    dim             axes        share    stored  computed  mul-adds  module
//  CHECK-NEXT:forward  3 -> 4          tp         25.0 %      32 B      32 B        32  layers.*.up
//  CHECK-NEXT:forward  3 -> 4          tp         25.0 %      32 B       0 B        32  layers.*.down
//  CHECK-NEXT:forward  3 -> 4          tp         25.0 %      64 B       0 B         0  past.*
// CHECK-EMPTY:
//  CHECK-NEXT:forward: padding is 25.0 % of stored bytes, 4.2 % of computed bytes, 25.0 % of multiply-adds

//      JSON: "padding": {
// JSON-NEXT:   "dims": [
// JSON-NEXT:     {
// JSON-NEXT:       "phase": "forward",
// JSON-NEXT:       "module": "layers.0.up",
// JSON-NEXT:       "size": 3,
// JSON-NEXT:       "padded": 4,
// JSON-NEXT:       "axes": [
// JSON-NEXT:         "tp"
// JSON-NEXT:       ],
// JSON-NEXT:       "parameters": {
// JSON-NEXT:         "elements": 16,
// JSON-NEXT:         "padding_elements": 4,
// JSON-NEXT:         "bytes": 64,
// JSON-NEXT:         "padding_bytes": 16
// JSON-NEXT:       },
//      JSON:       "multiply_adds": {
// JSON-NEXT:         "total": 64,
// JSON-NEXT:         "padding": 16
// JSON-NEXT:       }
//      JSON:   "phases": {
// JSON-NEXT:     "forward": {
// JSON-NEXT:       "parameters": {
// JSON-NEXT:         "elements": 64,
// JSON-NEXT:         "padding_elements": 16,
// JSON-NEXT:         "bytes": 256,
// JSON-NEXT:         "padding_bytes": 64
func.func @forward(
    %x: tensor<4x8xf32> {nn.input = "x", tp.global = tensor<4x8xf32>},
    %u0: tensor<2x8xf32> {nn.parameter = #nn.parameter<name = "layers.0.up.weight", tensor = "u0", shape = [3, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<3x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4, {}]>},
    %d0: tensor<8x2xf32> {nn.parameter = #nn.parameter<name = "layers.0.down.weight", tensor = "d0", shape = [8, 3], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<8x3xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 4]>},
    %u1: tensor<2x8xf32> {nn.parameter = #nn.parameter<name = "layers.1.up.weight", tensor = "u1", shape = [3, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<3x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4, {}]>},
    %d1: tensor<8x2xf32> {nn.parameter = #nn.parameter<name = "layers.1.down.weight", tensor = "d1", shape = [8, 3], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<8x3xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 4]>},
    %c: tensor<8x2x4xf32> {nn.state = "past.0.key", tp.global = tensor<8x3x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 4, {}]>})
    -> (tensor<4x8xf32> {nn.output = "y", tp.global = tensor<4x8xf32>},
        tensor<8x2x4xf32> {nn.state = "past.0.key", tp.global = tensor<8x3x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 4, {}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = nn.contract %x, %u0 "sk,nk->sn" : (tensor<4x8xf32>, tensor<2x8xf32>) -> tensor<4x2xf32>
  %1 = tp.mask %0 dim 1 from %start size 3 fill 0.0 : tensor<4x2xf32>
  %2 = nn.contract %1, %d0 "sk,nk->sn" : (tensor<4x2xf32>, tensor<8x2xf32>) -> tensor<4x8xf32>
  %3 = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh module "layers.0.down" : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = nn.contract %3, %u1 "sk,nk->sn" : (tensor<4x8xf32>, tensor<2x8xf32>) -> tensor<4x2xf32>
  %5 = tp.mask %4 dim 1 from %start size 3 fill 0.0 : tensor<4x2xf32>
  %6 = nn.contract %5, %d1 "sk,nk->sn" : (tensor<4x2xf32>, tensor<8x2xf32>) -> tensor<4x8xf32>
  %7 = tp.all_reduce %6 sum over [#tp.axis<"tp">] of @mesh module "layers.1.down" : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %7, %c : tensor<4x8xf32>, tensor<8x2x4xf32>
}
