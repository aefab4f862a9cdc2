// What cannot be written out is an error.
// RUN: tp-opt %s -tp-flatten -split-input-file -verify-diagnostics

func.func @again(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{calls @again, which it is part of; a recursive program cannot be sharded}}
  %0 = func.call @again(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func private @elsewhere(tensor<8xf32>) -> tensor<8xf32>
func.func @external(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{calls @elsewhere, of which there is no body to write out}}
  %0 = func.call @elsewhere(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func @unknown_bound(%x: tensor<8xf32>, %n: index) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{only a loop whose bounds and step are constants can be written out, to be sharded}}
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%y = %x) -> tensor<8xf32> {
    %1 = math.exp %y : tensor<8xf32>
    scf.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

func.func @long(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4000000000 : index
  // expected-error @+1 {{of 4000000000 iterations is too long to be written out; at most 1048576}}
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%y = %x) -> tensor<8xf32> {
    %1 = math.exp %y : tensor<8xf32>
    scf.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

func.func @many(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 30000 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%y = %x) -> tensor<8xf32> {
    %1 = scf.for %j = %c0 to %n step %c1 iter_args(%z = %y) -> tensor<8xf32> {
      // expected-error @+1 {{calls and loops written out are more than 1048576 ops}}
      %2 = math.exp %z : tensor<8xf32>
      scf.yield %2 : tensor<8xf32>
    }
    scf.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  cf.br ^end
^end:
  return %x : tensor<8xf32>
}
func.func @calls_blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{calls @blocks, which has more than one block}}
  %0 = func.call @blocks(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @local(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}
func.func @calls_local(%x: tensor<4xf32>) {
  // expected-error @+1 {{calls @local, which is a local function; use tp.call}}
  func.call @local(%x) : (tensor<4xf32>) -> ()
  return
}
