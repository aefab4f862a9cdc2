//===- ContractPacked.cpp - contractions by way of packed tiles ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContractPacked.h"

#include "Blas.h"
#include "ContractLoops.h"
#include "Convert.h"
#include "Stored.h"

#include <algorithm>

using namespace tprt;

namespace {

constexpr int64_t rowTile = 128, innerTile = 512;

/// With few rows the packed tile of B is read only once or twice: it should
/// stay in the nearest cache.
int64_t columnTileFor(int64_t rows) { return rows <= 8 ? 64 : 256; }

/// Stretches of consecutive offsets.
struct Runs {
  struct Run {
    int64_t begin, count;
  };
  std::vector<Run> runs;

  void set(const std::vector<int64_t> &offsets) {
    runs.clear();
    for (size_t i = 0; i < offsets.size(); ++i)
      if (i > 0 && offsets[i] == offsets[i - 1] + 1)
        ++runs.back().count;
      else
        runs.push_back({int64_t(i), 1});
  }

  bool longEnough(int64_t total) const {
    return int64_t(runs.size()) * 8 <= total;
  }
};

/// A packed matrix: dense, either [outer, inner] or transposed.
template <typename A> struct Packed {
  A *data;
  bool transposed;
  int stride;
};

/// A tensor of plain elements.
template <typename T> struct DenseSource {
  using Widened = Accumulator<T>;
  const T *data;

  DenseSource operator+(int64_t offset) const { return {data + offset}; }
  Widened at(int64_t i) const { return widen<T>(data[i]); }
  void read(int64_t begin, int64_t count, Widened *out) const {
    widenMany(data + begin, out, count);
  }
};

/// A weight as it is stored, from some element on.
struct StoredSource {
  using Widened = float;
  int64_t stored;
  const void *data;
  int64_t origin = 0;

  StoredSource operator+(int64_t offset) const {
    return {stored, data, origin + offset};
  }
  float at(int64_t i) const {
    float value;
    read(i, 1, &value);
    return value;
  }
  void read(int64_t begin, int64_t count, float *out) const {
    widenStored(stored, data, origin + begin, count, out);
  }
};

/// Copies source[slow + fast] to a dense matrix.
template <typename Source>
void packLines(const Source &source, const std::vector<int64_t> &slow,
               const std::vector<int64_t> &fast,
               typename Source::Widened *target, Runs &runs) {
  const int64_t width = int64_t(fast.size());
  runs.set(fast);
  const bool inRuns = runs.longEnough(width);
  for (int64_t line : slow) {
    const Source from = source + line;
    if (inRuns)
      for (const Runs::Run &run : runs.runs)
        from.read(fast[size_t(run.begin)], run.count, target + run.begin);
    else
      for (int64_t i = 0; i < width; ++i)
        target[i] = from.at(fast[size_t(i)]);
    target += width;
  }
}

/// Packs a tile with the dim fast that is fast in memory.
template <typename Source>
Packed<typename Source::Widened>
pack(const Source &source, const std::vector<int64_t> &outer,
     const std::vector<int64_t> &inner, typename Source::Widened *target,
     Runs &runs) {
  runs.set(outer);
  bool transposed = runs.longEnough(int64_t(outer.size()));
  runs.set(inner);
  if (runs.longEnough(int64_t(inner.size())))
    transposed = false;
  const std::vector<int64_t> &fast = transposed ? outer : inner;
  packLines(source, transposed ? inner : outer, fast, target, runs);
  return {target, transposed, std::max(1, int(fast.size()))};
}

CBLAS_TRANSPOSE transpose(bool yes) { return yes ? CblasTrans : CblasNoTrans; }

/// c += a b, where a is [m, k] and b is [n, k], both perhaps transposed; c is
/// dense.
template <typename A>
void multiplyTile(int m, int n, int k, const Packed<A> &a, const Packed<A> &b,
                  A *c) {
  auto vector = [&](const Packed<A> &matrix, int rows, const A *x) {
    if (matrix.transposed)
      gemv(CblasTrans, k, rows, matrix.data, matrix.stride, x, 1, c, 1);
    else
      gemv(CblasNoTrans, rows, k, matrix.data, matrix.stride, x, 1, c, 1);
  };
  if (m == 1) // a is one line, whichever way it is seen
    return vector(b, n, a.data);
  if (n == 1)
    return vector(a, m, b.data);
  gemm(transpose(a.transposed), transpose(!b.transposed), m, n, k, a.data,
       a.stride, b.data, b.stride, A(1), c, n);
}

template <typename T>
void unpack(const Accumulator<T> *source, const Offsets &rows,
            const Offsets &columns, T *target, Runs &runs) {
  const int64_t width = columns.size();
  runs.set(columns.c);
  const bool inRuns = runs.longEnough(width);
  for (int64_t line : rows.c) {
    T *to = target + line;
    if (inRuns)
      for (const Runs::Run &run : runs.runs)
        narrowMany(source + run.begin, to + columns.c[size_t(run.begin)],
                   run.count);
    else
      for (int64_t i = 0; i < width; ++i)
        to[columns.c[size_t(i)]] = narrow<T>(source[i]);
    source += width;
  }
}

/// C = A B for elements of C and A of type T; B comes from SourceB.
template <typename T, typename SourceB> class PackedContraction {
public:
  using A = Accumulator<T>;

  PackedContraction(const ContractPlan &plan, Scratch &scratch)
      : plan(plan), m(extentOf(plan.rows)), n(extentOf(plan.columns)),
        k(extentOf(plan.inner)), columnTile(columnTileFor(m)),
        tileA(scratch.get<A>(0, rowTile * innerTile)),
        tileB(scratch.get<A>(1, columnTile * innerTile)),
        tileC(scratch.get<A>(2, rowTile * columnTile)) {}

  void run(const DenseSource<T> &a, const SourceB &b, T *c) {
    for (int64_t i = 0; i < m; i += rowTile) {
      rows.set(plan.rows, i, std::min(rowTile, m - i));
      for (int64_t j = 0; j < n; j += columnTile) {
        columns.set(plan.columns, j, std::min(columnTile, n - j));
        std::fill_n(tileC, rows.size() * columns.size(), A(0));
        for (int64_t l = 0; l < k; l += innerTile)
          addProduct(a, b, j, l);
        unpack(tileC, rows, columns, c, runs);
      }
    }
  }

private:
  void addProduct(const DenseSource<T> &a, const SourceB &b, int64_t column,
                  int64_t begin) {
    // One tile of the contracted dim: what is packed of A serves all columns.
    const bool reuse = k <= innerTile && column > 0;
    if (!reuse) {
      inner.set(plan.inner, begin, std::min(innerTile, k - begin));
      packedA = pack(a, rows.a, inner.a, tileA, runs);
    }
    Packed<A> packedB = pack(b, columns.b, inner.b, tileB, runs);
    multiplyTile(int(rows.size()), int(columns.size()), int(inner.size()),
                 packedA, packedB, tileC);
  }

  const ContractPlan &plan;
  const int64_t m, n, k, columnTile;
  A *const tileA, *const tileB, *const tileC;
  Packed<A> packedA = {};
  Offsets rows, columns, inner;
  Runs runs;
};

} // namespace

template <typename T, typename SourceB>
static void contractTiles(const ContractPlan &plan, Scratch &scratch,
                          const T *a, const SourceB &b, T *c) {
  PackedContraction<T, SourceB> contraction(plan, scratch);
  forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
    contraction.run({a + atA}, b + atB, c + atC);
  });
}

template <typename T>
void tprt::contractPacked(const ContractPlan &plan, Scratch &scratch,
                          const T *a, const T *b, T *c) {
  contractTiles(plan, scratch, a, DenseSource<T>{b}, c);
}

void tprt::contractPackedStored(const ContractPlan &plan, Scratch &scratch,
                                const float *a, int64_t stored, const void *b,
                                float *c) {
  contractTiles(plan, scratch, a, StoredSource{stored, b}, c);
}

template void tprt::contractPacked(const ContractPlan &, Scratch &,
                                   const float *, const float *, float *);
template void tprt::contractPacked(const ContractPlan &, Scratch &,
                                   const double *, const double *, double *);
template void tprt::contractPacked(const ContractPlan &, Scratch &,
                                   const Bf16 *, const Bf16 *, Bf16 *);
template void tprt::contractPacked(const ContractPlan &, Scratch &, const F16 *,
                                   const F16 *, F16 *);
