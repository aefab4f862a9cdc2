// What a plan can get wrong, one message each.
// RUN: split-file %s %t
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/typo.json" 2>&1 | FileCheck %s --check-prefix=TYPO
// TYPO: error: typo.json: "feed_foward.w1" matches no module; did you mean "feed_forward.w1"? (2 layers have it)
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/style.json" 2>&1 | FileCheck %s --check-prefix=STYLE
// STYLE: error: style.json: "feed_forward.w1": unknown style "columnwise"; did you mean "colwise"? There are colwise, colwise_rep
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/not.json" 2>&1 | FileCheck %s --check-prefix=NOT
// NOT: error: not.json: not JSON
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/two.json" 2>&1 | FileCheck %s --check-prefix=TWO
// TWO: both match "layers.0.feed_forward.w1" and ask for different styles
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=0" 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: error: size of mesh axis "tp" must be positive, got 0
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=two" 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: error: size of mesh axis "tp" must be a number, got "two"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2,tp=2" 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: mesh axis "tp" occurs twice
// RUN: not tp-opt %t/model.mlir --tp-apply-plan 2>&1 | FileCheck %s --check-prefix=MESH
// MESH: error: a mesh is needed, such as mesh=tp=4 or mesh=dp=2,tp=4
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp" 2>&1 | FileCheck %s --check-prefix=LIST
// LIST: error: mesh "tp" must be a list of axis=size, such as dp=2,tp=4
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2" --tp-apply-plan="mesh=tp=2" 2>&1 | FileCheck %s --check-prefix=AGAIN
// AGAIN: error: the module has a mesh already: #tp.mesh<["tp"=2]>
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/list.json" 2>&1 | FileCheck %s --check-prefix=OBJECT
// OBJECT: error: list.json: a plan must be a JSON object
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/absent.json" 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: cannot read plan "{{.*}}absent.json": No such file or directory

//--- typo.json
{"feed_foward.w1": "colwise"}
//--- style.json
{"feed_forward.w1": "columnwise"}
//--- list.json
7
//--- not.json
{"feed_forward.w1"
//--- two.json
{"*.feed_forward.w1": "colwise", "feed_forward.w*": "rowwise"}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %a: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "layers.0.feed_forward.w1.weight", tensor = "a", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %b: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "layers.1.feed_forward.w1.weight", tensor = "b", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x32xf32> {
  %0 = nn.contract %x, %a "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
