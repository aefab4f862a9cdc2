//===- PlannedMemory.h - state and the memory summary -----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_PLANNEDMEMORY_H
#define TP_LIB_CONVERSION_PLANNEDMEMORY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Conversion/MemoryPlan.h"

namespace mlir::tp {

/// What is said of an argument or a result: its attributes, or those that it
/// had as a tensor if the function works on buffers. Never null.
DictionaryAttr getArgumentSlot(func::FuncOp function, unsigned index);
DictionaryAttr getResultSlot(func::FuncOp function, unsigned index);

/// The result that has the new content of a state argument; none if the
/// argument is no state or the function does not change it.
std::optional<unsigned> findStateResult(func::FuncOp function,
                                        unsigned argument);
/// The argument whose buffer a state result ends in; none if it is no state.
std::optional<unsigned> findStateArgument(func::FuncOp function,
                                          unsigned result);
/// The published name of a state argument; empty if it is none.
StringRef getStateName(func::FuncOp function, unsigned argument);

/// Every state result has exactly one argument of its name and type.
LogicalResult checkStates(func::FuncOp function);

/// Writes the arena's size and the memory summary on the function.
void recordMemory(func::FuncOp function, int64_t arenaBytes);

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_PLANNEDMEMORY_H
