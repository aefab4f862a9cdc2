// RUN: tp-opt %s --tp-keep-stored --split-input-file | FileCheck %s
// RUN: tp-opt %s --tp-lower-runtime --split-input-file | FileCheck %s --check-prefix=LOWER

// A weight that a contraction reads stays quantised; one that a kernel reads as
// well is widened.
// CHECK-LABEL: @uses
// CHECK-SAME: name = "w", {{[^}]*}}rt.stored = !rt.stored<"Q4_1" interleaved 64>
// CHECK-NOT: rt.stored
// LOWER-LABEL: @uses
// LOWER-SAME: %{{.*}}: memref<32x64x!rt.stored<"Q4_1" interleaved 64>> {rt.slot = {{{[^}]*}}rt.stored = !rt.stored<"Q4_1" interleaved 64>
// LOWER-SAME: %{{.*}}: memref<32x64xf32>
// LOWER: rt.contract {{.*}} : memref<8x64xf32>, memref<32x64x!rt.stored<"Q4_1" interleaved 64>>, memref<8x32xf32>
func.func @uses(%x: tensor<8x64xf32> {nn.input = "x"},
    %w: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">},
    %v: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "v", tensor = "v", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">})
    -> (tensor<8x32xf32> {nn.output = "y"}, tensor<8x32xf32> {nn.output = "z"}, tensor<32x64xf32> {nn.output = "u"}) {
  %y = nn.contract %x, %w "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %z = nn.contract %x, %v "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %u = arith.addf %v, %v : tensor<32x64xf32>
  return %y, %z, %u : tensor<8x32xf32>, tensor<8x32xf32>, tensor<32x64xf32>
}

// -----

// A table that is looked up and multiplied with, in two functions with one
// buffer: in both or in neither.
// CHECK-LABEL: @first
// CHECK-SAME: name = "table", {{[^}]*}}rt.stored = !rt.stored<"BF16">
// CHECK-NOT: rt.stored
// CHECK-LABEL: @second
// CHECK-SAME: name = "table", {{[^}]*}}rt.stored = !rt.stored<"BF16">
// CHECK-NOT: rt.stored
// LOWER: rt.embedding {{.*}} memref<9x7x!rt.stored<"BF16">>, memref<4x7xf32>
func.func @first(%ids: tensor<4xi32> {nn.input = "ids"},
    %t: tensor<9x7xf32> {nn.parameter = #nn.parameter<name = "table", tensor = "t", shape = [9, 7], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "BF16">},
    %o: tensor<9x7xf32> {nn.parameter = #nn.parameter<name = "other", tensor = "o", shape = [9, 7], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "BF16">})
    -> (tensor<4x7xf32> {nn.output = "y"}, tensor<4x9xf32> {nn.output = "z"}) {
  %y = nn.embedding %ids, %t : (tensor<4xi32>, tensor<9x7xf32>) -> tensor<4x7xf32>
  %z = nn.contract %y, %o "bk,nk->bn" : (tensor<4x7xf32>, tensor<9x7xf32>) -> tensor<4x9xf32>
  return %y, %z : tensor<4x7xf32>, tensor<4x9xf32>
}
func.func @second(%x: tensor<4x7xf32> {nn.input = "x"},
    %t: tensor<9x7xf32> {nn.parameter = #nn.parameter<name = "table", tensor = "t", shape = [9, 7], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "BF16">},
    %o: tensor<9x7xf32> {nn.parameter = #nn.parameter<name = "other", tensor = "o", shape = [9, 7], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "BF16">})
    -> (tensor<4x9xf32> {nn.output = "y"}, tensor<9x7xf32> {nn.output = "z"}) {
  %y = nn.contract %x, %t "bk,nk->bn" : (tensor<4x7xf32>, tensor<9x7xf32>) -> tensor<4x9xf32>
  %z = math.exp %o : tensor<9x7xf32>
  return %y, %z : tensor<4x9xf32>, tensor<9x7xf32>
}

// -----

// Blocks are 32 elements of the fast stored dim. Heads of 64 step over whole
// blocks, heads of 16 do not; nor may the fast dim be another one than the last,
// begin inside a block, or be stored so that the file cannot be right.
// CHECK-LABEL: @blocks
// CHECK-SAME: name = "heads", {{[^}]*}}rt.stored = !rt.stored<"Q8_0" interleaved 128>
// CHECK-NOT: rt.stored
// CHECK-SAME: name = "permuted", {{[^}]*}}rt.stored = !rt.stored<"Q8_0">
// CHECK-NOT: rt.stored
func.func @blocks(%x: tensor<8x2x64xf32> {nn.input = "x"}, %s: tensor<8x8x16xf32> {nn.input = "s"},
    %heads: tensor<32x2x64xf32> {nn.parameter = #nn.parameter<name = "heads", tensor = "a", shape = [32, 128], offset = [0, 0], dims = [0, 1, 1], strides = [1, 64, 1], initialisation = "normal", stored = "Q8_0">},
    %small: tensor<32x8x16xf32> {nn.parameter = #nn.parameter<name = "small", tensor = "b", shape = [32, 128], offset = [0, 0], dims = [0, 1, 1], strides = [1, 16, 1], initialisation = "normal", stored = "Q8_0">},
    %permuted: tensor<2x32x64xf32> {nn.parameter = #nn.parameter<name = "permuted", tensor = "c", shape = [32, 128], offset = [0, 0], dims = [1, 0, 1], strides = [64, 1, 1], initialisation = "normal", stored = "Q8_0">},
    %turned: tensor<2x64x32xf32> {nn.parameter = #nn.parameter<name = "turned", tensor = "d", shape = [32, 128], offset = [0, 0], dims = [1, 1, 0], strides = [64, 1, 1], initialisation = "normal", stored = "Q8_0">},
    %part: tensor<32x2x64xf32> {nn.parameter = #nn.parameter<name = "part", tensor = "e", shape = [32, 160], offset = [0, 16], dims = [0, 1, 1], strides = [1, 64, 1], initialisation = "normal", stored = "Q8_0">},
    %unknown: tensor<32x2x64xf32> {nn.parameter = #nn.parameter<name = "unknown", tensor = "f", shape = [32, 128], offset = [0, 0], dims = [0, 1, 1], strides = [1, 64, 1], initialisation = "normal", stored = "IQ2_XS">})
    -> (tensor<8x32xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %heads "mhk,nhk->mn" : (tensor<8x2x64xf32>, tensor<32x2x64xf32>) -> tensor<8x32xf32>
  %1 = nn.contract %s, %small "mhk,nhk->mn" : (tensor<8x8x16xf32>, tensor<32x8x16xf32>) -> tensor<8x32xf32>
  %2 = nn.contract %x, %permuted "mhk,hnk->mn" : (tensor<8x2x64xf32>, tensor<2x32x64xf32>) -> tensor<8x32xf32>
  %3 = nn.contract %x, %turned "mhk,hkn->mn" : (tensor<8x2x64xf32>, tensor<2x64x32xf32>) -> tensor<8x32xf32>
  %4 = nn.contract %x, %part "mhk,nhk->mn" : (tensor<8x2x64xf32>, tensor<32x2x64xf32>) -> tensor<8x32xf32>
  %5 = nn.contract %x, %unknown "mhk,nhk->mn" : (tensor<8x2x64xf32>, tensor<32x2x64xf32>) -> tensor<8x32xf32>
  %6 = arith.addf %0, %1 : tensor<8x32xf32>
  %7 = arith.addf %2, %3 : tensor<8x32xf32>
  %8 = arith.addf %4, %5 : tensor<8x32xf32>
  %9 = arith.addf %6, %7 : tensor<8x32xf32>
  %y = arith.addf %8, %9 : tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>

// Shards are whole blocks, or the weight is widened: 256 / 4 is two blocks, 192 /
// 4 is one and a half.
// CHECK-LABEL: @shards
// CHECK-SAME: name = "two", {{[^}]*}}rt.stored = !rt.stored<"Q4_0" interleaved 64>
// CHECK-NOT: rt.stored
func.func @shards(%x: tensor<8x64xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>, tp.global = tensor<8x256xf32>},
    %v: tensor<8x48xf32> {nn.input = "v", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>, tp.global = tensor<8x192xf32>},
    %two: tensor<32x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>, tp.global = tensor<32x256xf32>, nn.parameter = #nn.parameter<name = "two", tensor = "a", shape = [32, 256], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_0">},
    %cut: tensor<32x48xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>, tp.global = tensor<32x192xf32>, nn.parameter = #nn.parameter<name = "cut", tensor = "b", shape = [32, 192], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_0">})
    -> (tensor<8x32xf32> {nn.output = "y"}, tensor<8x32xf32> {nn.output = "z"}) {
  %0 = nn.contract %x, %two "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %1 = nn.contract %v, %cut "mk,nk->mn" : (tensor<8x48xf32>, tensor<32x48xf32>) -> tensor<8x32xf32>
  %y = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x32xf32>) -> tensor<8x32xf32>
  %z = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y, %z : tensor<8x32xf32>, tensor<8x32xf32>
}

// -----

// Two weights multiplied with one another: one of them is widened.
// CHECK-LABEL: @product
// CHECK-SAME: name = "a", {{[^}]*}}rt.stored = !rt.stored<"F16">
// CHECK-NOT: rt.stored
func.func @product(%a: tensor<8x64xf32> {nn.parameter = #nn.parameter<name = "a", tensor = "a", shape = [8, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "F16">},
    %b: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "b", tensor = "b", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "F16">})
    -> (tensor<8x32xf32> {nn.output = "y"}) {
  %y = nn.contract %a, %b "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// Computed in bf16, a weight of q4_1 would be rounded: it is widened.
// CHECK-LABEL: @rounded
// CHECK-NOT: rt.stored
func.func @rounded(%x: tensor<8x64xbf16> {nn.input = "x"},
    %w: tensor<32x64xbf16> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">})
    -> (tensor<8x32xbf16> {nn.output = "y"}) {
  %y = nn.contract %x, %w "mk,nk->mn" : (tensor<8x64xbf16>, tensor<32x64xbf16>) -> tensor<8x32xbf16>
  return %y : tensor<8x32xbf16>
}

// -----

// What was said before does not count.
// CHECK-LABEL: @stale
// CHECK-NOT: rt.stored
func.func @stale(%x: tensor<8x64xf32> {nn.input = "x"},
    %w: tensor<32x64xf32> {rt.stored = !rt.stored<"Q8_0">, nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">})
    -> (tensor<8x32xf32> {nn.output = "y"}) {
  %y = nn.contract %x, %w "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// Lines are interleaved where they are contracted whole, in groups of eight, and
// by all alike: heads are two dims of a line; a table is looked up in any form;
// columns that are contracted, other lines elsewhere, and twelve lines leave a
// weight as its file has it.
// CHECK-LABEL: @lines
// CHECK-SAME: name = "heads", {{[^}]*}}rt.stored = !rt.stored<"Q4_0" interleaved 128>
// CHECK-SAME: name = "table", {{[^}]*}}rt.stored = !rt.stored<"Q4_1" interleaved 64>
// CHECK-SAME: name = "columns", {{[^}]*}}rt.stored = !rt.stored<"Q4_1">
// CHECK-SAME: name = "twice", {{[^}]*}}rt.stored = !rt.stored<"Q4_1">
// CHECK-SAME: name = "twelve", {{[^}]*}}rt.stored = !rt.stored<"Q4_1">
// CHECK-SAME: name = "rows", {{[^}]*}}rt.stored = !rt.stored<"Q4_1">
func.func @lines(%x: tensor<8x2x64xf32> {nn.input = "x"}, %ids: tensor<8xi32> {nn.input = "ids"},
    %heads: tensor<16x2x64xf32> {nn.parameter = #nn.parameter<name = "heads", tensor = "a", shape = [16, 128], offset = [0, 0], dims = [0, 1, 1], strides = [1, 64, 1], initialisation = "normal", stored = "Q4_0">},
    %table: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "table", tensor = "b", shape = [24, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">},
    %columns: tensor<64x64xf32> {nn.parameter = #nn.parameter<name = "columns", tensor = "c", shape = [64, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">},
    %twice: tensor<8x2x64xf32> {nn.parameter = #nn.parameter<name = "twice", tensor = "d", shape = [8, 128], offset = [0, 0], dims = [0, 1, 1], strides = [1, 64, 1], initialisation = "normal", stored = "Q4_1">},
    %twelve: tensor<12x64xf32> {nn.parameter = #nn.parameter<name = "twelve", tensor = "e", shape = [12, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">},
    %rows: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "rows", tensor = "f", shape = [24, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal", stored = "Q4_1">})
    -> (tensor<8x16xf32> {nn.output = "y0"}, tensor<8x24xf32> {nn.output = "y1"}, tensor<8x64xf32> {nn.output = "y2"}, tensor<8x8xf32> {nn.output = "y3"},
        tensor<8x2x8xf32> {nn.output = "y4"}, tensor<8x12xf32> {nn.output = "y5"}, tensor<8x64xf32> {nn.output = "y6"}) {
  %0 = nn.contract %x, %heads "mhk,nhk->mn" : (tensor<8x2x64xf32>, tensor<16x2x64xf32>) -> tensor<8x16xf32>
  %row = nn.embedding %ids, %table : (tensor<8xi32>, tensor<24x64xf32>) -> tensor<8x64xf32>
  %1 = nn.contract %row, %table "mk,nk->mn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %2 = nn.contract %row, %columns "mk,kn->mn" : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %3 = nn.contract %x, %twice "mhk,nhk->mn" : (tensor<8x2x64xf32>, tensor<8x2x64xf32>) -> tensor<8x8xf32>
  %4 = nn.contract %x, %twice "mhk,nhk->mhn" : (tensor<8x2x64xf32>, tensor<8x2x64xf32>) -> tensor<8x2x8xf32>
  %5 = nn.contract %row, %twelve "mk,nk->mn" : (tensor<8x64xf32>, tensor<12x64xf32>) -> tensor<8x12xf32>
  %6 = nn.embedding %ids, %rows : (tensor<8xi32>, tensor<24x64xf32>) -> tensor<8x64xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<8x16xf32>, tensor<8x24xf32>, tensor<8x64xf32>, tensor<8x8xf32>, tensor<8x2x8xf32>, tensor<8x12xf32>, tensor<8x64xf32>
}
