//===- ShardingDialectInterface.cpp - arguments and results ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

using Interfaces = DialectInterfaceCollection<ShardingDialectInterface>;

Donors tp::findDonors(FunctionOpInterface function) {
  Donors donors(function.getNumResults());
  for (const ShardingDialectInterface &dialect :
       Interfaces(function.getContext()))
    dialect.findDonors(function, donors);
  return donors;
}

bool tp::isParameter(FunctionOpInterface function, unsigned argument) {
  return llvm::any_of(Interfaces(function.getContext()),
                      [&](const ShardingDialectInterface &dialect) {
                        return dialect.isParameter(function, argument);
                      });
}

std::optional<StoredTensor> tp::findStored(FunctionOpInterface function,
                                           unsigned argument) {
  for (const ShardingDialectInterface &dialect :
       Interfaces(function.getContext()))
    if (auto stored = dialect.findStored(function, argument))
      return stored;
  return std::nullopt;
}

bool tp::isZeroPadded(FunctionOpInterface function, unsigned argument) {
  return llvm::any_of(Interfaces(function.getContext()),
                      [&](const ShardingDialectInterface &dialect) {
                        return dialect.isZeroPadded(function, argument);
                      });
}
