// RUN: tp-opt %s -tp-plan-reshards --split-input-file --verify-diagnostics

tp.mesh @mesh = <["x"=2, "y"=3]>
func.func @other_op(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'arith.negf' is no tp.reshard; for whole programs there is tp-shard}}
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=3]>
// expected-error @+1 {{argument 0 must be a tensor of static shape, got 'index'}}
func.func @no_tensor(%x: index) {
  return
}

// -----

tp.mesh @mesh = <["x"=2, "y"=3]>
func.func @from(%x: tensor<6xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) -> tensor<6xf32> {
  // expected-error @+1 {{the operand is #tp.sharding<@mesh, [{"x"}]>, not #tp.sharding<@mesh, [{"y"}]>}}
  %0 = tp.reshard %x from <@mesh, [{"y"}]> to <@mesh, [{}]> : tensor<6xf32>
  return %0 : tensor<6xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=3]>
func.func @result(%x: tensor<6xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>})
    -> (tensor<6xf32> {tp.sharding = #tp.sharding<@mesh, [{"y"}]>}) {
  %0 = tp.reshard %x to <@mesh, [{}]> : tensor<6xf32>
  // expected-error @+1 {{result 0 is #tp.sharding<@mesh, [{}]>, not #tp.sharding<@mesh, [{"y"}]>}}
  return %0 : tensor<6xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=3]>
func.func @pads(%x: tensor<5xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"} pad 6]>}) -> tensor<5xf32> {
  // expected-error-re @+1 {{{{^}}dim 0 is padded to 12 here and to 6 before; a tensor is padded once}}
  %0 = tp.reshard %x to <@mesh, [{"x", "y"} pad 12]> : tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

tp.mesh @mesh = <["x"=2, "y"=3]>
func.func @pad_too_small(%x: tensor<5xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"} pad 8]>}) -> tensor<5xf32> {
  // expected-error @+1 {{dim 0 of padded extent 8 is not a multiple of 6, the size of the axes that it has}}
  %0 = tp.reshard %x to <@mesh, [{"x", "y"}]> : tensor<5xf32>
  return %0 : tensor<5xf32>
}
