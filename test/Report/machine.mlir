// A machine file: levels of links, remarks on axes that cross hosts and on those
// that slow the program down.
// RUN: split-file %s %t
// RUN: tp-report %t/ir.mlir --machine=%t/pairs.json | FileCheck %s --check-prefix=PAIRS
// RUN: tp-report %t/ir.mlir --machine=%t/pairs.json --format=json | FileCheck %s --check-prefix=JSON
// RUN: tp-report %t/ir.mlir --machine=link=1,latency=2,reduce-latency=3 | FileCheck %s --check-prefix=TEXT

// 128 bytes in 10 us and at 1 GB/s: "x" is next to each other, "y" is not.
// PAIRS: mesh y=2,x=2; machine pairs
// PAIRS: all_reduce x 2 4x8xf32 x1 128 B 10.1 us
// PAIRS: all_reduce y 2 4x8xf32 x1 128 B 101 us
// PAIRS: over x: 1 collective, 128 B, 10.1 us
// PAIRS: over y: 1 collective, 128 B, 101 us
// PAIRS-NOT: axis x=2 crosses
// PAIRS: remark: axis y=2 crosses hosts of 2 devices: its collectives go over "between hosts"
// PAIRS: remark: axis y=2 slows forward down: 111 us instead of 10.1 us without it
// PAIRS: remark: axis x=2 slows forward down
// PAIRS: remark: a device needs {{.*}} and has 1000 B

// JSON: "name": "pairs"
// JSON: "memory": 1000
// JSON: "link": "within a host"
// JSON-NEXT: "microseconds": 10.128
// JSON: "link": "between hosts"
// JSON-NEXT: "microseconds": 101.280

// TEXT: all_reduce x 2 4x8xf32 x1 128 B 3.1 us
// TEXT: all_reduce y 2 4x8xf32 x1 128 B 3.1 us

//--- pairs.json
{
  "name": "pairs", "devices_per_host": 2, "memory": "1kB", "matmul_tflop_per_s": 1, "memory_gb_per_s": 1000,
  "links": [
    {"name": "within a host", "devices": 2, "alpha_us": 10, "gb_per_s": 1},
    {"name": "between hosts", "alpha_us": 50, "all_reduce_alpha_us": 100, "gb_per_s": 0.1}
  ]
}

//--- ir.mlir
tp.mesh @mesh = <["y"=2, "x"=2]>
func.func @forward(
    %a: tensor<4x8xf32> {nn.input = "a", tp.global = tensor<4x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"x"}]>},
    %w: tensor<8x8xf32> {nn.parameter = #nn.parameter<name = "first.weight", tensor = "w", shape = [8, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<8x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"x"}]>},
    %b: tensor<4x8xf32> {nn.input = "b", tp.global = tensor<4x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"y"}]>},
    %v: tensor<8x8xf32> {nn.parameter = #nn.parameter<name = "second.weight", tensor = "v", shape = [8, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<8x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"y"}]>})
    -> (tensor<4x8xf32> {nn.output = "out", tp.global = tensor<4x8xf32>}) {
  %0 = nn.contract %a, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"x">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = nn.contract %b, %v "sk,nk->sn" : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = tp.all_reduce %2 sum over [#tp.axis<"y">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = arith.addf %1, %3 : tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}
