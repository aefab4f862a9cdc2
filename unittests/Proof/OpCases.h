//===- OpCases.h - small programs of one op ---------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_OPCASES_H
#define TP_UNITTESTS_PROOF_OPCASES_H

#include <string>
#include <vector>

namespace mlir::tp::proof {

/// One op on whole tensors. Arguments are whole numbers from `low` to `high`.
struct OpCase {
  /// "nn.contract", and what is special about this case.
  std::string op, name;
  /// A function of the op's operands that returns its results.
  std::string function;
  int low = -4, high = 4;
};

/// At least one for every op that has a sharding rule.
std::vector<OpCase> makeOpCases();

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_OPCASES_H
