// What a style can get wrong, one message each, with its place.
// RUN: split-file %s %t
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/call.json" 2>&1 | FileCheck %s --check-prefix=CALL
// CALL: error: call.json: "w": expected ',' or ')' but found the end (column 40 of 'RowwiseParallel(output_layouts=Shard(1)')
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/layout.json" 2>&1 | FileCheck %s --check-prefix=LAYOUT
// LAYOUT: error: layout.json: "w": RowwiseParallel: output_layouts: Sharded(1) is no layout; did you mean Shard? (column 32 of 'RowwiseParallel(output_layouts=Sharded(1))')
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/dim.json" 2>&1 | FileCheck %s --check-prefix=DIM
// DIM: error: dim.json: "w": RowwiseParallel: output_layouts: Shard needs one dim, such as Shard(1) or Shard(dim=-1), got Shard()
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/argument.json" 2>&1 | FileCheck %s --check-prefix=ARGUMENT
// ARGUMENT: error: argument.json: "w": ColwiseParallel has no argument "output_layout"; did you mean "output_layouts"? (column 1 of
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/many.json" 2>&1 | FileCheck %s --check-prefix=MANY
// MANY: error: many.json: "w": SequenceParallel takes sequence_dim, use_local_output, got 3 arguments
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/lengths.json" 2>&1 | FileCheck %s --check-prefix=LENGTHS
// LENGTHS: error: lengths.json: "w": PrepareModuleInput: input_layouts has 2 layouts and desired_input_layouts has 1
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/partial.json" 2>&1 | FileCheck %s --check-prefix=PARTIAL
// PARTIAL: error: partial.json: "w": Partial() cannot be asked for as the desired input
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/absent.json" 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: absent.json: "w": "w" has no input 1 to be Shard(0); it has "0"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/keyword.json" 2>&1 | FileCheck %s --check-prefix=KEYWORD
// KEYWORD: error: keyword.json: "w": "w" has no input "hidden" to be Shard(0); it has "0"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/rank.json" 2>&1 | FileCheck %s --check-prefix=RANK
// RANK: error: rank.json: "w": Shard(2) of output "0" of "w", which has 2 dims
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/parameter.json" 2>&1 | FileCheck %s --check-prefix=PARAMETER
// PARAMETER: error: parameter.json: "norm": colwise shards dim -2, but "norm.weight" has 1 dim
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/container.json" 2>&1 | FileCheck %s --check-prefix=CONTAINER
// CONTAINER: error: container.json: "block": colwise shards weights, but "block" has none of its own; name the modules below it
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/taken.json" 2>&1 | FileCheck %s --check-prefix=TAKEN
// TAKEN: error: taken.json: style "colwise" is there already (Hugging Face); say "override": true to replace it
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/nothing.json" 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: nothing.json: style "colwize" has nothing to override; did you mean "colwise"?
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/field.json" 2>&1 | FileCheck %s --check-prefix=FIELD
// FIELD: error: field.json: style "mine": unknown field "wieght"; did you mean "weight"?
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/type.json" 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: type.json: "w": 7 is no style; a style is a name or a call, such as ColwiseParallel()
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/tied.json" 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: tied.json: parameter "w.weight" is asked for in two ways along "tp": Shard(0) by "w": colwise and Shard(1) by "w.weight": rowwise

//--- call.json
{"w": "RowwiseParallel(output_layouts=Shard(1)"}
//--- layout.json
{"w": "RowwiseParallel(output_layouts=Sharded(1))"}
//--- dim.json
{"w": "RowwiseParallel(output_layouts=Shard())"}
//--- argument.json
{"w": "ColwiseParallel(output_layout=Replicate())"}
//--- many.json
{"w": "SequenceParallel(1, True, 2)"}
//--- lengths.json
{"w": "PrepareModuleInput(input_layouts=(Shard(0), None), desired_input_layouts=Replicate())"}
//--- partial.json
{"w": "PrepareModuleInput(input_layouts=Shard(0), desired_input_layouts=Partial())"}
//--- absent.json
{"w": "PrepareModuleInput(input_layouts=(None, Shard(0)), desired_input_layouts=(None, Replicate()))"}
//--- keyword.json
{"w": "PrepareModuleInput(input_kwarg_layouts=dict(hidden=Shard(0)))"}
//--- rank.json
{"w": "ColwiseParallel(output_layouts=Shard(2))"}
//--- parameter.json
{"norm": "colwise"}
//--- container.json
{"block": "colwise"}
//--- taken.json
{"styles": {"colwise": {"weight": "Shard(0)"}}, "plan": {"w": "colwise"}}
//--- nothing.json
{"styles": {"colwize": {"weight": "Shard(0)", "override": true}}, "plan": {"w": "colwise"}}
//--- field.json
{"styles": {"mine": {"wieght": "Shard(0)"}}, "plan": {"w": "mine"}}
//--- type.json
{"w": 7}
//--- tied.json
{"w": "colwise", "w.weight": "rowwise"}
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %g: tensor<8xf32> {nn.parameter = #nn.parameter<name = "norm.weight", tensor = "g", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "ones">}) -> tensor<4x32xf32> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %1 = nn.boundary %0 "input" "0" of "block" : tensor<4x8xf32>
  %2 = nn.boundary %1 "input" "0" of "w" : tensor<4x8xf32>
  %3 = nn.contract %2, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %4 = nn.boundary %3 "output" "0" of "w" : tensor<4x32xf32>
  return %4 : tensor<4x32xf32>
}
