// RUN: tp-opt %s --tp-plan-memory --split-input-file --verify-diagnostics | FileCheck %s

// Buffers that are never live together share the arena; what is returned is
// written where the caller wants it.
// CHECK-LABEL: @chain
// CHECK-SAME: rt.arena_bytes = 4096 : i64
// CHECK-SAME: rt.memory = {arena = 4096 : i64, inputs = 4096 : i64, outputs = 2048 : i64, parameters = 0 : i64, state = 0 : i64}
// CHECK: nn.slice {{.*}}rt.places = [#rt.place<arena 0>]
// CHECK: nn.transpose {{.*}}rt.places = [#rt.place<arena 2048>]
// CHECK: nn.transpose {{.*}}rt.places = [#rt.place<arena 0>]
// CHECK: nn.reshape {{.*}}rt.places = [#rt.place<operand 0>]
// CHECK: nn.slice {{.*}}rt.places = [#rt.place<result 0>]
func.func @chain(%x: tensor<16x64xf32>) -> tensor<8x64xf32> {
  %s = nn.slice %x offsets [0, 0] strides [1, 1] : (tensor<16x64xf32>) -> tensor<8x64xf32>
  %0 = nn.transpose %s [1, 0] : (tensor<8x64xf32>) -> tensor<64x8xf32>
  %1 = nn.transpose %0 [1, 0] : (tensor<64x8xf32>) -> tensor<8x64xf32>
  %2 = nn.reshape %1 : (tensor<8x64xf32>) -> tensor<4x128xf32>
  %3 = nn.reshape %2 : (tensor<4x128xf32>) -> tensor<8x64xf32>
  %4 = nn.slice %3 offsets [0, 0] strides [1, 1] : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %4 : tensor<8x64xf32>
}

// -----

// A kernel works in place on an operand that dies there; not on an argument.
// CHECK-LABEL: @in_place
// CHECK: rt.fused
// CHECK: arith.negf
// CHECK: rt.fused
// CHECK-SAME: rt.places = [#rt.place<operand 0>]
// CHECK: arith.mulf
func.func @in_place(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = rt.fused (%a = %x : tensor<8xf32>) -> tensor<8xf32> {
    %1 = arith.negf %a : tensor<8xf32>
    rt.yield %1 : tensor<8xf32>
  }
  %2 = rt.fused (%a = %0 : tensor<8xf32>, %b = %x : tensor<8xf32>) -> tensor<8xf32> {
    %3 = arith.mulf %a, %b : tensor<8xf32>
    rt.yield %3 : tensor<8xf32>
  }
  return %2 : tensor<8xf32>
}

// -----

// An operand that a broadcast reads at other elements cannot be overwritten.
// CHECK-LABEL: @read_elsewhere
// CHECK: nn.transpose {{.*}}#rt.place<arena
// CHECK: rt.fused
// CHECK-SAME: #rt.place<result 0>
func.func @read_elsewhere(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = nn.transpose %x [0] : (tensor<8xf32>) -> tensor<8xf32>
  %1 = rt.fused (%a = %0 : tensor<8xf32>) -> tensor<8xf32> {
    %2 = nn.broadcast %a dims [0] : (tensor<8xf32>) -> tensor<8xf32>
    rt.yield %2 : tensor<8xf32>
  }
  return %1 : tensor<8xf32>
}

// -----

// State is updated where it is.
// CHECK-LABEL: @cache
// CHECK-NOT: rt.clone
// CHECK: nn.cache_update {{.*}}rt.places = [#rt.place<operand 0>]
// CHECK-NOT: rt.clone
func.func @cache(%c: tensor<1x8x4xf32> {nn.state = "c"}, %u: tensor<1x2x4xf32>, %p: tensor<i32>)
    -> (tensor<1x8x4xf32> {nn.state = "c"}) {
  %0 = nn.cache_update %c, %u at %p length %p : (tensor<1x8x4xf32>, tensor<1x2x4xf32>,
      tensor<i32>, tensor<i32>) -> tensor<1x8x4xf32>
  return %0 : tensor<1x8x4xf32>
}

// -----

// ... unless its old content is read afterwards.
// CHECK-LABEL: @cache_read_later
// CHECK: %[[COPY:.*]] = rt.clone %arg0 {rt.places = [#rt.place<arena 0>]}
// CHECK: %[[NEW:.*]] = nn.cache_update %[[COPY]]
// CHECK: %[[Y:.*]] = rt.clone %arg0 {rt.places = [#rt.place<result 1>]}
// CHECK: %[[C:.*]] = rt.clone %[[NEW]] {rt.places = [#rt.place<argument 0>]}
// CHECK: return %[[C]], %[[Y]]
func.func @cache_read_later(%c: tensor<1x8x4xf32> {nn.state = "c"}, %u: tensor<1x2x4xf32>, %p: tensor<i32>)
    -> (tensor<1x8x4xf32> {nn.state = "c"}, tensor<1x8x4xf32> {nn.output = "y"}) {
  // expected-remark @+2 {{state "c" is copied: its old content is used after this update}}
  // expected-remark @+1 {{state "c" is copied: its new content could not be computed in place}}
  %0 = nn.cache_update %c, %u at %p length %p : (tensor<1x8x4xf32>, tensor<1x2x4xf32>,
      tensor<i32>, tensor<i32>) -> tensor<1x8x4xf32>
  return %0, %c : tensor<1x8x4xf32>, tensor<1x8x4xf32>
}

// -----

// New state is computed straight into the argument once the old one is dead.
// CHECK-LABEL: @replaced
// CHECK: nn.transpose %arg0 {{.*}}#rt.place<result 0>
// CHECK: nn.transpose %arg1 {{.*}}#rt.place<argument 0>
func.func @replaced(%c: tensor<2x3xf32> {nn.state = "c"}, %x: tensor<3x2xf32>)
    -> (tensor<3x2xf32> {nn.output = "y"}, tensor<2x3xf32> {nn.state = "c"}) {
  %0 = nn.transpose %c [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = nn.transpose %x [1, 0] : (tensor<3x2xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<2x3xf32>
}

// -----

// Of two states that could be overwritten, the one that the result becomes.
// CHECK-LABEL: @home
// CHECK: rt.fused
// CHECK-SAME: rt.places = [#rt.place<operand 1>]
// CHECK-NOT: rt.clone
func.func @home(%m: tensor<8xf32> {nn.state = "m"}, %v: tensor<8xf32> {nn.state = "v"}, %x: tensor<8xf32>)
    -> (tensor<8xf32> {nn.state = "m"}, tensor<8xf32> {nn.state = "v"}) {
  %0 = rt.fused (%a = %m : tensor<8xf32>, %b = %v : tensor<8xf32>) -> tensor<8xf32> {
    %1 = arith.mulf %a, %b : tensor<8xf32>
    rt.yield %1 : tensor<8xf32>
  }
  %2 = nn.slice %x offsets [0] strides [1] : (tensor<8xf32>) -> tensor<8xf32>
  return %2, %0 : tensor<8xf32>, tensor<8xf32>
}

// -----

// Collectives: an all-reduce may run in place.
// CHECK-LABEL: @all_reduce
// CHECK: nn.transpose {{.*}}#rt.place<result 0>
// CHECK: tp.all_reduce {{.*}}#rt.place<operand 0>
tp.mesh @mesh = <["tp"=2]>
func.func @all_reduce(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %0 = nn.transpose %x [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

// What a collective that is started reads and writes is nobody else's until it
// is waited for: the kernel in between neither works in place on its operand nor
// takes the memory of either, though nothing else reads them; the one after does.
// CHECK-LABEL: @pending
// CHECK: nn.transpose {{.*}}#rt.place<arena 0>
// CHECK: tp.all_gather {{.*}}#rt.place<arena 64>
// CHECK: nn.slice {{.*}}#rt.place<arena 128>
// CHECK: tp.wait {{.*}}#rt.place<operand 0>
// CHECK: nn.transpose {{.*}}#rt.place<arena 0>
tp.mesh @mesh = <["tp"=2]>
func.func @pending(%x: tensor<2x3xf32>) -> (tensor<6x2xf32>, tensor<3x2xf32>) {
  %0 = nn.transpose %x [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<3x2xf32>) -> !tp.pending<tensor<6x2xf32>>
  %2 = nn.slice %x offsets [0, 0] strides [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = tp.wait %1 : !tp.pending<tensor<6x2xf32>>
  %4 = nn.transpose %2 [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %5 = nn.slice %4 offsets [0, 0] strides [1, 1] : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = nn.slice %3 offsets [0, 0] strides [1, 1] : (tensor<6x2xf32>) -> tensor<6x2xf32>
  return %6, %5 : tensor<6x2xf32>, tensor<3x2xf32>
}

// -----

// Started in place, where nothing else reads the operand.
// CHECK-LABEL: @pending_in_place
// CHECK: tp.all_reduce {{.*}}#rt.place<operand 0>
// CHECK: nn.slice {{.*}}#rt.place<arena 0>
tp.mesh @mesh = <["tp"=2]>
func.func @pending_in_place(%x: tensor<2x3xf32>) -> (tensor<3x2xf32>, tensor<2x3xf32>) {
  %0 = nn.transpose %x [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x2xf32>) -> !tp.pending<tensor<3x2xf32>>
  %2 = nn.slice %x offsets [0, 0] strides [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = nn.slice %2 offsets [0, 0] strides [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = tp.wait %1 : !tp.pending<tensor<3x2xf32>>
  return %4, %3 : tensor<3x2xf32>, tensor<2x3xf32>
}
