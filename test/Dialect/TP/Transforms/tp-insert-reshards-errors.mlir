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

// -----

// The batch is gathered by constraints that leave its axis out: said once.
tp.mesh @mesh = <["dp"=2, "tp"=2]>
func.func @batch(%x: tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<4x8xf32> {
  %0 = math.exp %x {tp.shardings = [#tp.sharding<@mesh, [{"dp"}, {}]>]} : tensor<4x8xf32>
  // expected-remark @+1 {{leaves dim 0 whole, which is sharded over "dp", the axis of the batch: it is gathered here, and in 1 more constraint; {?} for the dim leaves it as it is, {"dp"} asks for it}}
  %1 = tp.constraint %0 to <@mesh, [{}, {"tp"}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]} : tensor<4x8xf32>
  %2 = tp.constraint %x to <@mesh, [{}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<4x8xf32>
  %3 = tp.constraint %x to <@mesh, [{}, {"dp"}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {"dp"}]>]} : tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}
