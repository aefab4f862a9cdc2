// RUN: tp-opt %s --tp-emit-cuda --split-input-file --verify-diagnostics

// expected-error @+1 {{an entry must be straight-line code}}
func.func @f(%x: memref<8xf32>) {
  cf.br ^next
^next:
  return
}

// -----

func.func @f(%x: memref<8xf32>, %y: memref<8xf32>) {
  // expected-error @+1 {{'memref.copy' op cannot be written as CUDA source}}
  memref.copy %x, %y : memref<8xf32> to memref<8xf32>
  return
}

// -----

module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: memref<8xi32>) {
  // expected-error @+1 {{'rt.collective' op cannot be written as CUDA source: NCCL has no reduction by and of 'i32', only of booleans ('i1')}}
  rt.collective all_reduce and (%x) into (%x) group 0 id 0 name "" : (memref<8xi32>) -> memref<8xi32>
  return
}
}

// -----

module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: memref<8xf32>) {
  // expected-error @+1 {{'rt.wait' op waits for collective 0, which is not started before it}}
  rt.wait %x of 0 : memref<8xf32>
  return
}
}

// -----

func.func @f(%x: memref<2x3xi32>, %y: memref<4x3xi32>, %z: memref<2x4xi32>) {
  // expected-error @+1 {{'rt.contract' op cannot be written as CUDA source: cuBLASLt has no products of 'i32'}}
  rt.contract %x, %y into %z "mk,nk->mn" : memref<2x3xi32>, memref<4x3xi32>, memref<2x4xi32>
  return
}

// -----

// No dim of the result has a unit stride beside another one of the operands.
func.func @f(%x: memref<5x3x2xf32>, %y: memref<4x3x2xf32>, %z: memref<5x4x2xf32>) {
  // expected-error @+1 {{'rt.contract' op cannot be written as CUDA source: no part of it is a product of matrices with a unit stride}}
  rt.contract %x, %y into %z "mkb,nkb->mnb" : memref<5x3x2xf32>, memref<4x3x2xf32>, memref<5x4x2xf32>
  return
}

// -----

// f32 sums may be added up in the result; in bf16 they would be rounded.
func.func @f(%x: memref<3x5x2xbf16>, %y: memref<3x4x2xbf16>, %z: memref<5x4xbf16>) {
  // expected-error @+1 {{'rt.contract' op cannot be written as CUDA source: its contracted dims are no one dim in memory, and sums would be rounded to 'bf16' on the way}}
  rt.contract %x, %y into %z "kmc,knc->mn" : memref<3x5x2xbf16>, memref<3x4x2xbf16>, memref<5x4xbf16>
  return
}

// -----

// expected-error @+1 {{'arith.cmpi' op cannot be written as CUDA source: integers have signs there}}
func.func private @kernel(%x: tensor<8xi32>) -> tensor<8xi1> attributes {rt.kernel} {
  %c = arith.constant dense<3> : tensor<8xi32>
  %0 = arith.cmpi ult, %x, %c : tensor<8xi32>
  return %0 : tensor<8xi1>
}

// -----

// expected-error @+1 {{'arith.uitofp' op cannot be written as CUDA source: it reads 'i32' without a sign}}
func.func private @kernel(%x: tensor<8xi32>) -> tensor<8xf32> attributes {rt.kernel} {
  %0 = arith.uitofp %x : tensor<8xi32> to tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// expected-error @+1 {{'math.ctpop' op cannot be written as CUDA source}}
func.func private @kernel(%x: tensor<8xi32>) -> tensor<8xi32> attributes {rt.kernel} {
  %0 = math.ctpop %x : tensor<8xi32>
  return %0 : tensor<8xi32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{is a second mesh: a program runs on one}}
tp.mesh @other = <["dp"=2]>
func.func @f(%x: memref<8xf32>) {
  return
}

// -----

// expected-error @+1 {{cannot be written as CUDA source: its name is no identifier there}}
func.func private @"a kernel"(%x: tensor<8xf32>) -> tensor<8xf32> attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// expected-error @+1 {{keeps weights as they are stored, 'memref<8x64x!rt.stored<"Q4_1">>', which is for CPUs: emit from the sharded module}}
func.func @f(%x: memref<8x64xf32>, %w: memref<8x64x!rt.stored<"Q4_1">>, %y: memref<8x8xf32>) {
  rt.contract %x, %w into %y "mk,nk->mn" : memref<8x64xf32>, memref<8x64x!rt.stored<"Q4_1">>, memref<8x8xf32>
  return
}
