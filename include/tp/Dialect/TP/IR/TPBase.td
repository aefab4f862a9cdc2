//===- TPBase.td - the tp dialect -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_BASE
#define TP_DIALECT_TP_BASE

include "mlir/IR/OpBase.td"

def TP_Dialect : Dialect {
  let name = "tp";
  let cppNamespace = "::mlir::tp";
  let summary = "meshes, placements and collectives";
  let description = [{
    Knows nothing of Transformers. A program is *global* until partitioning: every
    tensor has its true size and `tp.sharding` attributes say how it lies on the
    mesh. After partitioning it is *local*: tensors have the size that one device
    holds, and collectives are explicit.

    Attributes on functions and their arguments and results:
    - `tp.sharding`, on an argument or result: its sharding;
    - `tp.global`, on an argument or result of a local function: its global type;
    - `tp.shardings`, on an op: a cache of its results' shardings;
    - `tp.roles`, on a mesh: the roles of its axes.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // TP_DIALECT_TP_BASE
