// A collective that is started and waited for later: what the device computes
// meanwhile is hidden; one that is not started hides nothing.
// RUN: split-file %s %t
// RUN: tp-report %t/ir.mlir --machine=%t/slow.json --format=json | FileCheck %s --check-prefix=JSON
// RUN: tp-report %t/ir.mlir --machine=%t/slow.json | FileCheck %s

// 256 multiply-adds at 10^8 operations a second take 5.12 us; 32 bytes at 1 GB/s
// 32 ns.
// JSON:      "kind": "all_gather"
// JSON:      "microseconds": 10.032,
// JSON-NEXT: "hidden_microseconds": 5.120,
// JSON-NEXT: "overlapped": true,
// JSON:      "kind": "all_gather"
// JSON:      "microseconds": 10.032,
// JSON-NEXT: "hidden_microseconds": 0.000,
// JSON-NEXT: "overlapped": false,
// JSON:      "time": [
// JSON:      "compute_microseconds": 5.12
// JSON-NEXT: "communication_microseconds": 20.064,
// JSON-NEXT: "hidden_microseconds": 5.120,

// CHECK: forward all_gather x 2 8xf32 x1 32 B 10.0 us*
// CHECK-NEXT: forward all_gather x 2 8xf32 x1 32 B 10.0 us
// CHECK-NEXT: * runs beside computing, in part or as a whole
// CHECK: sending hidden
// CHECK-NEXT: forward {{.*}} 20.1 us 5.1 us

//--- slow.json
{
  "devices_per_host": 8, "matmul_tflop_per_s": 0.0001, "memory_gb_per_s": 1000000,
  "links": [{"name": "slow", "alpha_us": 10, "gb_per_s": 1}]
}

//--- ir.mlir
tp.mesh @mesh = <["x"=2]>
func.func @forward(
    %a: tensor<8xf32> {nn.input = "a", tp.global = tensor<16xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}]>},
    %b: tensor<8xf32> {nn.input = "b", tp.global = tensor<16xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}]>},
    %x: tensor<4x8xf32> {nn.input = "x", tp.global = tensor<4x8xf32>},
    %w: tensor<8x8xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "w", shape = [8, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<8x8xf32>})
    -> (tensor<16xf32> {nn.output = "y", tp.global = tensor<16xf32>}, tensor<16xf32> {nn.output = "z", tp.global = tensor<16xf32>},
        tensor<4x8xf32> {nn.output = "p", tp.global = tensor<4x8xf32>}) {
  %0 = tp.all_gather %a dims [0] over [#tp.axis<"x">] of @mesh module "first" : (tensor<8xf32>) -> !tp.pending<tensor<16xf32>>
  %1 = nn.contract %x, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = tp.wait %0 : !tp.pending<tensor<16xf32>>
  %3 = tp.all_gather %b dims [0] over [#tp.axis<"x">] of @mesh module "second" : (tensor<8xf32>) -> tensor<16xf32>
  return %2, %3, %1 : tensor<16xf32>, tensor<16xf32>, tensor<4x8xf32>
}
