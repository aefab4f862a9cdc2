//===- NNOps.td - ops of the Transformer graph ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_NN_OPS
#define TP_DIALECT_NN_OPS

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "tp/Dialect/NN/IR/NNBase.td"
include "tp/Interfaces/ShardingInterfaces.td"

def NN_Float : AnyTypeOf<[F32, F64, BF16, F16]>;
def NN_FloatTensor : StaticShapeTensorOf<[NN_Float]>;
def NN_Tensor : StaticShapeTensorOf<[NN_Float, I1, I32, I64]>;
def NN_IdTensor : StaticShapeTensorOf<[I32]>;
def NN_TargetTensor : StaticShapeTensorOf<[NN_Float, I32]>;
def NN_Scalar : 0DTensorOf<[I32]>;

class NN_Op<string mnemonic, list<string> ruleMethods = [],
            list<Trait> traits = []>
    : Op<NN_Dialect, mnemonic, !listconcat([Pure,
          DeclareOpInterfaceMethods<ShardingRuleOpInterface, ruleMethods>],
          traits)> {
  let hasVerifier = 1;
}

def Decompose : DeclareOpInterfaceMethods<DecomposeOpInterface>;
def Derivative : DeclareOpInterfaceMethods<DerivativeOpInterface>;

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

def NN_ContractOp : NN_Op<"contract", ["splitFactor"], [Derivative]> {
  let summary = "sum of products over the dims that the result does not have";
  let description = [{
    The equation names dims with letters, as in NumPy's einsum. A letter occurs at
    most once in each tensor, and in at least two of the three. Accumulates in at
    least f32.

    ```mlir
    %1 = nn.contract %0, %w "bsk,nk->bsn"
        : (tensor<1x8x64xf32>, tensor<32x64xf32>) -> tensor<1x8x32xf32>
    ```
    Rule: `([b,s,k],[n,k])->([b,s,n]); sum{k}; each{0,1}`.
  }];
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs,
                       StrAttr:$equation);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs $equation attr-dict `:` functional-type(operands, results)
  }];
}

def NN_ReduceOp : NN_Op<"reduce", ["splitFactor"], [Derivative]> {
  let summary = "reduces dims away";
  let description = [{
    ```mlir
    %1 = nn.reduce %0 "sum" dims [2] : (tensor<1x8x64xf32>) -> tensor<1x8xf32>
    ```
    Rule: `([b,s,h])->([b,s]); sum{h}; joint{0}` (joint for a sum only).
  }];
  let arguments = (ins NN_FloatTensor:$input, StrAttr:$kind,
                       DenseI64ArrayAttr:$dims);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input $kind `dims` $dims attr-dict `:` functional-type($input, $result)
  }];
}

def NN_CumulativeSumOp
    : NN_Op<"cumulative_sum", [], [SameOperandsAndResultType, Decompose,
                                   Derivative]> {
  let summary = "the sum of all elements up to each, along a dim";
  let description = [{
    With `exclusive`, of those before it. Summed in at least f32; in pairs, so that
    rounding errors grow with the logarithm of the extent.

    ```mlir
    %1 = nn.cumulative_sum %0 dim 0 exclusive : tensor<4096x8xf32>
    ```
    Rule: `([i,j])->([i,j]); replicate{i}; joint{0}`. Has no runtime call: written
    out in log2(extent) additions of shifted tensors when kernels are made.
  }];
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$dim,
                       UnitAttr:$exclusive);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `dim` $dim (`exclusive` $exclusive^)? attr-dict `:` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

def NN_ReshapeOp : NN_Op<"reshape", ["buildLocal"], [Derivative]> {
  let summary = "other dims, the same elements in row-major order";
  let description = [{
    ```mlir
    %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
    ```
    Rule: `([s,(h d)])->([s,h,d]); joint{0}`. Which dims correspond is a matter of
    the global shapes, so that a local reshape keeps them:

    ```mlir
    %1 = nn.reshape %0 from [8, 24] to [8, 4, 6]
        : (tensor<8x6xf32>) -> tensor<8x1x6xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input,
                       OptionalAttr<DenseI64ArrayAttr>:$global_input,
                       OptionalAttr<DenseI64ArrayAttr>:$global_result);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input (`from` $global_input^)? (`to` $global_result^)? attr-dict
    `:` functional-type($input, $result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$input), [{
    build($_builder, $_state, type, input, ::mlir::DenseI64ArrayAttr(),
          ::mlir::DenseI64ArrayAttr());
  }]>];
}

def NN_TransposeOp : NN_Op<"transpose", [], [Derivative]> {
  let summary = "permutes dims: result dim i is input dim permutation[i]";
  let description = [{
    ```mlir
    %1 = nn.transpose %0 [1, 0] : (tensor<8x24xf32>) -> tensor<24x8xf32>
    ```
    Rule: `([i,j])->([j,i]); joint{0}`.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input $permutation attr-dict `:` functional-type($input, $result)
  }];
}

def NN_BroadcastOp : NN_Op<"broadcast", ["splitFactor"], [Derivative]> {
  let summary = "repeats along new dims: input dim i is result dim dims[i]";
  let description = [{
    ```mlir
    %1 = nn.broadcast %0 dims [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    ```
    Rule: `([h])->([s,h]); joint{0}`.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$dims);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input `dims` $dims attr-dict `:` functional-type($input, $result)
  }];
}

def NN_SliceOp : NN_Op<"slice", [], [Derivative]> {
  let summary = "a strided box";
  let description = [{
    ```mlir
    %1 = nn.slice %0 offsets [0, 4] strides [1, 2]
        : (tensor<8x24xf32>) -> tensor<8x6xf32>
    ```
    Rule: dims that are kept whole pass, the others are replicated; `joint{0}`.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$offsets,
                       DenseI64ArrayAttr:$strides);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input `offsets` $offsets `strides` $strides attr-dict
    `:` functional-type($input, $result)
  }];
}

def NN_ConcatOp : NN_Op<"concat", [], [Derivative]> {
  let summary = "tensors one after the other along a dim";
  let description = [{
    ```mlir
    %2 = nn.concat %0, %1 dim 1 : (tensor<8x4xf32>, tensor<8x2xf32>) -> tensor<8x6xf32>
    ```
    Rule: the dim is replicated, the others pass; joint in all operands.
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs, I64Attr:$dim);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $inputs `dim` $dim attr-dict `:` functional-type($inputs, $result)
  }];
}

def NN_PadOp : NN_Op<"pad", [], [Derivative]> {
  let summary = "surrounds a tensor with a value";
  let description = [{
    ```mlir
    %1 = nn.pad %0 low [0, 1] high [0, 0] value 0.0
        : (tensor<8x5xf32>) -> tensor<8x6xf32>
    ```
    Rule: padded dims are replicated, the others pass; `joint{0}` if value is 0.
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$low,
                       DenseI64ArrayAttr:$high, F64Attr:$value);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `low` $low `high` $high `value` $value attr-dict
    `:` functional-type($input, $result)
  }];
}

def NN_IotaOp : NN_Op<"iota", ["buildLocal", "getShardStart"]> {
  let summary = "the index along a dim";
  let description = [{
    ```mlir
    %0 = nn.iota dim 0 : tensor<8xi32>
    ```
    Rule: `()->([i,j]); indexed{i}`: a shard begins at `start`.
  }];
  let arguments = (ins Optional<Index>:$start, I64Attr:$dim);
  let results = (outs StaticShapeTensorOf<[I32, I64]>:$result);
  let assemblyFormat = [{
    (`from` $start^)? `dim` $dim attr-dict `:` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

def NN_TakeOp : NN_Op<"take"> {
  let summary = "one index of a dim, chosen at run time";
  let description = [{
    ```mlir
    %1 = nn.take %0, %last dim 1
        : (tensor<1x8x64xf32>, tensor<i32>) -> tensor<1x64xf32>
    ```
    Rule: the dim is replicated, the others pass; `each{0}`.
  }];
  let arguments = (ins NN_Tensor:$input, NN_Scalar:$index, I64Attr:$dim);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $index `dim` $dim attr-dict `:` functional-type(operands, $result)
  }];
}

def NN_EmbeddingOp : NN_Op<"embedding",
    ["buildLocal", "getShardStart", "getMaskedExtent"],
                           [Derivative]> {
  let summary = "rows of a table";
  let description = [{
    ```mlir
    %1 = nn.embedding %ids, %table
        : (tensor<1x8xi32>, tensor<512x64xf32>) -> tensor<1x8x64xf32>
    ```
    Rule: `([...],[v,w])->([...,w]); sum{v}; indexed{v}; masked{v}; each{1};
    checked{0}`. On one
    device of a sharded vocabulary, the table's first row is number `start` of
    `vocabulary`, and rows that are elsewhere are zeros.
  }];
  let arguments = (ins NN_IdTensor:$ids, NN_FloatTensor:$table,
                       Optional<Index>:$start, OptionalAttr<I64Attr>:$vocabulary);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $ids `,` $table (`from` $start^)? (`of` $vocabulary^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

def NN_EmbeddingGradientOp
    : NN_Op<"embedding_gradient",
            ["buildLocal", "getShardStart", "getMaskedExtent"]> {
  let summary = "adds rows into a table of zeros: the transpose of embedding";
  let description = [{
    ```mlir
    %1 = nn.embedding_gradient %ids, %gradient
        : (tensor<1x8xi32>, tensor<1x8x64xf32>) -> tensor<512x64xf32>
    ```
    Rule: `([...],[...,w])->([v,w]); sum{...}; indexed{v}; masked{v}; each{1};
    checked{0}`.
  }];
  let arguments = (ins NN_IdTensor:$ids, NN_FloatTensor:$gradient,
                       Optional<Index>:$start, OptionalAttr<I64Attr>:$vocabulary);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $ids `,` $gradient (`from` $start^)? (`of` $vocabulary^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

def NN_GatherOp : NN_Op<"gather", [], [Decompose, Derivative]> {
  let summary = "rows of a table, each batch from its own";
  let description = [{
    The last two dims of the table are rows and width, those before them the batch,
    with which the ids begin. Of one table for all, `nn.embedding` can be sharded on
    the rows. An id that is no row ends the run.

    ```mlir
    %1 = nn.gather %ids, %table
        : (tensor<4x16xi32>, tensor<4x25x64xf32>) -> tensor<4x16x64xf32>
    ```
    Rule: `([b,...],[b,v,w])->([b,...,w]); replicate{v}; each{1}; checked{0}`. Has
    no runtime call: written out, on one device, as an embedding of the tables under
    each other.
  }];
  let arguments = (ins NN_IdTensor:$ids, NN_FloatTensor:$table);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $ids `,` $table attr-dict `:` functional-type(operands, $result)
  }];
}

def NN_ScatterAddOp : NN_Op<"scatter_add", [], [Decompose, Derivative]> {
  let summary = "adds rows into tables of zeros: the transpose of gather";
  let description = [{
    ```mlir
    %1 = nn.scatter_add %ids, %rows
        : (tensor<4x16xi32>, tensor<4x16x64xf32>) -> tensor<4x25x64xf32>
    ```
    Rule: `([b,...],[b,...,w])->([b,v,w]); sum{...}; replicate{v}; each{1};
    checked{0}`.
  }];
  let arguments = (ins NN_IdTensor:$ids, NN_FloatTensor:$rows);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $ids `,` $rows attr-dict `:` functional-type(operands, $result)
  }];
}

def NN_CacheUpdateOp : NN_Op<"cache_update",
    ["buildLocal", "getShardStart", "getMaskedExtent"]> {
  let summary = "writes rows into a cache at a position";
  let description = [{
    Rows 0 to `length` of the update's dim 1 go to the cache's dim 1 from `position`
    on. In place where the cache is not used again. On one device of a sharded cache,
    the cache's first row is number `start` of `capacity`, and rows that belong
    elsewhere are left out.

    ```mlir
    %1 = nn.cache_update %cache, %new at %position length %length
        : (tensor<1x256x3x64xf32>, tensor<1x8x3x64xf32>, tensor<i32>, tensor<i32>)
          -> tensor<1x256x3x64xf32>
    ```
    Rule: `([b,m,...],[b,s,...],[],[])->([b,m,...]); indexed{m}; masked{m};
    replicate{s}; joint{0,1}`.
  }];
  let arguments = (ins NN_FloatTensor:$cache, NN_FloatTensor:$update,
                       NN_Scalar:$position, NN_Scalar:$length,
                       Optional<Index>:$start, OptionalAttr<I64Attr>:$capacity);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $cache `,` $update `at` $position `length` $length (`from` $start^)?
    (`of` $capacity^)? attr-dict `:` functional-type(operands, $result)
  }];
}

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

def NN_RMSNormOp
    : NN_Op<"rms_norm", ["splitFactor"], [Decompose, Derivative]> {
  let summary = "x / sqrt(mean(x^2) + epsilon) * weight over the last dims";
  let description = [{
    Over as many dims as the weight has. Computed in at least f32.

    ```mlir
    %1 = nn.rms_norm %0, %w epsilon 1.0e-5
        : (tensor<1x8x64xf32>, tensor<64xf32>) -> tensor<1x8x64xf32>
    ```
    Rule: `([...,h],[h])->([...,h]); decompose{h}`, with all dims of the weight for
    h: sharded on one of them it is written out, and the sum of squares is reduced,
    one number a row.
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$weight,
                       F64Attr:$epsilon);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight `epsilon` $epsilon attr-dict
    `:` functional-type(operands, $result)
  }];
}

def NN_SoftmaxOp : NN_Op<"softmax", [],
    [SameOperandsAndResultType, Decompose, Derivative]> {
  let summary = "exp(x) / sum(exp(x)) over a dim";
  let description = [{
    The maximum is subtracted first, so that nothing overflows. Computed in at least
    f32.

    ```mlir
    %1 = nn.softmax %0 dim 1 : tensor<8x512xf32>
    ```
    Rule: `([i,v])->([i,v]); decompose{v}`: sharded on v it is written out, and the
    maximum and the sum are reduced, one number a row each.
  }];
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$dim);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input `dim` $dim attr-dict `:` type($result)";
}

def NN_CrossEntropyOp : NN_Op<"cross_entropy", [], [Decompose, Derivative]> {
  let summary = "the cross-entropy of classes and targets";
  let description = [{
    The last dim of the logits are the classes c, the others the rows. The loss of a
    row is the sum over c of -w[c] q[c] log(softmax(logits)[c]), with `weights` w, or
    all 1, and q the targets: ids of classes, of which each stands for a 1 in its
    place, or the probabilities themselves, in the shape of the logits. With
    `label_smoothing` e over C classes, q is first made (1 - e) q + e / C. Computed,
    and given, in at least f32.

    A row whose id is `ignore_index` has loss and gradient 0 and does not count; any
    other id that is not a class gives NaN. `reduction` is
    - "none", one loss a row;
    - "sum", over all rows;
    - "mean", the sum divided by the number of rows that count; ids with weights: by
      the sum of w[id] over them; probabilities: by the number of rows. The rows are
      those of the whole batch, wherever they are. The mean of nothing, when all
      rows are ignored or weigh nothing, is 0 and its gradients are 0, so that a
      batch without a target does no harm. (PyTorch has 0 / 0 there. All else is
      as in `torch.nn.functional.cross_entropy`, but that classes come last.)

    ```mlir
    %1 = nn.cross_entropy %logits, %targets ignore_index -100 label_smoothing 0.1
        : (tensor<1x8x512xbf16>, tensor<1x8xi32>) -> tensor<1x8xf32>
    %2 = nn.cross_entropy %logits, %targets weights %w ignore_index -100
        reduction "mean" : (tensor<1x8x512xbf16>, tensor<1x8xi32>, tensor<512xf32>)
          -> tensor<f32>
    ```
    Rule: `([...,v],[...],[v])->([...]); decompose{v}`, probabilities `[...,v]`;
    reduced, `->([]); decompose{v,...}`. Sharded on v it is written out: a maximum,
    and two sums in one message, are reduced, one number a row each, and no logit is
    gathered. With weights or probabilities these are the sum of exponentials, then
    the loss and, of a mean with weights, the weight of the target. Sharded on rows,
    the sum and what divides it are reduced in one message.
  }];
  let arguments = (ins NN_FloatTensor:$logits, NN_TargetTensor:$targets,
                       Optional<NN_FloatTensor>:$weights,
                       OptionalAttr<I64Attr>:$ignore_index,
                       OptionalAttr<F64Attr>:$label_smoothing,
                       DefaultValuedStrAttr<StrAttr, "none">:$reduction);
  let results = (outs NN_FloatTensor:$result);
  let extraClassDeclaration = [{
    /// Whether the targets are ids of classes, not probabilities.
    bool hasIds();
  }];
  let assemblyFormat = [{
    $logits `,` $targets (`weights` $weights^)? (`ignore_index` $ignore_index^)?
    (`label_smoothing` $label_smoothing^)? (`reduction` $reduction^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

def NN_RotaryOp : NN_Op<"rotary", [], [Derivative]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates pairs of the first 2r elements of the last dim, where cosine and sine
    are [sequence, r]: (a, b) -> (a cos - b sin, b cos + a sin). Pairs are
    (i, i + r), or (2i, 2i + 1) if `interleaved`.

    ```mlir
    %1 = nn.rotary %0, %cosine, %sine : (tensor<1x8x3x3x64xf32>,
        tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<1x8x3x3x64xf32>
    ```
    Rule: `([b,s,...,d],[s,r],[s,r])->([b,s,...,d]); replicate{d,r}; each{0}`.
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$cosine,
                       NN_FloatTensor:$sine, UnitAttr:$interleaved);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $cosine `,` $sine (`interleaved` $interleaved^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

def NN_AttentionOp : NN_Op<"attention",
    ["buildLocal", "getShardStart", "getMaskedExtent"],
                           [Decompose, AttrSizedOperandSegments]> {
  let summary = "grouped-query attention";
  let description = [{
    softmax(scale * Q K^T) V for every KV head h and query group g. Query i stands
    at position `offset` + i (0 without an offset). With `causal`, it sees the keys
    j <= its position; with `window` w, only j > position - w. A query that sees no
    key gives zeros. On one device of a sharded sequence, the first query is number
    `start`; of keys that are padded, the first `keys` count.

    ```mlir
    %1 = nn.attention %q, %k, %v at %position scale 0.125 causal
        : (tensor<1x8x3x3x64xf32>, tensor<1x256x3x64xf32>,
           tensor<1x256x3x64xf32>, tensor<i32>) -> tensor<1x8x3x3x64xf32>
    ```
    Rule: `([b,s,h,g,d],[b,t,h,d],[b,t,h,d],[])->([b,s,h,g,d]); indexed{s};
    decompose{t}; masked{t}; replicate{d}; each{2}`: with sharded keys it is written
    out, each device attends to its own, and a maximum and a sum for each query and
    the weighted values are reduced.
  }];
  let arguments = (ins NN_FloatTensor:$query, NN_FloatTensor:$key,
                       NN_FloatTensor:$value, Optional<NN_Scalar>:$offset,
                       Optional<Index>:$start, F64Attr:$scale,
                       UnitAttr:$causal, OptionalAttr<I64Attr>:$window,
                       OptionalAttr<F64Attr>:$soft_cap,
                       OptionalAttr<I64Attr>:$keys);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`at` $offset^)? (`from` $start^)? `scale` $scale
    (`causal` $causal^)? (`window` $window^)? (`soft_cap` $soft_cap^)?
    (`of` $keys^)? attr-dict `:` functional-type(operands, $result)
  }];
}

def NN_TopKOp : NN_Op<"top_k",
    ["buildLocal", "getShardStart", "getMaskedExtent"],
                      [Decompose, AttrSizedOperandSegments]> {
  let summary = "the k largest of the last dim, with their ids";
  let description = [{
    In descending order, the lowest id first among equals; `k` = 1 is arg-max. The
    id of an element is its index, or the element of `ids` in its place. With
    `segments` n, the last dim is cut in n blocks, each of them answered, the
    answers side by side: what one device finds in its shard. n counts the segments
    of the global op, also where a device has some of them only.

    ```mlir
    %values, %ids = nn.top_k %logits k 1
        : (tensor<1x512xf32>) -> (tensor<1x1xf32>, tensor<1x1xi32>)
    ```
    Elements whose id is not below `of` do not take part.

    Rule: `([...,v],[...,v])->([...,k],[...,k]); decompose{v}; replicate{k}`; with
    `of`, `replicate{v}; masked{v}`; with ids, `replicate{v}`; with segments
    `([...,(n w)])->([...,(n k)]...); indexed{n}; masked{n}`.
  }];
  let arguments = (ins NN_FloatTensor:$values, Optional<NN_IdTensor>:$ids,
                       Optional<Index>:$start, I64Attr:$k,
                       DefaultValuedAttr<I64Attr, "1">:$segments,
                       OptionalAttr<I64Attr>:$size);
  let results = (outs NN_FloatTensor:$top_values, NN_IdTensor:$top_ids);
  let extraClassDeclaration = [{
    /// `size`, or the number of elements if it is not given.
    ::mlir::IntegerAttr getSizeOrWidth(::mlir::OpBuilder &builder);
  }];
  let assemblyFormat = [{
    $values (`ids` $ids^)? (`from` $start^)? `k` $k
    (`segments` $segments^)? (`of` $size^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

//===----------------------------------------------------------------------===//
// Module boundaries
//===----------------------------------------------------------------------===//

def NN_BoundaryOp : NN_Op<"boundary", ["splitFactor"],
                          [SameOperandsAndResultType, Derivative]> {
  let summary = "an input or output of a module";
  let description = [{
    The identity; plans and reports speak of it. `direction` is "input" or
    "output"; `name` is the position ("0") or keyword of the argument. When a dim
    is split by normalisation, `origin_dims` keeps the original dim of each. The
    gradient passes as it is: nothing is asked of it.

    ```mlir
    %1 = nn.boundary %0 "output" "0" of "model.layers.0.self_attn.q_proj"
        : tensor<1x8x576xf32>
    ```
    Rule: `([i,j])->([i,j]); joint{0}`.
  }];
  let arguments = (ins NN_Tensor:$input, StrAttr:$direction, StrAttr:$name,
                       StrAttr:$module,
                       OptionalAttr<DenseI64ArrayAttr>:$origin_dims);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input $direction $name `of` $module (`dims` $origin_dims^)? attr-dict
    `:` type($result)
  }];
}

#endif // TP_DIALECT_NN_OPS
