//===- RTOps.td - buffers, runtime calls and kernels ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_RT_OPS
#define TP_DIALECT_RT_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "tp/Dialect/RT/IR/RTBase.td"
include "tp/Dialect/TP/IR/TPAttributes.td"

class RT_Op<string mnemonic, list<Trait> traits = []>
    : Op<RT_Dialect, mnemonic, traits>;

def RT_Buffer : StaticShapeMemRefOf<[AnyType]>;
def RT_IdBuffer : StaticShapeMemRefOf<[I32]>;
def RT_ScalarBuffer : StaticShapeMemRefOf<[I32]>;
def RT_Tensor : StaticShapeTensorOf<[AnyType]>;

/// A buffer that an op reads, writes, or both.
class RT_In<Type type = RT_Buffer> : Arg<type, "", [MemRead]>;
class RT_Out<Type type = RT_Buffer> : Arg<type, "", [MemWrite]>;
class RT_InOut<Type type = RT_Buffer> : Arg<type, "", [MemRead, MemWrite]>;

//===----------------------------------------------------------------------===//
// Kernels, before memory is planned
//===----------------------------------------------------------------------===//

def RT_FusedOp : RT_Op<"fused", [Pure, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "ops that become one kernel";
  let description = [{
    Elementwise ops, broadcasts, constants and reductions of trailing dims, over one
    iteration space: the widest shape in the region. A value inside has that shape,
    or its leading dims (what a reduction leaves), or is spread into it by a
    broadcast. Operands are tensors, or scalars of type index.

    ```mlir
    %0 = rt.fused (%a = %x : tensor<8x64xf32>, %b = %y : tensor<8x64xf32>)
        -> tensor<8x64xf32> {
      %1 = arith.addf %a, %b : tensor<8x64xf32>
      rt.yield %1 : tensor<8x64xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyTypeOf<[RT_Tensor, Index]>>:$inputs);
  let results = (outs Variadic<RT_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
  }];
}

def RT_YieldOp : RT_Op<"yield", [Pure, Terminator,
                                 HasParent<"FusedOp">]> {
  let summary = "ends the region of a fused op";
  let arguments = (ins Variadic<RT_Tensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins), [{ /* nothing to yield */ }]>];
}

def RT_CloneOp : RT_Op<"clone", [Pure, SameOperandsAndResultType]> {
  let summary = "the same tensor in another buffer";
  let description = [{
    What memory planning inserts where a value is needed at a second place.

    ```mlir
    %1 = rt.clone %0 {rt.places = [#rt.place<arena 0>]} : tensor<8x64xf32>
    ```
  }];
  let arguments = (ins RT_Tensor:$input);
  let results = (outs RT_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

def RT_BufferOp : RT_Op<"buffer", [Pure]> {
  let summary = "a buffer in the arena, at an offset in bytes";
  let description = [{
    ```mlir
    %0 = rt.buffer 4096 : memref<8x64xf32>
    ```
  }];
  let arguments = (ins I64Attr:$offset);
  let results = (outs RT_Buffer:$result);
  let assemblyFormat = "$offset attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RT_ArgumentOp : RT_Op<"argument", [Pure]> {
  let summary = "the buffer of an argument, as the place of a result";
  let description = [{
    For a result that is computed elsewhere and ends in a donated argument.

    ```mlir
    %0 = rt.argument 2 : memref<8x64xf32>
    ```
  }];
  let arguments = (ins I64Attr:$index);
  let results = (outs RT_Buffer:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RT_ResultOp : RT_Op<"result", [Pure]> {
  let summary = "the buffer that the caller gives for a result";
  let description = [{
    ```mlir
    %0 = rt.result 0 : memref<8x64xf32>
    ```
  }];
  let arguments = (ins I64Attr:$index);
  let results = (outs RT_Buffer:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RT_ViewOp : RT_Op<"view", [Pure]> {
  let summary = "the same buffer with other dims, or a part of it";
  let description = [{
    With `from`, the part that begins at this element, a number known at run time.

    ```mlir
    %1 = rt.view %0 : memref<8x64xf32> to memref<8x4x16xf32>
    %2 = rt.view %0 from %start : memref<8x64xf32> to memref<464xf32>
    ```
  }];
  let arguments = (ins RT_Buffer:$source, Optional<Index>:$start);
  let results = (outs RT_Buffer:$result);
  let assemblyFormat = [{
    $source (`from` $start^)? attr-dict `:` type($source) `to` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Runtime calls
//===----------------------------------------------------------------------===//

class RT_CallOp<string mnemonic, list<string> methods = [],
                list<Trait> traits = []>
    : RT_Op<mnemonic, !listconcat([DeclareOpInterfaceMethods<
          RuntimeCallOpInterface, methods>], traits)> {
  let hasVerifier = 1;
}

def RT_ContractOp : RT_CallOp<"contract"> {
  let summary = "tprt_contract: a sum of products";
  let description = [{
    ```mlir
    rt.contract %a, %b into %c "bsk,nk->bsn"
        : memref<1x8x64xf32>, memref<32x64xf32>, memref<1x8x32xf32>
    ```
    With `plus` a bias is added to all rows of the result: it has the result's last
    dims, which are all that the right operand has beside the contracted ones, in
    their order. So it is what cuBLASLt adds; `rt-fold-bias` makes it.
    ```mlir
    rt.contract %a, %b plus %d into %c "bsk,nk->bsn"
        : memref<1x8x64xf32>, memref<32x64xf32>, memref<32xf32>, memref<1x8x32xf32>
    ```
  }];
  let arguments = (ins RT_In<>:$lhs, RT_In<>:$rhs,
                       Arg<Optional<RT_Buffer>, "", [MemRead]>:$bias,
                       RT_Out<>:$out, StrAttr:$equation);
  let assemblyFormat = [{
    $lhs `,` $rhs (`plus` $bias^)? `into` $out $equation attr-dict
    `:` type(operands)
  }];
  let extraClassDeclaration = [{
    /// Why `bias` cannot be added to the product, as the op's description says;
    /// empty if it can.
    std::string whyNotBias(::mlir::Value bias);
  }];
}

def RT_AttentionOp : RT_CallOp<"attention", ["getCallOperands"]> {
  let summary = "tprt_attention: grouped-query attention";
  let description = [{
    ```mlir
    rt.attention %q, %k, %v at %position from %start into %out scale 0.125 causal
        : memref<1x8x3x3x64xf32>, memref<1x256x3x64xf32>, memref<1x256x3x64xf32>,
          memref<i32>, index, memref<1x8x3x3x64xf32>
    ```
    With `of`, only so many of the keys count.
  }];
  let arguments = (ins RT_In<>:$query, RT_In<>:$key, RT_In<>:$value,
    Arg<Optional<RT_ScalarBuffer>, "", [MemRead]>:$offset, Index:$start,
    RT_Out<>:$out, F64Attr:$scale, UnitAttr:$causal,
    OptionalAttr<I64Attr>:$window, OptionalAttr<F64Attr>:$soft_cap,
    OptionalAttr<I64Attr>:$keys);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`at` $offset^)? `from` $start `into` $out
    `scale` $scale (`causal` $causal^)? (`window` $window^)?
    (`soft_cap` $soft_cap^)? (`of` $keys^)? attr-dict `:` type(operands)
  }];
}

def RT_RotaryOp : RT_CallOp<"rotary"> {
  let summary = "tprt_rotary: rotary position embedding";
  let arguments = (ins RT_In<>:$input, RT_In<>:$cosine, RT_In<>:$sine,
                       RT_Out<>:$out, UnitAttr:$interleaved);
  let assemblyFormat = [{
    $input `,` $cosine `,` $sine `into` $out (`interleaved` $interleaved^)?
    attr-dict `:` type(operands)
  }];
}

def RT_EmbeddingOp : RT_CallOp<"embedding"> {
  let summary = "tprt_embedding: rows of a shard of a table";
  let arguments = (ins RT_In<RT_IdBuffer>:$ids, RT_In<>:$table, Index:$start,
                       RT_Out<>:$out, I64Attr:$vocabulary);
  let assemblyFormat = [{
    $ids `,` $table `from` $start `into` $out `of` $vocabulary attr-dict
    `:` type($ids) `,` type($table) `,` type($out)
  }];
}

def RT_EmbeddingGradientOp : RT_CallOp<"embedding_gradient"> {
  let summary = "tprt_embedding_gradient: adds rows into a table of zeros";
  let arguments = (ins RT_In<RT_IdBuffer>:$ids, RT_In<>:$gradient, Index:$start,
                       RT_Out<>:$out, I64Attr:$vocabulary);
  let assemblyFormat = [{
    $ids `,` $gradient `from` $start `into` $out `of` $vocabulary attr-dict
    `:` type($ids) `,` type($gradient) `,` type($out)
  }];
}

def RT_TopKOp : RT_CallOp<"top_k", ["getCallOperands"]> {
  let summary = "tprt_top_k: the k largest, with their ids";
  let description = [{
    ```mlir
    rt.top_k %x from %start into %values, %ids k 1 segments 1 of 512
        : memref<1x512xf32>, memref<1x1xf32>, memref<1x1xi32>
    ```
  }];
  let arguments = (ins RT_In<>:$values,
    Arg<Optional<RT_IdBuffer>, "", [MemRead]>:$ids, Index:$start,
    RT_Out<>:$out_values, RT_Out<RT_IdBuffer>:$out_ids,
    I64Attr:$k, I64Attr:$segments, I64Attr:$size);
  let assemblyFormat = [{
    $values (`ids` $ids^ `:` type($ids))? `from` $start `into` $out_values `,`
    $out_ids `k` $k `segments` $segments `of` $size attr-dict
    `:` type($values) `,` type($out_values) `,` type($out_ids)
  }];
}

def RT_CacheUpdateOp : RT_CallOp<"cache_update"> {
  let summary = "tprt_cache_update: writes rows of dim 1 in place";
  let arguments = (ins RT_InOut<>:$cache, RT_In<>:$update,
                       RT_In<RT_ScalarBuffer>:$position,
                       RT_In<RT_ScalarBuffer>:$length, Index:$start,
                       I64Attr:$capacity);
  let assemblyFormat = [{
    $cache `,` $update `at` $position `length` $length `from` $start `of`
    $capacity attr-dict `:` type($cache) `,` type($update) `,`
    type($position) `,` type($length)
  }];
}

def RT_TakeOp : RT_CallOp<"take"> {
  let summary = "tprt_take: one index of a dim";
  let arguments = (ins RT_In<>:$input, RT_In<RT_ScalarBuffer>:$index,
                       RT_Out<>:$out, I64Attr:$dim);
  let assemblyFormat = [{
    $input `,` $index `into` $out `dim` $dim attr-dict `:` type(operands)
  }];
}

def RT_CopyOp : RT_CallOp<"copy"> {
  let summary = "tprt_copy: between two strided boxes";
  let description = [{
    ```mlir
    rt.copy %x to %y extents [8, 4] from 0 [6, 1] to 2 [1, 8]
        : memref<8x6xf32>, memref<6x8xf32>
    ```
    Offsets and strides are in elements.
  }];
  let arguments = (ins RT_In<>:$input, RT_Out<>:$out,
    DenseI64ArrayAttr:$extents, I64Attr:$input_offset,
    DenseI64ArrayAttr:$input_strides, I64Attr:$out_offset,
    DenseI64ArrayAttr:$out_strides);
  let assemblyFormat = [{
    $input `to` $out `extents` $extents `from` $input_offset $input_strides
    `to` $out_offset $out_strides attr-dict `:` type(operands)
  }];
}

def RT_MaskOp : RT_CallOp<"mask"> {
  let summary = "tprt_mask: fills the padding of a dim, in place";
  let arguments = (ins RT_InOut<>:$buffer, Index:$start, I64Attr:$dim,
                       I64Attr:$size, F64Attr:$fill);
  let assemblyFormat = [{
    $buffer `dim` $dim `from` $start `size` $size `fill` $fill attr-dict
    `:` type($buffer)
  }];
}

def RT_MakePartialOp : RT_CallOp<"make_partial"> {
  let summary = "tprt_make_partial: neutral on all but a group's first device";
  let arguments = (ins RT_InOut<>:$buffer, TP_ReduceKindAttr:$reduction,
                       I64Attr:$group);
  let assemblyFormat = [{
    $buffer `as` `` $reduction `group` $group attr-dict `:` type($buffer)
  }];
}

def RT_CollectiveOp : RT_CallOp<"collective", [],
    [SameVariadicOperandSize]> {
  let summary = "tprt_collective: exchanges buffers within a group";
  let description = [{
    `id` is unique in its function; `name` says which module is responsible. A
    permute takes from the member of `group` whose index is this device's in
    `source_group`. One that is `started` may run until every output has had its
    rt.wait; the runtime for CPUs does not make use of it.

    ```mlir
    rt.collective all_reduce sum (%x) into (%y) group 0 id 3 name "model.norm"
        : (memref<8x64xf32>) -> memref<8x64xf32>
    ```
  }];
  let arguments = (ins RT_CollectiveKindAttr:$kind, TP_ReduceKindAttr:$reduction,
    Arg<Variadic<RT_Buffer>, "", [MemRead]>:$inputs,
    Arg<Variadic<RT_Buffer>, "", [MemWrite]>:$outputs,
    I64Attr:$group, I64Attr:$id, StrAttr:$name,
    OptionalAttr<I64Attr>:$source_group,
    OptionalAttr<DenseI64ArrayAttr>:$dims,
    OptionalAttr<DenseI64ArrayAttr>:$split_dims, UnitAttr:$started);
  let assemblyFormat = [{
    `` $kind `` $reduction `(` $inputs `)` `into` `(` $outputs `)` `group` $group
    `id` $id `name` $name (`source` $source_group^)? (`dims` $dims^)?
    (`split` $split_dims^)? (`started` $started^)? attr-dict
    `:` functional-type($inputs, $outputs)
  }];
}

def RT_WaitOp : RT_Op<"wait"> {
  let summary = "a buffer that a started collective writes is there";
  let description = [{
    `id` is that of the collective, which stands before it in the function. Backends
    whose collectives run beside kernels wait here; on CPUs it is nothing.

    ```mlir
    rt.wait %y of 3 : memref<8x64xf32>
    ```
  }];
  let arguments = (ins Arg<RT_Buffer, "", [MemRead, MemWrite]>:$buffer,
                       I64Attr:$id);
  let assemblyFormat = "$buffer `of` $id attr-dict `:` type($buffer)";
}

def RT_CoordinateOp : RT_Op<"coordinate", [Pure]> {
  let summary = "tprt_coordinate: this device's index within a group";
  let arguments = (ins I64Attr:$group);
  let results = (outs Index:$result);
  let assemblyFormat = "`group` $group attr-dict";
  let hasVerifier = 1;
}

def RT_LaunchOp : RT_Op<"launch",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     AttrSizedOperandSegments]> {
  let summary = "runs a kernel of the program";
  let description = [{
    The kernel's arguments are the inputs and then the outputs. An output may be the
    buffer of an input of the same type: every kernel reads an element of such an
    input before it writes the element.

    ```mlir
    rt.launch @kernel_0(%x, %y) into (%z)
        : (memref<8x64xf32>, memref<8x64xf32>) -> memref<8x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel,
    Arg<Variadic<AnyTypeOf<[RT_Buffer, Index]>>, "", [MemRead]>:$inputs,
    Arg<Variadic<RT_Buffer>, "", [MemWrite]>:$outputs);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` `into` `(` $outputs `)` attr-dict
    `:` functional-type($inputs, $outputs)
  }];
}

//===----------------------------------------------------------------------===//
// Timelines
//===----------------------------------------------------------------------===//

def RT_MarkOp : RT_Op<"mark"> {
  let summary = "tprt_mark: what runs from here to the next mark";
  let description = [{
    The time at which a rank comes here is where a span of its timeline begins; it
    ends at the next mark, or with the entry. `op` and `module` are the span's names.
    With `collective`, the span is that collective, by its id in this function; with
    `kernel`, a launch of that kernel. Marks are numbered in the order of the function.

    ```mlir
    rt.mark "tp.all_reduce" of "model.layers.0.mlp.down_proj" collective 3
    rt.mark "arith.addf" of "model.layers.0" kernel @kernel_0
    ```
  }];
  let arguments = (ins StrAttr:$op, StrAttr:$module,
                       OptionalAttr<I64Attr>:$collective,
                       OptionalAttr<FlatSymbolRefAttr>:$kernel);
  let assemblyFormat = [{
    $op `of` $module (`collective` $collective^)? (`kernel` $kernel^)? attr-dict
  }];
}

#endif // TP_DIALECT_RT_OPS
