//===- Interpreter.h - what programs mean, on small tensors -----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Evaluates global programs, and local ones on all devices in lock step, so
// that the two can be compared. Written from the descriptions of ops and
// placements; shares no code with the passes and lowerings it is there to test.
//
// Elements are doubles whatever their type, so that no rounding hides a
// mistake; casts of floats are identities. NaN is poison: what reads it, even
// to ignore it, gives NaN. Padding starts as poison.
//
// To add an op: one function in OpSemantics.cpp or CollectiveSemantics.cpp and
// a line in the table below it.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_INTERPRETER_H
#define TP_UNITTESTS_PROOF_INTERPRETER_H

#include "../Dialect/Simulator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include <limits>

namespace mlir::tp::proof {

using test::combine;
using test::forEachIndex;
using test::Mesh;
using test::Tensor;
using Tensors = std::vector<Tensor>;

inline constexpr double kPoison = std::numeric_limits<double>::quiet_NaN();

/// Constants in the program are of its own types: what a decomposition writes
/// as 1/5 is off by 1e-8. A mistake in whole numbers below 1e5 is far above.
inline constexpr double kTolerance = 1e-6;

/// The results of one op on one device, or on the whole, from its operands.
using OpFunction = Tensors (*)(Operation *op, ArrayRef<const Tensor *> in);
/// The results of a collective on `device`; `in[i][d]` is input i on device d.
using CollectiveFunction = Tensors (*)(Operation *op, const Mesh &mesh,
                                       int64_t device,
                                       ArrayRef<const Tensors *> in);

/// What the op of this name computes; null if it has no semantics here.
OpFunction lookupOp(StringRef name);
CollectiveFunction lookupCollective(StringRef name);

Mesh toMesh(MeshAttr mesh);

/// The results of a function of one block on whole tensors, one for each
/// argument; `all`, if given, takes every value. Fails with `error` at an op
/// without semantics.
FailureOr<Tensors> evaluateGlobal(func::FuncOp function,
                                  ArrayRef<Tensor> arguments,
                                  std::string &error,
                                  DenseMap<Value, Tensor> *all = nullptr);

/// The same on all devices: `arguments[i][d]` is argument i on device d, and so
/// are the results.
FailureOr<std::vector<Tensors>> evaluateLocal(func::FuncOp function,
                                              const Mesh &mesh,
                                              std::vector<Tensors> arguments,
                                              std::string &error);

/// What each device holds of `whole` under `placement`. Partial shares differ
/// from each other; padding is `padding`.
Tensors shard(const Tensor &whole, const Placement &placement, const Mesh &mesh,
              double padding = kPoison);

/// The first true element of any device that is not as `whole` says under
/// `placement`, up to `tolerance` relative to its size; empty if all are right.
std::string compare(ArrayRef<Tensor> devices, const Tensor &whole,
                    const Placement &placement, const Mesh &mesh,
                    double tolerance = kTolerance);

/// Runs a local function, whose arguments and results say how they are placed,
/// on whole tensors: poisons the padding of arguments (parameters have zeros),
/// and compares the results with `expected`. Empty if all is right.
std::string checkLocal(func::FuncOp local, ArrayRef<Tensor> arguments,
                       ArrayRef<Tensor> expected,
                       double tolerance = kTolerance);

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_INTERPRETER_H
