// Wrong local programs: padding that nothing masks, and shards that start
// elsewhere.
// RUN: tp-opt %s -tp-verify-placements -split-input-file -verify-diagnostics

//===----------------------------------------------------------------------===//
// Padding and starts
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The mask was dropped.
func.func @mask_dropped(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  // expected-error @+1 {{'nn.reduce' reduces a dim of size 9 whose padding is not masked}}
  %r = nn.reduce %x "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// An op after the mask: what it makes of padding is not known.
func.func @mask_lost(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-note @+1 {{through 'tp.mask'}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<8x3xf32>
  // expected-note @+1 {{through 'math.exp'}}
  %1 = math.exp %0 : tensor<8x3xf32>
  // expected-error @+1 {{'nn.reduce' reduces a dim of size 9 whose padding is not masked}}
  %r = nn.reduce %1 "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Masked with what another reduction ignores.
func.func @mask_fill(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-note @+1 {{through 'tp.mask'}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 1.0 : tensor<8x3xf32>
  // expected-error @+1 {{'nn.reduce' reduces a dim of size 9 whose padding is not masked}}
  %r = nn.reduce %0 "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// One side of a contraction only: zero times what is there may be NaN.
func.func @mask_one_side(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>},
    %w: tensor<4x3xf32> {tp.global = tensor<4x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8x4xf32> {tp.global = tensor<8x4xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-note @+1 {{through 'tp.mask'}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<8x3xf32>
  // expected-error @+1 {{'nn.contract' reduces a dim of size 9 whose padding is not masked}}
  %1 = nn.contract %0, %w "sk,nk->sn" : (tensor<8x3xf32>, tensor<4x3xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Masked from the wrong element on ...
func.func @mask_size(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-error @+1 {{'tp.mask' op masks from 10 on, but dim 1 has true size 9}}
  %0 = tp.mask %x dim 1 from %start size 10 fill 0.0 : tensor<8x3xf32>
  %r = nn.reduce %0 "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... from the wrong start ...
func.func @mask_block(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'tp.mask' is given the start of [#tp.axis<"tp">] with blocks of 4, but its shard is of [#tp.axis<"tp">] with blocks of 3}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<8x3xf32>
  %r = nn.reduce %0 "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or from that of another axis.
func.func @mask_axis(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [#tp.axis<"dp">] of @mesh block 3
  // expected-error @+1 {{'tp.mask' is given the start of [#tp.axis<"dp">] with blocks of 3, but its shard is of [#tp.axis<"tp">] with blocks of 3}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<8x3xf32>
  %r = nn.reduce %0 "sum" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %s = tp.all_reduce %r sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A partial value filled with one: the sum is four.
func.func @mask_partial(
    %x: tensor<8x12xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 12], partial = sum{"tp"}>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>}) {
  %start = tp.shard_start [] of @mesh block 12
  // expected-error @+1 {{'tp.mask' op fills a partial value with 1.000000e+00}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 1.0 : tensor<8x12xf32>
  %1 = nn.reduce %0 "product" dims [1] : (tensor<8x12xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A lookup that takes its shard for the whole table ...
func.func @start_missing(
    %i: tensor<3xi32> {tp.global = tensor<3xi32>},
    %t: tensor<4x8xf32> {tp.global = tensor<13x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>})
    -> (tensor<3x8xf32> {tp.global = tensor<3x8xf32>}) {
  // expected-error @+1 {{'nn.embedding' reads positions of a sharded dim without the shard's start}}
  %0 = nn.embedding %i, %t of 13 : (tensor<3xi32>, tensor<4x8xf32>) -> tensor<3x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %1 : tensor<3x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... that starts at the wrong row ...
func.func @start_block(
    %i: tensor<3xi32> {tp.global = tensor<3xi32>},
    %t: tensor<4x8xf32> {tp.global = tensor<13x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>})
    -> (tensor<3x8xf32> {tp.global = tensor<3x8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-error @+1 {{'nn.embedding' is given the start of [#tp.axis<"tp">] with blocks of 3, but its shard is of [#tp.axis<"tp">] with blocks of 4}}
  %0 = nn.embedding %i, %t from %start of 13 : (tensor<3xi32>, tensor<4x8xf32>, index) -> tensor<3x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %1 : tensor<3x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... for the wrong axes ...
func.func @start_axes(
    %i: tensor<3xi32> {tp.global = tensor<3xi32>},
    %t: tensor<4x8xf32> {tp.global = tensor<13x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>})
    -> (tensor<3x8xf32> {tp.global = tensor<3x8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh block 4
  // expected-error @+1 {{'nn.embedding' is given the start of [#tp.axis<"tp">, #tp.axis<"dp">] with blocks of 4}}
  %0 = nn.embedding %i, %t from %start of 13 : (tensor<3xi32>, tensor<4x8xf32>, index) -> tensor<3x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %1 : tensor<3x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... where nobody knows ...
func.func @start_unknown(
    %i: tensor<3xi32> {tp.global = tensor<3xi32>},
    %t: tensor<4x8xf32> {tp.global = tensor<13x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>},
    %start: index)
    -> (tensor<3x8xf32> {tp.global = tensor<3x8xf32>}) {
  // expected-error @+1 {{'nn.embedding' reads positions of a sharded dim without the shard's start}}
  %0 = nn.embedding %i, %t from %start of 13 : (tensor<3xi32>, tensor<4x8xf32>, index) -> tensor<3x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %1 : tensor<3x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or for a smaller vocabulary.
func.func @vocabulary(
    %i: tensor<3xi32> {tp.global = tensor<3xi32>},
    %t: tensor<4x8xf32> {tp.global = tensor<13x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>})
    -> (tensor<3x8xf32> {tp.global = tensor<3x8xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'nn.embedding' keeps to 12 elements of a dim of size 13}}
  %0 = nn.embedding %i, %t from %start of 12 : (tensor<3xi32>, tensor<4x8xf32>, index) -> tensor<3x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %1 : tensor<3x8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Indices that start elsewhere ...
func.func @iota_start()
    -> (tensor<2xi32> {tp.global = tensor<8xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-error @+1 {{'nn.iota' is given the start of [#tp.axis<"tp">] with blocks of 3, but its shard is of [#tp.axis<"tp">] with blocks of 2}}
  %0 = nn.iota from %start dim 0 : tensor<2xi32>
  return %0 : tensor<2xi32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or nobody knows where ...
func.func @iota_unknown(
    %start: index)
    -> (tensor<2xi32> {tp.global = tensor<8xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'nn.iota' reads positions of a sharded dim without the shard's start}}
  %0 = nn.iota from %start dim 0 : tensor<2xi32>
  return %0 : tensor<2xi32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// ... or at zero on every device.
func.func @iota_missing()
    -> (tensor<2xi32> {tp.global = tensor<8xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-note @+1 {{through 'nn.iota'}}
  %0 = nn.iota dim 0 : tensor<2xi32>
  // expected-error @+1 {{result 0 is declared [dp: Replicate, tp: Shard(0)] of 'tensor<8xi32>' but is [dp: Replicate, tp: Replicate]}}
  return %0 : tensor<2xi32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The best of padding.
func.func @top_k_size(
    %x: tensor<2x4xf32> {tp.global = tensor<2x13xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 16]>})
    -> (tensor<2x1xi32> {tp.global = tensor<2x4xi32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'nn.top_k' keeps to 16 elements of a dim of size 13}}
  %0:2 = nn.top_k %x from %start k 1 segments 4 of 16 : (tensor<2x4xf32>, index) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return %0#1 : tensor<2x1xi32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The same, of an op that was not told of padding.
func.func @top_k_untold(
    %x: tensor<2x4xf32> {tp.global = tensor<2x13xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 16]>})
    -> (tensor<2x1xi32> {tp.global = tensor<2x4xi32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'nn.top_k' is not told that a dim of size 13 is padded to 16}}
  %0:2 = nn.top_k %x from %start k 1 segments 4 : (tensor<2x4xf32>, index) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return %0#1 : tensor<2x1xi32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// The best of a shard is not the best.
func.func @top_k_shard(
    %x: tensor<2x4xf32> {tp.global = tensor<2x16xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<2x1xi32> {tp.global = tensor<2x1xi32>}) {
  // expected-error @+1 {{'nn.top_k' needs the dim of size 16 whole}}
  %0:2 = nn.top_k %x k 1 : (tensor<2x4xf32>) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return %0#1 : tensor<2x1xi32>
}

// -----

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["tp"=4]>
// Every device would take its queries for the first ones.
func.func @attention_start(
    %q: tensor<1x2x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}, {}]>},
    %k: tensor<1x8x2x4xf32> {tp.global = tensor<1x8x2x4xf32>}) {
  // expected-error @+1 {{'nn.attention' reads positions of a sharded dim without the shard's start}}
  %0 = nn.attention %q, %k, %k scale 0.5 causal : (tensor<1x2x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x2x2x1x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Queries of blocks of 2, told of blocks of 3.
func.func @attention_block(
    %q: tensor<1x2x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}, {}]>},
    %k: tensor<1x8x2x4xf32> {tp.global = tensor<1x8x2x4xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-error @+1 {{'nn.attention' is given the start of}}
  %0 = nn.attention %q, %k, %k from %start scale 0.5 causal : (tensor<1x2x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>, index) -> tensor<1x2x2x1x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Keys that are padding would be attended to.
func.func @attention_padding(
    %q: tensor<1x8x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>},
    %k: tensor<1x8x2x4xf32> {tp.global = tensor<1x7x2x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 8, {}, {}]>}) {
  // expected-error @+1 {{'nn.attention' is not told that a dim of size 7 is padded to 8}}
  %0 = nn.attention %q, %k, %k scale 0.5 : (tensor<1x8x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x8x2x1x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @attention_keys(
    %q: tensor<1x8x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>},
    %k: tensor<1x8x2x4xf32> {tp.global = tensor<1x7x2x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 8, {}, {}]>}) {
  // expected-error @+1 {{'nn.attention' keeps to 6 elements of a dim of size 7}}
  %0 = nn.attention %q, %k, %k scale 0.5 of 6 : (tensor<1x8x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x8x2x1x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Each device would normalise over its own keys.
func.func @attention_sharded_keys(
    %q: tensor<1x8x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>},
    %k: tensor<1x2x2x4xf32> {tp.global = tensor<1x8x2x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}]>}) {
  // expected-error @+1 {{'nn.attention' needs the dim of size 8 whole, without padding}}
  %0 = nn.attention %q, %k, %k scale 0.5 : (tensor<1x8x2x1x4xf32>, tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x8x2x1x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Every device would write the rows into its own shard.
func.func @cache_start(
    %c: tensor<1x2x4xf32> {tp.global = tensor<1x8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}]>},
    %u: tensor<1x2x4xf32> {tp.global = tensor<1x2x4xf32>}, %p: tensor<i32> {tp.global = tensor<i32>}) {
  // expected-error @+1 {{'nn.cache_update' reads positions of a sharded dim without the shard's start}}
  %0 = nn.cache_update %c, %u at %p length %p : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Rows beyond the cache's 7 would pass for its own.
func.func @cache_capacity(
    %c: tensor<1x2x4xf32> {tp.global = tensor<1x7x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 8, {}]>},
    %u: tensor<1x2x4xf32> {tp.global = tensor<1x2x4xf32>}, %p: tensor<i32> {tp.global = tensor<i32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  // expected-error @+1 {{'nn.cache_update' keeps to 8 elements of a dim of size 7}}
  %0 = nn.cache_update %c, %u at %p length %p from %start of 8 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<i32>, tensor<i32>, index) -> tensor<1x2x4xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// Padding of ids is no id.
func.func @ids(
    %ids: tensor<3xi32> {tp.global = tensor<9xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>},
    %t: tensor<5x2xf32> {tp.global = tensor<5x2xf32>})
    -> (tensor<3x2xf32> {tp.global = tensor<9x2xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12, {}]>}) {
  // expected-error @+1 {{'nn.embedding' may fail on the padding of operand 0, whose dim 0 of size 9 is not masked}}
  %0 = nn.embedding %ids, %t of 5 : (tensor<3xi32>, tensor<5x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A cache of zeros is right for any sharding; the rows that are written into it
// are not.
func.func @splat_cache(%u: tensor<1x2x4xf32>, %p: tensor<i32>)
    -> (tensor<1x2x4xf32> {tp.global = tensor<1x8x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}]>}) {
  // expected-note @+1 {{through 'arith.constant'}}
  %c = arith.constant dense<0.0> : tensor<1x2x4xf32>
  // expected-note @+1 {{through 'nn.cache_update', which gives [tp: Replicate]}}
  %0 = nn.cache_update %c, %u at %p length %p : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2x4xf32>
  // expected-error @+1 {{result 0 is declared [tp: Shard(1)]}}
  return %0 : tensor<1x2x4xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Of 8 rows, all devices together have 2.
func.func @splat_cache_told(%u: tensor<1x2x4xf32>, %p: tensor<i32>) {
  %c = arith.constant dense<0.0> : tensor<1x2x4xf32>
  // expected-note @-1 {{through 'arith.constant'}}
  // expected-error @+1 {{'nn.cache_update' keeps to 8 elements, but all devices together have 2}}
  %0 = nn.cache_update %c, %u at %p length %p of 8 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Equal queries, each of which sees other keys.
func.func @splat_queries(%k: tensor<1x8x2x4xf32>)
    -> (tensor<1x2x2x1x4xf32> {tp.global = tensor<1x8x2x1x4xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}, {}]>}) {
  // expected-note @+1 {{through 'arith.constant'}}
  %q = arith.constant dense<1.0> : tensor<1x2x2x1x4xf32>
  // expected-note @+1 {{through 'nn.attention', which gives [tp: Replicate]}}
  %0 = nn.attention %q, %k, %k scale 0.5 causal : (tensor<1x2x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x2x2x1x4xf32>
  // expected-error @+1 {{result 0 is declared [tp: Shard(1)]}}
  return %0 : tensor<1x2x2x1x4xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Every device has its ids' share of its own rows only.
func.func @gradient_diagonal(
    %i: tensor<3xi32> {tp.global = tensor<12xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>},
    %g: tensor<3x8xf32> {tp.global = tensor<12x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'nn.embedding_gradient' has two dims that are sharded over the same axes}}
  %0 = nn.embedding_gradient %i, %g from %start of 13 : (tensor<3xi32>, tensor<3x8xf32>, index) -> tensor<4x8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// The same of a gradient that is partial.
func.func @gradient_partial(
    %i: tensor<12xi32>,
    %g: tensor<12x8xf32> {tp.global = tensor<12x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  // expected-error @+1 {{'nn.embedding_gradient' multiplies values that are both partial or sharded over the same axes}}
  %0 = nn.embedding_gradient %i, %g from %start of 13 : (tensor<12xi32>, tensor<12x8xf32>, index) -> tensor<4x8xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// A splat may be infinite, and zero times that is no zero.
func.func @splat_operand(
    %x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  // expected-note @+1 {{through 'tp.mask'}}
  %0 = tp.mask %x dim 1 from %start size 9 fill 0.0 : tensor<8x3xf32>
  %w = arith.constant dense<0xFF800000> : tensor<4x3xf32>
  // expected-error @+1 {{'nn.contract' reduces a dim of size 9 whose padding is not masked}}
  %1 = nn.contract %0, %w "sk,nk->sn" : (tensor<8x3xf32>, tensor<4x3xf32>) -> tensor<8x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
// Indices of 4 positions are not those of 9.
func.func @mask_index() {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = nn.iota from %start dim 0 : tensor<2xi32>
  // expected-error @+1 {{'tp.mask' op has blocks of 2, which do not hold 9 elements}}
  %1 = tp.mask %0 dim 0 from %start size 9 fill 0.0 : tensor<2xi32>
  return
}
