//===- RTBase.td - the rt dialect, its attributes and interfaces ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_RT_BASE
#define TP_DIALECT_RT_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def RT_Dialect : Dialect {
  let name = "rt";
  let cppNamespace = "::mlir::rt";
  let summary = "buffers at planned places, and calls of the runtime";
  let description = [{
    The seam between the compiler and its backends. A value is a buffer (a dense
    memref of static shape) at a place chosen at compile time: an argument, a
    result, or an offset in the one arena of a function. There is an op for every
    function of the runtime's program interface (tprt.h), and `rt.launch` for
    kernels that were compiled with the program.

    Attributes:
    - `rt.places`, on an op on tensors: where memory planning put each result;
    - `rt.arena_bytes` and `rt.memory`, on a function: the size of its arena and a
      summary of its memory, in bytes;
    - `rt.slot`, on an argument or result of an entry: what it was as a tensor, its
      name, kind, sharding and global type in one dictionary;
    - `rt.kernel`, on a private function: it is the body of a kernel;
    - `rt.grid`, on a kernel for GPUs: how many blocks, of how many threads, to
      launch it with;
    - `rt.stored`, on a parameter of an entry: its buffer has the blocks of the file,
      in elements of that type, see `!rt.stored`;
    - `rt.marked`, on an entry: its calls and launches have marks, `rt.mark`;
    - `#rt.origin`, in the location of an op: which op of the local program it comes
      from, for the marks of a timeline;
    - `rt.groups`, on the module: the groups of devices that collectives and
      coordinates refer to by their index, each a list of mesh axes.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  // Collectives have its reductions and axes as attributes.
  let dependentDialects = ["::mlir::tp::TPDialect"];
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def RT_StoredType : TypeDef<RT_Dialect, "Stored", [MemRefElementTypeInterface]> {
  let mnemonic = "stored";
  let summary = "elements as a file stores them";
  let description = [{
    The element type of a buffer of f32 numbers that lie as `tprt_stored` has it: one
    of the block-quantised types of GGUF files, or a 16-bit float. Blocks run along
    the buffer's last dim, which is a multiple of one. Only ops that say so read
    such a buffer, and none writes it.

    `interleaved` gives the elements of a line, which the last dims make up; the other
    dims are a multiple of eight lines. Eight lines then lie side by side, block by
    block, as `tprt_stored` says, so that a processor's vector holds what belongs to
    eight lines.

    ```mlir
    memref<576x1536x!rt.stored<"Q8_0">>
    memref<576x3x3x64x!rt.stored<"Q4_1" interleaved 576>>
    ```
  }];
  let parameters = (ins StringRefParameter<"as files spell it">:$name,
      DefaultValuedParameter<"int64_t", "0",
                             "elements of an interleaved line; 0 if lines are "
                             "not">:$line);
  let assemblyFormat = "`<` $name (`interleaved` $line^)? `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def RT_PlaceKind : I32EnumAttr<"PlaceKind", "where a buffer is", [
    I32EnumAttrCase<"Arena", 0, "arena">,
    I32EnumAttrCase<"Operand", 1, "operand">,
    I32EnumAttrCase<"Argument", 2, "argument">,
    I32EnumAttrCase<"Result", 3, "result">]> {
  let cppNamespace = "::mlir::rt";
  let genSpecializedAttr = 0;
}

def RT_PlaceAttr : AttrDef<RT_Dialect, "Place"> {
  let mnemonic = "place";
  let summary = "where the buffer of a tensor is";
  let description = [{
    `#rt.place<arena 4096>`: at this offset of the arena, in bytes;
    `#rt.place<operand 0>`: the op's operand, updated in place or viewed;
    `#rt.place<argument 2>`: the buffer of a donated argument;
    `#rt.place<result 0>`: the buffer of a result of the function.
  }];
  let parameters = (ins EnumParameter<RT_PlaceKind>:$kind, "int64_t":$index);
  let assemblyFormat = "`<` $kind $index `>`";
  let genVerifyDecl = 1;
}

def RT_OriginAttr : AttrDef<RT_Dialect, "Origin"> {
  let mnemonic = "origin";
  let summary = "which op of the local program an op comes from";
  let description = [{
    `#rt.origin<"nn.contract" of "model.layers.0.mlp.down_proj">`: the name of the op
    and the module that it belongs to, which is empty if no one knows. Stands in the
    location of an op, as what is attached to a fused location, because lowering keeps
    locations and nothing else.
  }];
  let parameters = (ins StringRefParameter<"name of the op">:$op,
                        StringRefParameter<"its module">:$module);
  let assemblyFormat = "`<` $op `of` $module `>`";
}

def RT_CollectiveKind : I32EnumAttr<"CollectiveKind", "what a collective does", [
    I32EnumAttrCase<"AllReduce", 0, "all_reduce">,
    I32EnumAttrCase<"AllGather", 1, "all_gather">,
    I32EnumAttrCase<"ReduceScatter", 2, "reduce_scatter">,
    I32EnumAttrCase<"AllToAll", 3, "all_to_all">,
    I32EnumAttrCase<"Permute", 4, "permute">]> {
  let cppNamespace = "::mlir::rt";
  let genSpecializedAttr = 0;
}

/// Prints a space before its value; in an op's syntax, ask for none: `` $kind.
def RT_CollectiveKindAttr
    : EnumAttr<RT_Dialect, RT_CollectiveKind, "collective_kind"> {
  let assemblyFormat = "$value";
}

//===----------------------------------------------------------------------===//
// Interfaces
//===----------------------------------------------------------------------===//

def RuntimeCallOpInterface : OpInterface<"RuntimeCallOpInterface"> {
  let description = [{
    An op that is one call of the runtime: `callee(rank, descriptor, operands...)`.
  }];
  let cppNamespace = "::mlir::rt";
  let methods = [
    InterfaceMethod<"The function of tprt.h.", "::llvm::StringRef", "getCallee">,
    InterfaceMethod<"The words of the constant descriptor, as tprt.h lays it out.",
      "::llvm::SmallVector<int64_t>", "getDescriptor">,
    InterfaceMethod<[{
        The operands of the call in its order; null stands for a null pointer.
      }], "::llvm::SmallVector<::mlir::Value>", "getCallOperands", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/[{
        return ::llvm::SmallVector<::mlir::Value>($_op->getOperands());
      }]>
  ];
}

#endif // TP_DIALECT_RT_BASE
