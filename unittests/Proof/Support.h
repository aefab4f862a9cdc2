//===- Support.h - what the proofs share ------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_SUPPORT_H
#define TP_UNITTESTS_PROOF_SUPPORT_H

#include "Interpreter.h"
#include "mlir/Pass/PassManager.h"
#include <random>

namespace mlir::tp::proof {

/// A context with every dialect and interface, on one thread.
std::unique_ptr<MLIRContext> makeContext();

/// The passes under test, set up once for many modules.
class Passes {
public:
  enum class Extra {
    None,
    /// nn-normalise comes first.
    Normalise,
    /// Collectives are cut in parts where they can be, and in halves that are
    /// scheduled for a machine on which everything takes long.
    Overlap
  };
  explicit Passes(MLIRContext &context, Extra extra = Extra::None);

  /// From a global module whose functions say how arguments and results are
  /// placed to a verified local one. On failure, `messages` says why.
  LogicalResult shard(ModuleOp module, std::string &messages);
  /// Only the verifier, on a local module.
  LogicalResult verify(ModuleOp module, std::string &messages);

private:
  LogicalResult run(PassManager &passes, ModuleOp module,
                    std::string &messages);

  PassManager sharding, verification;
};

/// In halves, apart as far as dependences allow: small programs take no time on
/// any real machine.
void addOverlap(OpPassManager &functions);

/// Whole numbers from `low` to `high`; 0 and 1 for bits.
Tensor randomTensor(Type type, int low, int high, std::mt19937 &generator);

/// A number from the environment.
unsigned setting(const char *name, unsigned otherwise);

std::string toText(ModuleOp module);

/// The only function of a module.
func::FuncOp functionOf(ModuleOp module);

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_SUPPORT_H
