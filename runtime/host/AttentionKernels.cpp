//===- AttentionKernels.cpp - inner loops of attention -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"

#include "Simd.h"

#include <cmath>
#include <limits>

using namespace tprt;

namespace {

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

TPRT_INLINE void expMany(float *x, int64_t vectors, float maximum) {
  for (int64_t i = 0; i < vectors; ++i)
    storeVector(x + i * lanes<float>,
                expVector(loadVector(x + i * lanes<float>) - maximum));
}

TPRT_INLINE void expMany(double *x, int64_t vectors, double maximum) {
  for (int64_t i = 0; i < vectors * lanes<double>; ++i)
    x[i] = std::exp(x[i] - maximum);
}

TPRT_INLINE void capMany(float *x, int64_t vectors, float cap) {
  for (int64_t i = 0; i < vectors; ++i)
    storeVector(x + i * lanes<float>,
                tanhVector(loadVector(x + i * lanes<float>) / cap) * cap);
}

TPRT_INLINE void capMany(double *x, int64_t vectors, double cap) {
  for (int64_t i = 0; i < vectors * lanes<double>; ++i)
    x[i] = cap * std::tanh(x[i] / cap);
}

template <typename A> TPRT_INLINE A maximumOf(const A *x, int64_t vectors) {
  Vector<A> largest = loadVector(x);
  for (int64_t i = 1; i < vectors; ++i) {
    Vector<A> next = loadVector(x + i * lanes<A>);
    largest = next > largest ? next : largest;
  }
  A lane[lanes<A>];
  storeVector(lane, largest);
  A result = lane[0];
  for (int64_t i = 1; i < lanes<A>; ++i)
    result = lane[i] > result ? lane[i] : result;
  return result;
}

template <typename A> TPRT_INLINE A sumOf(const A *x, int64_t vectors) {
  Vector<A> sum = loadVector(x);
  for (int64_t i = 1; i < vectors; ++i)
    sum += loadVector(x + i * lanes<A>);
  return sumLanes<A>(sum);
}

/// Without a finite score there is nothing to add, except that a NaN stays.
template <typename A>
TPRT_INLINE void keepNotANumber(const SoftmaxRow<A> &row, int64_t padded) {
  for (int64_t i = 0; i < padded; ++i) {
    A score = row.scores[i];
    row.scores[i] = isNan(score) ? score : A(0);
    *row.sum += row.scores[i];
  }
}

template <typename A> TPRT_INLINE void softmaxBody(const SoftmaxRow<A> *given) {
  const SoftmaxRow<A> row = *given;
  const int64_t vectors = (row.count + lanes<A> - 1) / lanes<A>;
  const int64_t padded = vectors * lanes<A>;
  const A none = -std::numeric_limits<A>::infinity();
  for (int64_t i = row.count; i < padded; ++i)
    row.scores[i] = 0;
  if (row.softCap > 0)
    capMany(row.scores, vectors, row.softCap);
  // The exponential of these is zero.
  for (int64_t i = 0; i < row.begin; ++i)
    row.scores[i] = none;
  for (int64_t i = row.end; i < padded; ++i)
    row.scores[i] = none;
  const A before = *row.maximum;
  const A highest = maximumOf(row.scores, vectors);
  const A maximum = highest > before ? highest : before;
  if (maximum == none)
    return keepNotANumber(row, padded);
  expMany(row.scores, vectors, maximum);
  const A correction = before == none ? A(0) : std::exp(before - maximum);
  *row.sum = *row.sum * correction + sumOf(row.scores, vectors);
  *row.maximum = maximum;
  if (correction != A(1))
    for (int64_t i = 0; i < row.width; ++i)
      row.output[i] *= correction;
}

template <typename A> struct SoftmaxKernel {
  TPRT_MULTIVERSION(softmaxBody<A>)
};

//===----------------------------------------------------------------------===//
// Products with few rows
//===----------------------------------------------------------------------===//

/// The dot products with `Keys` neighbouring keys, in steps of `Unroll`
/// vectors: enough sums in flight to keep the multipliers busy.
template <typename A, int Keys, int Unroll>
TPRT_INLINE void dotSome(const A *query, const A *keys, int64_t stride,
                         int64_t width, A *scores) {
  Vector<A> sums[Keys][Unroll] = {};
  int64_t d = 0;
  for (; d + Unroll * lanes<A> <= width; d += Unroll * lanes<A>)
    for (int u = 0; u < Unroll; ++u) {
      Vector<A> q = loadVector(query + d + u * lanes<A>);
      for (int j = 0; j < Keys; ++j)
        sums[j][u] += q * loadVector(keys + j * stride + d + u * lanes<A>);
    }
  for (int j = 0; j < Keys; ++j) {
    for (int u = 1; u < Unroll; ++u)
      sums[j][0] += sums[j][u];
    A sum = sumLanes<A>(sums[j][0]);
    for (int64_t i = d; i < width; ++i)
      sum += query[i] * keys[j * stride + i];
    scores[j] = sum;
  }
}

template <typename A>
TPRT_INLINE void dotBody(const A *query, const A *keys, int64_t stride,
                         int64_t count, int64_t width, A *scores) {
  int64_t j = 0;
  for (; j + 4 <= count; j += 4)
    dotSome<A, 4, 1>(query, keys + j * stride, stride, width, scores + j);
  for (; j < count; ++j)
    dotSome<A, 1, 4>(query, keys + j * stride, stride, width, scores + j);
}

template <typename A> struct DotKernel {
  TPRT_MULTIVERSION(dotBody<A>)
};

template <typename A, int Vectors>
TPRT_INLINE void addSome(const A *weights, const A *values, int64_t stride,
                         int64_t count, A *output) {
  Vector<A> sums[Vectors];
  for (int v = 0; v < Vectors; ++v)
    sums[v] = loadVector(output + v * lanes<A>);
  for (int64_t j = 0; j < count; ++j)
    for (int v = 0; v < Vectors; ++v)
      sums[v] += weights[j] * loadVector(values + j * stride + v * lanes<A>);
  for (int v = 0; v < Vectors; ++v)
    storeVector(output + v * lanes<A>, sums[v]);
}

template <typename A>
TPRT_INLINE void addBody(const A *weights, const A *values, int64_t stride,
                         int64_t count, int64_t width, A *output) {
  int64_t d = 0;
  for (; d + 4 * lanes<A> <= width; d += 4 * lanes<A>)
    addSome<A, 4>(weights, values + d, stride, count, output + d);
  for (; d + lanes<A> <= width; d += lanes<A>)
    addSome<A, 1>(weights, values + d, stride, count, output + d);
  for (int64_t j = 0; d < width && j < count; ++j)
    for (int64_t i = d; i < width; ++i)
      output[i] += weights[j] * values[j * stride + i];
}

template <typename A> struct AddKernel {
  TPRT_MULTIVERSION(addBody<A>)
};

} // namespace

void tprt::softmaxRow(const SoftmaxRow<float> &row) {
  runMultiversion<SoftmaxKernel<float>>(&row);
}
void tprt::softmaxRow(const SoftmaxRow<double> &row) {
  runMultiversion<SoftmaxKernel<double>>(&row);
}

void tprt::dotKeys(const float *query, const float *keys, int64_t stride,
                   int64_t count, int64_t width, float *scores) {
  runMultiversion<DotKernel<float>>(query, keys, stride, count, width, scores);
}
void tprt::dotKeys(const double *query, const double *keys, int64_t stride,
                   int64_t count, int64_t width, double *scores) {
  runMultiversion<DotKernel<double>>(query, keys, stride, count, width, scores);
}

void tprt::addValues(const float *weights, const float *values, int64_t stride,
                     int64_t count, int64_t width, float *output) {
  runMultiversion<AddKernel<float>>(weights, values, stride, count, width,
                                    output);
}
void tprt::addValues(const double *weights, const double *values,
                     int64_t stride, int64_t count, int64_t width,
                     double *output) {
  runMultiversion<AddKernel<double>>(weights, values, stride, count, width,
                                     output);
}
