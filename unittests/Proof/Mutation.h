//===- Mutation.h - mistakes put into local programs ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_MUTATION_H
#define TP_UNITTESTS_PROOF_MUTATION_H

#include "Support.h"
#include "mlir/IR/IRMapping.h"
#include <functional>

namespace mlir::tp::proof {

/// One mistake at one op. Made for an op of the original, applied to its clone.
struct Mutation {
  /// The operator that makes it ("drop a mask"), and what it does here.
  std::string name, what;
  /// Changes the clone; `copy` maps the original's values to it. The result
  /// may be illegal IR, which then does not count.
  std::function<void(Operation *op, const IRMapping &copy)> apply;
};

using MutationSink = llvm::function_ref<void(Operation *op, Mutation mutation)>;

/// Every mutation of every operator, wherever it fits in `function`.
void collectMutations(func::FuncOp function, MutationSink sink);

/// Those that change attributes: axes, dims, kinds, extents, numbers, texts.
void collectAttributeMutations(Operation *op, MeshAttr mesh, MutationSink sink);

/// A local function in its module, which still has the `tp.program` that it was
/// made from, and what it gives.
struct LocalProgram {
  std::string name;
  OwningOpRef<ModuleOp> module;
  std::string function;
  Tensors arguments, expected;
};

/// A dense model of one layer under several meshes, a step with a cache, a
/// sequence-parallel block with a loss, and random programs. What cannot be
/// made is reported as a test failure.
std::vector<LocalProgram> makeLocalPrograms(MLIRContext &context);

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_MUTATION_H
