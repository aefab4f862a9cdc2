//===- ShardingRule.h - how the dims of an op relate ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A sharding rule maps every dim of every tensor operand and result to an
// ordered list of *factors*, major to minor. Sharding a factor means sharding
// every dim that has it. Examples:
//
//   nn.contract  "bsk,nk->bsn"   ([b,s,k],[n,k])->([b,s,n]); sum{k}; each{0,1}
//   arith.addf                   ([i,j],[i,j])->([i,j]); joint{0,1}
//   nn.embedding                 ([...],[v,w])->([...,w]); sum{v}; indexed{v};
//                                masked{v}; each{1}; checked{0}
//   nn.reshape 4x6 to 24         ([h,d])->([(h d)])
//
// Clauses after the arrow, in any order:
//   sum{f} max{f} ..  f is reduced: sharded, the results are partial
//   replicate{f}      f must be whole on every device
//   decompose{f}      f may only be sharded after DecomposeOpInterface
//   indexed{f}        the op reads global positions along f: the local op is
//                     given the shard's start
//   masked{f}         the op itself ignores padding along f
//   each{i,j}         linear in each of these operands: on each axis at most
//                     one of them may be partial, and the results are then
//                     partial
//   joint{i,j}        linear in these operands together: all are partial over
//                     the same axes, or none is
//   checked{i}        the op fails on some elements that operand i may not
//                     have, such as ids of no row: its padding must be 0
// Operands of each, joint and checked count tensor operands only.
//
//===----------------------------------------------------------------------===//

#ifndef TP_INTERFACES_SHARDINGRULE_H
#define TP_INTERFACES_SHARDINGRULE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

#include "tp/Interfaces/ShardingEnums.h.inc"

namespace mlir::tp {

/// The value that changes nothing when it is combined with others: 0, 1 or an
/// infinity.
double neutralOf(ReduceKind kind);

enum class FactorKind { Pass, Reduce, Replicate, Decompose };

struct Factor {
  int64_t size = 0;
  FactorKind kind = FactorKind::Pass;
  ReduceKind reduction = ReduceKind::Sum;
  bool indexed = false;
  bool masked = false;
};

/// The factors of one dim, major to minor. Empty for a dim of size 1 that
/// nothing maps to.
using DimFactors = SmallVector<unsigned, 1>;
using TensorFactors = SmallVector<DimFactors, 4>;

struct ShardingRule {
  SmallVector<Factor> factors;
  /// One entry for each operand and result, in order; empty for those that are
  /// not ranked tensors.
  SmallVector<TensorFactors> operands, results;
  /// Operand numbers (of the op, scalars counted) in which the op is linear.
  SmallVector<unsigned> each, joint;
  /// Operand numbers whose padding must be 0.
  SmallVector<unsigned> checked;

  /// Makes the rule of `op` from the notation above. `...` stands for the dims
  /// that the named ones leave over, the same for every tensor that has it. The
  /// notation is the program's own, so mistakes in it are reported as an empty
  /// optional and never come from input.
  static std::optional<ShardingRule> parse(Operation *op, StringRef notation);

  /// Every operand and result has the result's dims: elementwise ops. Operands
  /// of another rank are left out.
  static ShardingRule elementwise(Operation *op);

  /// Adds a factor and returns its number.
  unsigned addFactor(int64_t size, FactorKind kind = FactorKind::Pass) {
    factors.push_back(Factor{size, kind, ReduceKind::Sum, false, false});
    return factors.size() - 1;
  }
};

/// The rule of an op whose notation its verifier has made sure of.
ShardingRule ruleOf(Operation *op, StringRef notation);

/// Clones `op` with other operands and result types, attributes and all but
/// placement caches kept.
Operation *cloneWith(OpBuilder &builder, Operation *op, ValueRange operands,
                     TypeRange resultTypes);

/// The types of `types` with every dim that `factor` covers (alone) replaced by
/// `sizes`: the types of an op whose factor was split.
SmallVector<Type> splitResultTypes(Operation *op, const ShardingRule &rule,
                                   unsigned factor, ArrayRef<int64_t> sizes);

/// The name of the module that `location` belongs to, which the importer wrote
/// there as a NameLoc; empty if it has none.
StringRef moduleOf(Location location);

/// The dims of an unranked or scalar type are empty.
inline ArrayRef<int64_t> shapeOf(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.getShape();
  return {};
}

} // namespace mlir::tp

#include "tp/Interfaces/ShardingInterfaces.h.inc"

#endif // TP_INTERFACES_SHARDINGRULE_H
