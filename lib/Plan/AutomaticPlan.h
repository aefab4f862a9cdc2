//===- AutomaticPlan.h - which dims share out an axis -----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_AUTOMATICPLAN_H
#define TP_LIB_PLAN_AUTOMATICPLAN_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/DimClasses.h"

namespace mlir::tp {

/// The plain dims that one dim of a stored tensor became, as classes, major to
/// minor: KV heads and query groups, or one feed-forward dim. What an axis is
/// shared out over together.
struct DimGroup {
  SmallVector<unsigned, 3> classes;
  SmallVector<int64_t, 3> sizes;
  /// How many devices each class is shared out over: part k of the axis, major
  /// to minor. Filled by shareOut.
  SmallVector<int64_t, 3> shares;
  /// The true extent that is shared out.
  int64_t extent() const;
  /// The largest extent on one device.
  int64_t block() const;
};

/// Shares an axis of `devices` out over the group: the shares (each a divisor,
/// their product one too) with the smallest block, then with the smallest
/// blocks of `narrower` (classes of the group that others use without the rest:
/// KV heads), then over the fewest devices, then the most major.
///
///   3 KV heads x 3 groups on 4: 4 x 1 (padded to 4 KV heads): 3 query heads
///   4 x 2 on 8: 4 x 2, one head each; 3 x 3 on 6: 3 x 2, two heads each
void shareOut(DimGroup &group, int64_t devices,
              ArrayRef<SmallVector<unsigned, 3>> narrower);

/// The groups of a function's parameters: every class is in one group at most.
class DimGroups {
public:
  /// `without`: numbers of parameters that are not to be sharded.
  DimGroups(func::FuncOp function, const DimClasses &classes, int64_t devices,
            const llvm::DenseSet<unsigned> &without = {});

  ArrayRef<DimGroup> groups() const { return all; }
  /// The group of a class; null if it cannot be sharded (a head's inside, a dim
  /// that no parameter has).
  const DimGroup *groupOf(unsigned dimClass) const;
  unsigned numberOf(unsigned dimClass) const { return owner[dimClass]; }

private:
  std::vector<DimGroup> all;
  SmallVector<unsigned> owner;
};

/// Calls `visit` for every dim of an operand that its op needs whole.
void forEachWholeDim(func::FuncOp function,
                     function_ref<void(Value, unsigned)> visit);

/// Chooses the groups to share an axis out over: so that the work of every
/// contraction is shared out, those that send the fewest bytes for it first,
/// and then what is left of the large parameters, for their storage. Returns
/// one flag a group.
SmallVector<bool> chooseGroups(func::FuncOp function, const DimClasses &classes,
                               const DimGroups &groups);

/// The work of all contractions of a function, or of one op: multiply-adds.
double contractionWork(func::FuncOp function);
double contractionWork(Operation *op);

/// What picks what the rest is computed with: a router of experts.
struct Routers {
  llvm::DenseSet<unsigned> parameters; ///< by argument number
  /// The values that are picked from, and the dim.
  SmallVector<std::pair<Value, unsigned>> picked;
};

/// Routers stay whole: they are a small part of the work, and every device
/// needs all of what they say. Sharded, every pick would be put together from
/// all devices. A head is none: nothing is contracted with what is picked of
/// logits.
Routers findRouters(func::FuncOp function, const DimClasses &classes);

} // namespace mlir::tp

#endif // TP_LIB_PLAN_AUTOMATICPLAN_H
