//===- Placing.h - from requests to shardings -------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_PLACING_H
#define TP_LIB_PLAN_PLACING_H

#include "AutomaticPlan.h"
#include "Request.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::tp {

/// Axes of every dim of a tensor.
using DimAxes = SmallVector<Axes, 4>;

/// What was decided of a parameter: how it is used, and how it is stored, which
/// may be over more axes.
struct PlacedParameter {
  DimAxes use;
  /// The further axes of storage, by dim; empty if there are none.
  DimAxes stored;
  /// How further modules use a tied parameter.
  llvm::MapVector<StringRef, DimAxes> users;
  /// Its dims may be cut as no other tensor's are.
  bool isGathered = false;
};

/// The mesh and what is done with a request that cannot be met.
struct PlacingContext {
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  bool mayWeaken = false;
  mutable llvm::StringSet<> said; ///< entries that a remark was made of

  /// Says that `instead` is done: once for an entry and a kind of tensor, not
  /// for every layer. `text` begins with the tensor.
  void remark(const Twine &text, const Request &request,
              StringRef instead) const;
  /// An error, or where the plan allows it a remark that `instead` is done;
  /// success means that the caller does it. `text` begins with the tensor.
  LogicalResult unmet(const Twine &text, const Request &request,
                      StringRef instead) const;
};

/// A constraint that one dim of `value` is whole; nothing is said of the
/// others, and sums may still be reduced later.
Value keepDimWhole(OpBuilder &builder, Value value, unsigned dim,
                   FlatSymbolRefAttr meshName);

/// A parameter may shard a dim of activations over an axis while others that
/// contract it shard another dim over that axis: a table along its width or a
/// head along its inputs, beside column-parallel layers. Carried on, that
/// sharding would be undone in every layer; the activations stay whole around
/// its module instead, gathered once or sliced. Not where the plan asks other
/// modules for it. Returns the numbers of such parameters. Before boundaries
/// are placed; further uses of tied parameters may enter `placed`.
llvm::DenseSet<unsigned>
keepWhole(func::FuncOp function, const PlacingContext &context,
          const DimClasses &classes,
          llvm::DenseMap<unsigned, PlacedParameter> &placed);

/// Turns the requests on the boundaries of one function into constraints, and
/// removes all boundaries.
class BoundaryPlacer {
public:
  /// `classAxes`: for each class of dims, the axes of the batch and of the
  /// parameters that are not gathered. `placed`: by argument number.
  BoundaryPlacer(
      func::FuncOp function, const PlacingContext &context,
      const DimClasses &classes, ArrayRef<Axes> classAxes,
      const llvm::DenseMap<unsigned, PlacedParameter> &placed,
      const llvm::DenseMap<unsigned, SmallVector<Request, 2>> &asked);

  void run();

private:
  void place(nn::BoundaryOp op);
  /// The sharding that the requests of one stage give; null if they ask
  /// nothing.
  ShardingAttr shardingFor(nn::BoundaryOp op, ArrayRef<Request> requests);
  DimAxes partsFor(nn::BoundaryOp op, const Request &request,
                   ArrayRef<unsigned> dims);
  std::optional<DimAxes> partsOfModule(nn::BoundaryOp op,
                                       const Request &request,
                                       ArrayRef<unsigned> dims);

  func::FuncOp function;
  const PlacingContext &context;
  const DimClasses &classes;
  ArrayRef<Axes> classAxes;
  const llvm::DenseMap<unsigned, PlacedParameter> &placed;
  const llvm::DenseMap<unsigned, SmallVector<Request, 2>> &asked;
  llvm::StringMap<SmallVector<unsigned, 2>> parametersOf; ///< by module
};

} // namespace mlir::tp

#endif // TP_LIB_PLAN_PLACING_H
