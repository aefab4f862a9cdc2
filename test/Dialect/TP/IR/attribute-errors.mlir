// One test for each rule of meshes, axes and shardings.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{a mesh axis needs a name}}
tp.mesh @mesh = <[""=2]>

// -----

// expected-error @+1 {{mesh axis "tp" must have a positive size, got 0}}
tp.mesh @mesh = <["tp"=0]>

// -----

// expected-error @+1 {{mesh axis "tp" must have a positive size, got -2}}
tp.mesh @mesh = <["dp"=2, "tp"=-2]>

// -----

// expected-error @+1 {{integer value too large}}
tp.mesh @mesh = <["tp"=9223372036854775808]>

// -----

// expected-error @+1 {{expected integer value}}
tp.mesh @mesh = <["tp"=four]>

// -----

// expected-error @+1 {{expected string}}
tp.mesh @mesh = <[tp=4]>

// -----

// expected-error @+1 {{mesh axis "tp" occurs twice}}
tp.mesh @mesh = <["tp"=2, "tp"=2]>

// -----

// expected-error @+1 {{a mesh has at most 2^40 devices}}
tp.mesh @mesh = <["a"=1048576, "b"=1048577]>

// -----

// The product does not fit 64 bits.
// expected-error @+1 {{a mesh has at most 2^40 devices}}
tp.mesh @mesh = <["a"=4294967296, "b"=4294967296, "c"=4294967296]>

// -----

// expected-error @+1 {{sub-axis (m)k needs m of at least 1 and k of at least 2, got (0)2}}
func.func private @f() attributes {test = #tp.axis<"tp":(0)2>}

// -----

// expected-error @+1 {{sub-axis (m)k needs m of at least 1 and k of at least 2, got (2)1}}
func.func private @f() attributes {test = #tp.axis<"tp":(2)1>}

// -----

// expected-error @+1 {{expected '('}}
func.func private @f() attributes {test = #tp.axis<"tp":2>}

// -----

// expected-error @+1 {{'?' must come last}}
func.func private @f() attributes {test = #tp.dim_sharding<{?, "tp"}>}

// -----

// expected-error @+1 {{'?' must come last}}
func.func private @f() attributes {test = #tp.dim_sharding<{"tp", ?, ?}>}

// -----

// expected-error @+1 {{a padded extent must be positive}}
func.func private @f() attributes {test = #tp.dim_sharding<{"tp"} pad 0>}

// -----

// expected-error @+1 {{expected 'pad' or a priority such as 'p1'}}
func.func private @f() attributes {test = #tp.dim_sharding<{"tp"} wide 4>}

// -----

// expected-error @+1 {{expected 'pad' or a priority such as 'p1'}}
func.func private @f() attributes {test = #tp.dim_sharding<{"tp"}p>}

// -----

// expected-error @+1 {{expected 'pad' or a priority such as 'p1'}}
func.func private @f() attributes {test = #tp.dim_sharding<{"tp"}p99999999999999999999>}

// -----

// expected-error @+1 {{expected sum, max, min or product}}
func.func private @f() attributes {test = #tp.sharding<@mesh, [], partial = mean{"tp"}>}

// -----

// expected-error @+1 {{expected 'partial'}}
func.func private @f() attributes {test = #tp.sharding<@mesh, [], whole = sum{"tp"}>}

// -----

// expected-error @+1 {{expected '['}}
func.func private @f() attributes {test = #tp.sharding<@mesh, {"tp"}>}

// -----

//===----------------------------------------------------------------------===//
// Shardings against a mesh and a type
//===----------------------------------------------------------------------===//

// expected-error @+1 {{argument 0: 'tp.sharding': refers to an unknown mesh @mesh}}
func.func private @f(tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>
// expected-error @+1 {{argument 0: 'tp.sharding': unknown mesh axis "x"; the mesh is #tp.mesh<["dp"=2, "tp"=4]>}}
func.func private @f(tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>})

// -----

tp.mesh @mesh = <["tp"=8]>
// expected-error @+1 {{sub-axis (1)3 does not divide axis "tp" of size 8}}
func.func private @f(tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(1)3}]>})

// -----

tp.mesh @mesh = <["tp"=8]>
// Past the end of the axis.
// expected-error @+1 {{sub-axis (4)4 does not divide axis "tp" of size 8}}
func.func private @f(tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(4)4}]>})

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{argument 0: 'tp.sharding': mesh axis "tp" is used twice}}
func.func private @f(tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {"tp"}]>})

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{mesh axis "tp" is used twice}}
func.func private @f(tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}], partial = sum{"tp"}>})

// -----

tp.mesh @mesh = <["tp"=8]>
// Parts that overlap: both tell the middle apart.
// expected-error @+1 {{mesh axis "tp" is used twice}}
func.func private @f(tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(1)4}, {"tp":(2)4}]>})

// -----

tp.mesh @mesh = <["tp"=12]>
// Parts that do not overlap, and yet are not coordinates of one numbering.
// expected-error @+1 {{parts (1)2 and (3)2 of axis "tp" do not fit together}}
func.func private @f(tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(3)2}, {"tp":(1)2}]>})

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{argument 0: 'tp.sharding': sharding has 1 dims, the tensor has 2}}
func.func private @f(tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{dim 0 of size 9 cannot be padded to 8}}
func.func private @f(tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8]>})

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{dim 0 padded to 10 is not a multiple of 4, the size of its axes}}
func.func private @f(tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 10]>})

// -----

//===----------------------------------------------------------------------===//
// Attributes on functions and ops
//===----------------------------------------------------------------------===//

// expected-error @+1 {{argument 1: 'tp.sharding': expects a #tp.sharding, got "tp"}}
func.func private @f(tensor<8xf32>, tensor<8xf32> {tp.sharding = "tp"})

// -----

tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{result 0: 'tp.sharding': unknown mesh axis "x"}}
func.func private @f() -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>})

// -----

// expected-error @+1 {{argument 0: 'tp.global': expects a ranked tensor type}}
func.func private @f(tensor<8xf32> {tp.global = f32})

// -----

// expected-error @+1 {{result 0: 'tp.global': expects a ranked tensor type}}
func.func private @f() -> (tensor<8xf32> {tp.global = 3 : i64})

// -----

// expected-error @+1 {{argument 0: 'tp.global': 'tensor<8x8xf32>' cannot be 'tensor<8xf32>' on a device}}
func.func private @f(tensor<8xf32> {tp.global = tensor<8x8xf32>})

// -----

// expected-error @+1 {{argument 0: 'tp.global': 'tensor<8xf32>' cannot be 'tensor<8xi32>' on a device}}
func.func private @f(tensor<8xi32> {tp.global = tensor<8xf32>})

// -----

// expected-error @+1 {{argument 0: 'tp.global': 'tensor<8xf32>' cannot be 'index' on a device}}
func.func private @f(index {tp.global = tensor<8xf32>})

// -----

// Without a sharding, a device has all of it.
// expected-error @+1 {{result 0: 'tp.global': 'tensor<8xf32>' cannot be 'tensor<4xf32>' on a device}}
func.func private @f() -> (tensor<4xf32> {tp.global = tensor<8xf32>})

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 0: 'tp.sharding': padded extent 9 is not a multiple of its axes' size 4}}
func.func private @f(tensor<3xf32> {tp.global = tensor<9xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{argument 0: 'tp.sharding': gives another local shape than 'tensor<3xf32>'}}
func.func private @f(tensor<3xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

tp.mesh @mesh = <["tp"=4]>
// expected-error @+1 {{result 0: 'tp.sharding': gives another local shape than 'tensor<8xf32>'}}
func.func private @f() -> (tensor<8xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.shardings' expects one sharding for each result}}
  %0 = arith.negf %x {tp.shardings = []} : tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.shardings' expects one sharding for each result}}
  %0 = arith.negf %x {tp.shardings = 1 : i64} : tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.shardings': expects a #tp.sharding, got 1}}
  %0 = arith.negf %x {tp.shardings = [1 : i64]} : tensor<8xf32>
  return
}

// -----

tp.mesh @mesh = <["tp"=4]>
func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{'tp.shardings': sharding has 0 dims, the tensor has 1}}
  %0 = arith.negf %x {tp.shardings = [#tp.sharding<@mesh, []>]} : tensor<8xf32>
  return
}

// -----

// expected-error @+1 {{'tp.roles': there is no axis "x"}}
tp.mesh @mesh = <["tp"=2]> {tp.roles = {x = "data_parallel"}}

// -----

// expected-error @+1 {{'tp.roles': the role of "tp" is "data_parallel" or "tensor_parallel", got "pipeline"}}
tp.mesh @mesh = <["tp"=2]> {tp.roles = {tp = "pipeline"}}

// -----

// expected-error @+1 {{'tp.roles' gives the axes of a mesh their roles}}
func.func private @f() attributes {tp.roles = {}}
