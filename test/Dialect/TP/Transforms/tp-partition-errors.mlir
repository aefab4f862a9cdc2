// What cannot be partitioned is an error.
// RUN: tp-opt %s -tp-partition -split-input-file -verify-diagnostics -allow-unregistered-dialect

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{a value has no sharding; run tp-propagate and tp-insert-reshards first}}
func.func @argument(%x: tensor<8xf32>) {
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @result(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{a value has no sharding; run tp-propagate and tp-insert-reshards first}}
  %0 = arith.negf %x : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{extent 9 is not a multiple of 4, the size of its axes; run tp-propagate to choose padding}}
func.func @padding(%x: tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @from_nothing(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{does not say from what; run tp-insert-reshards}}
  %0 = tp.reshard %x to <@mesh, [{"tp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @indivisible(%x: tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{there is no way from [tp: Replicate] to [tp: Shard(0)]}}
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{"tp"}]> : tensor<9xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A norm over a padded dim was not decomposed.
func.func @norm(%x: tensor<8x9xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>},
                %g: tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>}) {
  // expected-error @+1 {{dim 1 of size 9 is padded to 12, which 'nn.rms_norm' cannot handle; choose sizes that divide}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"} pad 12]>]} : (tensor<8x9xf32>, tensor<9xf32>) -> tensor<8x9xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A dim of one element that another tensor had padded belongs to nothing here.
func.func @one(%x: tensor<1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4, {}]>}) {
  // expected-error @+1 {{dim 0 of size 1 is padded to 4, which 'nn.reshape' cannot handle}}
  %0 = nn.reshape %x {tp.shardings = [#tp.sharding<@mesh, [{}]>]} : (tensor<1x8xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// There is nothing to pad a constant's blocks with.
func.func @constant() {
  // expected-error @+1 {{dim 0 of size 2 is padded to 4, which 'arith.constant' cannot handle}}
  %0 = arith.constant {tp.shardings = [#tp.sharding<@mesh, [{"tp"} pad 4]>]} dense<[1.0, 2.0]> : tensor<2xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @resource() {
  // expected-error @+1 {{dim 0 of size 2 is padded to 4, which 'arith.constant' cannot handle}}
  %0 = arith.constant {tp.shardings = [#tp.sharding<@mesh, [{"tp"} pad 4]>]} dense_resource<two> : tensor<2xf32>
  return
}
{-# dialect_resources: { builtin: { two: "0x040000000000803F00000040" } } #-}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @unknown(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{'my.op' has no sharding rule}}
  "my.op"(%x) : (tensor<8xf32>) -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Twice: the program is local already.
func.func @local(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  // expected-error @+1 {{'tp.all_gather' has no sharding rule}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A part of a compound dim cannot be padded.
func.func @compound(%x: tensor<24xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  // expected-error @+1 {{dim 1 of size 6 is padded to 8, which 'nn.reshape' cannot handle}}
  %0 = nn.reshape %x {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"} pad 8]>]} : (tensor<24xf32>) -> tensor<4x6xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @stride(%x: tensor<1xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4]>}) {
  // expected-error @+1 {{dim 0 of size 1 is padded to 4, which 'nn.slice' cannot handle}}
  %0 = nn.slice %x offsets [0] strides [2] {tp.shardings = [#tp.sharding<@mesh, [{"tp"} pad 4]>]} : (tensor<1xf32>) -> tensor<1xf32>
  return
}
