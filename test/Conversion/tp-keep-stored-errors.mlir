// RUN: tp-opt %s --tp-plan-memory --tp-lower-to-runtime --split-input-file --verify-diagnostics

// What tp-keep-stored would not have written, and would have removed.

// expected-error @+1 {{argument 0 of type 'memref<8x64xi32>' cannot be kept as !rt.stored<"Q4_1">}}
func.func @integers(%x: tensor<8x64xi32> {nn.input = "x", rt.stored = !rt.stored<"Q4_1">}) {
  return
}

// -----

// expected-error @+1 {{argument 0 of type 'memref<8x64xf32>' cannot be kept as f16}}
func.func @type(%x: tensor<8x64xf32> {nn.input = "x", rt.stored = f16}) {
  return
}

// -----

func.func @cut(%x: tensor<8x48xf32> {nn.input = "x"}, %w: tensor<8x48xf32> {nn.input = "w", rt.stored = !rt.stored<"Q4_1">}) -> (tensor<8x8xf32> {nn.output = "y"}) {
  // expected-error @+1 {{'rt.contract' op the last dim of 'memref<8x48x!rt.stored<"Q4_1">>' is not whole blocks of 32}}
  %y = nn.contract %x, %w "mk,nk->mn" : (tensor<8x48xf32>, tensor<8x48xf32>) -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
