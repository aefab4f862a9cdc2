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

// -----

module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @not_started(%x: memref<8xf32>) {
  rt.collective all_reduce sum (%x) into (%x) group 0 id 0 name "" : (memref<8xf32>) -> memref<8xf32>
  // expected-error @+1 {{'rt.wait' op waits for collective 0, which is not started before it}}
  rt.wait %x of 0 : memref<8xf32>
  return
}
}

// -----

module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @not_awaited(%x: memref<8xf32>) {
  // expected-error @+1 {{'rt.collective' op is started and never waited for}}
  rt.collective all_reduce sum (%x) into (%x) group 0 id 0 name "" started : (memref<8xf32>) -> memref<8xf32>
  return
}
}

// -----

func.func @no_such_collective(%x: memref<8xf32>) {
  // expected-error @+1 {{'rt.mark' op is of collective 3, which the function does not have}}
  rt.mark "tp.all_reduce" of "mlp" collective 3
  return
}

// -----

func.func @bias(%x: memref<4x8xf32>, %w: memref<6x8xf32>, %b: memref<6xf32>, %y: memref<4x6xf32>) {
  // expected-error @+1 {{'rt.contract' op adds a bias, which only programs for GPUs do; leave out rt-fold-bias}}
  rt.contract %x, %w plus %b into %y "mk,nk->mn" : memref<4x8xf32>, memref<6x8xf32>, memref<6xf32>, memref<4x6xf32>
  return
}
