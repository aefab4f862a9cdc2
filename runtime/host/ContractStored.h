//===- ContractStored.h - contractions with weights as they are stored ---===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONTRACTSTORED_H
#define TPRT_HOST_CONTRACTSTORED_H

#include "ContractPlan.h"
#include "Rank.h"

namespace tprt {

/// C = A B, where B is in a stored type. With few rows of A and lines that are
/// interleaved, integers are multiplied (Interleaved.h); else with few rows the
/// weights are widened in registers, and with many tile by tile for BLAS, once
/// for all rows.
void contractStored(const ContractPlan &plan, Scratch &scratch, const float *a,
                    int64_t stored, const void *b, float *c);

/// C = A B of 16-bit floats with few rows, or false, with nothing done, where
/// there are many or lines of B do not lie along the contracted dim. B is read
/// as what is stored is. For Bf16 and F16.
template <typename T>
bool contractFewRows(const ContractPlan &plan, Scratch &scratch, const T *a,
                     const T *b, T *c);

} // namespace tprt

#endif // TPRT_HOST_CONTRACTSTORED_H
