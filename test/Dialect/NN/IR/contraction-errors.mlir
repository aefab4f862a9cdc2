// One test for each rule of contraction and reduction.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

func.func @equation_no_arrow(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "ab,cb"}}
  %0 = nn.contract %x, %x "ab,cb" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @equation_no_comma(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "ab->a"}}
  %0 = nn.contract %x, %x "ab->a" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @equation_three(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "ab,bc,cd->ad"}}
  %0 = nn.contract %x, %x "ab,bc,cd->ad" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @equation_digits(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "a1,b1->ab"}}
  %0 = nn.contract %x, %x "a1,b1->ab" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @equation_spaces(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "ab, cb->ac"}}
  %0 = nn.contract %x, %x "ab, cb->ac" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @equation_ellipsis(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op equation must look like "bsk,nk->bsn", got "...b,cb->...c"}}
  %0 = nn.contract %x, %x "...b,cb->...c" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @contract_rank(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op lhs has 2 dims, the equation names "abc"}}
  %0 = nn.contract %x, %x "abc,cb->ab" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @contract_result_rank(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op result has 1 dims, the equation names "ab"}}
  %0 = nn.contract %x, %x "ak,bk->ab" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @contract_twice(%x: tensor<8x8xf32>) {
  // expected-error @+1 {{'nn.contract' op dim 'a' occurs twice in rhs}}
  %0 = nn.contract %x, %x "ab,aa->b" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @contract_size(%x: tensor<8x24xf32>, %w: tensor<32x64xf32>) {
  // expected-error @+1 {{'nn.contract' op dim 'k' is 24 and 64}}
  %0 = nn.contract %x, %w "ak,bk->ab" : (tensor<8x24xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @contract_once(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op dim 'k' occurs in one tensor only}}
  %0 = nn.contract %x, %x "ak,bc->ac" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @contract_type(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.contract' op needs one element type for all tensors}}
  %0 = nn.contract %x, %x "ak,bk->ab" : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x8xf64>
  return
}

// -----

func.func @contract_integers(%x: tensor<8xi32>) {
  // expected-error @+1 {{'nn.contract' op operand #0 must be statically shaped tensor of}}
  %0 = nn.contract %x, %x "k,k->" : (tensor<8xi32>, tensor<8xi32>) -> tensor<i32>
  return
}

// -----

func.func @contract_dynamic(%x: tensor<?xf32>) {
  // expected-error @+1 {{'nn.contract' op operand #0 must be statically shaped tensor of}}
  %0 = nn.contract %x, %x "k,k->" : (tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  return
}

// -----

func.func @contract_unranked(%x: tensor<*xf32>) {
  // expected-error @+1 {{'nn.contract' op operand #0 must be statically shaped tensor of}}
  %0 = nn.contract %x, %x "k,k->" : (tensor<*xf32>, tensor<*xf32>) -> tensor<f32>
  return
}

// -----

func.func @reduce_kind(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reduce' op kind is sum, max, min or product, got mean}}
  %0 = nn.reduce %x "mean" dims [1] : (tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @reduce_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reduce' op has no dim 2}}
  %0 = nn.reduce %x "sum" dims [2] : (tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @reduce_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reduce' op has no dim -1}}
  %0 = nn.reduce %x "sum" dims [-1] : (tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @reduce_twice(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reduce' op names dim 1 twice}}
  %0 = nn.reduce %x "sum" dims [1, 1] : (tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @reduce_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reduce' op result must be 'tensor<8xf32>'}}
  %0 = nn.reduce %x "sum" dims [1] : (tensor<8x24xf32>) -> tensor<24xf32>
  return
}

// -----

func.func @cumulative_sum_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.cumulative_sum' op has no dim 2}}
  %0 = nn.cumulative_sum %x dim 2 : tensor<8x24xf32>
  return
}

// -----

func.func @cumulative_sum_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.cumulative_sum' op has no dim -1}}
  %0 = nn.cumulative_sum %x dim -1 exclusive : tensor<8x24xf32>
  return
}

// -----

func.func @cumulative_sum_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.cumulative_sum' op requires the same type for all operands and results}}
  %0 = "nn.cumulative_sum"(%x) {dim = 1 : i64} : (tensor<8x24xf32>) -> tensor<8x25xf32>
  return
}
