// A call's boundary is checked on both sides.
// RUN: tp-opt %s -tp-shard=plan=none -split-input-file -verify-diagnostics

tp.mesh @mesh = <["tp"=2]>
func.func @unknown(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.call' op calls @nobody, which is no function}}
  tp.call @nobody(%x) : (tensor<8xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @global(%x: tensor<8xf32>) {
  return
}
func.func @calls_global(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.call' op calls @global, which is not a private local function; its arguments and results need 'tp.global' and 'tp.sharding'}}
  tp.call @global(%x) : (tensor<8xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @local(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}
func.func @count(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.call' op calls @local of 1 arguments and 0 results with 2 and 0}}
  tp.call @local(%x, %x) : (tensor<8xf32>, tensor<8xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @local(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}
func.func @type(%x: tensor<6xf32>) {
  // expected-error @+1 {{'tp.call' op passes 'tensor<6xf32>' as argument 0 of @local, which is 'tensor<4xf32>' on a device and as a whole 'tensor<8xf32>'}}
  tp.call @local(%x) : (tensor<6xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @local(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}, %y: tensor<4xf32>) {
  return
}
func.func @undeclared(%x: tensor<8xf32>, %y: tensor<4xf32>) {
  // expected-error @+1 {{'tp.call' op calls @local, argument 1 of which needs 'tp.global' and 'tp.sharding'}}
  tp.call @local(%x, %y) : (tensor<8xf32>, tensor<4xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func private @again(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{'tp.call' op calls @again, which it is part of; what a recursive function declares cannot be proven}}
  %0 = tp.call @again(%x) : (tensor<4xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
// The callee does not do what it declares.
func.func private @liar(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<4xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{result 0 is declared [tp: Replicate] of 'tensor<4xf32>' but is [tp: Shard(0)]}}
  return %x : tensor<4xf32>
}
func.func @main(%x: tensor<8xf32>) -> tensor<4xf32> {
  %0 = tp.call @liar(%x) : (tensor<8xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

tp.mesh @mesh = <["tp"=2, "x"=3]>
// What the callee takes even must be padded here, for 2 and 3 devices.
func.func private @even(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}
func.func @padded(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) {
  // expected-error @+1 {{'tp.call' op takes dim 0 of operand 0 padded to 8, but what else it meets needs it padded to 12}}
  tp.call @even(%x) : (tensor<8xf32>) -> ()
  return
}
