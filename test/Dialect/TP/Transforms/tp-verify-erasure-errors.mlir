// RUN: tp-opt %s -tp-verify-erasure --split-input-file --verify-diagnostics \
// RUN:   -allow-unregistered-dialect

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

// -----

// The mask was dropped: of which splat this is a part, and how many elements the
// devices have of it, nothing says. Twice four elements are not three.
tp.mesh @mesh = <["tp"=2]>
func.func @splat_unmasked() -> (tensor<f32> {tp.sharding = #tp.sharding<@mesh, []>}) {
  %0 = arith.constant dense<2.0> : tensor<4xf32>
  // expected-error @+1 {{'nn.reduce' is of 4 elements along a dim that is of size 3 in the program before sharding}}
  %1 = nn.reduce %0 "sum" dims [0] : (tensor<4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @splat_unmasked() -> tensor<f32> {
    %0 = arith.constant dense<2.0> : tensor<3xf32>
    // expected-note @+1 {{it is a part of this}}
    %1 = nn.reduce %0 "sum" dims [0] : (tensor<3xf32>) -> tensor<f32>
    return %1 : tensor<f32>
  }
}

// -----

// The same of indices, which no mask keeps to the true size.
tp.mesh @mesh = <["tp"=2]>
func.func @index_unmasked() -> (tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = nn.iota from %start dim 0 : tensor<2xi32>
  %f = arith.sitofp %0 : tensor<2xi32> to tensor<2xf32>
  // expected-error @+1 {{'nn.reduce' is of 4 elements along a dim that is of size 3 in the program before sharding}}
  %1 = nn.reduce %f "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @index_unmasked() -> tensor<f32> {
    %0 = nn.iota dim 0 : tensor<3xi32>
    %f = arith.sitofp %0 : tensor<3xi32> to tensor<3xf32>
    // expected-note @+1 {{it is a part of this}}
    %1 = nn.reduce %f "sum" dims [0] : (tensor<3xf32>) -> tensor<f32>
    return %1 : tensor<f32>
  }
}

// -----

// The softmax of two equal numbers is not that of four.
tp.mesh @mesh = <["tp"=2]>
func.func @softmax() -> (tensor<2xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = arith.constant dense<2.0> : tensor<2xf32>
  // expected-error @+1 {{'nn.softmax' is of 2 elements along a dim that is of size 4 in the program before sharding}}
  %1 = nn.softmax %0 dim 0 : tensor<2xf32>
  return %1 : tensor<2xf32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @softmax() -> tensor<4xf32> {
    %0 = arith.constant dense<2.0> : tensor<4xf32>
    // expected-note @+1 {{it is a part of this}}
    %1 = nn.softmax %0 dim 0 : tensor<4xf32>
    return %1 : tensor<4xf32>
  }
}

// -----

// Half of a splat, put before something whole.
func.func @concat(%x: tensor<3xf32>) -> tensor<f32> {
  %0 = arith.constant dense<2.0> : tensor<2xf32>
  // expected-error @+1 {{'nn.concat' is of 5 elements along a dim that is of size 7 in the program before sharding}}
  %1 = nn.concat %0, %x dim 0 : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>
  %2 = nn.reduce %1 "sum" dims [0] : (tensor<5xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
tp.program {
  func.func @concat(%x: tensor<3xf32>) -> tensor<f32> {
    %0 = arith.constant dense<2.0> : tensor<4xf32>
    // expected-note @+1 {{it is a part of this}}
    %1 = nn.concat %0, %x dim 0 : (tensor<4xf32>, tensor<3xf32>) -> tensor<7xf32>
    %2 = nn.reduce %1 "sum" dims [0] : (tensor<7xf32>) -> tensor<f32>
    return %2 : tensor<f32>
  }
}

// -----

// Rows that a splat adds to a gradient: padding adds to them too.
tp.mesh @mesh = <["tp"=2]>
func.func @gradient() -> (tensor<5x2xf32> {tp.global = tensor<5x2xf32>}) {
  %ids = arith.constant dense<1> : tensor<4xi32>
  %0 = arith.constant dense<2.0> : tensor<4x2xf32>
  // expected-error @+1 {{'nn.embedding_gradient' is of 4 elements along a dim that is of size 3 in the program before sharding}}
  %1 = nn.embedding_gradient %ids, %0 of 5 : (tensor<4xi32>, tensor<4x2xf32>) -> tensor<5x2xf32>
  return %1 : tensor<5x2xf32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @gradient() -> tensor<5x2xf32> {
    %ids = arith.constant dense<1> : tensor<3xi32>
    %0 = arith.constant dense<2.0> : tensor<3x2xf32>
    // expected-note @+1 {{it is a part of this}}
    %1 = nn.embedding_gradient %ids, %0 : (tensor<3xi32>, tensor<3x2xf32>) -> tensor<5x2xf32>
    return %1 : tensor<5x2xf32>
  }
}

// -----

// Of two sums of splats, this is the other one.
func.func @which() -> (tensor<f32>, tensor<f32>) {
  %0 = arith.constant dense<2.0> : tensor<3xf32>
  %1 = arith.constant dense<2.0> : tensor<4xf32>
  // expected-note @+1 {{it is this}}
  %2 = nn.reduce %0 "sum" dims [0] : (tensor<3xf32>) -> tensor<f32>
  %3 = nn.reduce %1 "sum" dims [0] : (tensor<4xf32>) -> tensor<f32>
  // expected-error @+1 {{result 1 is not what the program before sharding returns}}
  return %3, %2 : tensor<f32>, tensor<f32>
}
tp.program {
  func.func @which() -> (tensor<f32>, tensor<f32>) {
    %0 = arith.constant dense<2.0> : tensor<3xf32>
    %1 = arith.constant dense<2.0> : tensor<4xf32>
    %2 = nn.reduce %0 "sum" dims [0] : (tensor<3xf32>) -> tensor<f32>
    // expected-note @+1 {{and should be this}}
    %3 = nn.reduce %1 "sum" dims [0] : (tensor<4xf32>) -> tensor<f32>
    return %3, %3 : tensor<f32>, tensor<f32>
  }
}

// -----

// A splat of another size is not the same result, though it is computed alike.
func.func @result_size() -> tensor<4xf32> {
  // expected-note @+1 {{it is this}}
  %0 = arith.constant dense<2.0> : tensor<4xf32>
  // expected-error @+1 {{result 0 is not what the program before sharding returns}}
  return %0 : tensor<4xf32>
}
tp.program {
  func.func @result_size() -> tensor<3xf32> {
    // expected-note @+1 {{and should be this}}
    %0 = arith.constant dense<2.0> : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
}

// -----

// What placements refuse is refused here too: what a value is a part of follows
// from where its parts lie.
tp.mesh @mesh = <["tp"=2]>
func.func @placement(%x: tensor<4xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<f32> {tp.global = tensor<f32>}) {
  // expected-note @+1 {{through 'nn.reduce'}}
  %0 = nn.reduce %x "sum" dims [0] : (tensor<4xf32>) -> tensor<f32>
  // expected-error @+1 {{result 0 is declared [tp: Replicate] of 'tensor<f32>' but is [tp: Partial(sum)]}}
  return %0 : tensor<f32>
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  func.func @placement(%x: tensor<8xf32>) -> tensor<f32> {
    %0 = nn.reduce %x "sum" dims [0] : (tensor<8xf32>) -> tensor<f32>
    return %0 : tensor<f32>
  }
}

// -----

// Where a shard begins is no value of the global program.
tp.mesh @mesh = <["tp"=2]>
func.func @start(%x: index) -> index {
  // expected-note @+1 {{it is this}}
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  // expected-error @+1 {{result 0 is not what the program before sharding returns}}
  return %start : index
}
tp.program {
  tp.mesh @mesh = <["tp"=2]>
  // expected-note @+1 {{and should be this}}
  func.func @start(%x: index) -> index {
    return %x : index
  }
}

// -----

// An op without a rule has no parts.
func.func @no_rule(%x: tensor<4xf32>) {
  // expected-error @+1 {{'my.op' has no sharding rule, so nothing can be proved of it}}
  "my.op"(%x) : (tensor<4xf32>) -> ()
  return
}
tp.program {
  func.func @no_rule(%x: tensor<4xf32>) {
    "my.op"(%x) : (tensor<4xf32>) -> ()
    return
  }
}
