// Wrong local programs: dims that do not correspond, and collectives that do not
// do what their operands need.
// RUN: tp-opt %s -tp-verify-placements -split-input-file -verify-diagnostics

//===----------------------------------------------------------------------===//
// Dims
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Operands that are sharded differently, though of one local type.
func.func @disagree(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %y: tensor<2x8xf32> {tp.global = tensor<2x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>})
    -> (tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-error @+1 {{'arith.addf' has operands that disagree: dim 0 of operand 1 is of size 2 and [dp: Replicate, tp: Replicate], the other of size 8 and [dp: Replicate, tp: Shard(0)]}}
  %0 = arith.addf %x, %y : tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The same axes in another order.
func.func @order(
    %x: tensor<1xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}]>},
    %y: tensor<1xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp", "dp"}]>})
    -> (tensor<1xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}]>}) {
  // expected-error @+1 {{'arith.addf' has operands that disagree}}
  %0 = arith.addf %x, %y : tensor<1xf32>
  return %0 : tensor<1xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A contraction over a dim that one operand has whole.
func.func @contracted(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x6xf32> {tp.global = tensor<64x6xf32>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>}) {
  // expected-error @+1 {{'nn.contract' has operands that disagree: dim 1 of operand 1 is of size 6}}
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Both sides of a product over one axis: each device has a block of the diagonal.
func.func @diagonal(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %y: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<8x2xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  // expected-error @+1 {{'nn.contract' has two dims that are sharded over the same axes; one is [dp: Replicate, tp: Shard(0)]}}
  %0 = nn.contract %x, %y "mk,nk->mn" : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x2xf32>
  %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2x2xf32>) -> tensor<8x2xf32>
  return %1 : tensor<8x2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A rotary embedding needs a head whole.
func.func @whole(
    %x: tensor<1x8x4xf32> {tp.global = tensor<1x8x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}]>},
    %c: tensor<8x2xf32> {tp.global = tensor<8x2xf32>})
    -> (tensor<1x8x4xf32> {tp.global = tensor<1x8x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}]>}) {
  // expected-error @+1 {{'nn.rotary' needs the dim of size 16 whole, without padding, but it is [dp: Replicate, tp: Shard(2)]}}
  %0 = nn.rotary %x, %c, %c : (tensor<1x8x4xf32>, tensor<8x2xf32>, tensor<8x2xf32>) -> tensor<1x8x4xf32>
  return %0 : tensor<1x8x4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A norm that was not decomposed.
func.func @norm_of_shard(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %g: tensor<6xf32> {tp.global = tensor<24xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  // expected-error @+1 {{'nn.rms_norm' needs the dim of size 24 whole, without padding, but it is [dp: Replicate, tp: Shard(1)]}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x6xf32>, tensor<6xf32>) -> tensor<8x6xf32>
  return %0 : tensor<8x6xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Whole, but padded.
func.func @padded_whole(
    %x: tensor<1x12xf32> {tp.global = tensor<1x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 12]>},
    %g: tensor<12xf32> {tp.global = tensor<9xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 12]>})
    -> (tensor<1x12xf32> {tp.global = tensor<1x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 12]>}) {
  // expected-error @+1 {{'nn.rms_norm' needs the dim of size 9 whole, without padding}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<1x12xf32>, tensor<12xf32>) -> tensor<1x12xf32>
  return %0 : tensor<1x12xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Shards side by side are not the tensors side by side.
func.func @concat(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<4xf32> {tp.global = tensor<16xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'nn.concat' needs the dim of size 8 whole}}
  %0 = nn.concat %x, %x dim 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Heads that end inside a shard.
func.func @cut(
    %x: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x3x2xf32> {tp.global = tensor<8x3x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}]>}) {
  // expected-error @+1 {{'nn.reshape' cuts dim 1 of size 24 where its shards do not end: [dp: Replicate, tp: Shard(1)]}}
  %0 = nn.reshape %x from [8, 24] to [8, 3, 8] : (tensor<8x6xf32>) -> tensor<8x3x2xf32>
  return %0 : tensor<8x3x2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Merged with a whole dim above a sharded one.
func.func @merged(
    %x: tensor<4x6xf32> {tp.global = tensor<4x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<24xf32> {tp.global = tensor<96xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'nn.reshape' merges dims into dim 0, of which a minor one is sharded below a major one that is not}}
  %0 = nn.reshape %x from [4, 24] to [96] : (tensor<4x6xf32>) -> tensor<24xf32>
  return %0 : tensor<24xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Global shapes that are those of the device.
func.func @local_reshape(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<16xf32> {tp.global = tensor<16xf32>, tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{'nn.reshape' has a dim 0 of 16 on a device, which is not the share of 16}}
  %0 = nn.reshape %x : (tensor<2x8xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A dim of one element on a device is not a dim of one element.
func.func @dropped_dim(
    %x: tensor<1x8xf32> {tp.global = tensor<4x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'nn.reshape' needs dim 0 of operand 0 whole, of one element, but it is of size 4 and [dp: Replicate, tp: Shard(0)]}}
  %0 = nn.reshape %x : (tensor<1x8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Elements that change places inside a shard.
func.func @extent(
    %x: tensor<2x6xf32> {tp.global = tensor<8x6xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<2x6xf32> {tp.global = tensor<8x6xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-error @+1 {{'nn.reshape' has a dim 0 of 3 on a device, which is not the 2 that its operands have}}
  %0 = nn.reshape %x from [8, 6] to [8, 6] : (tensor<2x6xf32>) -> tensor<3x4xf32>
  %1 = nn.reshape %0 from [8, 6] to [8, 6] : (tensor<3x4xf32>) -> tensor<2x6xf32>
  return %1 : tensor<2x6xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Gathered along the wrong dim ...
func.func @gather_dim(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<8x8xf32> {tp.global = tensor<8x8xf32>}) {
  // expected-error @+1 {{'tp.all_gather' op needs dim 1 sharded by its axes, most minor, but input 0 is [dp: Replicate, tp: Shard(0)]}}
  %0 = tp.all_gather %x dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<2x8xf32>) -> tensor<2x32xf32>
  %1 = nn.reshape %0 : (tensor<2x32xf32>) -> tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... over the wrong axis ...
func.func @gather_axis(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<4x8xf32> {tp.global = tensor<4x8xf32>}) {
  // expected-error @+1 {{'tp.all_gather' op needs dim 0 sharded by its axes, most minor}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"dp">] of @mesh : (tensor<2x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or over the major axis first: blocks in the wrong order.
func.func @gather_major(
    %x: tensor<1xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'tp.all_gather' op needs dim 0 sharded by its axes, most minor, but input 0 is [dp: Shard(0), tp: Shard(0)]}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"dp">] of @mesh : (tensor<1xf32>) -> tensor<2xf32>
  %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The major part of an axis before the minor one.
func.func @gather_part(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'tp.all_gather' op needs dim 0 sharded by its axes, most minor}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp":(1)2>] of @mesh : (tensor<2xf32>) -> tensor<4xf32>
  %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<4xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The second tensor of a message.
func.func @second_input(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>},
    %y: tensor<2xf32> {tp.global = tensor<2xf32>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{needs dim 0 sharded by its axes, most minor, but input 1 is [dp: Replicate, tp: Replicate]}}
  %0:2 = tp.all_gather %x, %y dims [0, 0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>, tensor<2xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return %0#0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A replicated value is not reduced.
func.func @scatter(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>})
    -> (tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'tp.reduce_scatter' op needs a value that is partial (sum) over its axes, but input 0 is [dp: Replicate, tp: Replicate]}}
  %0 = tp.reduce_scatter %x sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Exchanged from a dim that is not sharded ...
func.func @exchange(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-error @+1 {{'tp.all_to_all' op needs dim 1 sharded by its axes, most minor}}
  %0 = tp.all_to_all %x gather [1] split [0] over [#tp.axis<"tp":(1)2>] of @mesh : (tensor<2x8xf32>) -> tensor<1x16xf32>
  %1 = nn.reshape %0 : (tensor<1x16xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or to the same dim.
func.func @exchange_same(
    %x: tensor<8xf32> {tp.global = tensor<32xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32> {tp.global = tensor<32xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'tp.all_to_all' op needs dim 0 sharded by its axes, most minor}}
  %0 = tp.all_to_all %x gather [0] split [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Sliced by an axis that is in use: devices would skip blocks.
func.func @slice_twice(
    %x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-error @+1 {{'tp.slice' op the value already uses these axes, but input 0 is [dp: Replicate, tp: Shard(0)]}}
  %0 = tp.slice %x dim 1 over [#tp.axis<"tp">] of @mesh : (tensor<2x8xf32>) -> tensor<2x2xf32>
  %1 = tp.all_gather %0 dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<2x2xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Sliced by an axis over which it is partial.
func.func @slice_partial(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'tp.slice' op the value already uses these axes}}
  %0 = tp.slice %x dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Made partial over an axis in use.
func.func @partial_twice(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) {
  // expected-error @+1 {{'tp.make_partial' op the value already uses these axes}}
  %0 = tp.make_partial %x over [#tp.axis<"tp">] of @mesh : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Made a sum beside a maximum.
func.func @partial_kind(
    %x: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'tp.make_partial' op the value is partial of another kind}}
  %0 = tp.make_partial %x over [#tp.axis<"dp">] of @mesh : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["a"=2, "b"=2, "c"=3]>
// Rows over a and columns over b come to lie the other way round; of a dim over
// a and c, c stays where it is.
func.func @permuted(
    %x: tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"a"}, {"b"}]>},
    %y: tensor<2x8xf32> {tp.global = tensor<12x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"a", "c"}, {}]>},
    %z: tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"a"}>})
    -> (tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"b"}, {"a"}]>},
        tensor<2x8xf32> {tp.global = tensor<12x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"b", "c"}, {}]>},
        tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"b"}>}) {
  %0 = tp.permute %x from [#tp.axis<"a">, #tp.axis<"b">] to [#tp.axis<"b">, #tp.axis<"a">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = tp.permute %y from [#tp.axis<"a">, #tp.axis<"b">] to [#tp.axis<"b">, #tp.axis<"a">] of @mesh : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %2 = tp.permute %z from [#tp.axis<"a">, #tp.axis<"b">] to [#tp.axis<"b">, #tp.axis<"a">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %0, %1, %2 : tensor<4x4xf32>, tensor<2x8xf32>, tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A uniform dim may be gathered, but not along with what lies on these axes.
func.func @uniform_gather(
    %x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  // expected-note @+1 {{through 'nn.broadcast'}}
  %0 = nn.broadcast %x dims [0] : (tensor<2xf32>) -> tensor<2x2xf32>
  // expected-error @+1 {{needs dim 1 sharded by its axes, most minor}}
  %1 = tp.all_gather %0 dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<2x2xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

tp.mesh @mesh = <["a"=2, "b"=2]>
// The same, declared as if nothing had moved.
func.func @permuted_unawares(
    %x: tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"a"}, {"b"}]>})
    -> (tensor<4x4xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"a"}, {"b"}]>}) {
  // expected-note @+1 {{through 'tp.permute', which gives [a: Shard(1), b: Shard(0)]}}
  %0 = tp.permute %x from [#tp.axis<"a">, #tp.axis<"b">] to [#tp.axis<"b">, #tp.axis<"a">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  // expected-error @+1 {{result 0 is declared [a: Shard(0), b: Shard(1)] of 'tensor<8x8xf32>' but is [a: Shard(1), b: Shard(0)]}}
  return %0 : tensor<4x4xf32>
}

// -----

tp.mesh @mesh = <["a"=6]>
// Rows over the first of 3 x 2 parts, moved by the parts of 2 x 3: no longer the
// blocks of any axes.
func.func @permuted_across_cuts(
    %x: tensor<4xf32> {tp.global = tensor<12xf32>, tp.sharding = #tp.sharding<@mesh, [{"a":(1)3}]>})
    -> (tensor<4xf32> {tp.global = tensor<12xf32>, tp.sharding = #tp.sharding<@mesh, [{"a":(1)3}]>}) {
  // expected-error @+1 {{'tp.permute' op needs a value whose axes are cut where its own are}}
  %0 = tp.permute %x from [#tp.axis<"a":(2)3>, #tp.axis<"a":(1)2>] to [#tp.axis<"a">] of @mesh : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A mask on a uniform dim that has no room for what it says.
func.func @uniform_mask() -> (tensor<f32> {tp.global = tensor<f32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = arith.constant dense<1.0> : tensor<2xf32>
  // expected-error @+1 {{has blocks of 2, which do not hold 9 elements}}
  %1 = tp.mask %0 dim 0 from %start size 9 fill 0.0 : tensor<2xf32>
  %2 = nn.reduce %1 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  %3 = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh : (tensor<f32>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

tp.mesh @mesh = <["a"=6]>
// Halves of an axis and its even coordinates are not independent: device 3 would
// end with the block of another.
func.func @parts_that_do_not_nest(%x: tensor<6xf32> {tp.global = tensor<6xf32>, tp.sharding = #tp.sharding<@mesh, [{}]>})
    -> (tensor<3xf32> {tp.global = tensor<6xf32>, tp.sharding = #tp.sharding<@mesh, [{"a":(3)2}]>}) {
  // expected-note @+1 {{through 'tp.slice'}}
  %0 = tp.slice %x dim 0 over [#tp.axis<"a":(3)2>] of @mesh : (tensor<6xf32>) -> tensor<3xf32>
  // expected-error @+1 {{'tp.make_partial' op the value already uses these axes}}
  %1 = tp.make_partial %0 over [#tp.axis<"a":(1)2>] of @mesh : tensor<3xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"a":(1)2>] of @mesh : (tensor<3xf32>) -> tensor<3xf32>
  return %2 : tensor<3xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Elements that there are would be lost ...
func.func @cut_too_short(%x: tensor<8xf32> {tp.global = tensor<7xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 8]>})
    -> (tensor<6xf32> {tp.global = tensor<6xf32>}) {
  // expected-error @+1 {{'tp.resize' op cuts dim 0 of true size 7 to 6}}
  %0 = tp.resize %x dim 0 : (tensor<8xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// ... every device would cut its own block ...
func.func @cut_blocks(%x: tensor<2xf32> {tp.global = tensor<7xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8]>})
    -> (tensor<1xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'tp.resize' op needs dim 0 whole}}
  %0 = tp.resize %x dim 0 : (tensor<2xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// ... and what is added is not there, though all elements were the same.
func.func @grown(%x: tensor<4xf32> {tp.global = tensor<4xf32>}) -> (tensor<8x4xf32> {tp.global = tensor<8x4xf32>}) {
  // expected-note @+1 {{through 'nn.broadcast'}}
  %0 = nn.broadcast %x dims [1] : (tensor<4xf32>) -> tensor<2x4xf32>
  // expected-note @+1 {{through 'tp.resize'}}
  %1 = tp.resize %0 dim 0 : (tensor<2x4xf32>) -> tensor<8x4xf32>
  // expected-error @+1 {{result 0 is declared [tp: Replicate] of 'tensor<8x4xf32>' but is [tp: Replicate]; dim 0 is declared of size 8 but is of size 2 padded to 8}}
  return %1 : tensor<8x4xf32>
}
