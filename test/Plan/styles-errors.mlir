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
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/pair.json" 2>&1 | FileCheck %s --check-prefix=PAIR
// PAIR: error: pair.json: "w": PrepareModuleInput: "0" has the input layout Shard(0) and no desired input layout; give both, or None for one
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/other.json" 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: other.json: "w": PrepareModuleInput: "x" has the desired input layout Shard(0) and no input layout; give both, or None for one
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/position.json" 2>&1 | FileCheck %s --check-prefix=POSITION
// POSITION: error: position.json: "block": input "x" of "block" is given twice: by keyword and by position 0
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/keyword-rank.json" 2>&1 | FileCheck %s --check-prefix=KEYWORD-RANK
// KEYWORD-RANK: error: keyword-rank.json: "block": Shard(2) of input "x" of "block", which has 2 dims
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/average.json" 2>&1 | FileCheck %s --check-prefix=AVERAGE
// AVERAGE: error: average.json: "w": PrepareModuleOutput: output_layouts: Partial("avg") is no layout; Partial takes "sum", "max" or "min", and a mean is a sum that the graph divides: Partial() works (column 36 of
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/maximum.json" 2>&1 | FileCheck %s --check-prefix=MAXIMUM
// MAXIMUM: remark: maximum.json: "w": Partial(reduce_op="max") is taken as Partial(): the ops that leave a value partial say how it is reduced
// MAXIMUM-NOT: remark

// What would ask nothing, or lose what it asks: an error, or a remark.
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/weight.json" 2>&1 | FileCheck %s --check-prefix=WEIGHT
// WEIGHT: error: weight.json: "w.weight": ColwiseParallel(output_layouts=Replicate()) speaks of inputs or outputs, which the parameter "w.weight" has not; name the module "w"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/gathered.json" 2>&1 | FileCheck %s --check-prefix=GATHERED
// GATHERED: error: gathered.json: "w.weight": colwise_rep speaks of inputs or outputs
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/gathered-remark.json" 2>&1 | FileCheck %s --check-prefix=WEAKER
// WEAKER: remark: gathered-remark.json: "w.weight": colwise_rep speaks of inputs or outputs, which the parameter "w.weight" has not; name the module "w"; only the parameter is sharded
// WEAKER: tp.request = [{axis = "tp", dim = 0 : i64, entry = "w.weight", style = "colwise_rep"}]
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/input.json" 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: input.json: "w.weight": PrepareModuleInput(input_layouts=Shard(0), desired_input_layouts=Replicate()) asks nothing of a parameter such as "w.weight"; name the module "w"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/table.json" 2>&1 | FileCheck %s --check-prefix=TABLE
// TABLE: error: table.json: "w": embedding_rowwise says nothing of "w.weight", which is no table that is looked up; colwise and rowwise say something of it
// RUN: not tp-opt %t/ids.mlir --tp-apply-plan="mesh=tp=2 plan=%t/linear.json" 2>&1 | FileCheck %s --check-prefix=LINEAR
// LINEAR: error: linear.json: "w": grouped_gemm says nothing of "w.weight", which is a table that is looked up; colwise and rowwise do
// RUN: not tp-opt %t/ids.mlir --tp-apply-plan="mesh=tp=2 plan=%t/sequence.json" 2>&1 | FileCheck %s --check-prefix=SEQUENCE
// SEQUENCE: error: sequence.json: "": input "ids" of the model holds ids, and sequence_parallel makes activations Shard(1); name the modules that it is meant for, or say PrepareModuleInput with layouts
// RUN: not tp-opt %t/ids.mlir --tp-apply-plan="mesh=tp=2 plan=%t/loss.json" 2>&1 | FileCheck %s --check-prefix=LOSS
// LOSS: error: loss.json: "": input "ids" of the model holds ids, and loss_parallel makes activations Shard(-1)
// RUN: tp-opt %t/ids.mlir --tp-apply-plan="mesh=tp=2 plan=%t/sequence-remark.json" 2>&1 | FileCheck %s --check-prefix=SEQUENCE-REMARK
// SEQUENCE-REMARK: remark: sequence-remark.json: "": input "ids" of the model holds ids{{.*}}; nothing is asked of ids
// SEQUENCE-REMARK: nn.boundary {{.*}} "output" "0" of "(root)" {{.*}}dim = 1 : i64

//--- pair.json
{"w": "PrepareModuleInput(input_kwarg_layouts={'0': Shard(0)})"}
//--- other.json
{"w": "PrepareModuleInput(input_kwarg_layouts={'0': Shard(0)}, desired_input_kwarg_layouts={'0': None, 'x': Shard(0)})"}
//--- position.json
{"block": {"style": "PrepareModuleInput", "desired_input_kwarg_layouts": {"x": "Replicate()"}, "desired_input_layouts": "Replicate()",
           "input_kwarg_layouts": {"x": "Shard(1)"}, "input_layouts": "Shard(0)"}}
//--- keyword-rank.json
{"block": "PrepareModuleInput(input_kwarg_layouts={'x': Shard(2)}, desired_input_kwarg_layouts={'x': None})"}
//--- average.json
{"w": "PrepareModuleOutput(output_layouts=Partial('avg'), desired_output_layouts=Replicate())"}
//--- maximum.json
{"w": "PrepareModuleOutput(output_layouts=Partial(reduce_op='max'), desired_output_layouts=Replicate())"}
//--- weight.json
{"w.weight": "ColwiseParallel(output_layouts=Replicate())"}
//--- gathered.json
{"w.weight": "colwise_rep"}
//--- gathered-remark.json
{"when_unmet": "remark", "plan": {"w.weight": "colwise_rep"}}
//--- input.json
{"w.weight": "PrepareModuleInput(input_layouts=Shard(0), desired_input_layouts=Replicate())"}
//--- table.json
{"w": "embedding_rowwise"}
//--- linear.json
{"w": "grouped_gemm"}
//--- sequence.json
{"": "sequence_parallel"}
//--- loss.json
{"": "loss_parallel"}
//--- sequence-remark.json
{"when_unmet": "remark", "plan": {"": "sequence_parallel"}}
//--- ids.mlir
func.func @f(%ids: tensor<2x4xi32> {nn.input = "ids"},
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<2x4x8xf32> {
  %0 = nn.embedding %ids, %w : (tensor<2x4xi32>, tensor<32x8xf32>) -> tensor<2x4x8xf32>
  return %0 : tensor<2x4x8xf32>
}
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
{"w": "PrepareModuleInput(input_kwarg_layouts=dict(hidden=Shard(0)), desired_input_kwarg_layouts=dict(hidden=Replicate()))"}
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
  %1 = nn.boundary %0 "input" "x" of "block" : tensor<4x8xf32>
  %2 = nn.boundary %1 "input" "0" of "w" : tensor<4x8xf32>
  %3 = nn.contract %2, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %4 = nn.boundary %3 "output" "0" of "w" : tensor<4x32xf32>
  return %4 : tensor<4x32xf32>
}
