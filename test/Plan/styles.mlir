// Every form of a style, and what its entries become.
// RUN: split-file %s %t
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/named.json" -o %t/named.mlir 2>%t/named.err
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/string.json" -o %t/string.mlir 2>%t/string.err
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/object.json" -o %t/object.mlir 2>%t/object.err
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/defined.json" -o %t/defined.mlir
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/derived.json" -o %t/derived.mlir
// RUN: FileCheck %s --check-prefix=ASKED < %t/named.mlir
// RUN: FileCheck %s --check-prefix=ASKED < %t/derived.mlir
// RUN: FileCheck %s --check-prefix=ASKED < %t/string.mlir
// RUN: FileCheck %s --check-prefix=ASKED < %t/object.mlir
// RUN: FileCheck %s --check-prefix=ASKED < %t/defined.mlir
// RUN: FileCheck %s --check-prefix=LOCAL < %t/string.err
// RUN: FileCheck %s --check-prefix=LOCAL < %t/object.err

// ASKED: name = "model.proj.weight"
// ASKED-SAME: tp.request = [{axis = "tp", dim = 0 : i64,
// ASKED-SAME: name = "model.proj.bias"
// ASKED-SAME: tp.request = [{axis = "tp", dim = 0 : i64,
// ASKED: nn.boundary {{.*}} "input" "0" of "model.proj" {tp.request = [{axis = "tp", dim = 1 : i64, {{.*}}}, {axis = "tp", dim = -1 : i64, {{.*}}stage = 1 : i64,
// ASKED: nn.boundary {{.*}} "output" "0" of "model.proj" {tp.request = [{axis = "tp", dim = 2 : i64, {{.*}}stage = 1 : i64,
// LOCAL: remark: {{.*}}.json: "proj": use_local_output means nothing here

// Inputs by position and keyword; None is left alone; a keyword input may be
// spoken of by its position.
// RUN: tp-opt %t/inputs.mlir --tp-apply-plan="mesh=tp=2 plan=%t/inputs.json" | FileCheck %s --check-prefix=INPUTS
// RUN: tp-opt %t/inputs.mlir --tp-apply-plan="mesh=tp=2 plan=%t/keywords.json" | FileCheck %s --check-prefix=INPUTS
// INPUTS: "input" "hidden_states" of "layers.0" {tp.request = [{axis = "tp", dim = 1 : i64, {{.*}}}, {axis = "tp", dim = -1 : i64,
// INPUTS: "input" "mask" of "layers.0" : tensor
// INPUTS: "output" "0" of "layers.0" {tp.request = [{{.*}}{axis = "tp", dim = 0 : i64,
// INPUTS: "output" "1" of "layers.0" : tensor

// The sequence may be another dim.
// RUN: tp-opt %t/inputs.mlir --tp-apply-plan="mesh=tp=2 plan=%t/sequence.json" | FileCheck %s --check-prefix=SEQUENCE
// SEQUENCE: "input" "hidden_states" of "layers.0" {tp.request = [{axis = "tp", dim = 0 : i64,
// SEQUENCE: "output" "0" of "layers.0" {tp.request = [{axis = "tp", dim = 0 : i64,

// The key "" is the root itself; its inputs come in as they are taken to be.
// RUN: tp-opt %t/inputs.mlir --tp-apply-plan="mesh=tp=2 plan=%t/root.json" --tp-place-parameters | FileCheck %s --check-prefix=ROOT
// ROOT: func.func @f(%[[X:.*]]: tensor<4x8xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}
// ROOT: %[[WHOLE:.*]] = tp.constraint %[[X]] to <@mesh, [{}, {}]>
// ROOT: tp.constraint %[[WHOLE]] to <@mesh, [{"tp"}, {}]> {tp.asked = {boundary = {{.*}}of \22layers.0\22", entry = "layers.0"

//--- named.json
{"styles": {"mine": {"weight": "Shard(0)", "bias": "Shard(0)", "input": "Shard(1)", "desired_input": "Replicate()", "output": null, "desired_output": "Shard(-1)"}},
 "plan": {"proj": "mine"}}
//--- string.json
{"proj": " torch.distributed.tensor.parallel.ColwiseParallel( input_layouts = [ Shard( dim = 1 ), ] , output_layouts=(Shard(-1)), use_local_output=False , )"}
//--- object.json
{"proj": {"style": "ColwiseParallel", "input_layouts": ["Shard(1)"], "output_layouts": "Shard(dim=-1)", "use_local_output": true}}
//--- defined.json
{"styles": {"colwise": {"override": true, "weight": "Shard(0)", "bias": "Shard(0)", "input": "Shard(1)", "desired_input": "Replicate", "desired_output": "Shard(-1)", "summary": "takes a shard of the sequence"}},
 "plan": {"proj": "colwise"}}
//--- derived.json
{"styles": {"mine": {"style": "ColwiseParallel", "input_layouts": "Shard(1)"}}, "plan": {"proj": "mine"}}
//--- inputs.json
{"layers.*": "PrepareModuleInputOutput(input_layouts=(Shard(1), None), desired_input_layouts=(Replicate(), None), output_layouts=(Replicate(), None), desired_output_layouts=(Shard(0), None))"}
//--- keywords.json
{"layers.*": {"style": "PrepareModuleInputOutput", "input_kwarg_layouts": {"hidden_states": "Shard(1)", "mask": null}, "desired_input_kwarg_layouts": "{'hidden_states': Replicate(), 'mask': None}", "output_layouts": ["Shard(0)"], "desired_output_layouts": ["Shard(0)"]}}
//--- sequence.json
{"layers.0": "SequenceParallel(sequence_dim=0)"}
//--- root.json
{"plans": [{"plan": "PrepareModuleInput(input_layouts=Shard(1), desired_input_layouts=Replicate())"},
           {"root": "layers.0", "plan": {"": "PrepareModuleInput(input_layouts=Shard(0), desired_input_layouts=Shard(0))"}}]}
//--- model.mlir
func.func @f(%x: tensor<2x4x8xf32>,
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "model.proj.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %b: tensor<32xf32> {nn.parameter = #nn.parameter<name = "model.proj.bias", tensor = "b", shape = [32], offset = [0], dims = [0], strides = [1], initialisation = "normal">}) -> tensor<2x4x32xf32> {
  %0 = nn.boundary %x "input" "0" of "model.proj" : tensor<2x4x8xf32>
  %1 = nn.contract %0, %w "bsk,nk->bsn" : (tensor<2x4x8xf32>, tensor<32x8xf32>) -> tensor<2x4x32xf32>
  %2 = nn.broadcast %b dims [2] : (tensor<32xf32>) -> tensor<2x4x32xf32>
  %3 = arith.addf %1, %2 : tensor<2x4x32xf32>
  %4 = nn.boundary %3 "output" "0" of "model.proj" : tensor<2x4x32xf32>
  return %4 : tensor<2x4x32xf32>
}
//--- inputs.mlir
func.func @f(%x: tensor<4x8xf32> {nn.input = "x", nn.dims = ["", ""]}, %mask: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = nn.boundary %x "input" "hidden_states" of "layers.0" : tensor<4x8xf32>
  %1 = nn.boundary %mask "input" "mask" of "layers.0" : tensor<4x8xf32>
  %2 = arith.mulf %0, %1 : tensor<4x8xf32>
  %3 = nn.boundary %2 "output" "0" of "layers.0" : tensor<4x8xf32>
  %4 = nn.boundary %1 "output" "1" of "layers.0" : tensor<4x8xf32>
  return %3, %4 : tensor<4x8xf32>, tensor<4x8xf32>
}
