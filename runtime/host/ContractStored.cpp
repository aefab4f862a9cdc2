//===- ContractStored.cpp - contractions with weights as stored ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContractStored.h"

#include "Blas.h"
#include "ContractLoops.h"
#include "ContractPacked.h"
#include "Convert.h"
#include "Interleaved.h"
#include "Numeric.h"
#include "Stored.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

using namespace tprt;

namespace {

constexpr int64_t fewRows = 8;

/// Lines of B that are multiplied at a time.
constexpr int64_t lineTile = 64;

/// What is widened of B at a time: so much of each line, and lines until the
/// tile is full. BLAS packs all of A again for every tile, so few are best.
constexpr int64_t innerTile = 2048, tileElements = int64_t(1) << 19;

/// Whether B is lines along the contracted dim, each of whole blocks.
bool isLines(const ContractPlan &plan, int64_t stored) {
  if (plan.inner.size() != 1 || plan.inner[0].b != 1)
    return false;
  const int64_t block = storedInfo(stored).elements;
  for (const auto *dims : {&plan.batch, &plan.columns})
    for (const ContractDim &dim : *dims)
      if (dim.b % block != 0)
        return false;
  return plan.inner[0].extent % block == 0;
}

/// The column dims as loops over lines with one stride.
struct Lines {
  std::vector<ContractDim> loops;
  ContractDim line;

  explicit Lines(const ContractPlan &plan) : loops(plan.columns) {
    if (loops.empty())
      return;
    line = loops.back();
    loops.pop_back();
  }
};

//===----------------------------------------------------------------------===//
// Few rows
//===----------------------------------------------------------------------===//

/// The rows of A, dense and one after the other, zero beyond `inner`.
template <typename T>
void densifyRows(const ContractPlan &plan, const Offsets &rows, const T *a,
                 float *to) {
  const ContractDim &inner = plan.inner[0];
  const int64_t stride = paddedInner(inner.extent);
  for (int64_t row : rows.a) {
    if (inner.a == 1)
      widenMany(a + row, to, inner.extent);
    else
      for (int64_t k = 0; k < inner.extent; ++k)
        to[k] = widen<T>(a[row + k * inner.a]);
    std::fill(to + inner.extent, to + stride, 0.0f);
    to += stride;
  }
}

/// A and C have elements of type T; B's lines lie as they are stored.
template <typename T>
void contractFew(const ContractPlan &plan, Scratch &scratch, const T *a,
                 int64_t stored, const void *b, T *c) {
  const ContractDim &inner = plan.inner[0];
  Offsets rows;
  rows.set(plan.rows, 0, extentOf(plan.rows));
  float *dense = scratch.get<float>(0, rows.size() * paddedInner(inner.extent));
  const Lines columns(plan);
  forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
    densifyRows(plan, rows, a + atA, dense);
    forEachIndex(columns.loops, [&](int64_t, int64_t outerB, int64_t outerC) {
      for (int64_t l = 0; l < columns.line.extent; l += lineTile) {
        float sums[lineTile * fewRows];
        const int64_t count = std::min(lineTile, columns.line.extent - l);
        multiplyStored(stored,
                       {b, atB + outerB + l * columns.line.b, columns.line.b,
                        count, inner.extent},
                       {dense, rows.size()}, sums);
        const float *sum = sums;
        for (int64_t i = 0; i < count; ++i)
          for (int64_t row : rows.c)
            c[atC + outerC + (l + i) * columns.line.c + row] =
                narrow<T>(*sum++);
      }
    });
  });
}

/// A few rows and groups of eight lines.
class InterleavedProduct {
public:
  InterleavedProduct(const ContractPlan &plan, int64_t stored)
      : plan(plan), columns(plan), stored(stored) {
    const int64_t line = interleavedLine(stored),
                  group = interleavedLines * line;
    fits = multipliesInterleaved() && line != 0 &&
           plan.inner[0].extent == line && columns.line.b == line &&
           columns.line.extent % interleavedLines == 0;
    for (const auto *dims : {&plan.batch, &columns.loops})
      for (const ContractDim &dim : *dims)
        fits = fits && dim.b % group == 0;
  }

  explicit operator bool() const { return fits; }

  /// False if a row cannot be brought to fixed point, or a product is not
  /// finite, which with each weight widened may be another NaN or infinity; C
  /// is then to be written by other means.
  bool run(Scratch &scratch, const float *a, const void *b, float *c) const {
    const int64_t stride = paddedInner(plan.inner[0].extent);
    Offsets rows;
    rows.set(plan.rows, 0, extentOf(plan.rows));
    const int64_t parts = stride / FixedPart::elements,
                  all = rows.size() * parts;
    float *dense = scratch.get<float>(0, rows.size() * stride);
    FixedPart *fixed = scratch.get<FixedPart>(1, all);
    bool allFit = true, isFinite = true;
    forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
      densifyRows(plan, rows, a + atA, dense);
      allFit = allFit && fixRow(dense, all, fixed);
      if (allFit)
        forEachIndex(columns.loops,
                     [&](int64_t, int64_t outerB, int64_t outerC) {
                       isFinite &= multiply(b, atB + outerB, rows, fixed, parts,
                                            c + atC + outerC);
                     });
    });
    return allFit && isFinite;
  }

private:
  bool multiply(const void *b, int64_t first, const Offsets &rows,
                const FixedPart *fixed, int64_t parts, float *c) const {
    bool isFinite = true;
    const uint8_t *group =
        static_cast<const uint8_t *>(b) + storedBytes(stored, first);
    const int64_t groupBytes =
        storedBytes(stored, interleavedLines * columns.line.b);
    for (int64_t l = 0; l < columns.line.extent; l += interleavedLines) {
      float sums[fewRows * interleavedLines];
      multiplyInterleaved(stored, group, parts, fixed, rows.size(), sums);
      const float *sum = sums;
      for (int64_t row : rows.c)
        for (int64_t i = 0; i < interleavedLines; ++i)
          c[(l + i) * columns.line.c + row] = *sum++;
      isFinite &= std::all_of(sums, sums + rows.size() * interleavedLines,
                              [](float x) { return std::isfinite(x); });
      group += groupBytes;
    }
    return isFinite;
  }

  const ContractPlan &plan;
  const Lines columns;
  const int64_t stored;
  bool fits;
};

//===----------------------------------------------------------------------===//
// Many rows
//===----------------------------------------------------------------------===//

CBLAS_TRANSPOSE transpose(bool yes) { return yes ? CblasTrans : CblasNoTrans; }

/// A and C as matrices that BLAS takes where they are.
class WidenedProduct {
public:
  WidenedProduct(const ContractPlan &plan, Scratch &scratch, int64_t stored)
      : inner(plan.inner[0]), columns(plan), scratch(scratch), stored(stored) {
    if (!plan.rows.empty())
      row = plan.rows[0];
    fits = plan.rows.size() <= 1 &&
           matrixLayout(row.extent, row.a, inner.extent, inner.a, layoutA) &&
           matrixLayout(row.extent, row.c, columns.line.extent, columns.line.c,
                        layoutC);
  }

  explicit operator bool() const { return fits; }

  void run(const float *a, const void *b, int64_t atB, float *c) const {
    float *tile = scratch.get<float>(0, tileElements);
    const int64_t columnTile = tileElements / std::min(innerTile, inner.extent);
    forEachIndex(columns.loops, [&](int64_t, int64_t outerB, int64_t outerC) {
      for (int64_t l = 0; l < columns.line.extent; l += columnTile)
        for (int64_t k = 0; k < inner.extent; k += innerTile)
          addTile(a, b, atB + outerB, c + outerC, l,
                  std::min(columnTile, columns.line.extent - l), k, tile);
    });
  }

private:
  /// Adds the products with `count` lines from line `l` on, from element `k`.
  void addTile(const float *a, const void *b, int64_t atB, float *c, int64_t l,
               int64_t count, int64_t k, float *tile) const {
    const int m = int(row.extent), n = int(count);
    const int depth = int(std::min(innerTile, inner.extent - k));
    for (int64_t i = 0; i < n; ++i)
      widenStored(stored, b, atB + (l + i) * columns.line.b + k, depth,
                  tile + i * depth);
    const float beta = k == 0 ? 0.0f : 1.0f;
    a += k * inner.a;
    c += l * columns.line.c;
    if (!layoutC.transposed)
      gemm(transpose(layoutA.transposed), CblasTrans, m, n, depth, a,
           layoutA.stride, tile, depth, beta, c, layoutC.stride);
    else // c' = b' a'
      gemm(CblasNoTrans, transpose(!layoutA.transposed), n, m, depth, tile,
           depth, a, layoutA.stride, beta, c, layoutC.stride);
  }

  ContractDim row, inner;
  Lines columns;
  Scratch &scratch;
  int64_t stored;
  MatrixLayout layoutA, layoutC;
  bool fits;
};

} // namespace

void tprt::contractStored(const ContractPlan &plan, Scratch &scratch,
                          const float *a, int64_t stored, const void *b,
                          float *c) {
  if (isLines(plan, stored)) {
    const bool few = extentOf(plan.rows) <= fewRows;
    if (few && interleavedLine(stored) == 0)
      return contractFew(plan, scratch, a, stored, b, c);
    if (InterleavedProduct product(plan, stored);
        few && product && product.run(scratch, a, b, c))
      return;
    if (WidenedProduct product(plan, scratch, stored); product) {
      forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
        product.run(a + atA, b, atB, c + atC);
      });
      return;
    }
  }
  contractPackedStored(plan, scratch, a, stored, b, c);
}

template <typename T>
bool tprt::contractFewRows(const ContractPlan &plan, Scratch &scratch,
                           const T *a, const T *b, T *c) {
  // With less to contract or fewer columns the packed way is as good.
  constexpr int64_t leastInner = 64, leastColumns = 16;
  constexpr int64_t stored =
      std::is_same<T, Bf16>::value ? TPRT_STORED_BF16 : TPRT_STORED_F16;
  if (!isLines(plan, stored) || extentOf(plan.rows) > fewRows ||
      plan.inner[0].extent < leastInner ||
      extentOf(plan.columns) < leastColumns)
    return false;
  contractFew(plan, scratch, a, stored, b, c);
  return true;
}

template bool tprt::contractFewRows(const ContractPlan &, Scratch &,
                                    const Bf16 *, const Bf16 *, Bf16 *);
template bool tprt::contractFewRows(const ContractPlan &, Scratch &,
                                    const F16 *, const F16 *, F16 *);
