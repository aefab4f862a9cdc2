//===- SharedStorage.h - what several functions store alike -----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Parameters and states are stored once for all functions of a module: what one
// function asks of them or finds for them, the others have to use. Arguments
// hold the same if ShardingDialectInterface says so and their types are equal.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_SHAREDSTORAGE_H
#define TP_DIALECT_TP_TRANSFORMS_SHAREDSTORAGE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::tp {

class SharedStorage {
public:
  /// Takes what `function` asks of its arguments; an error that names both
  /// functions if an earlier one asks for something else.
  LogicalResult collectRequests(func::FuncOp function);

  /// Warns if an earlier function has another shape under the same name: they
  /// cannot be run together, but each can be looked at.
  void compareShapes(func::FuncOp function);

  /// Asks of `function` what is known; returns whether that is news to it.
  bool apply(func::FuncOp function) const;

  /// Takes what was found in `function`, all of whose arguments have shardings:
  /// more than is known where nothing was asked, larger padding otherwise.
  void update(func::FuncOp function);

private:
  using Key = std::pair<Attribute, Type>;

  DenseMap<Key, std::pair<ShardingAttr, func::FuncOp>> known;
  DenseMap<StringAttr, std::pair<Key, func::FuncOp>> shapes; ///< by name
};

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_SHAREDSTORAGE_H
