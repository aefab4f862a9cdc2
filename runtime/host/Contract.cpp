//===- Contract.cpp - contractions ---------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Blas.h"
#include "ContractLoops.h"
#include "ContractPacked.h"
#include "ContractPlan.h"
#include "ContractStored.h"
#include "Numeric.h"
#include "Rank.h"

#include <type_traits>

using namespace tprt;

namespace {

/// Below so many multiplications a loop is faster than a call of BLAS.
constexpr int64_t tinyWork = 256;

/// From so many on, several calls of BLAS on the operands as they are beat
/// packing them.
constexpr int64_t largeWork = 16384;

CBLAS_TRANSPOSE transpose(bool yes) { return yes ? CblasTrans : CblasNoTrans; }

/// One BLAS call: c = a b, or c += a b.
template <typename T> class DirectProduct {
public:
  explicit DirectProduct(const ContractPlan::Direct &direct)
      : row(direct.row), column(direct.column), inner(direct.inner),
        m(int(row.extent)), n(int(column.extent)), k(int(inner.extent)) {
    matrixLayout(m, row.a, k, inner.a, layoutA);
    matrixLayout(k, inner.b, n, column.b, layoutB);
    matrixLayout(m, row.c, n, column.c, layoutC);
  }

  void run(const T *a, const T *b, T *c, bool accumulate) const {
    if (m == 1)
      return runVector(b, layoutB, k, n, !layoutB.transposed, a, inner.a, c, n,
                       column.c, accumulate);
    if (n == 1)
      return runVector(a, layoutA, m, k, layoutA.transposed, b, inner.b, c, m,
                       row.c, accumulate);
    T beta = accumulate ? T(1) : T(0);
    if (!layoutC.transposed)
      gemm(transpose(layoutA.transposed), transpose(layoutB.transposed), m, n,
           k, a, layoutA.stride, b, layoutB.stride, beta, c, layoutC.stride);
    else // c' = b' a'
      gemm(transpose(!layoutB.transposed), transpose(!layoutA.transposed), n, m,
           k, b, layoutB.stride, a, layoutA.stride, beta, c, layoutC.stride);
  }

private:
  /// y (+)= M x or M' x, for the matrix [rows, columns]. `transposed` counts
  /// for the matrix as it lies in memory.
  static void runVector(const T *matrix, const MatrixLayout &layout, int rows,
                        int columns, bool transposed, const T *x,
                        int64_t strideX, T *y, int count, int64_t strideY,
                        bool accumulate) {
    if (!accumulate) // BLAS would multiply what happens to be there by zero
      for (int i = 0; i < count; ++i)
        y[i * strideY] = 0;
    int incX = strideX > 0 ? int(strideX) : 1;
    int incY = strideY > 0 ? int(strideY) : 1;
    gemv(transpose(transposed), layout.transposed ? columns : rows,
         layout.transposed ? rows : columns, matrix, layout.stride, x, incX, y,
         incY);
  }

  const ContractDim row, column, inner;
  const int m, n, k;
  MatrixLayout layoutA, layoutB, layoutC;
};

template <typename T>
void contractDirect(const ContractPlan::Direct &direct, const T *a, const T *b,
                    T *c) {
  DirectProduct<T> product(direct);
  forEachIndex(direct.outerLoops, [&](int64_t atA, int64_t atB, int64_t atC) {
    bool accumulate = false;
    forEachIndex(direct.innerLoops, [&](int64_t inA, int64_t inB, int64_t) {
      product.run(a + atA + inA, b + atB + inB, c + atC, accumulate);
      accumulate = true;
    });
  });
}

/// Loops, for contractions with next to nothing in each batch.
template <typename T>
void contractTiny(const ContractPlan &plan, const T *a, const T *b, T *c) {
  Offsets rows, columns, inner;
  rows.set(plan.rows, 0, extentOf(plan.rows));
  columns.set(plan.columns, 0, extentOf(plan.columns));
  inner.set(plan.inner, 0, extentOf(plan.inner));
  forEachIndex(plan.batch, [&](int64_t atA, int64_t atB, int64_t atC) {
    for (size_t i = 0; i < rows.a.size(); ++i)
      for (size_t j = 0; j < columns.b.size(); ++j) {
        const T *lineA = a + atA + rows.a[i], *lineB = b + atB + columns.b[j];
        Accumulator<T> sum = 0;
        for (size_t k = 0; k < inner.a.size(); ++k)
          sum += widen<T>(lineA[inner.a[k]]) * widen<T>(lineB[inner.b[k]]);
        c[atC + rows.c[i] + columns.c[j]] = narrow<T>(sum);
      }
  });
}

template <typename T>
void contract(const ContractPlan &plan, Scratch &scratch, const T *a,
              const T *b, T *c) {
  const int64_t outputs = extentOf(plan.rows) * extentOf(plan.columns);
  const int64_t work = outputs * extentOf(plan.inner);
  if (work <= tinyWork && outputs <= tinyWork)
    return contractTiny(plan, a, b, c);
  if constexpr (std::is_same<T, Accumulator<T>>::value) { // as BLAS has it
    ContractPlan::Direct direct = plan.direct();
    if (work > 0 && (direct.work == work || direct.work >= largeWork))
      return contractDirect(direct, a, b, c);
  }
  if constexpr (!std::is_same<T, Accumulator<T>>::value) {
    if (contractFewRows(plan, scratch, a, b, c))
      return;
    // The same with the operands exchanged.
    if (contractFewRows(plan.mirrored(), scratch, b, a, c))
      return;
  }
  contractPacked(plan, scratch, a, b, c);
}

/// With a weight as it is stored for A or B.
void contractWithStored(const tprt_contract_desc &desc, Scratch &scratch,
                        const void *a, const void *b, float *c) {
  if (desc.dtype != TPRT_F32 || (desc.stored_a && desc.stored_b) ||
      !isStored(desc.stored_a | desc.stored_b))
    raise(TPRT_INVALID, "stored types ", desc.stored_a, " and ", desc.stored_b,
          " with ", dtypeName(desc.dtype));
  ContractPlan plan(desc);
  if (desc.stored_b)
    return contractStored(plan, scratch, static_cast<const float *>(a),
                          desc.stored_b, b, c);
  contractStored(plan.mirrored(), scratch, static_cast<const float *>(b),
                 desc.stored_a, a, c);
}

} // namespace

extern "C" void tprt_contract(tprt_rank *rank, const tprt_contract_desc *desc,
                              const void *a, const void *b, void *c) {
  guarded(rank, "contract", [&] {
    if (desc->stored_a || desc->stored_b)
      return contractWithStored(*desc, rank->scratch, a, b,
                                static_cast<float *>(c));
    ContractPlan plan(*desc);
    dispatchFloat(desc->dtype, "a contraction", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      contract(plan, rank->scratch, static_cast<const T *>(a),
               static_cast<const T *>(b), static_cast<T *>(c));
    });
  });
}
