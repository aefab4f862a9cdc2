//===- ContractPacked.h - contractions by way of packed tiles ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONTRACTPACKED_H
#define TPRT_HOST_CONTRACTPACKED_H

#include "ContractPlan.h"
#include "Rank.h"

namespace tprt {

/// Any contraction: tiles of the operands are packed, and widened, into dense
/// scratch matrices. Sums stay in the accumulator's type over the whole
/// contracted extent and are rounded once.
template <typename T>
void contractPacked(const ContractPlan &plan, Scratch &scratch, const T *a,
                    const T *b, T *c);

/// The same of f32, where B is in a stored type.
void contractPackedStored(const ContractPlan &plan, Scratch &scratch,
                          const float *a, int64_t stored, const void *b,
                          float *c);

} // namespace tprt

#endif // TPRT_HOST_CONTRACTPACKED_H
