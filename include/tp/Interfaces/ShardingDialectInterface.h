//===- ShardingDialectInterface.h - arguments and results -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What sharding must know of the arguments and results of a function, and only
// the dialect knows whose attributes they carry: parameters, states.
//
//===----------------------------------------------------------------------===//

#ifndef TP_INTERFACES_SHARDINGDIALECTINTERFACE_H
#define TP_INTERFACES_SHARDINGDIALECTINTERFACE_H

#include "mlir/IR/DialectInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace mlir::tp {

/// For each result of a function the argument that is donated to it: the result
/// goes where the argument was, so that both have one sharding.
using Donors = SmallVector<std::optional<unsigned>>;

/// What an argument holds from run to run, one for all functions of a module.
struct StoredTensor {
  StringAttr name;    ///< for messages
  Attribute identity; ///< arguments of equal identity and type hold the same
};

class ShardingDialectInterface
    : public DialectInterface::Base<ShardingDialectInterface> {
public:
  ShardingDialectInterface(Dialect *dialect) : Base(dialect) {}

  /// Sets the donors that this dialect's attributes speak of.
  virtual void findDonors(FunctionOpInterface function, Donors &donors) const {}

  /// Whether this dialect's attributes say that the argument is a parameter:
  /// the same from run to run, stored as it is sharded.
  virtual bool isParameter(FunctionOpInterface function,
                           unsigned argument) const {
    return false;
  }

  /// What the argument holds from run to run, if this dialect's attributes say
  /// that it does: a parameter, a state.
  virtual std::optional<StoredTensor> findStored(FunctionOpInterface function,
                                                 unsigned argument) const {
    return std::nullopt;
  }

  /// Whether this dialect's attributes promise that the padding of the argument
  /// is zero.
  virtual bool isZeroPadded(FunctionOpInterface function,
                            unsigned argument) const {
    return false;
  }
};

/// What the dialects that are loaded know, together.
Donors findDonors(FunctionOpInterface function);
bool isParameter(FunctionOpInterface function, unsigned argument);
std::optional<StoredTensor> findStored(FunctionOpInterface function,
                                       unsigned argument);
bool isZeroPadded(FunctionOpInterface function, unsigned argument);

} // namespace mlir::tp

#endif // TP_INTERFACES_SHARDINGDIALECTINTERFACE_H
