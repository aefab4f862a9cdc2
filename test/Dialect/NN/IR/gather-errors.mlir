// One test for each rule of gathers, scatters and cache updates.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

func.func @take_dim(%x: tensor<8x24xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.take' op has no dim 2}}
  %0 = nn.take %x, %i dim 2 : (tensor<8x24xf32>, tensor<i32>) -> tensor<8xf32>
  return
}

// -----

func.func @take_negative(%x: tensor<8x24xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.take' op has no dim -1}}
  %0 = nn.take %x, %i dim -1 : (tensor<8x24xf32>, tensor<i32>) -> tensor<8xf32>
  return
}

// -----

func.func @take_result(%x: tensor<8x24xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.take' op result must be 'tensor<24xf32>'}}
  %0 = nn.take %x, %i dim 0 : (tensor<8x24xf32>, tensor<i32>) -> tensor<8xf32>
  return
}

// -----

func.func @take_index(%x: tensor<8x24xf32>, %i: tensor<1xi32>) {
  // expected-error @+1 {{'nn.take' op operand #1 must be 0D tensor of 32-bit signless integer}}
  %0 = nn.take %x, %i dim 0 : (tensor<8x24xf32>, tensor<1xi32>) -> tensor<24xf32>
  return
}

// -----

func.func @embedding_table(%ids: tensor<4xi32>, %t: tensor<8xf32>) {
  // expected-error @+1 {{'nn.embedding' op needs a table of rank 2, got 'tensor<8xf32>'}}
  %0 = nn.embedding %ids, %t : (tensor<4xi32>, tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @embedding_rows(%ids: tensor<4xi32>, %x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.embedding' op needs rows of type 'tensor<4x24xf32>', got 'tensor<4x8xf32>'}}
  %0 = nn.embedding %ids, %x : (tensor<4xi32>, tensor<8x24xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @embedding_ids(%ids: tensor<4xi64>, %x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.embedding' op operand #0 must be statically shaped tensor of 32-bit signless integer}}
  %0 = nn.embedding %ids, %x : (tensor<4xi64>, tensor<8x24xf32>) -> tensor<4x24xf32>
  return
}

// -----

func.func @embedding_start(%ids: tensor<4xi32>, %x: tensor<8x24xf32>, %start: index) {
  // expected-error @+1 {{'nn.embedding' op with 'from' needs 'of', the size of the whole vocabulary}}
  %0 = nn.embedding %ids, %x from %start : (tensor<4xi32>, tensor<8x24xf32>, index) -> tensor<4x24xf32>
  return
}

// -----

func.func @embedding_vocabulary(%ids: tensor<4xi32>, %x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.embedding' op needs a positive vocabulary}}
  %0 = nn.embedding %ids, %x of 0 : (tensor<4xi32>, tensor<8x24xf32>) -> tensor<4x24xf32>
  return
}

// -----

func.func @gradient_table(%ids: tensor<4xi32>, %r: tensor<4x24xf32>) {
  // expected-error @+1 {{'nn.embedding_gradient' op needs a table of rank 2}}
  %0 = nn.embedding_gradient %ids, %r : (tensor<4xi32>, tensor<4x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @gradient_rows(%ids: tensor<4xi32>, %r: tensor<5x24xf32>) {
  // expected-error @+1 {{'nn.embedding_gradient' op needs rows of type 'tensor<4x24xf32>', got 'tensor<5x24xf32>'}}
  %0 = nn.embedding_gradient %ids, %r : (tensor<4xi32>, tensor<5x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @gradient_start(%ids: tensor<4xi32>, %r: tensor<4x24xf32>, %start: index) {
  // expected-error @+1 {{'nn.embedding_gradient' op with 'from' needs 'of', the size of the whole vocabulary}}
  %0 = nn.embedding_gradient %ids, %r from %start : (tensor<4xi32>, tensor<4x24xf32>, index) -> tensor<8x24xf32>
  return
}

// -----

func.func @gradient_vocabulary(%ids: tensor<4xi32>, %r: tensor<4x24xf32>) {
  // expected-error @+1 {{'nn.embedding_gradient' op needs a positive vocabulary}}
  %0 = nn.embedding_gradient %ids, %r of -1 : (tensor<4xi32>, tensor<4x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @cache_result(%c: tensor<2x16x4xf32>, %u: tensor<2x3x4xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op result must be of the cache's type 'tensor<2x16x4xf32>'}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<2x3x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @cache_rank(%c: tensor<2x16x4xf32>, %u: tensor<2x3xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op needs a cache and an update of one rank, at least 2, and one element type}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_vector(%c: tensor<16xf32>, %u: tensor<3xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op needs a cache and an update of one rank, at least 2, and one element type}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<16xf32>, tensor<3xf32>, tensor<i32>, tensor<i32>) -> tensor<16xf32>
  return
}

// -----

func.func @cache_type(%c: tensor<2x16x4xf32>, %u: tensor<2x3x4xf64>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op needs a cache and an update of one rank, at least 2, and one element type}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<2x3x4xf64>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_batch(%c: tensor<2x16x4xf32>, %u: tensor<1x3x4xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op cache and update differ in dim 0}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<1x3x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_width(%c: tensor<2x16x4xf32>, %u: tensor<2x3x5xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op cache and update differ in dim 2}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<2x3x5xf32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_long(%c: tensor<2x16x4xf32>, %u: tensor<2x17x4xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{'nn.cache_update' op update of 17 rows is longer than the cache of 16}}
  %0 = nn.cache_update %c, %u at %i length %i : (tensor<2x16x4xf32>, tensor<2x17x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_start(%c: tensor<2x16x4xf32>, %u: tensor<2x3x4xf32>, %i: tensor<i32>, %start: index) {
  // expected-error @+1 {{'nn.cache_update' op with 'from' needs 'of', the rows of the whole cache}}
  %0 = nn.cache_update %c, %u at %i length %i from %start : (tensor<2x16x4xf32>, tensor<2x3x4xf32>, tensor<i32>, tensor<i32>, index) -> tensor<2x16x4xf32>
  return
}

// -----

func.func @cache_capacity(%c: tensor<2x4x4xf32>, %u: tensor<2x17x4xf32>, %i: tensor<i32>, %start: index) {
  // expected-error @+1 {{'nn.cache_update' op update of 17 rows is longer than the cache of 16}}
  %0 = nn.cache_update %c, %u at %i length %i from %start of 16 : (tensor<2x4x4xf32>, tensor<2x17x4xf32>, tensor<i32>, tensor<i32>, index) -> tensor<2x4x4xf32>
  return
}

// -----

func.func @gather_table(%i: tensor<4xi32>, %t: tensor<8xf32>) {
  // expected-error @+1 {{'nn.gather' op needs tables [batch..., rows, width], got 'tensor<8xf32>'}}
  %0 = nn.gather %i, %t : (tensor<4xi32>, tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @gather_batch(%i: tensor<4x6xi32>, %t: tensor<3x8x5xf32>) {
  // expected-error @+1 {{'nn.gather' op needs ids that begin with the batch of 'tensor<3x8x5xf32>', got 'tensor<4x6xi32>'}}
  %0 = nn.gather %i, %t : (tensor<4x6xi32>, tensor<3x8x5xf32>) -> tensor<4x6x5xf32>
  return
}

// -----

func.func @gather_rows(%i: tensor<3x6xi32>, %t: tensor<3x8x5xf32>) {
  // expected-error @+1 {{'nn.gather' op needs rows of type 'tensor<3x6x5xf32>', got 'tensor<3x6x8xf32>'}}
  %0 = nn.gather %i, %t : (tensor<3x6xi32>, tensor<3x8x5xf32>) -> tensor<3x6x8xf32>
  return
}

// -----

func.func @gather_large(%i: tensor<65536x1xi32>, %t: tensor<65536x65536x1xf32>) {
  // expected-error @+1 {{'nn.gather' op needs fewer than 2^31 rows in all tables, got 'tensor<65536x65536x1xf32>'}}
  %0 = nn.gather %i, %t : (tensor<65536x1xi32>, tensor<65536x65536x1xf32>) -> tensor<65536x1x1xf32>
  return
}

// -----

func.func @scatter_add_table(%i: tensor<4xi32>, %r: tensor<4x5xf32>) {
  // expected-error @+1 {{'nn.scatter_add' op needs tables [batch..., rows, width], got 'tensor<5xf32>'}}
  %0 = nn.scatter_add %i, %r : (tensor<4xi32>, tensor<4x5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @scatter_add_batch(%i: tensor<4x6xi32>, %r: tensor<4x6x5xf32>) {
  // expected-error @+1 {{'nn.scatter_add' op needs ids that begin with the batch of 'tensor<3x8x5xf32>', got 'tensor<4x6xi32>'}}
  %0 = nn.scatter_add %i, %r : (tensor<4x6xi32>, tensor<4x6x5xf32>) -> tensor<3x8x5xf32>
  return
}

// -----

func.func @scatter_add_rows(%i: tensor<3x6xi32>, %r: tensor<3x6x4xf32>) {
  // expected-error @+1 {{'nn.scatter_add' op needs rows of type 'tensor<3x6x5xf32>', got 'tensor<3x6x4xf32>'}}
  %0 = nn.scatter_add %i, %r : (tensor<3x6xi32>, tensor<3x6x4xf32>) -> tensor<3x8x5xf32>
  return
}
