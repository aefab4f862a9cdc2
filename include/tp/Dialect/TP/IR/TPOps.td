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
include "tp/Dialect/TP/IR/TPTypes.td"

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
    tp.mesh @named = <["hosts"=2, "gpus"=4]> {tp.roles = {hosts = "data_parallel"}}
    ```

    `tp.roles` says what an axis is for, where its name does not: axes called `dp`,
    `fsdp` or `data` are data parallel, all others tensor parallel. Parameters that
    are stored in shards over a data-parallel axis are gathered before use.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TP_MeshAttr:$mesh);
  let assemblyFormat = "$sym_name `=` $mesh attr-dict";
  let extraClassDeclaration = [{
    /// Whether the axis called `name` shares out data.
    bool isDataParallel(::llvm::StringRef name);
  }];
}

//===----------------------------------------------------------------------===//
// Global programs
//===----------------------------------------------------------------------===//

def DeclaredPlacementOpInterface : OpInterface<"DeclaredPlacementOpInterface"> {
  let description = [{
    An op of a global program that says by itself how its operands and results are
    placed. Propagation carries what it declares to its neighbours and never changes
    it; operands are resharded to it.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<"How operand i must be placed; null if it may be anyhow.",
      "::mlir::tp::ShardingAttr", "getDeclaredOperand", (ins "unsigned":$index)>,
    InterfaceMethod<"How result i is placed.",
      "::mlir::tp::ShardingAttr", "getDeclaredResult", (ins "unsigned":$index)>
  ];
}

def TP_ConstraintOp : TP_Op<"constraint", [Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<DeclaredPlacementOpInterface>,
    DeclareOpInterfaceMethods<DerivativeOpInterface>,
    DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["splitFactor"]>]> {
  let summary = "the value here has this sharding";
  let description = [{
    The identity; nothing is asked of its gradient. Propagation gives the result exactly this sharding, except that
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

def TP_ReshardOp : TP_Op<"reshard", [Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<DeclaredPlacementOpInterface>]> {
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

def TP_CallOp : TP_Op<"call", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<DeclaredPlacementOpInterface>,
    DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["buildLocal"]>]> {
  let summary = "calls a local function, with collectives of its own";
  let description = [{
    Embeds hand-written collectives in a global program. The callee is a *local*
    function: its arguments and results are what one device holds, with their
    `tp.global` type and `tp.sharding`. To the caller it is an op on global tensors
    that are placed so; `tp-verify-placements` proves the callee like every other
    local function. Partitioning keeps the call, with local types; `tp-flatten`
    writes the callee out.

    ```mlir
    func.func private @sum(%x: tensor<4xf32> {tp.global = tensor<8x4xf32>, ...}) ...
    %1 = tp.call @sum(%0) : (tensor<8x4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat =
      "$callee `(` $inputs `)` attr-dict `:` functional-type($inputs, $results)";
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

def TP_TensorOrPending : AnyTypeOf<[AnyRankedTensor, TP_PendingType]>;

/// Collectives act on several tensors at once: packing small ones into one
/// message is a matter of giving one op more operands. Each says why it is there.
///
/// With results of type !tp.pending it is the first half of a collective, which
/// only starts it: each result has exactly one tp.wait, the other half. Only then
/// has it an effect on memory, so that nothing copies, merges or drops a half.
class TP_CollectiveOp<string mnemonic, list<Trait> traits = []>
    : TP_Op<mnemonic, !listconcat([AlwaysSpeculatable,
          DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
          DeclareOpInterfaceMethods<PlacementOpInterface>,
          DeclareOpInterfaceMethods<CollectiveOpInterface, ["getBytesSent"]>],
          traits)> {
  dag common = (ins Variadic<AnyRankedTensor>:$inputs, FlatSymbolRefAttr:$mesh,
                    ArrayAttr:$axes);
  dag provenance = (ins OptionalAttr<StrAttr>:$reason,
                        OptionalAttr<StrAttr>:$module);
  let results = (outs Variadic<TP_TensorOrPending>:$results);
  let hasVerifier = 1;
  let extraClassDefinition = [{
    void $cppClass::getEffects(
        ::llvm::SmallVectorImpl<::mlir::SideEffects::EffectInstance<
            ::mlir::MemoryEffects::Effect>> &effects) {
      if (::mlir::tp::isStart(*this))
        effects.emplace_back(::mlir::MemoryEffects::Write::get());
    }
  }];
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

def TP_WaitOp : TP_Op<"wait", [
    DeclareOpInterfaceMethods<PlacementOpInterface>,
    TypesMatchWith<"the result is the tensor that is pending", "pending", "result",
        "::mlir::tp::tensorOf($_self)">, MemoryEffects<[MemWrite]>]> {
  let summary = "the second half of a collective";
  let description = [{
    Waits until a collective that was started before, in the same block, is done.
    Until then nothing may write what the collective reads, and its result is not
    there yet; memory is planned so. It denotes what the collective denotes.

    ```mlir
    %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh
        : (tensor<2xf32>) -> !tp.pending<tensor<8xf32>>
    %2 = math.exp %x : tensor<4xf32>         // while it is on its way
    %3 = tp.wait %1 : !tp.pending<tensor<8xf32>>
    ```
  }];
  let arguments = (ins TP_PendingType:$pending);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$pending attr-dict `:` qualified(type($pending))";
  let hasVerifier = 1;
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

def TP_ResizeOp : TP_Op<"resize", [Pure,
    DeclareOpInterfaceMethods<PlacementOpInterface>]> {
  let summary = "drops or adds the padding of a whole dim, locally";
  let description = [{
    Dim `dim`, which every device has whole, gets another padded extent: padding is
    cut off, or added with undefined content. The identity on global values. Stands
    round ops that cannot handle padding.

    ```mlir
    %1 = tp.resize %0 dim 1 : (tensor<4x14xf32>) -> tensor<4x13xf32>
    ```
  }];
  let arguments = (ins AnyStaticShapeTensor:$input, I64Attr:$dim);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $input `dim` $dim attr-dict `:` functional-type($input, $result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getType() {
      return ::mlir::cast<::mlir::RankedTensorType>(getResult().getType());
    }
  }];
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
