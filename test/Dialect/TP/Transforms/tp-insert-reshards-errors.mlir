// What cannot be sharded is an error, also where propagation did not run.
// RUN: tp-opt %s -tp-insert-reshards -split-input-file -verify-diagnostics -allow-unregistered-dialect

tp.mesh @mesh = <["tp"=4]>
func.func @unknown(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'my.op' has no sharding rule, so it cannot be sharded; it must implement ShardingRuleOpInterface}}
  %0 = "my.op"(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{a function to shard has one block}}
func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  "my.branch"()[^end] : () -> ()
^end:
  return %x : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 0: only ranked tensors of static shape can be sharded, got 'tensor<?xf32>'}}
func.func @dynamic(%x: tensor<?xf32>) {
  return
}

// -----

tp.mesh @a = <["tp"=4]>
tp.mesh @b = <["x"=4]>
func.func @meshes(%x: tensor<8xf32>) {
  // expected-error @+1 {{speaks of another mesh than @a}}
  %0 = arith.negf %x {tp.shardings = [#tp.sharding<@b, [{"x"}]>]} : tensor<8xf32>
  return
}
