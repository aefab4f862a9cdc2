// What cannot be sharded is an error that names it.
// RUN: tp-opt %s -tp-propagate -split-input-file -verify-diagnostics -allow-unregistered-dialect

tp.mesh @mesh = <["tp"=4]>
func.func @unknown(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'my.op' has no sharding rule, so it cannot be sharded; it must implement ShardingRuleOpInterface}}
  %0 = "my.op"(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func private @callee(tensor<8xf32>) -> tensor<8xf32>
func.func @call(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'func.call' has no sharding rule}}
  %0 = func.call @callee(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// A local program: its collectives are no part of a global one.
func.func @local(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'tp.all_reduce' has no sharding rule}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
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
// expected-error @+1 {{argument 0: only ranked tensors of static shape can be sharded, got 'tensor<?x8xf32>'}}
func.func @dynamic(%x: tensor<?x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 1: only ranked tensors of static shape can be sharded, got 'tensor<*xf32>'}}
func.func @unranked(%i: index, %x: tensor<*xf32>) {
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @vector() {
  // expected-error @+1 {{only ranked tensors of static shape can be sharded, got 'vector<4xf32>'}}
  %0 = arith.constant dense<0.0> : vector<4xf32>
  return
}

// -----

tp.mesh @a = <["tp"=4]>
tp.mesh @b = <["x"=4]>
// expected-error @+1 {{speaks of another mesh than @a, the first of the module; a program is sharded over one mesh}}
func.func @argument_mesh(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@b, [{"x"}]>}) {
  return
}

// -----

tp.mesh @a = <["tp"=4]>
tp.mesh @b = <["x"=4]>
func.func @constraint_mesh(%x: tensor<8xf32>) {
  // expected-error @+1 {{speaks of another mesh than @a}}
  %0 = tp.constraint %x to <@b, [{"x"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// Each padded extent is sound by itself; together they do not fit 64 bits.
// expected-error @+1 {{a dim of size 8 has no padded extent that suits all that was asked for}}
func.func @pads(
    %x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{} pad 9223372036854775807]>},
    %y: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{} pad 9223372036854775806]>}) {
  %0 = arith.addf %x, %y : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 0: more elements than can be counted in 'tensor<9223372036854775807xf32>'}}
func.func @huge(%x: tensor<9223372036854775807xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 0: more elements than can be counted in 'tensor<4294967296x4294967296xf32>'}}
func.func @huge_argument(%x: tensor<4294967296x4294967296xf32>) {
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @huge_result(%x: tensor<8xf32>) {
  // expected-error @+1 {{more elements than can be counted in 'tensor<8x4611686018427387904xf32>'}}
  %0 = nn.broadcast %x dims [0] : (tensor<8xf32>) -> tensor<8x4611686018427387904xf32>
  return
}

// -----

// What partitioning makes of an op: it keeps to the keys that are no padding ...
tp.mesh @mesh = <["tp"=2]>
func.func @local_extent(
    %q: tensor<1x8x2x1x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}, {}]>}, %k: tensor<1x8x2x4xf32>) {
  // expected-error @+1 {{'nn.attention' is told to keep to 6 elements of a dim of size 8, as in the program of one device, where dims are padded; in a global one, leave it out or slice the operand}}
  %0 = nn.attention %q, %k, %k scale 0.5 of 6 : (tensor<1x8x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>) -> tensor<1x8x2x1x4xf32>
  return
}

// -----

// ... begins somewhere ...
tp.mesh @mesh = <["tp"=2]>
func.func @local_start(%q: tensor<1x8x2x1x4xf32>, %k: tensor<1x8x2x4xf32>, %start: index) {
  // expected-error @+1 {{'nn.attention' is told where a shard begins, as in the program of one device; leave the start out in a global one}}
  %0 = nn.attention %q, %k, %k from %start scale 0.5 : (tensor<1x8x2x1x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>, index) -> tensor<1x8x2x1x4xf32>
  return
}

// -----

// ... or has a part of the rows of a table.
tp.mesh @mesh = <["tp"=2]>
func.func @local_rows(%ids: tensor<3xi32>, %g: tensor<3x2xf32>) {
  // expected-error @+1 {{'nn.embedding_gradient' is told to keep to 9 elements of a dim of size 5}}
  %0 = nn.embedding_gradient %ids, %g of 9 : (tensor<3xi32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  return
}

// -----

// Without a mesh there is nothing to do.
func.func @no_mesh(%x: tensor<?xf32>) -> tensor<?xf32> {
  %0 = "my.op"(%x) : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func @branch(%c: i1, %x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{'scf.if' decides at run time what is computed, so it cannot be sharded; compute all that it may choose from, and choose with arith.select}}
  %0 = scf.if %c -> tensor<4x8xf32> {
    %1 = math.exp %x : tensor<4x8xf32>
    scf.yield %1 : tensor<4x8xf32>
  } else {
    scf.yield %x : tensor<4x8xf32>
  }
  return %0 : tensor<4x8xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>

// expected-note @below {{the other function}}
func.func @f(%w: tensor<6xf32> {nn.state = "cache", tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> (tensor<6xf32> {nn.state = "cache"}) {
  return %w : tensor<6xf32>
}
// expected-error @below {{"cache" lies as #tp.sharding<@mesh, [{}]> here, but as #tp.sharding<@mesh, [{"tp"}]> in @f: it is stored once for both, so ask for it once or alike}}
func.func @g(%w: tensor<6xf32> {nn.state = "cache", tp.sharding = #tp.sharding<@mesh, [{}]>}) -> (tensor<6xf32> {nn.state = "cache"}) {
  return %w : tensor<6xf32>
}
