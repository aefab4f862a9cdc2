// RUN: tp-opt %s --rt-to-llvm --split-input-file --verify-diagnostics

// expected-error @+1 {{an entry must work on buffers, got 'tensor<8xf32>'; run tp-lower-to-runtime first}}
func.func @f(%x: tensor<8xf32>) {
  return
}

// -----

// expected-error @+1 {{an entry must be straight-line code}}
func.func @f(%x: memref<8xf32>) {
  cf.br ^next
^next:
  return
}
