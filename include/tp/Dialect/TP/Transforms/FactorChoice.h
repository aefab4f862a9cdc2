//===- FactorChoice.h - how an op is sharded --------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The tensors of an op may ask for different shardings of it. What each of them
// has is a *claim*: these axes for that factor. Claims are granted in an order
// of preference that depends on the op, its tensors and the mesh alone, never
// on where the op stands:
//
//   1. stored values (parameters and what is computed of them alone) are used
//      as they are stored, the most bytes first; over a data-parallel axis it
//      is the other way round: they are gathered (FSDP);
//   2. what leaves the op as it is before what has it decomposed;
//   3. over more devices, counting the padding;
//   4. data-parallel axes where they come first in the results: the batch;
//   5. the most bytes that would be sent if the claim were refused, less those
//      of the reduction that it leads to if it is granted;
//   6. the earlier factor.
//
// A claim on axes that another factor was given is cut before them.
//
//   q = contract(x[b,s{tp},k], wq[n{tp},k])   claims: s{tp} of x, n{tp} of wq
//     n: the parameter stays, x is gathered
//   y = contract(a[b,s,f{tp}], w[h,f{tp}]), y wanted as [b,s{tp},h]
//     f: the result is partial and reduce-scattered
//   y = contract(x[b{dp},k], w[n{dp},k])      claims: b{dp} of x, n{dp} of w
//     b: the parameter is gathered
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_FACTORCHOICE_H
#define TP_DIALECT_TP_TRANSFORMS_FACTORCHOICE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::tp {

/// The bytes of a whole tensor; an element of no fixed width counts as 8.
double bytesOf(Value value);

class FactorChooser {
public:
  FactorChooser(func::FuncOp function, FlatSymbolRefAttr meshName,
                MeshAttr mesh);

  /// The axes of each factor of `op`. `axesOf` gives those of the dims of an
  /// operand or result, as far as they are known (for a result, wanted).
  /// Factors that must be whole get none; such as have to be decomposed first
  /// only if `mayDecompose`.
  SmallVector<Axes> choose(Operation *op, const ShardingRule &rule,
                           function_ref<ArrayRef<Axes>(Value)> axesOf,
                           bool mayDecompose) const;

  /// Whether `value` is a parameter or computed of parameters alone.
  bool isStored(Value value) const { return stored.contains(value); }
  /// Whether a mesh axis is data parallel, see MeshOp.
  bool isData(StringRef axis) const { return dataAxes.contains(axis); }

private:
  DenseSet<Value> stored;
  DenseSet<StringRef> dataAxes;
};

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_FACTORCHOICE_H
