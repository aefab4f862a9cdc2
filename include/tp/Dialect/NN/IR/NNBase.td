//===- NNBase.td - the nn dialect and its attributes ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_NN_BASE
#define TP_DIALECT_NN_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::mlir::nn";
  let summary = "the Transformer graph";
  let description = [{
    Value-semantic ops on ranked tensors of static shape: contraction, layout,
    reduction, gather and scatter-add, and the composites worth keeping whole.
    Elementwise arithmetic is `arith` and `math` on tensors.

    A model is a function. Its arguments are parameters, inputs and state:
    - `nn.parameter = #nn.parameter<...>`: a parameter under its published name;
    - `nn.input = "input_ids"`, with `nn.dims = ["batch", "sequence"]` naming dims;
    - `nn.state = "past_key_values.0.key"`: state, donated to the result that has
      the same `nn.state`.
    Results are `nn.output = "logits"` or `nn.state`. The location of an op names
    the module it belongs to.
  }];
  // Decompositions and derivatives are written in these.
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasRegionArgAttrVerify = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
  }];
}

def NN_ParameterAttr : AttrDef<NN_Dialect, "Parameter"> {
  let mnemonic = "parameter";
  let summary = "a parameter's published name and its origin in the checkpoint";
  let description = [{
    Dim k of the parameter runs along dim `dims[k]` of the stored tensor with stride
    `strides[k]`; element (i0, i1, ...) is the stored element whose index along
    stored dim d is `offset[d]` plus the sum of i_k * strides[k] over the dims k
    with `dims[k] == d`. Splitting, permuting and slicing a stored tensor are all
    of this form, and cost nothing at run time:

    ```mlir
    // 9 heads of 64 stored as 576 rows, seen as 3 KV heads x 3 groups x 64:
    #nn.parameter<name = "model.layers.0.self_attn.q_proj.weight",
                  tensor = "blk.0.attn_q.weight", shape = [576, 576],
                  offset = [0, 0], dims = [0, 0, 0, 1],
                  strides = [192, 64, 1, 1], initialisation = "normal">
    ```
    `aliases` are further published names of a tied parameter. `initialisation`
    says what random weights are: "normal" or "ones". `stored` is how the file
    stores the elements, "Q4_1" or "BF16" say, where that is not the type of the
    parameter; the parameter's values are the same either way.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "::mlir::StringAttr":$tensor,
    "::mlir::DenseI64ArrayAttr":$shape, "::mlir::DenseI64ArrayAttr":$offset,
    "::mlir::DenseI64ArrayAttr":$dims, "::mlir::DenseI64ArrayAttr":$strides,
    "::mlir::StringAttr":$initialisation,
    OptionalParameter<"::mlir::ArrayAttr">:$aliases,
    OptionalParameter<"::mlir::StringAttr">:$stored);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The parameter that is the whole stored tensor.
    static ParameterAttr getWhole(::mlir::MLIRContext *context,
        ::llvm::StringRef name, ::llvm::StringRef tensor,
        ::llvm::ArrayRef<int64_t> shape, ::llvm::StringRef initialisation,
        ::mlir::ArrayAttr aliases = {}, ::mlir::StringAttr stored = {});
  }];
}

#endif // TP_DIALECT_NN_BASE
