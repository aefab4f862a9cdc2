// RUN: tp-opt %s --split-input-file --verify-diagnostics

func.func @fused(%x: tensor<4xf32>) {
  // expected-error @+1 {{must yield values of its results' types}}
  %0 = rt.fused (%a = %x : tensor<4xf32>) -> tensor<5xf32> {
    rt.yield %a : tensor<4xf32>
  }
  return
}

// -----

// expected-error @+1 {{a place cannot be negative, got -1}}
func.func @place() attributes {a = #rt.place<arena -1>} {
  return
}

// -----

func.func @buffer() {
  // expected-error @+1 {{offset 2 is not a multiple of the element's size}}
  %0 = rt.buffer 2 : memref<4xf32>
  return
}

// -----

func.func @arena() attributes {rt.arena_bytes = 64 : i64} {
  // expected-error @+1 {{ends beyond the arena of 64 bytes}}
  %0 = rt.buffer 64 : memref<4xf32>
  return
}

// -----

// Even an element of no bits has a byte of its own.
func.func @no_bits() attributes {rt.arena_bytes = 64 : i64} {
  // expected-error @+1 {{ends beyond the arena of 64 bytes}}
  %0 = rt.buffer 61 : memref<4xi0>
  return
}

// -----

func.func @argument(%x: memref<4xf32>) {
  // expected-error @+1 {{the function has no argument 1}}
  %0 = rt.argument 1 : memref<4xf32>
  return
}

// -----

func.func @argument(%x: memref<4xf32>) {
  // expected-error @+1 {{argument 0 is of another size}}
  %0 = rt.argument 0 : memref<5xf32>
  return
}

// -----

func.func @result() {
  // expected-error @+1 {{the function has no result 0}}
  %0 = rt.result 0 : memref<4xf32>
  return
}

// -----

func.func @result(%x: memref<4xf32>) -> memref<4xf32> {
  // expected-error @+1 {{result 0 is of another size}}
  %0 = rt.result 0 : memref<5xf32>
  return %x : memref<4xf32>
}

// -----

func.func @view(%x: memref<4xf32>) {
  // expected-error @+1 {{needs as many elements}}
  %0 = rt.view %x : memref<4xf32> to memref<5xf32>
  return
}

// -----

func.func @view(%x: memref<4xf32>) {
  // expected-error @+1 {{needs elements of one type}}
  %0 = rt.view %x : memref<4xf32> to memref<4xi32>
  return
}

// -----

func.func @view(%x: memref<4xf32>, %i: index) {
  // expected-error @+1 {{needs no more elements}}
  %0 = rt.view %x from %i : memref<4xf32> to memref<5xf32>
  return
}

// -----

func.func @contract(%x: memref<2x3xf32>, %y: memref<2x2xf32>) {
  // expected-error @+1 {{equation must look like}}
  rt.contract %x, %x into %y "mk" : memref<2x3xf32>, memref<2x3xf32>, memref<2x2xf32>
  return
}

// -----

func.func @contract(%x: memref<2x3xf32>, %y: memref<2x2xf32>) {
  // expected-error @+1 {{"m" does not name the dims of}}
  rt.contract %x, %x into %y "m,nk->mn" : memref<2x3xf32>, memref<2x3xf32>, memref<2x2xf32>
  return
}

// -----

func.func @contract(%x: memref<2x3xf32>, %y: memref<2x2xf32>) {
  // expected-error @+1 {{dim 'k' is 3 and 2}}
  rt.contract %x, %x into %y "mk,kn->mn" : memref<2x3xf32>, memref<2x3xf32>, memref<2x2xf32>
  return
}

// -----

func.func @contract(%x: memref<2x3xf32>, %y: memref<2x2xf32>) {
  // expected-error @+1 {{dim 'k' occurs in one tensor only}}
  rt.contract %x, %x into %y "mk,nj->mn" : memref<2x3xf32>, memref<2x3xf32>, memref<2x2xf32>
  return
}

// -----

func.func @contract(%x: memref<2x2xf32>) {
  // expected-error @+1 {{dim 'm' occurs twice in a tensor}}
  rt.contract %x, %x into %x "mm,nm->mn" : memref<2x2xf32>, memref<2x2xf32>, memref<2x2xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<6x8xf32>, %b: memref<6xbf16>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{adds a bias of its own type, f32, bf16 or f16}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<6x8xf32>, memref<6xbf16>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<6x8xf32>, %b: memref<1x4x6xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{has a bias of one element, or of more dims than the result}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<6x8xf32>, memref<1x4x6xf32>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<1x8xf32>, %b: memref<1xf32>, %y: memref<4x1xf32>) {
  // expected-error @+1 {{has a bias of one element, or of more dims than the result}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<1x8xf32>, memref<1xf32>, memref<4x1xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<6x8xf32>, %b: memref<4xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the result's last dims}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<6x8xf32>, memref<4xf32>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<6x8xf32>, %b: memref<4x6xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<6x8xf32>, memref<4x6xf32>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8xf32>, %w: memref<3x2x8xf32>, %b: memref<2x3xf32>, %y: memref<4x2x3xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "mk,dhk->mhd" : memref<4x8xf32>, memref<3x2x8xf32>, memref<2x3xf32>, memref<4x2x3xf32>
  return
}

// -----

func.func @contract(%x: memref<2x4x8xf32>, %w: memref<2x6x8xf32>, %b: memref<6xf32>, %y: memref<2x4x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "bmk,bnk->bmn" : memref<2x4x8xf32>, memref<2x6x8xf32>, memref<6xf32>, memref<2x4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x8x2xf32>, %w: memref<6x2x8xf32>, %b: memref<6xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "mkj,njk->mn" : memref<4x8x2xf32>, memref<6x2x8xf32>, memref<6xf32>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x3x8xf32>, %w: memref<3x6x8xf32>, %b: memref<3x6xf32>, %y: memref<4x3x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "bek,enk->ben" : memref<4x3x8xf32>, memref<3x6x8xf32>, memref<3x6xf32>, memref<4x3x6xf32>
  return
}

// -----

func.func @contract(%x: memref<4x6x8xf32>, %w: memref<6x8xf32>, %b: memref<6xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{has a bias that is not as the right operand's own dims}}
  rt.contract %x, %w plus %b into %y "bnk,nk->bn" : memref<4x6x8xf32>, memref<6x8xf32>, memref<6xf32>, memref<4x6xf32>
  return
}

// -----

func.func @contract(%x: memref<2x2xi16>) {
  // expected-error @+1 {{the runtime has no element type 'i16'}}
  rt.contract %x, %x into %x "mk,nk->mn" : memref<2x2xi16>, memref<2x2xi16>, memref<2x2xi16>
  return
}

// -----

func.func @contract(%x: memref<2x2xf32>, %y: memref<2x2xf64>) {
  // expected-error @+1 {{needs buffers of one element type}}
  rt.contract %x, %y into %x "mk,nk->mn" : memref<2x2xf32>, memref<2x2xf64>, memref<2x2xf32>
  return
}

// -----

func.func @strided(%x: memref<2x2xf32, strided<[4, 1]>>) {
  // expected-error @+1 {{needs dense buffers}}
  rt.contract %x, %x into %x "mk,nk->mn" : memref<2x2xf32, strided<[4, 1]>>, memref<2x2xf32, strided<[4, 1]>>, memref<2x2xf32, strided<[4, 1]>>
  return
}

// -----

func.func @rank(%x: memref<1x1x1x1x1x1x1x1x1xf32>) {
  // expected-error @+1 {{the runtime takes at most 8 dims}}
  rt.copy %x to %x extents [1] from 0 [1] to 0 [1] : memref<1x1x1x1x1x1x1x1x1xf32>, memref<1x1x1x1x1x1x1x1x1xf32>
  return
}

// -----

func.func @attention(%q: memref<1x2x1x3x4xf32>, %k: memref<1x5x2x4xf32>, %i: index) {
  // expected-error @+1 {{needs a query [batch, queries, kv_heads, groups, head_dim]}}
  rt.attention %q, %k, %k from %i into %q scale 0.5 : memref<1x2x1x3x4xf32>, memref<1x5x2x4xf32>, memref<1x5x2x4xf32>, index, memref<1x2x1x3x4xf32>
  return
}

// -----

func.func @attention(%q: memref<1x2x1x3x4xf32>, %k: memref<1x5x1x4xf32>, %p: memref<2xi32>, %i: index) {
  // expected-error @+1 {{needs a single number}}
  rt.attention %q, %k, %k at %p from %i into %q scale 0.5 : memref<1x2x1x3x4xf32>, memref<1x5x1x4xf32>, memref<1x5x1x4xf32>, memref<2xi32>, index, memref<1x2x1x3x4xf32>
  return
}

// -----

func.func @attention(%q: memref<1x2x1x3x4xf32>, %k: memref<1x5x1x4xf32>, %i: index) {
  // expected-error @+1 {{has 5 keys, not 6}}
  rt.attention %q, %k, %k from %i into %q scale 0.5 of 6 : memref<1x2x1x3x4xf32>, memref<1x5x1x4xf32>, memref<1x5x1x4xf32>, index, memref<1x2x1x3x4xf32>
  return
}

// -----

func.func @rotary(%x: memref<1x2x3x4xf32>, %c: memref<2x3xf32>) {
  // expected-error @+1 {{for tables [sequence, at most head_dim / 2]}}
  rt.rotary %x, %c, %c into %x : memref<1x2x3x4xf32>, memref<2x3xf32>, memref<2x3xf32>, memref<1x2x3x4xf32>
  return
}

// -----

func.func @embedding(%i: memref<3xi32>, %w: memref<6x4xf32>, %s: index) {
  // expected-error @+1 {{rows must be 'memref<3x4xf32>'}}
  rt.embedding %i, %w from %s into %w of 12 : memref<3xi32>, memref<6x4xf32>, memref<6x4xf32>
  return
}

// -----

func.func @embedding(%i: memref<3xi32>, %w: memref<6x4xf32>, %o: memref<3x4xf32>, %s: index) {
  // expected-error @+1 {{needs a positive vocabulary}}
  rt.embedding %i, %w from %s into %o of 0 : memref<3xi32>, memref<6x4xf32>, memref<3x4xf32>
  return
}

// -----

func.func @embedding_gradient(%i: memref<3xi32>, %w: memref<6xf32>, %o: memref<3x4xf32>, %s: index) {
  // expected-error @+1 {{needs a table of rank 2}}
  rt.embedding_gradient %i, %o from %s into %w of 12 : memref<3xi32>, memref<3x4xf32>, memref<6xf32>
  return
}

// -----

func.func @top_k(%x: memref<2x5xf32>, %v: memref<2x2xf32>, %j: memref<2x2xi32>, %s: index) {
  // expected-error @+1 {{a last dim that is a multiple of its segments}}
  rt.top_k %x from %s into %v, %j k 1 segments 2 of 5 : memref<2x5xf32>, memref<2x2xf32>, memref<2x2xi32>
  return
}

// -----

func.func @cache(%c: memref<1x4x2xf32>, %u: memref<1x5x2xf32>, %p: memref<i32>, %i: index) {
  // expected-error @+1 {{an update of 5 rows does not fit a cache of 4}}
  rt.cache_update %c, %u at %p length %p from %i of 4 : memref<1x4x2xf32>, memref<1x5x2xf32>, memref<i32>, memref<i32>
  return
}

// -----

func.func @cache(%c: memref<1x4x2xf32>, %u: memref<1x3x3xf32>, %p: memref<i32>, %i: index) {
  // expected-error @+1 {{update must be 'memref<1x3x2xf32>'}}
  rt.cache_update %c, %u at %p length %p from %i of 4 : memref<1x4x2xf32>, memref<1x3x3xf32>, memref<i32>, memref<i32>
  return
}

// -----

func.func @take(%x: memref<4x2xf32>, %p: memref<i32>, %o: memref<2xf32>) {
  // expected-error @+1 {{has no dim 2}}
  rt.take %x, %p into %o dim 2 : memref<4x2xf32>, memref<i32>, memref<2xf32>
  return
}

// -----

func.func @copy(%x: memref<4x2xf32>) {
  // expected-error @+1 {{input box reaches from element 1 to 8}}
  rt.copy %x to %x extents [8] from 1 [1] to 0 [1] : memref<4x2xf32>, memref<4x2xf32>
  return
}

// -----

func.func @copy(%x: memref<4x2xf32>) {
  // expected-error @+1 {{output box reaches from element -7 to 0}}
  rt.copy %x to %x extents [8] from 0 [1] to 0 [-1] : memref<4x2xf32>, memref<4x2xf32>
  return
}

// -----

func.func @copy(%x: memref<4x2xf32>) {
  // expected-error @+1 {{needs an extent and two strides for each}}
  rt.copy %x to %x extents [8] from 0 [1, 1] to 0 [1] : memref<4x2xf32>, memref<4x2xf32>
  return
}

// -----

func.func @mask(%x: memref<4x2xf32>, %s: index) {
  // expected-error @+1 {{has no dim 2}}
  rt.mask %x dim 2 from %s size 3 fill 0.0 : memref<4x2xf32>
  return
}

// -----

func.func @group(%x: memref<4xf32>) {
  // expected-error @+1 {{the module has no group 0 in 'rt.groups'}}
  rt.make_partial %x as sum group 0 : memref<4xf32>
  return
}

// -----

func.func @group() {
  // expected-error @+1 {{the module has no group 0 in 'rt.groups'}}
  %0 = rt.coordinate group 0
  return
}

// -----

module attributes {rt.groups = [[]]} {
func.func @source_missing(%x: memref<4xf32>) {
  // expected-error @+1 {{needs a source group}}
  rt.collective permute sum (%x) into (%x) group 0 id 0 name "" : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @source_unknown(%x: memref<4xf32>) {
  // expected-error @+1 {{the module has no group 7 in 'rt.groups'}}
  rt.collective permute sum (%x) into (%x) group 0 id 0 name "" source 7 : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @source_of_another_kind(%x: memref<4xf32>) {
  // expected-error @+1 {{has a source group, but is no permute}}
  rt.collective all_reduce sum (%x) into (%x) group 0 id 0 name "" source 0 : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @dims(%x: memref<4xf32>) {
  // expected-error @+1 {{needs a dim for each buffer}}
  rt.collective all_gather sum (%x) into (%x) group 0 id 0 name "" : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @dims(%x: memref<4xf32>) {
  // expected-error @+1 {{buffer 0 has no dim 1}}
  rt.collective all_gather sum (%x) into (%x) group 0 id 0 name "" dims [1] : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @split(%x: memref<4xf32>) {
  // expected-error @+1 {{needs a dim to split for each buffer}}
  rt.collective all_to_all sum (%x) into (%x) group 0 id 0 name "" dims [0] : (memref<4xf32>) -> memref<4xf32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @types(%x: memref<4xf32>, %y: memref<4xi32>) {
  // expected-error @+1 {{cannot send 'memref<4xf32>' to 'memref<4xi32>'}}
  rt.collective all_reduce sum (%x) into (%y) group 0 id 0 name "" : (memref<4xf32>) -> memref<4xi32>
  return
}
}

// -----

module attributes {rt.groups = [[]]} {
func.func @many(%x: memref<4xf32>) {
  // expected-error @+1 {{takes 1 to 4 buffers, got 5}}
  rt.collective all_reduce sum (%x, %x, %x, %x, %x) into (%x, %x, %x, %x, %x) group 0 id 0 name ""
      : (memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>) -> (memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>)
  return
}
}

// -----

func.func @launch(%x: memref<4xf32>) {
  // expected-error @+1 {{refers to an unknown kernel @kernel}}
  rt.launch @kernel(%x) into (%x) : (memref<4xf32>) -> memref<4xf32>
  return
}

// -----

func.func @launch(%x: memref<4xf32>) {
  // expected-error @+1 {{passes 1 buffers, the kernel takes 2}}
  rt.launch @kernel() into (%x) : () -> memref<4xf32>
  return
}
func.func private @kernel(%x: memref<4xf32>, %y: memref<4xf32>) attributes {rt.kernel} {
  return
}

// -----

func.func @launch(%x: memref<4xf32>) {
  // expected-error @+1 {{operand 1 is 'memref<4xf32>', the kernel takes 'tensor<5xf32>'}}
  rt.launch @kernel(%x) into (%x) : (memref<4xf32>) -> memref<4xf32>
  return
}
func.func private @kernel(%x: tensor<4xf32>) -> tensor<5xf32> attributes {rt.kernel}

// -----

// expected-error @+1 {{the runtime keeps no weights as "Q3_7"}}
func.func @stored(%w: memref<8x64x!rt.stored<"Q3_7">>)

// -----

// expected-error @+1 {{the runtime does not interleave lines of 64 elements of "Q5_K", whose blocks are 256}}
func.func @stored(%w: memref<8x64x!rt.stored<"Q5_K" interleaved 64>>)

// -----

// expected-error @+1 {{the runtime does not interleave lines of 48 elements of "Q4_1", whose blocks are 32}}
func.func @stored(%w: memref<8x48x!rt.stored<"Q4_1" interleaved 48>>)

// -----

// expected-error @+1 {{the runtime does not interleave lines of -64 elements of "Q4_1", whose blocks are 32}}
func.func @stored(%w: memref<8x64x!rt.stored<"Q4_1" interleaved -64>>)

// -----

func.func @stored(%x: memref<8x64xf32>, %w: memref<12x64x!rt.stored<"Q4_1" interleaved 64>>, %y: memref<8x12xf32>) {
  // expected-error @+1 {{the last dims of 'memref<12x64x!rt.stored<"Q4_1" interleaved 64>>' are not lines of 64, or the others not a multiple of 8}}
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x64xf32>, memref<12x64x!rt.stored<"Q4_1" interleaved 64>>, memref<8x12xf32>
  return
}

// -----

func.func @stored(%x: memref<8x64xf32>, %w: memref<8x4611686018427387904x64x!rt.stored<"Q4_1" interleaved 128>>, %y: memref<8x8xf32>) {
  // expected-error @+1 {{are not lines of 128}}
  rt.contract %x, %w into %y "mk,nok->mn" : memref<8x64xf32>, memref<8x4611686018427387904x64x!rt.stored<"Q4_1" interleaved 128>>, memref<8x8xf32>
  return
}

// -----

func.func @stored(%x: memref<8x64xf32>, %w: memref<8x64x!rt.stored<"Q4_1" interleaved 128>>, %y: memref<8x8xf32>) {
  // expected-error @+1 {{the last dims of 'memref<8x64x!rt.stored<"Q4_1" interleaved 128>>' are not lines of 128}}
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x64xf32>, memref<8x64x!rt.stored<"Q4_1" interleaved 128>>, memref<8x8xf32>
  return
}

// -----

func.func @stored(%w: memref<8x64x!rt.stored<"Q8_0">>, %y: memref<8x8xf32>) {
  // expected-error @+1 {{reads one weight as it is stored, not two}}
  rt.contract %w, %w into %y "mk,nk->mn" : memref<8x64x!rt.stored<"Q8_0">>, memref<8x64x!rt.stored<"Q8_0">>, memref<8x8xf32>
  return
}

// -----

func.func @stored(%x: memref<8x64xbf16>, %w: memref<8x64x!rt.stored<"Q8_0">>, %y: memref<8x8xbf16>) {
  // expected-error @+1 {{reads weights as they are stored with f32, not 'bf16'}}
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x64xbf16>, memref<8x64x!rt.stored<"Q8_0">>, memref<8x8xbf16>
  return
}

// -----

func.func @stored(%x: memref<8x256xf32>, %w: memref<8x128x!rt.stored<"Q6_K">>, %y: memref<8x8xf32>) {
  // expected-error @+1 {{the last dim of 'memref<8x128x!rt.stored<"Q6_K">>' is not whole blocks of 256}}
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x256xf32>, memref<8x128x!rt.stored<"Q6_K">>, memref<8x8xf32>
  return
}

// -----

func.func @stored(%w: memref<8x64x!rt.stored<"F16">>, %y: memref<8x64x!rt.stored<"F16">>) {
  // expected-error @+1 {{does not read weights as they are stored}}
  rt.copy %w to %y extents [8] from 0 [1] to 0 [1] : memref<8x64x!rt.stored<"F16">>, memref<8x64x!rt.stored<"F16">>
  return
}

// -----

func.func @stored(%w: memref<8x64x!rt.stored<"F16">>) {
  // expected-error @+1 {{does not view weights as they are stored}}
  %0 = rt.view %w : memref<8x64x!rt.stored<"F16">> to memref<512x!rt.stored<"F16">>
  return
}
