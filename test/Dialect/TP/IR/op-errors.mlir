// One test for each rule of the ops' verifiers.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

//===----------------------------------------------------------------------===//
// Global ops
//===----------------------------------------------------------------------===//

func.func @constraint_mesh(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.constraint' op refers to an unknown mesh @mesh}}
  %0 = tp.constraint %x to <@mesh, [{"tp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @constraint_sharding(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.constraint' op unknown mesh axis "dp"}}
  %0 = tp.constraint %x to <@mesh, [{"dp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @constraint_partial(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.constraint' op cannot ask for a partial value}}
  %0 = tp.constraint %x to <@mesh, [{}], partial = sum{"tp"}> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @reshard_from(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reshard' op 'from': sharding has 2 dims, the tensor has 1}}
  %0 = tp.reshard %x from <@mesh, [{}, {}]> to <@mesh, [{"tp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @reshard_to(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reshard' op 'to': unknown mesh axis "dp"}}
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{"dp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @a = <["tp"=4]>
tp.mesh @b = <["tp"=4]>
func.func @reshard_meshes(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reshard' op cannot go from one mesh to another}}
  %0 = tp.reshard %x from <@a, [{}]> to <@b, [{"tp"}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @reshard_pads(%x: tensor<9xf32>) {
  // expected-error @+1 {{'tp.reshard' op a reshard keeps the padded extents}}
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{"tp"} pad 12]> : tensor<9xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @reshard_open(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reshard' op 'to': open dims and priorities are for constraints}}
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{"tp", ?}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @reshard_priority(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reshard' op 'from': open dims and priorities are for constraints}}
  %0 = tp.reshard %x from <@mesh, [{"tp"}p1]> to <@mesh, [{}]> : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @permute_other_axes(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.permute' op needs the same axes twice, in two orders}}
  %0 = tp.permute %x from [#tp.axis<"dp">, #tp.axis<"tp":(1)2>] to [#tp.axis<"dp">, #tp.axis<"tp":(2)2>] of @mesh
      : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @group_permute(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.permute' op refers to an unknown mesh @mesh}}
  %0 = tp.permute %x from [#tp.axis<"dp">] to [#tp.axis<"dp">] of @mesh
      : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @permute_shape(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.permute' op result 0 must be 'tensor<8xf32>'}}
  %0 = tp.permute %x from [#tp.axis<"dp">, #tp.axis<"tp">] to [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh
      : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @bits_of_floats(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op reduces bits (and), but its elements are 'f32'}}
  %0 = tp.all_reduce %x and over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @scattered_bits_of_floats(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reduce_scatter' op reduces bits (or), but its elements are 'f32'}}
  %0 = tp.reduce_scatter %x or dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @partial_bits_of_floats(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.make_partial' op reduces bits (or), but its elements are 'f32'}}
  %0 = tp.make_partial %x as or over [#tp.axis<"tp">] of @mesh : tensor<8xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Starts and masks
//===----------------------------------------------------------------------===//

func.func @start_mesh() {
  // expected-error @+1 {{'tp.shard_start' op refers to an unknown mesh @mesh}}
  %0 = tp.shard_start [#tp.axis<"tp">] of @mesh block 1
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @start_axis() {
  // expected-error @+1 {{'tp.shard_start' op expects axes of @mesh, got #tp.axis<"dp">}}
  %0 = tp.shard_start [#tp.axis<"dp">] of @mesh block 1
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @start_attribute() {
  // expected-error @+1 {{'tp.shard_start' op expects axes of @mesh, got "tp"}}
  %0 = tp.shard_start ["tp"] of @mesh block 1
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @start_block() {
  // expected-error @+1 {{attribute 'block' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %0 = tp.shard_start [#tp.axis<"tp">] of @mesh block 0
  return
}

// -----

func.func @mask_dim(%x: tensor<8xf32>, %start: index) {
  // expected-error @+1 {{'tp.mask' op has no dim 1}}
  %0 = tp.mask %x dim 1 from %start size 4 fill 0.0 : tensor<8xf32>
  return
}

// -----

func.func @mask_scalar(%x: tensor<f32>, %start: index) {
  // expected-error @+1 {{'tp.mask' op has no dim 0}}
  %0 = tp.mask %x dim 0 from %start size 4 fill 0.0 : tensor<f32>
  return
}

// -----

func.func @mask_size(%x: tensor<8xf32>, %start: index) {
  // expected-error @+1 {{'tp.mask' op needs a size that is not negative}}
  %0 = tp.mask %x dim 0 from %start size -1 fill 0.0 : tensor<8xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// The group of a collective: one check for all of them
//===----------------------------------------------------------------------===//

func.func @group_mesh(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op refers to an unknown mesh @mesh}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @group_attribute(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op expects #tp.axis attributes, got "tp"}}
  %0 = tp.all_reduce %x sum over ["tp"] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @group_axis(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_gather' op unknown mesh axis "dp"; the mesh is #tp.mesh<["tp"=4]>}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"dp">] of @mesh : (tensor<8xf32>) -> tensor<32xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @group_part(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reduce_scatter' op sub-axis (1)3 does not divide axis "tp" of size 4}}
  %0 = tp.reduce_scatter %x sum dims [0] over [#tp.axis<"tp":(1)3>] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @group_twice(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{'tp.all_to_all' op mesh axis "tp" is used twice}}
  %0 = tp.all_to_all %x gather [0] split [1] over [#tp.axis<"tp">, #tp.axis<"tp":(1)2>] of @mesh : (tensor<8x4xf32>) -> tensor<32x1xf32>
  return
}

// -----

func.func @group_slice(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.slice' op refers to an unknown mesh @mesh}}
  %0 = tp.slice %x dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @group_make_partial(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.make_partial' op refers to an unknown mesh @mesh}}
  %0 = tp.make_partial %x over [#tp.axis<"tp">] of @mesh : tensor<8xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// The shapes of a collective
//===----------------------------------------------------------------------===//

tp.mesh @mesh = <["tp"=4]>
func.func @no_inputs() {
  // expected-error @+1 {{'tp.all_reduce' op needs as many results as inputs, at least one}}
  tp.all_reduce sum over [#tp.axis<"tp">] of @mesh : () -> ()
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @results(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op needs as many results as inputs, at least one}}
  %0:2 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_reduce_type(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op result 0 must be 'tensor<8xf32>'}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xbf16>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_gather_dims(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_gather' op needs one dim for each input}}
  %0:2 = tp.all_gather %x, %y dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>, tensor<8xf32>) -> (tensor<32xf32>, tensor<32xf32>)
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_gather_dim(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_gather' op input 0 has no dim 1}}
  %0 = tp.all_gather %x dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<32xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_gather_shape(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  // expected-error @+1 {{'tp.all_gather' op result 1 must be 'tensor<32xf32>'}}
  %0:2 = tp.all_gather %x, %y dims [0, 0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>, tensor<8xf32>) -> (tensor<32xf32>, tensor<16xf32>)
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @reduce_scatter_dim(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.reduce_scatter' op input 0 has no dim -1}}
  %0 = tp.reduce_scatter %x sum dims [-1] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @reduce_scatter_extent(%x: tensor<9xf32>) {
  // expected-error @+1 {{'tp.reduce_scatter' op dim 0 of extent 9 is not a multiple of the group's size 4}}
  %0 = tp.reduce_scatter %x sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<9xf32>) -> tensor<2xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_to_all_dims(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{'tp.all_to_all' op needs one dim for each input}}
  %0 = tp.all_to_all %x gather [0] split [1, 0] over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<32x1xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_to_all_split(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{'tp.all_to_all' op input 0 has no dim 2}}
  %0 = tp.all_to_all %x gather [0] split [2] over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<32x1xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @all_to_all_shape(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{'tp.all_to_all' op result 0 must be 'tensor<32x1xf32>'}}
  %0 = tp.all_to_all %x gather [0] split [1] over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @slice_dim(%x: tensor<f32>) {
  // expected-error @+1 {{'tp.slice' op input 0 has no dim 0}}
  %0 = tp.slice %x dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<f32>) -> tensor<f32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @slice_shape(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.slice' op result 0 must be 'tensor<2xf32>'}}
  %0 = tp.slice %x dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @never_awaited(%x: tensor<2xf32>) {
  // expected-error @+1 {{'tp.all_gather' op is started, so result 0 needs one use, a tp.wait in the same block}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<8xf32>>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @awaited_twice(%x: tensor<2xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op is started, so result 0 needs one use, a tp.wait in the same block}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<2xf32>>
  %1 = tp.wait %0 : !tp.pending<tensor<2xf32>>
  %2 = tp.wait %0 : !tp.pending<tensor<2xf32>>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @returned(%x: tensor<2xf32>) -> !tp.pending<tensor<2xf32>> {
  // expected-error @+1 {{'tp.all_reduce' op is started, so result 0 needs one use, a tp.wait in the same block}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<2xf32>>
  return %0 : !tp.pending<tensor<2xf32>>
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @awaited_elsewhere(%x: tensor<2xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op is started, so result 0 needs one use, a tp.wait in the same block}}
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<2xf32>>
  cf.br ^next
^next:
  %1 = tp.wait %0 : !tp.pending<tensor<2xf32>>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @half_pending(%x: tensor<2xf32>) {
  // expected-error @+1 {{'tp.all_reduce' op has results of which some are pending and some are not}}
  %0:2 = tp.all_reduce %x, %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>, tensor<2xf32>) -> (!tp.pending<tensor<2xf32>>, tensor<2xf32>)
  %1 = tp.wait %0#0 : !tp.pending<tensor<2xf32>>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @pending_shape(%x: tensor<2xf32>) {
  // expected-error @+1 {{'tp.all_gather' op result 0 must be 'tensor<8xf32>'}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<2xf32>>
  %1 = tp.wait %0 : !tp.pending<tensor<2xf32>>
  return
}

// -----

func.func @nothing_started(%x: !tp.pending<tensor<2xf32>>) {
  // expected-error @+1 {{'tp.wait' op waits for something that no collective started}}
  %1 = tp.wait %x : !tp.pending<tensor<2xf32>>
  return
}

// -----

// expected-error @+2 {{invalid kind of type specified: expected builtin.tensor, but found 'i32'}}
// expected-error @+1 {{failed to parse TP_PendingType parameter 'tensor'}}
func.func @pending_what(%x: !tp.pending<i32>)

// -----

func.func @resize_two_dims(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'tp.resize' op may change the extent of dim 1 and no more, from 'tensor<2x8xf32>' to 'tensor<3x7xf32>'}}
  %0 = tp.resize %x dim 1 : (tensor<2x8xf32>) -> tensor<3x7xf32>
  return
}

// -----

func.func @resize_no_dim(%x: tensor<8xf32>) {
  // expected-error @+1 {{may change the extent of dim 1 and no more}}
  %0 = tp.resize %x dim 1 : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @resize_element_type(%x: tensor<8xf32>) {
  // expected-error @+1 {{may change the extent of dim 0 and no more, from 'tensor<8xf32>' to 'tensor<7xf16>'}}
  %0 = tp.resize %x dim 0 : (tensor<8xf32>) -> tensor<7xf16>
  return
}

// -----

func.func @resize_negative_dim(%x: tensor<8xf32>) {
  // expected-error @+1 {{may change the extent of dim -1 and no more}}
  %0 = tp.resize %x dim -1 : (tensor<8xf32>) -> tensor<7xf32>
  return
}

// -----

func.func @resize_dynamic(%x: tensor<8xf32>) {
  // expected-error @+1 {{result #0 must be statically shaped tensor of any type values, but got 'tensor<?xf32>'}}
  %0 = tp.resize %x dim 0 : (tensor<8xf32>) -> tensor<?xf32>
  return
}
