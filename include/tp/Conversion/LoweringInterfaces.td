//===- LoweringInterfaces.td - what lowering asks of an op ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Which ops may share a kernel and which may share a buffer is asked through
// these interfaces, so that the passes list no ops. Ops of other dialects get
// them as external models (lib/Conversion/*Models.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_LOWERINGINTERFACES
#define TP_CONVERSION_LOWERINGINTERFACES

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def TP_KernelRole : I32EnumAttr<"KernelRole", "what an op is to a kernel", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Pointwise", 1, "pointwise">,
    I32EnumAttrCase<"Leaf", 2, "leaf">,
    I32EnumAttrCase<"Reduction", 3, "reduction">,
    I32EnumAttrCase<"Composite", 4, "composite">]> {
  let cppNamespace = "::mlir::tp";
  let genSpecializedAttr = 0;
}

def KernelOpInterface : OpInterface<"KernelOpInterface"> {
  let description = [{
    An op on tensors that can be part of a kernel. Ops with the Elementwise trait,
    constants and composites need not implement it.
    - A *pointwise* op works element by element on tensors of one shape.
    - A *leaf* is cheap enough to be computed again in every kernel that uses it: an
      element of the result needs at most one element of each operand.
    - A *reduction* combines the elements of some dims.
    - A *composite* is written out first: it has DecomposeOpInterface, and neither a
      kernel nor, by BufferOpInterface, a call of the runtime.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<"What the op is to a kernel.", "::mlir::tp::KernelRole",
      "getKernelRole">,
    InterfaceMethod<[{
        Leaf: the dims of the result along which the dims of `operand` run.
      }], "::llvm::SmallVector<int64_t>", "getOperandDims",
      (ins "unsigned":$operand), "", [{ return {}; }]>,
    InterfaceMethod<[{
        Leaf: the element at a point, given the operands' elements; all are scalars
        or all are vectors, `type` says which. `indexOf(d)` gives the index along
        dim d of the result, of type index.
      }], "::mlir::Value", "buildElement",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$operands,
           "::mlir::Type":$type,
           "::llvm::function_ref<::mlir::Value(int64_t)>":$indexOf),
      "", [{ return {}; }]>,
    InterfaceMethod<"Leaf: whether the element depends on the index along `dim`.",
      "bool", "readsIndex", (ins "int64_t":$dim), "", [{ return false; }]>,
    InterfaceMethod<"Reduction: how elements are combined.",
      "::mlir::tp::ReduceKind", "getReduceKind", (ins), "",
      [{ return ::mlir::tp::ReduceKind::Sum; }]>,
    InterfaceMethod<"Reduction: the dims that go away, in increasing order.",
      "::llvm::SmallVector<int64_t>", "getReducedDims", (ins), "",
      [{ return {}; }]>,
    InterfaceMethod<[{
        Reduction: the same over the trailing dims of `input`, whose dims are the
        kept ones in order and then the reduced ones.
      }], "::mlir::Value", "buildTrailingReduction",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$input), "",
      [{ return {}; }]>
  ];
}

def BufferOpInterface : OpInterface<"BufferOpInterface"> {
  let description = [{
    An op on tensors that has a lowering to the runtime: which buffers its results
    may share.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        The operand that the result is a view of: the same elements in the same
        order, perhaps with other dims. Costs nothing.
      }], "::std::optional<unsigned>", "getViewedOperand",
      (ins "unsigned":$result), "", [{ return ::std::nullopt; }]>,
    InterfaceMethod<[{
        The operands whose buffer the result may take over, best first, if their
        content is not needed afterwards.
      }], "::llvm::SmallVector<unsigned>", "getInPlaceOperands",
      (ins "unsigned":$result), "", [{ return {}; }]>,
    InterfaceMethod<[{
        Whether the op can only update its (one) in-place operand, so that a content
        that is still needed must be copied first.
      }], "bool", "mustUpdateInPlace", (ins "unsigned":$result), "",
      [{ return false; }]>,
    InterfaceMethod<[{
        If the op can read this operand, a weight of f32, as its file stores it,
        quantised or as a 16-bit float: how many of the operand's last dims are one
        line to it, whose elements it adds up, so that lines had best be interleaved;
        0 if it has no such wish. In `mhk,nhk->mn` the right operand's are two.
      }], "::std::optional<unsigned>", "getStoredLineDims",
      (ins "unsigned":$operand), "", [{ return ::std::nullopt; }]>
  ];
}

#endif // TP_CONVERSION_LOWERINGINTERFACES
