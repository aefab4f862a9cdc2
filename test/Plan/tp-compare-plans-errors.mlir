// What is no cost is not compared with, and goes.
// RUN: tp-opt %s --tp-compare-plans 2>&1 | FileCheck %s
// CHECK-NOT: remark
// CHECK: module {
// CHECK-NOT: tp.automatic
module attributes {tp.automatic = {bytes = "few"}} {
  func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}
