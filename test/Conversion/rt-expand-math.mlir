// RUN: tp-opt %s --rt-expand-math | FileCheck %s

// Exponentials vectorise; sines keep their accuracy for large arguments.
// CHECK-LABEL: func.func private @functions
// CHECK-NOT: math.exp
// CHECK: math.fma {{.*}} vector<4xf32>
// CHECK-COUNT-4: call @sinf
// CHECK: call @exp({{.*}}) : (f64) -> f64
// CHECK: math.rsqrt
func.func private @functions(%x: vector<4xf32>, %y: f64) -> (vector<4xf32>, vector<4xf32>, f64, f64) attributes {rt.kernel} {
  %0 = math.exp %x : vector<4xf32>
  %1 = math.sin %x : vector<4xf32>
  %2 = math.exp %y : f64
  %3 = math.rsqrt %y : f64
  return %0, %1, %2, %3 : vector<4xf32>, vector<4xf32>, f64, f64
}

// bf16 is computed in f32 and rounded with integer arithmetic.
// CHECK-LABEL: func.func private @narrow
// CHECK-NOT: arith.addf {{.*}}bf16
// CHECK: arith.addf %{{.*}} : vector<4xf32>
// CHECK-NOT: arith.truncf
// CHECK: arith.trunci %{{.*}} : vector<4xi32> to vector<4xi16>
func.func private @narrow(%x: vector<4xbf16>) -> vector<4xbf16> attributes {rt.kernel} {
  %0 = arith.addf %x, %x : vector<4xbf16>
  return %0 : vector<4xbf16>
}

// Division by what padding holds does not trap, nor the least number by -1.
// CHECK-LABEL: func.func private @divide
// CHECK-DAG: %[[ZERO:.*]] = arith.cmpi eq, %{{.*}}, %c0_i32
// CHECK-DAG: %[[MINUS:.*]] = arith.cmpi eq, %{{.*}}, %c-1_i32
// CHECK: %[[TRAPS:.*]] = arith.ori %[[ZERO]], %[[MINUS]]
// CHECK: %[[SAFE:.*]] = arith.select %[[TRAPS]], %c1_i32
// CHECK: %[[QUOTIENT:.*]] = arith.divsi %{{.*}}, %[[SAFE]]
// CHECK: arith.select %[[MINUS]], %{{.*}}, %[[QUOTIENT]]
// CHECK: arith.remsi
func.func private @divide(%a: i32, %b: i32) -> (i32, i32) attributes {rt.kernel} {
  %0 = arith.divsi %a, %b : i32
  %1 = arith.remsi %a, %b : i32
  return %0, %1 : i32, i32
}
