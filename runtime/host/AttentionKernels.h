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

/// Rows that lie `stride` elements apart.
template <typename A> struct Rows {
  A *data;
  int64_t stride;
};

/// scores[r][j] = queries[r] . keys[j] for `rows` rows and `count` keys of
/// `width` elements.
void scoreKeys(Rows<const float> queries, int64_t rows, Rows<const float> keys,
               int64_t count, int64_t width, Rows<float> scores);
void scoreKeys(Rows<const double> queries, int64_t rows,
               Rows<const double> keys, int64_t count, int64_t width,
               Rows<double> scores);

/// outputs[r] += sum over j of weights[r][j] * values[j], j in order, for
/// `rows` rows and `count` values of `width` elements.
void addValues(Rows<const float> weights, int64_t rows,
               Rows<const float> values, int64_t count, int64_t width,
               Rows<float> outputs);
void addValues(Rows<const double> weights, int64_t rows,
               Rows<const double> values, int64_t count, int64_t width,
               Rows<double> outputs);

} // namespace tprt

#endif // TPRT_HOST_ATTENTIONKERNELS_H
