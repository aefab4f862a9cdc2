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

/// The dot products of `Count` queries with `Keys` neighbouring keys. Few
/// enough sums for the registers, enough of them to keep the multipliers busy.
template <typename A, int Count, int Keys>
TPRT_INLINE void scoreSome(Rows<const A> queries, Rows<const A> keys,
                           int64_t width, Rows<A> scores) {
  static_assert(Count * Keys <= 4, "sums that are folded together");
  Vector<A> sums[4] = {};
  int64_t d = 0;
  for (; d + lanes<A> <= width; d += lanes<A>)
    for (int k = 0; k < Keys; ++k) {
      Vector<A> key = loadVector(keys.data + k * keys.stride + d);
      for (int r = 0; r < Count; ++r)
        sums[k * Count + r] +=
            key * loadVector(queries.data + r * queries.stride + d);
    }
  A folded[4];
  sumLanesOfFour(sums, folded);
  for (int k = 0; k < Keys; ++k)
    for (int r = 0; r < Count; ++r) {
      A sum = folded[k * Count + r];
      for (int64_t i = d; i < width; ++i)
        sum += queries.data[r * queries.stride + i] *
               keys.data[k * keys.stride + i];
      scores.data[r * scores.stride + k] = sum;
    }
}

template <typename A, int Count> struct Score {
  TPRT_INLINE static void run(Rows<const A> queries, Rows<const A> keys,
                              int64_t count, int64_t width, Rows<A> scores) {
    constexpr int together = 4 / Count;
    int64_t j = 0;
    for (; j + together <= count; j += together)
      scoreSome<A, Count, together>(queries,
                                    {keys.data + j * keys.stride, keys.stride},
                                    width, {scores.data + j, scores.stride});
    for (; j < count; ++j)
      scoreSome<A, Count, 1>(queries,
                             {keys.data + j * keys.stride, keys.stride}, width,
                             {scores.data + j, scores.stride});
  }
};

/// `Vectors` neighbouring vectors of the outputs of `Count` rows.
template <typename A, int Count, int Vectors>
TPRT_INLINE void addSome(Rows<const A> weights, Rows<const A> values,
                         int64_t count, Rows<A> outputs) {
  Vector<A> sums[Count][Vectors];
  for (int r = 0; r < Count; ++r)
    for (int v = 0; v < Vectors; ++v)
      sums[r][v] = loadVector(outputs.data + r * outputs.stride + v * lanes<A>);
  for (int64_t j = 0; j < count; ++j)
    for (int v = 0; v < Vectors; ++v) {
      Vector<A> value =
          loadVector(values.data + j * values.stride + v * lanes<A>);
      for (int r = 0; r < Count; ++r)
        sums[r][v] += weights.data[r * weights.stride + j] * value;
    }
  for (int r = 0; r < Count; ++r)
    for (int v = 0; v < Vectors; ++v)
      storeVector(outputs.data + r * outputs.stride + v * lanes<A>, sums[r][v]);
}

template <typename A, int Count> struct Add {
  TPRT_INLINE static void run(Rows<const A> weights, Rows<const A> values,
                              int64_t count, int64_t width, Rows<A> outputs) {
    constexpr int together = 4 / Count;
    int64_t d = 0;
    for (; d + together * lanes<A> <= width; d += together * lanes<A>)
      addSome<A, Count, together>(weights, {values.data + d, values.stride},
                                  count, {outputs.data + d, outputs.stride});
    for (; d + lanes<A> <= width; d += lanes<A>)
      addSome<A, Count, 1>(weights, {values.data + d, values.stride}, count,
                           {outputs.data + d, outputs.stride});
    for (int64_t j = 0; d < width && j < count; ++j)
      for (int r = 0; r < Count; ++r)
        for (int64_t i = d; i < width; ++i)
          outputs.data[r * outputs.stride + i] +=
              weights.data[r * weights.stride + j] *
              values.data[j * values.stride + i];
  }
};

/// Runs Kernel for all rows, four at a time and then what is left. `shared` are
/// the keys or values, the same for all rows.
template <typename A, template <typename, int> class Kernel> struct InRows {
  TPRT_INLINE static void body(Rows<const A> from, int64_t rows,
                               Rows<const A> shared, int64_t count,
                               int64_t width, Rows<A> to) {
    for (; rows >= 4; rows -= 4) {
      Kernel<A, 4>::run(from, shared, count, width, to);
      from.data += 4 * from.stride;
      to.data += 4 * to.stride;
    }
    if (rows == 3)
      Kernel<A, 3>::run(from, shared, count, width, to);
    else if (rows == 2)
      Kernel<A, 2>::run(from, shared, count, width, to);
    else if (rows == 1)
      Kernel<A, 1>::run(from, shared, count, width, to);
  }

  TPRT_MULTIVERSION(body)
};

} // namespace

void tprt::softmaxRow(const SoftmaxRow<float> &row) {
  runMultiversion<SoftmaxKernel<float>>(&row);
}
void tprt::softmaxRow(const SoftmaxRow<double> &row) {
  runMultiversion<SoftmaxKernel<double>>(&row);
}

void tprt::scoreKeys(Rows<const float> queries, int64_t rows,
                     Rows<const float> keys, int64_t count, int64_t width,
                     Rows<float> scores) {
  runMultiversion<InRows<float, Score>>(queries, rows, keys, count, width,
                                        scores);
}
void tprt::scoreKeys(Rows<const double> queries, int64_t rows,
                     Rows<const double> keys, int64_t count, int64_t width,
                     Rows<double> scores) {
  runMultiversion<InRows<double, Score>>(queries, rows, keys, count, width,
                                         scores);
}

void tprt::addValues(Rows<const float> weights, int64_t rows,
                     Rows<const float> values, int64_t count, int64_t width,
                     Rows<float> outputs) {
  runMultiversion<InRows<float, Add>>(weights, rows, values, count, width,
                                      outputs);
}
void tprt::addValues(Rows<const double> weights, int64_t rows,
                     Rows<const double> values, int64_t count, int64_t width,
                     Rows<double> outputs) {
  runMultiversion<InRows<double, Add>>(weights, rows, values, count, width,
                                       outputs);
}
