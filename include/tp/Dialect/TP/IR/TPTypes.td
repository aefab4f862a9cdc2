//===- TPTypes.td - results that are still on their way -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TYPES
#define TP_DIALECT_TP_TYPES

include "mlir/IR/AttrTypeBase.td"
include "tp/Dialect/TP/IR/TPBase.td"

def TP_PendingType : TypeDef<TP_Dialect, "Pending"> {
  let mnemonic = "pending";
  let summary = "a tensor that a collective has been started for";
  let description = [{
    What a collective has as its result where it is only the first of two halves:
    `!tp.pending<tensor<4x8xf32>>` becomes a tensor by `tp.wait`, and nothing else
    can be done with it.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
}

#endif // TP_DIALECT_TP_TYPES
