// RUN: tp-opt %s --nn-fuse-kernels --split-input-file --verify-diagnostics

// expected-error @+1 {{lowering needs straight-line code, one block a function}}
func.func @branches(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}
