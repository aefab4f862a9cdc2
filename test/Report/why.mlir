// Why each kind of collective is there, and what else it would have cost.
// RUN: tp-report %s --format=json | FileCheck %s
// RUN: tp-report %s | FileCheck %s --check-prefix=TEXT

// A lookup in a table whose rows are shared out.
// CHECK:      "kind": "all_reduce"
// CHECK:      "parameter": "table.weight",
// CHECK-NEXT: "from": "[x: Partial(sum)]",
// CHECK-NEXT: "to": "[x: Replicate]",
// CHECK-NEXT: "why": "output of table is partial over x because table.weight is sharded on dim 0 (12); norm needs it whole"
// CHECK:      "what": "keeping table.weight whole",
// CHECK-NEXT: "bytes_sent": 0,
// CHECK-NEXT: "memory": 192,

// A parameter that is stored in parts.
// CHECK:      "kind": "all_gather"
// CHECK:      "module": "up",
// CHECK:      "parameter": "up.weight",
// CHECK:      "why": "up.weight is sharded over x on dim 1 because it is kept so; up needs it whole"
// CHECK:      "what": "keeping up.weight whole",
// CHECK-NEXT: "bytes_sent": 0,
// CHECK-NEXT: "memory": 256,
// CHECK-NEXT: "microseconds": 0.000

// One dim for another: without it every device would gather everything.
// CHECK:      "kind": "all_to_all"
// CHECK:      "from": "[x: Shard(1)]",
// CHECK-NEXT: "to": "[x: Shard(0)]",
// CHECK-NEXT: "why": "output of out is sharded over x on dim 1 because out.weight is on dim 0 (16); the caller needs it sharded over x on dim 0"
// CHECK:      "what": "gathering it everywhere and keeping a part",
// CHECK-NEXT: "bytes_sent": 128,

// An input that is not given so.
// CHECK:      "kind": "all_gather"
// CHECK:      "why": "mask is sharded over x on dim 0 because it is kept so; the caller needs it whole"
// CHECK:      "what": "keeping mask whole"

// TEXT: instead: keeping table.weight whole: nothing sent, 192 B more memory
tp.mesh @mesh = <["x"=2]>
func.func @f(
    %ids: tensor<4xi32> {nn.input = "ids", tp.global = tensor<4xi32>},
    %mask: tensor<2x8xf32> {nn.input = "mask", tp.global = tensor<4x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>},
    %table: tensor<6x8xf32> {nn.parameter = #nn.parameter<name = "table.weight", tensor = "t", shape = [12, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<12x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>},
    %norm: tensor<8xf32> {nn.parameter = #nn.parameter<name = "norm.weight", tensor = "n", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "ones">, tp.global = tensor<8xf32>},
    %up: tensor<16x4xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "u", shape = [16, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<16x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"x"}]>},
    %out: tensor<8x16xf32> {nn.parameter = #nn.parameter<name = "out.weight", tensor = "o", shape = [16, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.global = tensor<16x16xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>})
    -> (tensor<2x16xf32> {nn.output = "y", tp.global = tensor<4x16xf32>, tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>},
        tensor<4x8xf32> {nn.output = "mask_whole", tp.global = tensor<4x8xf32>}) {
  %start = tp.shard_start [#tp.axis<"x">] of @mesh block 6
  %0 = nn.embedding %ids, %table from %start of 12 : (tensor<4xi32>, tensor<6x8xf32>, index) -> tensor<4x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"x">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = nn.rms_norm %1, %norm epsilon 1.0e-6 : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %3 = tp.all_gather %up dims [1] over [#tp.axis<"x">] of @mesh : (tensor<16x4xf32>) -> tensor<16x8xf32>
  %4 = nn.contract %2, %3 "sk,nk->sn" : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32>
  %5 = nn.contract %4, %out "sk,nk->sn" : (tensor<4x16xf32>, tensor<8x16xf32>) -> tensor<4x8xf32>
  %6 = tp.all_to_all %5 gather [1] split [0] over [#tp.axis<"x">] of @mesh : (tensor<4x8xf32>) -> tensor<2x16xf32>
  %7 = tp.all_gather %mask dims [0] over [#tp.axis<"x">] of @mesh : (tensor<2x8xf32>) -> tensor<4x8xf32>
  return %6, %7 : tensor<2x16xf32>, tensor<4x8xf32>
}
