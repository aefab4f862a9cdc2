//===- TPOps.td - meshes, constraints and collectives ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_OPS
#define TP_DIALECT_TP_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "tp/Dialect/TP/IR/TPAttributes.td"

class TP_Op<string mnemonic, list<Trait> traits = []>
    : Op<TP_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

def TP_MeshOp : TP_Op<"mesh", [Symbol]> {
  let summary = "a mesh of devices";
  let description = [{
    ```mlir
    tp.mesh @mesh = <["dp"=2, "tp"=4]>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TP_MeshAttr:$mesh);
  let assemblyFormat = "$sym_name `=` $mesh attr-dict";
}

//===----------------------------------------------------------------------===//
// Global programs
//===----------------------------------------------------------------------===//

def TP_ConstraintOp : TP_Op<"constraint", [Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["splitFactor"]>]> {
  let summary = "the value here has this sharding";
  let description = [{
    The identity. Propagation gives the result exactly this sharding, except that
    open dims may take further axes; whatever the operand has is resharded to it.
    No partial value passes, unless it is `lazy`: then a sum may be reduced later,
    with others.

    ```mlir
    %1 = tp.constraint %0 to <@mesh, [{"dp", ?}, { } ]> : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, TP_ShardingAttr:$sharding,
                       UnitAttr:$lazy);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `to` $sharding (`lazy` $lazy^)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def TP_ReshardOp : TP_Op<"reshard", [Pure, SameOperandsAndResultType]> {
  let summary = "from one sharding to another, on a global value";
  let description = [{
    The identity on global values; partitioning turns it into the cheapest sequence
    of collectives. `reason` says what needs the new sharding, for reports. Without
    `from` it is whatever the operand has.

    ```mlir
    %1 = tp.reshard %0 from <@mesh, [{ }, { } ], partial = sum{"tp"}> to <@mesh, [{ }, { } ]>
        reason "model.norm needs it whole" : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input,
                       OptionalAttr<TP_ShardingAttr>:$from,
                       TP_ShardingAttr:$to, OptionalAttr<StrAttr>:$reason,
                       OptionalAttr<StrAttr>:$module);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`from` $from^)? `to` $to (`reason` $reason^)? (`module` $module^)?
    attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def TP_ProgramOp : TP_Op<"program", [IsolatedFromAbove, SymbolTable,
    NoTerminator, SingleBlock]> {
  let summary = "the functions of the module as they were before partitioning";
  let description = [{
    Beside the functions of the same names that were made from them, for
    `tp-verify-erasure` to compare. Nothing runs it.

    ```mlir
    tp.program {
      tp.mesh @mesh = <["tp"=2]>
      func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
        return %x : tensor<8xf32>
      }
    }
    ```
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Local programs
//===----------------------------------------------------------------------===//

def TP_ShardStartOp : TP_Op<"shard_start", [Pure]> {
  let summary = "where this device's shard of a dim begins";
  let description = [{
    The coordinate of this device over `axes`, major to minor, times `block`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$mesh, ArrayAttr:$axes,
                       ConfinedAttr<I64Attr, [IntPositive]>:$block);
  let results = (outs Index:$result);
  let assemblyFormat = "$axes `of` $mesh `block` $block attr-dict";
  let hasVerifier = 1;
}

def TP_MaskOp : TP_Op<"mask", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "gives the padding of a dim a neutral content";
  let description = [{
    Elements of the local tensor whose global index along `dim`, `start` + i, is at
    or beyond `size` become `fill`. The identity on global values.

    ```mlir
    %1 = tp.mask %0 dim 1 from %start size 9 fill 0.0 : tensor<4x3xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Index:$start, I64Attr:$dim,
                       I64Attr:$size, F64Attr:$fill);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `dim` $dim `from` $start `size` $size `fill` $fill attr-dict
    `:` type($result)
  }];
  let hasVerifier = 1;
}

def PlacementOpInterface : OpInterface<"PlacementOpInterface"> {
  let description = [{
    A local op that changes how a value lies on the mesh and not what it is. This is
    the whole semantics of placement that the verifier relies on.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        What the op does to the placement `from` of input i; on failure `message`
        says what the op needs.
      }], "::llvm::FailureOr<::mlir::tp::Placement>", "inferPlacement",
      (ins "unsigned":$index, "::mlir::tp::Placement":$from,
           "::std::string &":$message)>
  ];
}

def CollectiveOpInterface : OpInterface<"CollectiveOpInterface"> {
  let description = [{ What reports and lowering ask of a collective. }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        Bytes sent per device for one execution, under ring algorithms, all inputs
        together, rounded up.
      }], "int64_t", "getBytesSent">,
    InterfaceMethod<"The number of devices in a group.", "int64_t",
      "getGroupSize", (ins), "", [{
        return ::mlir::tp::sizeOf(::mlir::tp::toAxes(
            $_op.getAxes(), ::mlir::tp::lookupMesh($_op, $_op.getMeshAttr())));
      }]>,
    InterfaceMethod<"The axes of the group.", "::mlir::ArrayAttr", "getGroupAxes",
      (ins), "", "return $_op.getAxes();">,
    InterfaceMethod<"The name of the mesh.", "::mlir::FlatSymbolRefAttr",
      "getMeshName", (ins), "", "return $_op.getMeshAttr();">,
    InterfaceMethod<"Why it is there; may be null.", "::mlir::StringAttr",
      "getReasonText", (ins), "", "return $_op.getReasonAttr();">,
    InterfaceMethod<"The module responsible; may be null.", "::mlir::StringAttr",
      "getModuleName", (ins), "", "return $_op.getModuleAttr();">
  ];
}

/// Collectives act on several tensors at once: packing small ones into one
/// message is a matter of giving one op more operands. Each says why it is there.
class TP_CollectiveOp<string mnemonic, list<Trait> traits = []>
    : TP_Op<mnemonic, !listconcat([Pure,
          DeclareOpInterfaceMethods<PlacementOpInterface>,
          DeclareOpInterfaceMethods<CollectiveOpInterface, ["getBytesSent"]>],
          traits)> {
  dag common = (ins Variadic<AnyRankedTensor>:$inputs, FlatSymbolRefAttr:$mesh,
                    ArrayAttr:$axes);
  dag provenance = (ins OptionalAttr<StrAttr>:$reason,
                        OptionalAttr<StrAttr>:$module);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
}

def TP_AllReduceOp : TP_CollectiveOp<"all_reduce"> {
  let summary = "partial to replicated";
  let description = [{
    ```mlir
    %1 = tp.all_reduce %0 sum over ["tp"] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = !con(common, (ins TP_ReduceKindAttr:$kind), provenance);
  let assemblyFormat = [{
    $inputs `` $kind `over` $axes `of` $mesh (`reason` $reason^)? (`module` $module^)?
    attr-dict `:` functional-type($inputs, $results)
  }];
}

def TP_AllGatherOp : TP_CollectiveOp<"all_gather"> {
  let summary = "sharded to replicated";
  let description = [{
    The most minor axes of each input's dim are gathered: dim `dims[i]` of input i
    grows by the size of the group.
  }];
  let arguments = !con(common, (ins DenseI64ArrayAttr:$dims), provenance);
  let assemblyFormat = [{
    $inputs `dims` $dims `over` $axes `of` $mesh (`reason` $reason^)?
    (`module` $module^)? attr-dict `:` functional-type($inputs, $results)
  }];
}

def TP_ReduceScatterOp : TP_CollectiveOp<"reduce_scatter"> {
  let summary = "partial to sharded";
  let description = [{
    Reduced over the group, and dim `dims[i]` of input i sharded further by it,
    most minor.
  }];
  let arguments = !con(common, (ins TP_ReduceKindAttr:$kind,
                                    DenseI64ArrayAttr:$dims), provenance);
  let assemblyFormat = [{
    $inputs `` $kind `dims` $dims `over` $axes `of` $mesh (`reason` $reason^)?
    (`module` $module^)? attr-dict `:` functional-type($inputs, $results)
  }];
}

def TP_AllToAllOp : TP_CollectiveOp<"all_to_all"> {
  let summary = "sharded on one dim to sharded on another";
  let description = [{
    The most minor axes of dim `dims[i]` become the most minor axes of dim
    `split_dims[i]`.
  }];
  let arguments = !con(common, (ins DenseI64ArrayAttr:$dims,
                                    DenseI64ArrayAttr:$split_dims), provenance);
  let assemblyFormat = [{
    $inputs `gather` $dims `split` $split_dims `over` $axes `of` $mesh
    (`reason` $reason^)? (`module` $module^)? attr-dict
    `:` functional-type($inputs, $results)
  }];
}

def TP_PermuteOp : TP_CollectiveOp<"permute"> {
  let summary = "the same blocks on other devices";
  let description = [{
    Each device gets the tensor of the device whose index over `axes` is its own
    index over `to_axes`, which are the same devices in another order. So what was
    sharded, or partial, over axes of the one list is so over those that stand at
    the same place of the other. A matrix whose rows "x" and columns "y" divide, of
    one size, comes to lie the other way round:

    ```mlir
    %1 = tp.permute %0 from [#tp.axis<"x">, #tp.axis<"y">] to [#tp.axis<"y">, #tp.axis<"x">] of @mesh
        : (tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = !con(common, (ins ArrayAttr:$to_axes), provenance);
  let assemblyFormat = [{
    $inputs `from` $axes `to` $to_axes `of` $mesh (`reason` $reason^)?
    (`module` $module^)? attr-dict `:` functional-type($inputs, $results)
  }];
}

def TP_SliceOp : TP_Op<"slice", [Pure,
    DeclareOpInterfaceMethods<PlacementOpInterface>]> {
  let summary = "replicated to sharded, locally";
  let description = [{
    Dim `dim` is sharded further by `axes`, most minor; nothing is sent.
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh,
                       ArrayAttr:$axes, I64Attr:$dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `dim` $dim `over` $axes `of` $mesh attr-dict
    `:` functional-type($input, $result)
  }];
  let hasVerifier = 1;
}

def TP_MakePartialOp : TP_Op<"make_partial", [Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<PlacementOpInterface>]> {
  let summary = "replicated to partial, locally";
  let description = [{
    The first device of each group keeps the value and the others have what adds
    nothing to it: 0 in a sum, 1 in a product. Of the other kinds every device may
    keep it. Nothing is sent. Lets `(x + attention) + mlp` be reduced once.
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh,
      ArrayAttr:$axes,
      DefaultValuedAttr<TP_ReduceKindAttr, "::mlir::tp::ReduceKind::Sum">:$kind);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`as` `` $kind^)? `over` $axes `of` $mesh attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

#endif // TP_DIALECT_TP_OPS
