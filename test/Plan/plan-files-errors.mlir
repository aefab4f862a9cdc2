// What a plan file can get wrong around its styles, one message each.
// RUN: split-file %s %t
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/field.json" 2>&1 | FileCheck %s --check-prefix=FIELD
// FIELD: error: field.json: unknown field "plna"; did you mean "plan"?
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/both.json" 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: both.json: "plans" has the place of "plan", "axis" and "root"; give them in its elements
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/none.json" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: none.json: one of several plans has no "plan"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/axis.json" 2>&1 | FileCheck %s --check-prefix=AXIS
// AXIS: error: axis.json: "axis": "pt" is no axis of the mesh tp=2
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/plain.json" 2>&1 | FileCheck %s --check-prefix=WHICH
// WHICH: error: plain.json: which mesh axis does the plan speak of? Give it as "axis", or name one "tp"; the mesh is x=2,y=2
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=dp=2,tp=2 plan=%t/batch.json" 2>&1 | FileCheck %s --check-prefix=BATCH
// BATCH: error: batch.json: "w": mesh axis "dp" has the batch, so it can take only fully_shard, not colwise; name another axis, or give "dp" another role
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/role.json" 2>&1 | FileCheck %s --check-prefix=ROLE
// ROLE: error: role.json: the role of mesh axis "tp" must be "data_parallel" or "tensor_parallel"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/absent.json" 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: absent.json: mesh axis "x" has the role "data_parallel", but the mesh is tp=2
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/roles.json" 2>&1 | FileCheck %s --check-prefix=ROLES
// ROLES: error: roles.json: mesh axis "tp" has two roles
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/unmet.json" 2>&1 | FileCheck %s --check-prefix=UNMET
// UNMET: error: unmet.json: "when_unmet" must be "error" or "remark"
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/auto.json" 2>&1 | FileCheck %s --check-prefix=AUTO
// AUTO: error: auto.json: "w": beside the automatic plan there can be fully_shard only, not colwise
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/auto-axis.json" 2>&1 | FileCheck %s --check-prefix=AUTO-AXIS
// AUTO-AXIS: error: auto-axis.json: the automatic plan shards parameters over "x", which has the role "data_parallel"; name another axis, or leave "axis" out and give "roles" alone
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/auto-stored.json" | FileCheck %s --check-prefix=AUTO-STORED
// AUTO-STORED: tp.mesh @mesh = <["x"=2, "y"=2]> {tp.roles = {x = "data_parallel", y = "tensor_parallel"}}
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=dp=2,tp=2 plan=%t/auto-dp.json" 2>&1 | FileCheck %s --check-prefix=AUTO-DP
// AUTO-DP: error: auto-dp.json: the automatic plan shards parameters over another axis than "dp", which has the batch
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/auto-twice.json" 2>&1 | FileCheck %s --check-prefix=AUTO-TWICE
// AUTO-TWICE: error: auto-twice.json: "auto" is given twice; it is for the whole model
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/chain.json" | FileCheck %s --check-prefix=CHAIN
// CHAIN: tp.request = [{axis = "tp", dim = 0 : i64, entry = "w", style = "a"}]
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/circle.json" 2>&1 | FileCheck %s --check-prefix=CIRCLE
// CIRCLE: error: circle.json: styles "a", "b" begin with one another: one of them must begin with another style, or be written out
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/base.json" 2>&1 | FileCheck %s --check-prefix=BASE
// BASE: error: base.json: style "mine": unknown style "colwize"; did you mean "colwise"?
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/deep.json" 2>&1 | FileCheck %s --check-prefix=DEEP
// DEEP: error: deep.json: nested too deeply for a plan
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="plan=%t/mesh.json" 2>&1 | FileCheck %s --check-prefix=MESH
// MESH: error: mesh.json: size of mesh axis "tp" must be a whole number
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/other.json" 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: other.json: the plan is for mesh tp=4, not tp=2
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/twice.json" 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: twice.json: "w" is given twice
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/empty.json" 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: empty.json: a list of plans needs at least one, an object with a "plan"
// RUN: not tp-opt %t/boundary.mlir --tp-apply-plan="mesh=tp=2 plan=%t/differ.json" 2>&1 | FileCheck %s --check-prefix=DIFFER
// DIFFER: error: differ.json: output "0" of "layers.0.w" is asked for in two ways along "tp": Shard(1) by "w": colwise and Replicate() by "layers.*.w": colwise_rep
// RUN: tp-opt %t/boundary.mlir --tp-apply-plan="mesh=tp=2 plan=%t/agree.json" | FileCheck %s --check-prefix=AGREE
// AGREE: nn.boundary {{.*}} {tp.request = [{axis = "tp", dim = 1 : i64, entry = "w", {{[^{}]*}}}]}
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/entry.json" 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: error: entry.json: "w": "auto" is the plan of a whole model and no style of a module; "plan": "auto" works, and so does plan=auto on the command line
// RUN: not tp-opt %t/model.mlir --tp-apply-plan="mesh=tp=2 plan=%t/root.json" 2>&1 | FileCheck %s --check-prefix=ROOT
// ROOT: error: root.json: "root": "w": the automatic plan is for the whole model; leave the root out

// What is right: the only axis, a role, a root, an axis by name.
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2 plan=%t/plain.json" | FileCheck %s --check-prefix=ONLY
// ONLY: tp.request = [{axis = "x", dim = 0 : i64
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/named.json" | FileCheck %s --check-prefix=NAMED
// NAMED: tp.request = [{axis = "y", dim = 0 : i64
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=b=2,y=2 plan=%t/parallel.json" | FileCheck %s --check-prefix=NAMED
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/tensor.json" | FileCheck %s --check-prefix=NAMED
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=y=2 plan=%t/list.json" | FileCheck %s --check-prefix=NAMED

// The mark that some editors begin with.
// RUN: %python -c "import sys; sys.stdout.buffer.write(b'\xef\xbb\xbf{\x22w\x22: \x22colwise\x22}')" > %t/mark.json
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=y=2 plan=%t/mark.json" | FileCheck %s --check-prefix=NAMED

// The automatic plan takes an axis that is named.
// RUN: tp-opt %t/model.mlir --tp-apply-plan="mesh=x=2,y=2 plan=%t/automatic.json" | FileCheck %s --check-prefix=AUTOMATIC
// AUTOMATIC: tp.mesh @mesh = <["x"=2, "y"=2]> {tp.roles = {x = "data_parallel", y = "tensor_parallel"}}

//--- entry.json
{"w": "auto"}
//--- root.json
{"root": "w", "plan": "auto"}
//--- automatic.json
{"axis": "y", "data_parallel": "x", "plan": "auto"}
//--- differ.json
[{"plan": {"w": "colwise"}}, {"plan": {"layers.*.w": "colwise_rep"}}]
//--- agree.json
[{"plan": {"w": "colwise"}}, {"plan": {"layers.*.w": "colwise"}}]
//--- boundary.mlir
func.func @f(%x: tensor<4x8xf32>,
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "layers.0.w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x32xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  %1 = nn.boundary %0 "output" "0" of "layers.0.w" : tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}
//--- empty.json
[]
//--- field.json
{"mesh": {"tp": 2}, "plna": {"w": "colwise"}}
//--- both.json
{"axis": "tp", "plans": []}
//--- none.json
[{"root": "w"}]
//--- axis.json
{"axis": "pt", "plan": {"w": "colwise"}}
//--- plain.json
{"w": "colwise"}
//--- batch.json
{"axis": "dp", "plan": {"w": "colwise"}}
//--- role.json
{"roles": {"tp": "pipeline"}, "plan": {"w": "colwise"}}
//--- absent.json
{"data_parallel": "x", "plan": {"w": "colwise"}}
//--- roles.json
{"data_parallel": "tp", "roles": {"tp": "tensor_parallel"}, "plan": {"w": "colwise"}}
//--- unmet.json
{"when_unmet": "ignore", "plan": {"w": "colwise"}}
//--- auto.json
[{"plan": "auto"}, {"plan": {"w": "colwise"}}]
//--- auto-axis.json
{"plan": "auto", "axis": "x", "roles": {"x": "data_parallel", "y": "tensor_parallel"}}
//--- auto-stored.json
[{"plan": "auto", "axis": "y"}, {"axis": "x", "plan": {"w": "fully_shard"}}]
//--- auto-dp.json
{"plan": "auto", "axis": "dp"}
//--- auto-twice.json
[{"plan": "auto", "axis": "x"}, {"plan": "auto", "axis": "y"}]
//--- chain.json
{"styles": {"a": {"style": "b"}, "b": {"style": "c"}, "c": {"style": "ColwiseParallel"}}, "plan": {"w": "a"}}
//--- circle.json
{"styles": {"a": {"style": "b"}, "b": {"style": "a"}, "c": {"style": "ColwiseParallel"}}, "plan": {"w": "a"}}
//--- base.json
{"styles": {"mine": {"style": "colwize"}}, "plan": {"w": "mine"}}
//--- deep.json
[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
//--- mesh.json
{"mesh": {"tp": "two"}, "plan": {"w": "colwise"}}
//--- other.json
{"mesh": "tp=4", "plan": {"w": "colwise"}}
//--- twice.json
{"w": "colwise", "w": "rowwise"}
//--- named.json
{"axis": "y", "plan": {"w": "colwise"}}
//--- parallel.json
{"data_parallel": "b", "plan": {"w": "colwise"}}
//--- tensor.json
{"roles": {"y": "tensor_parallel"}, "plan": {"w": "colwise"}}
//--- list.json
[{"root": "w", "plan": {"": "colwise"}}]
//--- model.mlir
func.func @f(%x: tensor<4x8xf32>,
    %w: tensor<32x8xf32> {nn.parameter = #nn.parameter<name = "w.weight", tensor = "w", shape = [32, 8], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<4x32xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<4x8xf32>, tensor<32x8xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
