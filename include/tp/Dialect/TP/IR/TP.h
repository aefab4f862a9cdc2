//===- TP.h - the tp dialect ------------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_IR_TP_H
#define TP_DIALECT_TP_IR_TP_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Dialect/TP/IR/Placement.h"
#include "tp/Interfaces/ShardingRule.h"

#include "tp/Dialect/TP/IR/TPDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/TP/IR/TPAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "tp/Dialect/TP/IR/TPTypes.h.inc"

namespace mlir::tp {
/// The mesh called `name` as seen from `from`; null if there is none.
MeshAttr lookupMesh(Operation *from, FlatSymbolRefAttr name);

/// The tensor type of a tensor, or of one that is pending; null of any other.
RankedTensorType tensorOf(Type type);
/// The bytes of a tensor, or of one that is pending; 0 of anything else.
int64_t bytesOf(Type type);
/// Whether a collective is the first half of one: its results are pending.
bool isStart(Operation *op);
} // namespace mlir::tp

#include "tp/Dialect/TP/IR/TPInterfaces.h.inc"
#define GET_OP_CLASSES
#include "tp/Dialect/TP/IR/TPOps.h.inc"

namespace mlir::tp {

/// Attribute names, see the dialect's description.
inline constexpr StringLiteral kShardingName = "tp.sharding";
inline constexpr StringLiteral kShardingsName = "tp.shardings";
inline constexpr StringLiteral kGlobalName = "tp.global";
inline constexpr StringLiteral kRolesName = "tp.roles";
/// The roles of mesh axes.
inline constexpr StringLiteral kDataParallel = "data_parallel";
inline constexpr StringLiteral kTensorParallel = "tensor_parallel";

/// Checks `sharding` against the mesh and, if not null, the global tensor type:
/// rank, known axes, no axis twice, padding a multiple of the axes' sizes.
LogicalResult
verifySharding(ShardingAttr sharding, MeshAttr mesh, RankedTensorType type,
               llvm::function_ref<InFlightDiagnostic()> emitError);

/// Whether a function is what one device runs: an argument or result says what
/// it is globally.
bool isLocal(FunctionOpInterface function);
/// Whether it is local and private: written by hand, for `tp.call`. What works
/// on global functions passes by it, and what improves local ones leaves it
/// alone.
bool isEmbedded(FunctionOpInterface function);

/// Gives upstream ops (arith, math) their sharding rules.
void registerShardingModels(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_IR_TP_H
