//===- ContractFewRows.cpp - contractions of 16-bit floats with few rows -===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContractFewRows.h"

#include "AttentionKernels.h"
#include "ContractLoops.h"
#include "Convert.h"

#include <algorithm>

using namespace tprt;

namespace {

constexpr int64_t fewRows = 8;

/// With less to contract or fewer columns the packed way is as good.
constexpr int64_t leastInner = 64, leastColumns = 16;

/// How much of a line of B is widened at a time.
constexpr int64_t segment = 1024;

/// The rows of A, widened and dense.
template <typename T>
void widenRows(const ContractPlan &plan, const Offsets &rows, const T *a,
               float *target) {
  const ContractDim &inner = plan.inner[0];
  for (int64_t row : rows.a)
    for (int64_t k = 0; k < inner.extent; ++k)
      *target++ = widen<T>(a[row + k * inner.a]);
}

/// The products of one line of B with all rows of A.
template <typename T>
void multiplyLine(const T *line, int64_t inner, const float *rows,
                  int64_t numRows, float *sums) {
  float wide[segment], part[fewRows];
  std::fill_n(sums, numRows, 0.0f);
  for (int64_t k = 0; k < inner; k += segment) {
    const int64_t count = std::min(segment, inner - k);
    widenMany(line + k, wide, count);
    dotKeys(wide, rows + k, inner, numRows, count, part);
    for (int64_t r = 0; r < numRows; ++r)
      sums[r] += part[r];
  }
}

} // namespace

template <typename T>
bool tprt::contractFewRows(const ContractPlan &plan, Scratch &scratch,
                           const T *a, const T *b, T *c) {
  const int64_t numRows = extentOf(plan.rows);
  if (numRows > fewRows || plan.inner.size() != 1 || plan.inner[0].b != 1 ||
      plan.inner[0].extent < leastInner ||
      extentOf(plan.columns) < leastColumns)
    return false;
  const int64_t inner = plan.inner[0].extent;
  float *wideA = scratch.get<float>(0, numRows * inner);
  Offsets rows;
  rows.set(plan.rows, 0, numRows);
  forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
    widenRows(plan, rows, a + atA, wideA);
    forEachIndex(plan.columns, [&](int64_t, int64_t columnB, int64_t columnC) {
      float sums[fewRows];
      multiplyLine(b + atB + columnB, inner, wideA, numRows, sums);
      for (int64_t r = 0; r < numRows; ++r)
        c[atC + columnC + rows.c[size_t(r)]] = narrow<T>(sums[r]);
    });
  });
  return true;
}

template bool tprt::contractFewRows(const ContractPlan &, Scratch &,
                                    const Bf16 *, const Bf16 *, Bf16 *);
template bool tprt::contractFewRows(const ContractPlan &, Scratch &,
                                    const F16 *, const F16 *, F16 *);
