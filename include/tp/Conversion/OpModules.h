//===- OpModules.h - which module an op belongs to --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_OPMODULES_H
#define TP_CONVERSION_OPMODULES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>
#include <string>

namespace mlir::tp {

/// Which module each value of a local function belongs to.
class ModuleNames {
public:
  explicit ModuleNames(func::FuncOp function);

  /// Names the op and its results; operands must have been named.
  StringRef add(Operation *op);
  StringRef of(Operation *op) const;
  StringRef of(Value value) const;
  /// The published name of an argument; empty if it has none.
  StringRef argumentName(BlockArgument argument) const;
  bool isParameter(Value value) const;
  /// The parameter that `value` is, moved or not; null if it is none.
  Value parameterOf(Value value) const;

private:
  std::string find(Operation *op) const;

  func::FuncOp function;
  DenseMap<Value, std::string> values;
  DenseMap<Operation *, std::string> ops;
  DenseMap<Value, Value> moved; ///< from parameters
};

/// The first number in a module's name: "model.layers.7.mlp" is of layer 7.
std::optional<int64_t> layerOf(StringRef module);

} // namespace mlir::tp

#endif // TP_CONVERSION_OPMODULES_H
