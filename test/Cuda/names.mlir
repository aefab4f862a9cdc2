// RUN: tp-opt %s --tp-emit-cuda | FileCheck %s

// Names become identifiers, each once, and end no comment and no string.
// CHECK: // results[0]: y?, 4 f32{{$}}
// CHECK: tprt_status run_a_b(
// CHECK: float *int_1 = at<float>(arguments[0], 0);
// CHECK: float *a_b = at<float>(arguments[1], 0);
// CHECK: float *a_b_1 = at<float>(arguments[2], 0);
// CHECK: // -- odd?name
// CHECK: tprt_status run_a_b_(
// CHECK: {"a.b", run_a_b, {{[0-9]+}}, 3, 1},
// CHECK: {"a\"b", run_a_b_, {{[0-9]+}}, 1, 1},
func.func @a.b(%x: tensor<4xf32> {nn.input = "int"}, %y: tensor<4xf32> {nn.input = "a.b"}, %z: tensor<4xf32> {nn.input = "a_b"})
    -> (tensor<4xf32> {nn.output = "y\0A"}) {
  %0 = arith.addf %x, %y : tensor<4xf32> loc("odd\5Cname")
  %1 = arith.addf %0, %z : tensor<4xf32> loc("odd\5Cname")
  return %1 : tensor<4xf32>
}
func.func @"a\"b"(%x: tensor<4xf32> {nn.input = "x"}) -> (tensor<4xf32> {nn.output = "y"}) {
  %0 = arith.negf %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
