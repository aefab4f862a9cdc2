//===- ContractFewRows.h - contractions of 16-bit floats with few rows ---===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONTRACTFEWROWS_H
#define TPRT_HOST_CONTRACTFEWROWS_H

#include "ContractPlan.h"
#include "Rank.h"

namespace tprt {

/// The step of a decoder: few rows of A and a large B that lies in memory with
/// the contracted dim fast. B is read once and widened in the nearest cache, so
/// that its bytes are all that counts. False, and nothing done, if the
/// contraction is not of this kind.
template <typename T>
bool contractFewRows(const ContractPlan &plan, Scratch &scratch, const T *a,
                     const T *b, T *c);

} // namespace tprt

#endif // TPRT_HOST_CONTRACTFEWROWS_H
