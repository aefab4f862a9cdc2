//===- NN.h - the nn dialect ------------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_NN_IR_NN_H
#define TP_DIALECT_NN_IR_NN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Interfaces/ShardingRule.h"

#include "tp/Dialect/NN/IR/NNDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/NN/IR/NNAttributes.h.inc"
#define GET_OP_CLASSES
#include "tp/Dialect/NN/IR/NNOps.h.inc"

namespace mlir::nn {

/// Names of the attributes on the arguments and results of a model's function.
inline constexpr StringLiteral kParameterName = "nn.parameter";
inline constexpr StringLiteral kInputName = "nn.input";
inline constexpr StringLiteral kDimsName = "nn.dims";
inline constexpr StringLiteral kStateName = "nn.state";
inline constexpr StringLiteral kOutputName = "nn.output";
/// Names of the attributes on the module: where the weights are, relative to
/// the file that the module was written to, and what they were.
inline constexpr StringLiteral kCheckpointName = "nn.checkpoint";
inline constexpr StringLiteral kChecksumName = "nn.checksum";

/// The parts of a contraction's equation "bsk,nk->bsn". Fails on anything else
/// than letters, one comma and one arrow.
struct Equation {
  StringRef lhs, rhs, result;
};
FailureOr<Equation> parseEquation(StringRef text);

using tp::moduleOf;

/// Forgets how files store the parameters of `module`, which are then widened
/// when they are loaded, whatever reads them.
void forgetStored(ModuleOp module);

/// Gives upstream ops (arith) their derivatives.
void registerDerivativeModels(DialectRegistry &registry);

} // namespace mlir::nn

#endif // TP_DIALECT_NN_IR_NN_H
