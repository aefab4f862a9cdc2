//===- ShardingInterfaces.td - what the compiler asks of an op ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Everything that propagation, resharding, partitioning, verification and
// differentiation must know about an op hangs on the op, through these
// interfaces. Those passes are written once against them and list no ops.
//
//===----------------------------------------------------------------------===//

#ifndef TP_INTERFACES_SHARDINGINTERFACES
#define TP_INTERFACES_SHARDINGINTERFACES

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def TP_ReduceKind : I32EnumAttr<"ReduceKind", "how values are combined", [
    I32EnumAttrCase<"Sum", 0, "sum">,
    I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">,
    I32EnumAttrCase<"Product", 3, "product">,
    I32EnumAttrCase<"And", 4, "and">,
    I32EnumAttrCase<"Or", 5, "or">]> {
  let cppNamespace = "::mlir::tp";
  let genSpecializedAttr = 0;
}

def ShardingRuleOpInterface : OpInterface<"ShardingRuleOpInterface"> {
  let description = [{
    An op that can be sharded: how its dims relate, and how it looks on one
    device. See tp/Interfaces/ShardingRule.h for the notation.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        The rule, with factor sizes taken from the op's present types. Operands
        and results that are not ranked tensors have no dims in it.
      }], "::mlir::tp::ShardingRule", "getShardingRule">,
    InterfaceMethod<[{
        Builds this op on one device: `operands` are local values, `resultTypes`
        local types. `start(f)` is this shard's first index (of type index)
        along the indexed factor f; it is only asked for when f is sharded.
        The default clones the op, which is right for every op that has no
        attribute that speaks of extents and no indexed factor.
      }], "::mlir::Operation *", "buildLocal",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$operands,
           "::mlir::TypeRange":$resultTypes,
           "::llvm::function_ref<::mlir::Value(unsigned)>":$start),
      /*methodBody=*/"", /*defaultImplementation=*/[{
        return ::mlir::tp::cloneWith(builder, $_op, operands, resultTypes);
      }]>,
    InterfaceMethod<[{
        The operand that gives this shard's first index along the indexed factor
        f, or null if the op, as it is, sees the whole of f.
      }], "::mlir::Value", "getShardStart", (ins "unsigned":$factor),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<[{
        The true extent of the masked factor f to which the op, as it is, keeps;
        none if it takes its tensors for whole.
      }], "::std::optional<int64_t>", "getMaskedExtent", (ins "unsigned":$factor),
      /*methodBody=*/"", /*defaultImplementation=*/"return std::nullopt;">,
    InterfaceMethod<[{
        Builds this op with factor f replaced by factors of the given sizes,
        major to minor, in every dim that has it; `operands` have been split
        already. Null if the op cannot (it is positional in f).
      }], "::mlir::Operation *", "splitFactor",
      (ins "::mlir::OpBuilder &":$builder, "unsigned":$factor,
           "::llvm::ArrayRef<int64_t>":$sizes, "::mlir::ValueRange":$operands),
      /*methodBody=*/"", /*defaultImplementation=*/"return nullptr;">
  ];
}

def DecomposeOpInterface : OpInterface<"DecomposeOpInterface"> {
  let description = [{
    A composite op whose rule has a reduction that is not linear (a norm, a
    softmax, top-k): written out, so that only reductions that the sharding
    machinery knows remain. Or an op that nothing runs as it is (a batched
    gather): written out on one device.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        Builds the op out of simpler ones on global tensors, ready for `factor`
        to be sharded in `shards` blocks of a dim padded to `padded`; returns a
        value for each result.
      }], "::llvm::SmallVector<::mlir::Value>", "decompose",
      (ins "::mlir::OpBuilder &":$builder, "unsigned":$factor,
           "int64_t":$shards, "int64_t":$padded)>
  ];
}

def DerivativeOpInterface : OpInterface<"DerivativeOpInterface"> {
  let description = [{
    An op that can be differentiated on the global graph.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        Given the gradient of every result, builds the gradient of every operand;
        null for an operand that has none (integers). Empty if the op has no
        derivative with these attributes.
      }], "::llvm::SmallVector<::mlir::Value>", "buildDerivative",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$gradients)>
  ];
}

#endif // TP_INTERFACES_SHARDINGINTERFACES
