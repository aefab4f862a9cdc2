//===- Blas.h - the BLAS library -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_BLAS_H
#define TPRT_HOST_BLAS_H

#include <cblas.h>

namespace tprt {

/// Ranks are threads; BLAS must not start more of them.
inline void useOneBlasThread() { openblas_set_num_threads(1); }

inline void gemm(CBLAS_TRANSPOSE transA, CBLAS_TRANSPOSE transB, int m, int n,
                 int k, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc) {
  cblas_sgemm(CblasRowMajor, transA, transB, m, n, k, 1, a, lda, b, ldb, beta,
              c, ldc);
}

inline void gemm(CBLAS_TRANSPOSE transA, CBLAS_TRANSPOSE transB, int m, int n,
                 int k, const double *a, int lda, const double *b, int ldb,
                 double beta, double *c, int ldc) {
  cblas_dgemm(CblasRowMajor, transA, transB, m, n, k, 1, a, lda, b, ldb, beta,
              c, ldc);
}

/// y += A x, for a row-major A of m x n.
inline void gemv(CBLAS_TRANSPOSE trans, int m, int n, const float *a, int lda,
                 const float *x, int incx, float *y, int incy) {
  cblas_sgemv(CblasRowMajor, trans, m, n, 1, a, lda, x, incx, 1, y, incy);
}

inline void gemv(CBLAS_TRANSPOSE trans, int m, int n, const double *a, int lda,
                 const double *x, int incx, double *y, int incy) {
  cblas_dgemv(CblasRowMajor, trans, m, n, 1, a, lda, x, incx, 1, y, incy);
}

} // namespace tprt

#endif // TPRT_HOST_BLAS_H
