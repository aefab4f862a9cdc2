//===- RT.h - the rt dialect ------------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_RT_IR_RT_H
#define TP_DIALECT_RT_IR_RT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Dialect/TP/IR/TP.h"

#include "tp/Dialect/RT/IR/RTDialect.h.inc"
#include "tp/Dialect/RT/IR/RTEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/RT/IR/RTAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "tp/Dialect/RT/IR/RTTypes.h.inc"

#include "tp/Dialect/RT/IR/RTInterfaces.h.inc"
#define GET_OP_CLASSES
#include "tp/Dialect/RT/IR/RTOps.h.inc"

namespace mlir::rt {

/// Attribute names, see the dialect's description.
inline constexpr StringLiteral kPlacesName = "rt.places";
inline constexpr StringLiteral kArenaBytesName = "rt.arena_bytes";
inline constexpr StringLiteral kMemoryName = "rt.memory";
inline constexpr StringLiteral kSlotName = "rt.slot";
inline constexpr StringLiteral kKernelName = "rt.kernel";
inline constexpr StringLiteral kGridName = "rt.grid";
inline constexpr StringLiteral kMarkedName = "rt.marked";
inline constexpr StringLiteral kGroupsName = "rt.groups";
inline constexpr StringLiteral kStoredName = "rt.stored";

/// Most dims that a buffer may have, and most buffers of one collective: the
/// limits of the runtime's interface.
inline constexpr int64_t kMaxRank = 8;
inline constexpr size_t kMaxCollectiveBuffers = 4;

/// The runtime's number of an element type, or nothing if it has none.
std::optional<int64_t> getDTypeCode(Type elementType);
/// Its name in manifests; empty if it has none.
StringRef getDTypeName(Type elementType);

/// Bytes of one element in memory, at least one; indices take eight.
int64_t getElementBytes(Type elementType);
/// Bytes of a dense tensor or memref of static shape; of a stored type, of its
/// blocks.
int64_t getBytes(ShapedType type);

/// Elements of a block of a stored type, by the name that files have for it: 1
/// for a 16-bit float, nothing if weights are not kept so.
std::optional<int64_t> getBlockElements(StringRef stored);
/// Lines that lie side by side where they are interleaved.
inline constexpr int64_t kInterleavedLines = 8;
/// Whether the runtime interleaves lines of `line` elements of a stored type.
bool mayInterleave(StringRef stored, int64_t line);
/// Whether the last dims of a buffer make up lines of `line` elements, a
/// multiple of kInterleavedLines of them.
bool isInGroupsOfLines(ArrayRef<int64_t> shape, int64_t line);
/// The runtime's number of how a buffer is stored; 0 for one that lies as its
/// element type.
int64_t getStoredCode(MemRefType type);

/// What tp-keep-origins wrote into a location; null if it did not.
OriginAttr findOrigin(Location location);

/// The buffer that holds a tensor: booleans are stored as bytes.
MemRefType getBufferType(RankedTensorType type);

} // namespace mlir::rt

#endif // TP_DIALECT_RT_IR_RT_H
