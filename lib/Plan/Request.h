//===- Request.h - what a plan asks of one tensor ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_REQUEST_H
#define TP_LIB_PLAN_REQUEST_H

#include "tp/Plan/Passes.h"
#include "tp/Plan/PlanFile.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::tp {

/// Boundaries of the whole model carry this for a module's name.
inline constexpr StringLiteral kRootModule = "(root)";

/// One element of `tp.request`: what an entry of the plan asks of a tensor
/// along one mesh axis.
struct Request {
  StringRef axis;
  int64_t dim = -1; ///< of the stored tensor or the value; -1 is replicated
  /// Of a boundary: 0 is what the value is taken to be, 1 what it is made to
  /// be.
  int64_t stage = 0;
  /// Of a parameter: the activations along `dim` are whole at the module's
  /// boundary, so that the dim may be cut wherever it is even.
  bool isGathered = false;
  bool isPacked = false;  ///< of a parameter: each matrix of several
  bool isStorage = false; ///< of a parameter: gathered before use
  bool isLazy = false;    ///< of a boundary: partial sums may pass
  /// Of a tied parameter: the module that wants it so, not its first owner.
  StringRef user;
  StringRef entry, style; ///< the plan's key, and what it asked, for messages

  bool isReplicated() const { return dim < 0; }
  /// "\"layers.*.q_proj\": colwise"
  std::string source() const;
  DictionaryAttr toAttribute(MLIRContext *context) const;
};

/// The requests of an argument or a boundary; empty without any. What is no
/// request is left out.
SmallVector<Request, 2> readRequests(Attribute attribute);
Attribute writeRequests(ArrayRef<Request> requests, MLIRContext *context);

/// The roles of a mesh's axes: as the module has them, else by the names dp and
/// tp. Axes without a role are left out.
SmallVector<std::pair<StringRef, AxisRole>> rolesOf(ModuleOp module,
                                                    ArrayRef<StringRef> axes);

/// The module that an op belongs to: as its location says, else by the boundary
/// beside it; empty if neither tells.
StringRef moduleAround(Operation *op);

/// Whether an op looks its operand up by position: it reads the first dim as an
/// index.
bool isLookup(OpOperand &use);

/// The module for which an op reads a parameter: the one around it, else the
/// only one that reads it in the same way, as gradients do; empty if there is
/// none.
StringRef readerOf(OpOperand &use);

} // namespace mlir::tp

#endif // TP_LIB_PLAN_REQUEST_H
