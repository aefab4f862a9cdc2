// RUN: tp-opt %s --rt-expand-math --verify-diagnostics

func.func private @unknown(%x: i32) -> i32 attributes {rt.kernel} {
  // expected-error @+1 {{failed to legalize operation 'math.ipowi'}}
  %0 = math.ipowi %x, %x : i32
  return %0 : i32
}
