//===- AttentionKernels.h - inner loops of attention ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_ATTENTIONKERNELS_H
#define TPRT_HOST_ATTENTIONKERNELS_H

#include <cstdint>

namespace tprt {

/// One row of a block of scores on its way to probabilities.
template <typename A> struct SoftmaxRow {
  A *scores;          ///< readable and writable up to a multiple of 16 elements
  int64_t count;      ///< of keys in the block
  int64_t begin, end; ///< those of them that the query sees
  A softCap;          ///< 0: none
  A *maximum;         ///< so far
  A *sum;             ///< of exponentials, so far, relative to the maximum
  A *output;          ///< so far, relative to the maximum
  int64_t width;      ///< of the output
};

/// Replaces the scores by exp(score - maximum), zero where the query does not
/// see the key, and brings maximum, sum and output up to date.
void softmaxRow(const SoftmaxRow<float> &row);
void softmaxRow(const SoftmaxRow<double> &row);

/// scores[j] = query . keys[j]
void dotKeys(const float *query, const float *keys, int64_t stride,
             int64_t count, int64_t width, float *scores);
void dotKeys(const double *query, const double *keys, int64_t stride,
             int64_t count, int64_t width, double *scores);

/// output += sum of weights[j] * values[j]
void addValues(const float *weights, const float *values, int64_t stride,
               int64_t count, int64_t width, float *output);
void addValues(const double *weights, const double *values, int64_t stride,
               int64_t count, int64_t width, double *output);

} // namespace tprt

#endif // TPRT_HOST_ATTENTIONKERNELS_H
