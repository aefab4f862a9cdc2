//===- Products.cpp - products of matrices by cuBLASLt --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Products.h"

using namespace tprt_cuda;

static void check(cublasStatus_t status, const char *call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    raise(TPRT_FAILED, call, ": ", cublasLtGetStatusString(status));
}
#define TPRT_CHECK_BLAS(call) check((call), #call)

static cudaDataType_t cudaTypeOf(tprt_dtype type) {
  switch (type) {
  case TPRT_F32:
    return CUDA_R_32F;
  case TPRT_F64:
    return CUDA_R_64F;
  case TPRT_BF16:
    return CUDA_R_16BF;
  case TPRT_F16:
    return CUDA_R_16F;
  default:
    raise(TPRT_UNSUPPORTED, "cuBLASLt has no products of type ", type);
  }
}

Products::~Products() {
  for (Matmul &product : matmuls) {
    if (product.operation)
      cublasLtMatmulDescDestroy(product.operation);
    for (cublasLtMatrixLayout_t layout : {product.a, product.b, product.c})
      if (layout)
        cublasLtMatrixLayoutDestroy(layout);
  }
  if (blas)
    cublasLtDestroy(blas);
  if (workspace)
    cudaFree(workspace);
}

void Products::open(const Program &program) {
  if (program.numMatmuls == 0)
    return;
  TPRT_CHECK(cudaMalloc(&workspace, workspaceBytes));
  TPRT_CHECK_BLAS(cublasLtCreate(&blas));
  matmuls.resize(size_t(program.numMatmuls));
  for (int64_t i = 0; i < program.numMatmuls; ++i) {
    create(program.matmuls[i], matmuls[size_t(i)]);
    findAlgorithm(program.matmuls[i], matmuls[size_t(i)]);
  }
}

void Products::create(const MatmulShape &shape, Matmul &product) {
  const cudaDataType_t type = cudaTypeOf(shape.type);
  const bool isDouble = type == CUDA_R_64F;
  const double doubleOne = 1;
  const float floatOne = 1;
  std::memcpy(product.one,
              isDouble ? static_cast<const void *>(&doubleOne) : &floatOne,
              isDouble ? sizeof doubleOne : sizeof floatOne);
  TPRT_CHECK_BLAS(cublasLtMatmulDescCreate(
      &product.operation, isDouble ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
      isDouble ? CUDA_R_64F : CUDA_R_32F));
  auto setTranspose = [&](cublasLtMatmulDescAttributes_t which, bool value) {
    const int32_t operation = value ? CUBLAS_OP_T : CUBLAS_OP_N;
    TPRT_CHECK_BLAS(cublasLtMatmulDescSetAttribute(
        product.operation, which, &operation, sizeof operation));
  };
  setTranspose(CUBLASLT_MATMUL_DESC_TRANSA, shape.transposeA);
  setTranspose(CUBLASLT_MATMUL_DESC_TRANSB, shape.transposeB);
  auto createLayout = [&](cublasLtMatrixLayout_t *layout, bool transposed,
                          int64_t rows, int64_t columns, int64_t leading,
                          int64_t stride) {
    if (transposed)
      std::swap(rows, columns);
    TPRT_CHECK_BLAS(cublasLtMatrixLayoutCreate(layout, type, uint64_t(rows),
                                               uint64_t(columns), leading));
    const int32_t batch = int32_t(shape.batch);
    TPRT_CHECK_BLAS(cublasLtMatrixLayoutSetAttribute(
        *layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
    TPRT_CHECK_BLAS(cublasLtMatrixLayoutSetAttribute(
        *layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
        sizeof stride));
  };
  createLayout(&product.a, shape.transposeA, shape.rows, shape.inner,
               shape.leadingA, shape.strideA);
  createLayout(&product.b, shape.transposeB, shape.inner, shape.columns,
               shape.leadingB, shape.strideB);
  createLayout(&product.c, false, shape.rows, shape.columns, shape.leadingC,
               shape.strideC);
}

void Products::findAlgorithm(const MatmulShape &shape, Matmul &product) {
  struct Preference {
    cublasLtMatmulPreference_t handle = nullptr;
    ~Preference() {
      if (handle)
        cublasLtMatmulPreferenceDestroy(handle);
    }
  } preference;
  TPRT_CHECK_BLAS(cublasLtMatmulPreferenceCreate(&preference.handle));
  TPRT_CHECK_BLAS(cublasLtMatmulPreferenceSetAttribute(
      preference.handle, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      &workspaceBytes, sizeof workspaceBytes));
  const uint32_t alignment = uint32_t(shape.alignment);
  for (auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    TPRT_CHECK_BLAS(cublasLtMatmulPreferenceSetAttribute(
        preference.handle, which, &alignment, sizeof alignment));
  cublasLtMatmulHeuristicResult_t found = {};
  int count = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      blas, product.operation, product.a, product.b, product.c, product.c,
      preference.handle, 1, &found, &count);
  if (status != CUBLAS_STATUS_SUCCESS || count == 0)
    raise(TPRT_UNSUPPORTED, "cuBLASLt has no algorithm for a product of ",
          shape.rows, "x", shape.inner, " and ", shape.inner, "x",
          shape.columns, status != CUBLAS_STATUS_SUCCESS ? ": " : "",
          status != CUBLAS_STATUS_SUCCESS ? cublasLtGetStatusString(status)
                                          : "");
  product.algorithm = found.algo;
}

tprt_status Products::queue(Rank *rank, int64_t number, const void *a,
                            const void *b, bool adds, void *c) const {
  const Matmul &plan = matmuls[size_t(number)];
  cublasStatus_t status =
      cublasLtMatmul(blas, plan.operation, plan.one, a, plan.a, b, plan.b,
                     adds ? plan.one : plan.zero, c, plan.c, c, plan.c,
                     &plan.algorithm, workspace, workspaceBytes, rank->compute);
  return status == CUBLAS_STATUS_SUCCESS
             ? TPRT_OK
             : rank->fail(TPRT_FAILED, "cublasLtMatmul",
                          cublasLtGetStatusString(status));
}
