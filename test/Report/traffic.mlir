// What an op moves to and from memory: at a byte in a microsecond the computing
// time of a function is its bytes.
// RUN: split-file %s %t
// RUN: tp-opt %t/ir.mlir --tp-shard="mesh=tp=1 plan=none" -o %t/local.mlir
// RUN: tp-report %t/local.mlir --machine=%t/bytes.json --format=json | FileCheck %s
// RUN: tp-report %t/local.mlir --machine=%t/copies.json --format=json | FileCheck %s --check-prefix=COPIES
// RUN: tp-report %t/local.mlir --machine=%t/flops.json --format=json | FileCheck %s --check-prefix=FLOPS
// RUN: tp-report %t/local.mlir --machine=%t/slow.json --format=json | FileCheck %s --check-prefix=SLOW

//--- slow.json
{"devices_per_host": 1, "matmul_tflop_per_s": 1e6, "memory_gb_per_s": 1e-3, "stored_gb_per_s": {"Q4_1": 5e-4}, "attention_gb_per_s": 2.5e-4, "links": [{"alpha_us": 0, "gb_per_s": 1}]}
//--- flops.json
{"devices_per_host": 1, "matmul_tflop_per_s": 1e-6, "memory_gb_per_s": 1e6, "links": [{"alpha_us": 0, "gb_per_s": 1}]}
//--- bytes.json
{"devices_per_host": 1, "matmul_tflop_per_s": 1e6, "memory_gb_per_s": 1e-3, "links": [{"alpha_us": 0, "gb_per_s": 1}]}
//--- copies.json
{"devices_per_host": 1, "matmul_tflop_per_s": 1e6, "memory_gb_per_s": 1e-3, "copy_gb_per_s": 2e-3, "links": [{"alpha_us": 0, "gb_per_s": 1}]}

//--- ir.mlir
// One kernel: %x is read, the result is written; constants and what lies between
// are in no memory.
// CHECK: "phase": "fused"
// CHECK: "compute_microseconds": 4096.000
// FLOPS: "phase": "fused"
// FLOPS: "compute_microseconds": 2048.000
// COPIES: "phase": "fused"
// COPIES: "compute_microseconds": 2048.000
func.func @fused(%x: tensor<8x64xf32> {nn.input = "x"}) -> (tensor<8x64xf32> {nn.output = "y"}) {
  %one = arith.constant dense<1.0> : tensor<8x64xf32>
  %0 = arith.mulf %x, %x : tensor<8x64xf32>
  %1 = arith.addf %0, %one : tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// A contraction is in no kernel: %0 is written and read. It reads what it reads
// at the rate of memory, 3 * 256 bytes; the rest goes at that of copies.
// CHECK: "phase": "stored"
// CHECK: "compute_microseconds": 1280.000
// COPIES: "phase": "stored"
// COPIES: "compute_microseconds": 1024.000
// FLOPS: "phase": "stored"
// FLOPS: "compute_microseconds": 1152.000
func.func @stored(%x: tensor<8x8xf32> {nn.input = "x"}) -> (tensor<8x8xf32> {nn.output = "y"}) {
  %0 = arith.negf %x : tensor<8x8xf32>
  %1 = nn.contract %0, %x "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// A weight that stays as it is stored has 20 bytes for 32 elements, 1280 beside
// 3072 of the rest; SLOW reads them at half the rate.
// CHECK: "phase": "kept"
// CHECK: "compute_microseconds": 4352.000
// SLOW: "phase": "kept"
// SLOW: "compute_microseconds": 5632.000
func.func @kept(%x: tensor<8x64xf32> {nn.input = "x"},
    %w: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">})
    -> (tensor<8x32xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

// Rows of a table: the ids, and four rows that are read and written.
// CHECK: "phase": "looked_up"
// CHECK: "compute_microseconds": 272.000
func.func @looked_up(%ids: tensor<4xi32> {nn.input = "ids"}, %table: tensor<24x8xf32> {nn.input = "table"}) -> (tensor<4x8xf32> {nn.output = "y"}) {
  %0 = nn.embedding %ids, %table : (tensor<4xi32>, tensor<24x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// A view of the same elements costs nothing.
// CHECK: "phase": "viewed"
// CHECK: "compute_microseconds": 0.000
// FLOPS: "phase": "viewed"
// FLOPS: "compute_microseconds": 0.000
func.func @viewed(%x: tensor<8x8xf32> {nn.input = "x"}) -> (tensor<64xf32> {nn.output = "y"}) {
  %0 = nn.reshape %x : (tensor<8x8xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}

// State is updated where it is: the rows that are new, 16 bytes each, and three
// scalars, once read and once written.
// CHECK: "phase": "updated"
// CHECK: "compute_microseconds": 48.000
func.func @updated(%cache: tensor<1x16x1x4xf32> {nn.state = "cache"}, %row: tensor<1x1x1x4xf32> {nn.input = "row"},
                   %position: tensor<i32> {nn.input = "position"}, %length: tensor<i32> {nn.input = "length"})
    -> (tensor<1x16x1x4xf32> {nn.state = "cache"}) {
  %0 = nn.cache_update %cache, %row at %position length %length : (tensor<1x16x1x4xf32>, tensor<1x1x1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x16x1x4xf32>
  return %0 : tensor<1x16x1x4xf32>
}

// Queries with keys, and what comes of it with values: 4 * 4 * 4 products each.
// Queries, keys, which are the values too, and results are 64 bytes each; SLOW
// moves them at a quarter of the rate.
// CHECK: "phase": "attended"
// CHECK: "compute_microseconds": 192.000
// SLOW: "phase": "attended"
// SLOW: "compute_microseconds": 768.000
// FLOPS: "phase": "attended"
// FLOPS: "compute_microseconds": 256.000
func.func @attended(%q: tensor<1x4x1x1x4xf32> {nn.input = "q"}, %k: tensor<1x4x1x4xf32> {nn.input = "k"})
    -> (tensor<1x4x1x1x4xf32> {nn.output = "y"}) {
  %0 = nn.attention %q, %k, %k scale 1.0 : (tensor<1x4x1x1x4xf32>, tensor<1x4x1x4xf32>, tensor<1x4x1x4xf32>) -> tensor<1x4x1x1x4xf32>
  return %0 : tensor<1x4x1x1x4xf32>
}
