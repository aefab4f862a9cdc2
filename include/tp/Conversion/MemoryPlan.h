//===- MemoryPlan.h - offsets in an arena, and summaries --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_MEMORYPLAN_H
#define TP_CONVERSION_MEMORYPLAN_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace mlir::tp {

//===----------------------------------------------------------------------===//
// Offsets
//===----------------------------------------------------------------------===//

/// Buffers in the arena begin at multiples of this, a cache line.
inline constexpr int64_t kBufferAlignment = 64;

/// A buffer that is live from `first` to `last`, both included, in any unit of
/// time. Buffers that meet at one instant do not share memory.
struct LiveBuffer {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
};

struct OffsetPlan {
  SmallVector<int64_t> offsets; ///< one for each buffer
  int64_t bytes = 0;            ///< the size of the arena
};

/// Chooses offsets such that no two buffers that are live together overlap.
/// First by time, each buffer in the tightest gap; where that misses the lower
/// bound, by size in the lowest gap, and a search from there through other
/// orders. Deterministic. The time taken is near linear in buffers plus live
/// ranges; what the search may do is bounded by a constant.
OffsetPlan planOffsets(ArrayRef<LiveBuffer> buffers);

/// The most bytes, rounded up to the alignment, that are live at one instant:
/// no plan can do with less.
int64_t getLiveBytes(ArrayRef<LiveBuffer> buffers);

//===----------------------------------------------------------------------===//
// Summaries
//===----------------------------------------------------------------------===//

/// Bytes of a value in memory; of a parameter that tp-keep-stored chose, of the
/// blocks of its file. 0 for what is no tensor of static shape.
int64_t heldBytesOf(Value value);
/// The type of those blocks, as files spell it; empty for any other value.
StringRef heldBlocksOf(Value value);

/// Memory of one device in bytes. `inputs` and `outputs` are the local buffers
/// of what the caller gives and takes; the arena holds every other activation.
struct MemorySummary {
  int64_t parameters = 0, state = 0, inputs = 0, outputs = 0, arena = 0;

  int64_t activationsPeak() const { return inputs + outputs + arena; }
  int64_t peak() const { return parameters + state + activationsPeak(); }
};

/// The summary of a function at any level from a local program to the runtime
/// level. A function whose memory is not planned yet is planned on a copy.
/// Fails, with diagnostics, where that has no lowering.
FailureOr<MemorySummary> summarise(func::FuncOp function);

/// The summary of all entries together: parameters and state that entries share
/// by name are counted once; entries run one at a time.
FailureOr<MemorySummary> summarise(ModuleOp module);

} // namespace mlir::tp

#endif // TP_CONVERSION_MEMORYPLAN_H
