//===- Reduce.h - reductions in rank order -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_REDUCE_H
#define TPRT_HOST_REDUCE_H

#include "Abi.h"

#include <cstdint>

namespace tprt {

/// target[i] = sources[0][i] op sources[1][i] op ... for `count` elements,
/// always in that order: everybody who does it gets the same bits. bf16 and f16
/// accumulate in f32; NaN wins over everything. `target` may be one of the
/// sources. Dtype and reduction are as in a descriptor, and known: for others
/// nothing happens. Allocates nothing and throws nothing.
void reduceInOrder(int64_t dtype, int64_t reduction, const void *const *sources,
                   int64_t numSources, int64_t count, void *target) noexcept;

} // namespace tprt

#endif // TPRT_HOST_REDUCE_H
