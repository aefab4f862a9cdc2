//===- ContentClasses.h - values that are computed alike --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The index of a global program in which tp-verify-erasure looks up what a part
// is a part of.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_CONTENTCLASSES_H
#define TP_DIALECT_TP_TRANSFORMS_CONTENTCLASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mlir::tp {

/// An op, with what of it may be of any extent.
struct OpForm {
  Operation *op = nullptr;
  /// The factors whose extent nothing but the results' types shows: what the op
  /// computes at a position is the same however many positions there are.
  llvm::SmallBitVector isFree;
  /// The extents of the others; 0 where they follow from padding.
  SmallVector<int64_t> sizes;
};

/// The free factors of `op`: passed on from operands whose dims are free, or of
/// results alone (a splat's, a broadcast's, an index's).
llvm::SmallBitVector
freeFactorsOf(Operation *op, const ShardingRule &rule,
              llvm::function_ref<bool(Value, unsigned)> isFreeDim);

/// Whether the extent of a factor follows from how far its dim is padded: the
/// width of the segments that an op which ignores padding has cut the dim in.
/// What the op computes does not depend on it then.
bool followsPadding(const ShardingRule &rule, unsigned factor);

/// The values of a global program in classes: two are in one if they are
/// computed alike, up to the extents of free dims. Splats of one element, and
/// what is computed from them element by element, differ in nothing else; which
/// of them a local value is a part of, its extents on a device do not tell.
/// Reshards and constraints are the identity. Linear in the program.
///
///   %0 = constant dense<1.0> : tensor<3xf32>    class 1
///   %1 = constant dense<1.0> : tensor<4xf32>    class 1
///   %2 = arith.negf %1 : tensor<4xf32>          class 2
///   %3 = nn.reduce %0 "sum" dims [0]            class 3
///   %4 = nn.reduce %1 "sum" dims [0]            class 4: it depends on extents
class ContentClasses {
public:
  explicit ContentClasses(func::FuncOp program);

  unsigned classOf(Value value) const { return classes.lookup(value); }
  /// The first value of a class, for errors.
  Value firstOf(unsigned number) const { return firsts[number]; }
  /// Whether dim `dim` of a value of the class has this extent.
  bool hasExtent(unsigned number, unsigned dim, int64_t size) const {
    return extents.contains({number, dim, size});
  }

  /// One op of each kind that has this name and works on values of these
  /// classes.
  ArrayRef<OpForm> formsOn(OperationName name,
                           ArrayRef<unsigned> operands) const;
  /// The one that is `form` but for extents of free dims; null if there is
  /// none. `form` is of a local program, with global extents as its sizes.
  const OpForm *find(const OpForm &form, ArrayRef<unsigned> operands) const;

private:
  /// Numbers and pointers to what is uniqued.
  using Key = std::pair<OperationName, SmallVector<uintptr_t, 8>>;
  struct KeyInfo {
    static Key getEmptyKey() {
      return {DenseMapInfo<OperationName>::getEmptyKey(), {}};
    }
    static Key getTombstoneKey() {
      return {DenseMapInfo<OperationName>::getTombstoneKey(), {}};
    }
    static unsigned getHashValue(const Key &key) {
      return llvm::hash_combine(
          key.first,
          llvm::hash_combine_range(key.second.begin(), key.second.end()));
    }
    static bool isEqual(const Key &a, const Key &b) { return a == b; }
  };

  static Key keyOf(OperationName name, ArrayRef<unsigned> operands);
  static Key exactKeyOf(const OpForm &form, ArrayRef<unsigned> operands);
  void add(Operation *op);
  void addValue(Value value, unsigned number);
  void addValue(Value value);

  DenseMap<Value, unsigned> classes;
  DenseMap<Value, llvm::SmallBitVector> freeDims;
  SmallVector<Value> firsts;
  DenseSet<std::tuple<unsigned, unsigned, int64_t>> extents;
  DenseMap<Key, SmallVector<OpForm, 1>, KeyInfo> forms;
  /// Where in `forms` a form is.
  DenseMap<Key, unsigned, KeyInfo> exact;
};

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_CONTENTCLASSES_H
