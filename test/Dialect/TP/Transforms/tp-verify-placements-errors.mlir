// Wrong local programs, one for each refusal: partial values, and what the caller
// is promised. Others are in tp-verify-placements-dims.mlir (dims and collectives)
// and tp-verify-placements-positions.mlir (padding and starts).
// RUN: tp-opt %s -tp-verify-placements -split-input-file -verify-diagnostics -allow-unregistered-dialect

//===----------------------------------------------------------------------===//
// Partial values
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The reduction was dropped before a result ...
func.func @dropped(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract', which gives [dp: Replicate, tp: Partial(sum)]}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Replicate] of 'tensor<8x64xf32>' but is [dp: Replicate, tp: Partial(sum)]}}
  return %0 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... and before an op that is not linear.
func.func @dropped_before(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{'math.exp' is not linear in operand 0, which is partial: [dp: Replicate, tp: Partial(sum)]}}
  %1 = math.exp %0 : tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Reduced twice: four times too large.
func.func @duplicated(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-note @+1 {{through 'tp.all_reduce'}}
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{'tp.all_reduce' op needs a value that is partial (sum) over its axes, but input 0 is [dp: Replicate, tp: Replicate]}}
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Reduced over another axis.
func.func @wrong_axis(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{needs a value that is partial (sum) over its axes, but input 0 is [dp: Replicate, tp: Partial(sum)]}}
  %1 = tp.all_reduce %0 sum over [#tp.axis<"dp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Reduced over one axis too many.
func.func @too_many_axes(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{needs a value that is partial (sum) over its axes}}
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Reduced over half of the axis only.
func.func @part_of_axis(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-note @+1 {{through 'tp.all_reduce'}}
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp":(1)2>] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Replicate] of 'tensor<8x64xf32>' but is [dp: Replicate, tp:(2)2: Partial(sum)]}}
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Another reduction than the sum that the contraction leaves.
func.func @wrong_kind(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{needs a value that is partial (max) over its axes, but input 0 is [dp: Replicate, tp: Partial(sum)]}}
  %1 = tp.all_reduce %0 max over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A replicated bias is added once on every device.
func.func @bias(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %b: tensor<8x64xf32> {tp.global = tensor<8x64xf32>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{'arith.addf' adds values that are partial over different axes: [dp: Replicate, tp: Partial(sum)] and [dp: Replicate, tp: Replicate]}}
  %1 = arith.addf %0, %b : tensor<8x64xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The other way round.
func.func @bias_first(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %b: tensor<8x64xf32> {tp.global = tensor<8x64xf32>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-note @+1 {{through 'nn.contract'}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  // expected-error @+1 {{'arith.addf' adds values that are partial over different axes: [dp: Replicate, tp: Replicate] and [dp: Replicate, tp: Partial(sum)]}}
  %1 = arith.addf %b, %0 : tensor<8x64xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A product of two values that are partial over one axis.
func.func @square(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'arith.mulf' multiplies values that are both partial or sharded over the same axes; operand 1 is [dp: Replicate, tp: Partial(sum)]}}
  %0 = arith.mulf %x, %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Division is linear in the dividend, not in the divisor.
func.func @divisor(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>},
    %y: tensor<8xf32> {tp.global = tensor<8xf32>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %0 = arith.divf %x, %y : tensor<8xf32>
  // expected-error @+1 {{'arith.divf' is not linear in operand 1, which is partial}}
  %1 = arith.divf %y, %x : tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A norm of a partial value.
func.func @norm(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>},
    %g: tensor<8xf32> {tp.global = tensor<8xf32>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'nn.rms_norm' is not linear in operand 0, which is partial}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Attention is linear in the values only, not in the keys.
func.func @scores(
    %q: tensor<1x8x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>},
    %k: tensor<1x8x2x4xf32> {tp.global = tensor<1x8x2x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}, {}, {}], partial = sum{"tp"}>},
    %v: tensor<1x8x2x4xf32> {tp.global = tensor<1x8x2x4xf32>})
    -> (tensor<1x8x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>}) {
  // expected-error @+1 {{'nn.attention' is not linear in operand 1, which is partial}}
  %0 = nn.attention %q, %k, %v scale 0.5 : (tensor<1x8x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x8x2x1x4xf32>
  return %0 : tensor<1x8x2x1x4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A maximum passes through no sum.
func.func @max(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'arith.negf' is not linear in operand 0, which is partial: [dp: Replicate, tp: Partial(max)]}}
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The maximum of sums is not the sum of maxima.
func.func @max_of_sums(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}], partial = sum{"dp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'nn.reduce' is not linear in operand 0, which is partial: [dp: Partial(sum), tp: Shard(1)]}}
  %0 = nn.reduce %x "max" dims [1] : (tensor<8x6xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Column-parallel over the axis over which the input is partial.
func.func @partial_and_sharded(
    %x: tensor<8x6xf32> {tp.global = tensor<8x6xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>},
    %w: tensor<2x6xf32> {tp.global = tensor<8x6xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<8x2xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  // expected-error @+1 {{'nn.contract' multiplies values that are both partial or sharded over the same axes; operand 0 is [dp: Replicate, tp: Partial(sum)]}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
  return %0 : tensor<8x2xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Sharded on another dim than declared.
func.func @result_dim(
    %x: tensor<4x4xf32> {tp.global = tensor<4x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<4x4xf32> {tp.global = tensor<16x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Shard(0)] of 'tensor<16x4xf32>' but is [dp: Replicate, tp: Shard(1)]}}
  return %x : tensor<4x4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Sharded over another axis than declared.
func.func @result_axis(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"dp"}]>}) {
  // expected-error @+1 {{result 0 is declared [dp: Shard(0), tp: Replicate] of 'tensor<4xf32>' but is [dp: Replicate, tp: Shard(0)]}}
  return %x : tensor<2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Declared whole, and a shard.
func.func @result_whole(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2xf32> {tp.global = tensor<2xf32>}) {
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Replicate] of 'tensor<2xf32>' but is [dp: Replicate, tp: Shard(0)]}}
  return %x : tensor<2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Declared of another true size.
func.func @result_size(
    %x: tensor<3xf32> {tp.global = tensor<9xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>})
    -> (tensor<3xf32> {tp.global = tensor<10xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>}) {
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Shard(0)] of 'tensor<10xf32>' but is}}
  return %x : tensor<3xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Declared a partial maximum, and a partial sum.
func.func @result_kind(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>}) {
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Partial(max)] of 'tensor<8xf32>' but is [dp: Replicate, tp: Partial(sum)]}}
  return %x : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Declared partial, and whole: summed up, it is four times too large.
func.func @result_partial(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) {
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Partial(sum)] of 'tensor<8xf32>' but is [dp: Replicate, tp: Replicate]}}
  return %x : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The second of two.
func.func @result_second(
    %x: tensor<2xf32> {tp.global = tensor<2xf32>})
    -> (tensor<2xf32> {tp.global = tensor<2xf32>}, tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{result 1 is declared [dp: Replicate, tp: Shard(0)] of 'tensor<8xf32>' but is [dp: Replicate, tp: Replicate]}}
  return %x, %x : tensor<2xf32>, tensor<2xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Programs of which nothing can be proved
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["tp"=4]>
func.func @unknown(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'my.op' has no sharding rule, so nothing can be proved of it}}
  %0 = "my.op"(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A global program: its reshards are not collectives yet.
func.func @global(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'tp.reshard' has no sharding rule}}
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{}]> : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{a function to verify has one block}}
func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  "my.branch"()[^end] : () -> ()
^end:
  return %x : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=2]>
tp.mesh @transposed = <["y"=2, "x"=2]>
// Axes of one name on two meshes are other devices.
func.func @meshes(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"x"}>}) -> tensor<8xf32> {
  // expected-error @+1 {{speaks of another mesh than @mesh, the first of the module}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"x">] of @transposed : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// One axis cannot hold shares of a sum and blocks of a dim.
tp.mesh @mesh = <["tp"=2]>
func.func @partial_and_masked() -> (tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  // expected-note @+1 {{through 'arith.constant'}}
  %0 = arith.constant dense<2.0> : tensor<2xf32>
  // expected-note @+1 {{through 'tp.make_partial'}}
  %1 = tp.make_partial %0 over [#tp.axis<"tp">] of @mesh : tensor<2xf32>
  // expected-error @+1 {{'tp.mask' op is given the start of a shard over axes that the value already uses: [tp: Partial(sum)]}}
  %2 = tp.mask %1 dim 0 from %start size 3 fill 0.0 : tensor<2xf32>
  %3 = nn.reduce %2 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

// What is started is what is waited for.
tp.mesh @mesh = <["tp"=2]>
func.func @awaited(%x: tensor<2xf32> {tp.global = tensor<2xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) -> tensor<4xf32> {
  // expected-note @+1 {{through 'tp.make_partial', which gives [tp: Partial(sum)]}}
  %p = tp.make_partial %x over [] of @mesh : tensor<2xf32>
  // expected-error @+1 {{'tp.all_gather' op needs dim 0 sharded by its axes, most minor, but input 0 is [tp: Partial(sum)]}}
  %0 = tp.all_gather %p dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<4xf32>>
  %1 = tp.wait %0 : !tp.pending<tensor<4xf32>>
  return %1 : tensor<4xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func @awaited_result(%x: tensor<2xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<4xf32>>
  // expected-note @+1 {{through 'tp.wait', which gives [tp: Replicate]}}
  %1 = tp.wait %0 : !tp.pending<tensor<4xf32>>
  // expected-error @+1 {{result 0 is declared [tp: Shard(0)] of 'tensor<8xf32>' but is [tp: Replicate]}}
  return %1 : tensor<4xf32>
}
