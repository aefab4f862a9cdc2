// RUN: tp-opt %s --rt-expand-math=keep-functions | FileCheck %s

// Functions stay; bf16 is still widened, and divisions still do not trap.
// CHECK-LABEL: func.func private @kernel
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK: math.exp %{{.*}} : f32
// CHECK: %[[SINE:.*]] = math.sin %{{.*}} : f32
// CHECK: arith.truncf %[[SINE]]{{.*}} : f32 to bf16
// CHECK: arith.select
// CHECK: arith.divsi
// CHECK-NOT: @expf
func.func private @kernel(%x: f32, %y: bf16, %i: i32, %j: i32) -> (f32, bf16, i32) attributes {rt.kernel} {
  %0 = math.exp %x : f32
  %1 = math.sin %y : bf16
  %2 = arith.divsi %i, %j : i32
  return %0, %1, %2 : f32, bf16, i32
}
