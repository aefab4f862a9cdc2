//===- Passes.td - from plans to placements -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_PASSES
#define TP_PLAN_PASSES

include "mlir/Pass/PassBase.td"

def PlanApply : Pass<"tp-apply-plan", "::mlir::ModuleOp"> {
  let summary = "turns a plan into requests on parameters and boundaries";
  let description = [{
    Creates the mesh, and matches each entry of the plan with modules by name. What
    an entry asks for becomes `tp.request`, a list, on parameters (`dim` counts the
    stored tensor's dims; -1 is replicated) and on `nn.boundary` ops (the value's
    dims; `stage` 0 is what the value is taken to be, 1 what it is made to be), and
    rides along through nn-normalise. An entry that matches nothing is an error that
    suggests the nearest name.

    `plan` is `auto` (nothing is requested: tp-place-parameters decides), `none`
    (everything replicated) or a JSON file; docs/plans.md describes it.

    Before, with `mesh=tp=2 plan=plan.json` and `{"layers.*.mlp.up_proj": "colwise"}`:
    ```mlir
    func.func @f(%w: tensor<32x8xf32> {nn.parameter = #nn.parameter<
        name = "model.layers.0.mlp.up_proj.weight", ...>})
    ```
    After:
    ```mlir
    tp.mesh @mesh = <["tp"=2] >
    func.func @f(%w: tensor<32x8xf32> {nn.parameter = ...,
        tp.request = [{axis = "tp", dim = 0 : i64, entry = "layers.*.mlp.up_proj",
                       style = "colwise"} ]})
    ```
  }];
  let options = [
    Option<"mesh", "mesh", "std::string", "\"\"",
           "axes and sizes, such as dp=2,tp=4">,
    Option<"plan", "plan", "std::string", "\"auto\"",
           "auto, none or a JSON file">,
    Option<"automatic", "automatic", "bool", "false",
           "take the mesh, the roles and what is stored from the file, and the rest "
           "from the automatic plan">
  ];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def PlanPlaceParameters : Pass<"tp-place-parameters", "::mlir::ModuleOp"> {
  let summary = "decides the shardings of parameters and inputs";
  let description = [{
    Turns requests into shardings, or, under the automatic plan, chooses them. A
    request on a dim that normalisation split lands on its parts: of the ways to
    share the axis out among KV heads and query groups, by sub-axes or padding, the
    one with the fewest query heads on a rank, then the fewest KV heads; never inside
    a head.

    The automatic plan gives the axis `dp`, or the one with the role data_parallel,
    the batch. The axis `tp`, or the one with the role tensor_parallel, goes to dims of
    parameters so that every contraction's work is shared out, the dims that cost
    the fewest bytes for the work they share out first; then to what is left of the
    large parameters, for their storage. Routers of experts stay whole. Functions of
    one module agree by parameter name.

    A table along its width or a head along its inputs, beside layers that share out
    another dim or of which nothing is said, does not carry that into them: their
    activations stay whole.

    A `tp.sharding` or `tp.constraint` of the program's own is never overwritten, and
    a program that has any is not planned automatically: they are its plan, which
    tp-propagate carries on.

    Requests on boundaries become `tp.constraint`s; `nn.boundary` ops are removed. A
    parameter that is only stored over an axis (fully_shard) is gathered before its
    first use. What cannot be met is an error, or a remark if the plan says so.

    Before:
    ```mlir
    %w: tensor<32x8xf32> {tp.request = [{axis = "tp", dim = 0 : i64, ...} ]}
    ```
    After:
    ```mlir
    %w: tensor<32x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {} ]>}
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def PlanEstimateAutomatic : Pass<"tp-estimate-automatic", "::mlir::ModuleOp"> {
  let summary = "what the automatic plan would cost";
  let description = [{
    Shards a copy of the module by the automatic plan and keeps what a device then
    sends and computes, as `tp.automatic` on the module, for tp-compare-plans. Does
    nothing without an explicit plan, or where the automatic plan does not apply.

    Before, with `mesh=tp=2 plan=plan.json`:
    ```mlir
    module {
      func.func @f(...)
    ```
    After:
    ```mlir
    module attributes {tp.automatic = {bytes = 512 : i64,
        collectives = {all_reduce = 1 : i64}, parameters = {w.weight = "tp: Shard(0)"},
        work = 4096.0 : f64} } {
      func.func @f(...)
    ```
  }];
  let options = [
    Option<"mesh", "mesh", "std::string", "\"\"",
           "axes and sizes, such as dp=2,tp=4">,
    Option<"plan", "plan", "std::string", "\"auto\"",
           "auto, none or a JSON file">
  ];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def PlanCompare : Pass<"tp-compare-plans", "::mlir::ModuleOp"> {
  let summary = "says what a plan costs above the automatic one";
  let description = [{
    If a device of this local program computes or sends more than under the
    automatic plan, as tp-estimate-automatic found, a remark says how much, and what
    the automatic plan would do. Removes `tp.automatic`.

    Before:
    ```mlir
    module attributes {tp.automatic = {bytes = 512 : i64, ...} } {
    ```
    After:
    ```mlir
    module {
    ```
  }];
}

#endif // TP_PLAN_PASSES
