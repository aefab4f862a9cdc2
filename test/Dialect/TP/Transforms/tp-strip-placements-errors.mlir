// RUN: tp-opt %s -tp-strip-placements -split-input-file -verify-diagnostics

tp.mesh @mesh = <["tp"=2]>
// expected-error @below {{is what one device runs: there is no program of one device to go back to}}
func.func @f(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<8xf32>) {
  // expected-error @below {{is what one device runs}}
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<16xf32>
  return
}
