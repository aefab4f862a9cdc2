// RUN: tp-opt %s --tp-plan-memory --split-input-file --verify-diagnostics

// expected-error @+1 {{argument 0 must be a tensor of static shape to be lowered, got 'tensor<?xf32>'}}
func.func @dynamic(%x: tensor<?xf32>) {
  return
}

// -----

// expected-error @+1 {{argument 0 of type 'tensor<1152921504606846976x64xf32>' is too large to be addressed}}
func.func @huge(%x: tensor<1152921504606846976x64xf32>) {
  return
}

// -----

// expected-error @+1 {{argument 0 of type 'tensor<1x1x1x1x1x1x1x1x2xf32>' has more than 8 dims}}
func.func @rank(%x: tensor<1x1x1x1x1x1x1x1x2xf32>) {
  return
}

// -----

func.func @unknown(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'arith.addf' op has no lowering to the runtime}}
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @region(%n: index, %x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
// expected-error @-3 {{argument 0 must be a tensor of static shape to be lowered, got 'index'}}

// -----

func.func @regions(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{'scf.for' op has no lowering to the runtime}}
  scf.for %i = %c0 to %c0 step %c0 {
  }
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{state "c" is no argument}}
func.func @no_argument(%x: tensor<4xf32>) -> (tensor<4xf32> {nn.state = "c"}) {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{state "c" is two arguments}}
func.func @two_arguments(%x: tensor<4xf32> {nn.state = "c"}, %y: tensor<4xf32> {nn.state = "c"}) {
  return
}

// -----

// expected-error @+1 {{state "c" is two results}}
func.func @two_results(%x: tensor<4xf32> {nn.state = "c"})
    -> (tensor<4xf32> {nn.state = "c"}, tensor<4xf32> {nn.state = "c"}) {
  return %x, %x : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{state "c" comes as 'tensor<4xf32>' and leaves as 'tensor<5xf32>'}}
func.func @other_type(%x: tensor<4xf32> {nn.state = "c"}, %y: tensor<5xf32>)
    -> (tensor<5xf32> {nn.state = "c"}) {
  return %y : tensor<5xf32>
}

// -----

// expected-error @+1 {{argument 0 must be a tensor of static shape to be lowered, got '!tp.pending<tensor<2xf32>>'}}
func.func @pending(%x: !tp.pending<tensor<2xf32>>) {
  return
}
