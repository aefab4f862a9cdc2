// RUN: tp-opt %s -tp-verify-erasure --split-input-file --verify-diagnostics

// Placements are right throughout; the values are not.
func.func @swapped(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'arith.subf' computes what the program before sharding does not}}
  %0 = arith.subf %y, %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
tp.program {
  func.func @swapped(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    %0 = arith.subf %x, %y : tensor<8xf32>
    return %0 : tensor<8xf32>
  }
}

// -----

func.func @attribute(%x: tensor<4x8xf32>, %g: tensor<8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{'nn.rms_norm' computes what the program before sharding does not}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-6 : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
tp.program {
  func.func @attribute(%x: tensor<4x8xf32>, %g: tensor<8xf32>) -> tensor<4x8xf32> {
    // expected-note @+1 {{on the same operands it has 'nn.rms_norm'}}
    %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}

// -----

// expected-note @+1 {{it is this}}
func.func @result(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{result 0 is not what the program before sharding returns}}
  return %x : tensor<8xf32>
}
tp.program {
  // expected-note @+1 {{and should be this}}
  func.func @result(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    return %y : tensor<8xf32>
  }
}

// -----

// A larger table than there was.
// expected-error @+1 {{argument 0 is part of 'tensor<16xf32>', not of 'tensor<8xf32>'}}
func.func @argument(%x: tensor<16xf32> {tp.global = tensor<16xf32>}) {
  return
}
tp.program {
  func.func @argument(%x: tensor<8xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{has 2 arguments, the program that it is made from has 1}}
func.func @arguments(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  return
}
tp.program {
  func.func @arguments(%x: tensor<8xf32>) {
    return
  }
}

// -----

func.func @results(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  // expected-error @+1 {{has 2 results, the program before sharding has 1}}
  return %x, %x : tensor<8xf32>, tensor<8xf32>
}
tp.program {
  func.func @results(%x: tensor<8xf32>) -> tensor<8xf32> {
    return %x : tensor<8xf32>
  }
}

// -----

tp.program {
  // expected-error @+1 {{there is no function of this name and of one block to compare with}}
  func.func @gone(%x: tensor<8xf32>) {
    return
  }
}

// -----

// Of two splats, neither is what the part is of.
func.func @splats(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<6xf32>) {
  %0 = arith.constant dense<2.0> : tensor<4xf32>
  // expected-error @+1 {{'arith.addf' computes what the program before sharding does not}}
  %1 = arith.addf %x, %0 : tensor<4xf32>
  %2 = arith.constant dense<2.0> : tensor<6xf32>
  return %1, %2 : tensor<4xf32>, tensor<6xf32>
}
tp.program {
  func.func @splats(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<6xf32>) {
    %0 = arith.constant dense<1.0> : tensor<4xf32>
    %1 = arith.addf %x, %0 : tensor<4xf32>
    %2 = arith.constant dense<2.0> : tensor<6xf32>
    return %1, %2 : tensor<4xf32>, tensor<6xf32>
  }
}

// -----

// A splat of another rank is not the same value.
func.func @rank() -> tensor<4xf32> {
  // expected-error @+1 {{'arith.constant' computes what the program before sharding does not}}
  %0 = arith.constant dense<1.0> : tensor<4xf32>
  return %0 : tensor<4xf32>
}
tp.program {
  func.func @rank() -> tensor<2x2xf32> {
    // expected-note @+1 {{on the same operands it has}}
    %0 = arith.constant dense<1.0> : tensor<2x2xf32>
    return %0 : tensor<2x2xf32>
  }
}

// -----

// A splat is right for every size; the mask is not.
tp.mesh @mesh = <["tp"=2]>
func.func @masked() -> (tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = arith.constant dense<2.0> : tensor<2xf32>
  // expected-error @+1 {{'tp.mask' op masks from 3 on, but in the program before sharding dim 0 is of size 4}}
  %1 = tp.mask %0 dim 0 from %start size 3 fill 0.0 : tensor<2xf32>
  %2 = nn.reduce %1 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @masked() -> tensor<f32> {
    %0 = arith.constant dense<2.0> : tensor<4xf32>
    %1 = nn.reduce %0 "sum" dims [0] : (tensor<4xf32>) -> tensor<f32>
    return %1 : tensor<f32>
  }
}
