//===- cublasLt.h - products on a simulated GPU ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What cuBLASLt documents of the calls that programs make: column-major
// matrices, transposes, leading dims, strided batches, alpha and beta.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_CUBLASLT_H
#define SIMULATION_CUBLASLT_H

#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "cuda_runtime.h"

#include <cstdlib>
#include <cstring>

typedef enum { CUDA_R_32F, CUDA_R_64F, CUDA_R_16BF, CUDA_R_16F } cudaDataType_t;
typedef enum { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F } cublasComputeType_t;
typedef enum {
  CUBLAS_STATUS_SUCCESS,
  CUBLAS_STATUS_INVALID_VALUE
} cublasStatus_t;
enum { CUBLAS_OP_N, CUBLAS_OP_T };
typedef enum {
  CUBLASLT_MATMUL_DESC_TRANSA,
  CUBLASLT_MATMUL_DESC_TRANSB,
  CUBLASLT_MATMUL_DESC_EPILOGUE,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER
} cublasLtMatmulDescAttributes_t;
typedef enum {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_BIAS = 4
} cublasLtEpilogue_t;
typedef enum {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET
} cublasLtMatrixLayoutAttribute_t;
typedef enum {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
} cublasLtMatmulPreferenceAttributes_t;

struct SimulatedProduct {
  cublasComputeType_t compute;
  int32_t transposes[2];
  cublasLtEpilogue_t epilogue;
  const void *bias; ///< an element for each row of the result
};
struct SimulatedLayout {
  cudaDataType_t type;
  int64_t rows, columns, leading;
  int32_t batch;
  int64_t stride;
};
typedef SimulatedProduct *cublasLtMatmulDesc_t;
typedef SimulatedLayout *cublasLtMatrixLayout_t;
typedef struct Simulated *cublasLtHandle_t;
typedef struct Simulated *cublasLtMatmulPreference_t;
struct cublasLtMatmulAlgo_t {
  int number;
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  cublasStatus_t state;
};

inline const char *cublasLtGetStatusString(cublasStatus_t) {
  return "simulated";
}
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t *) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *product,
                                               cublasComputeType_t compute,
                                               cudaDataType_t) {
  *product =
      new SimulatedProduct{compute, {}, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                               cublasLtMatmulDescAttributes_t which,
                               const void *value, size_t bytes) {
  const bool isPointer = which == CUBLASLT_MATMUL_DESC_BIAS_POINTER;
  if (bytes != (isPointer ? sizeof product->bias : sizeof(int32_t)))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (isPointer)
    std::memcpy(&product->bias, value, bytes);
  else if (which == CUBLASLT_MATMUL_DESC_EPILOGUE)
    std::memcpy(&product->epilogue, value, bytes);
  else
    std::memcpy(&product->transposes[which], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t type,
                           uint64_t rows, uint64_t columns, int64_t leading) {
  if (leading < int64_t(rows))
    return CUBLAS_STATUS_INVALID_VALUE;
  *layout =
      new SimulatedLayout{type, int64_t(rows), int64_t(columns), leading, 1, 0};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                 cublasLtMatrixLayoutAttribute_t which,
                                 const void *value, size_t bytes) {
  bool isCount = which == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
  if (bytes != (isCount ? sizeof layout->batch : sizeof layout->stride))
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(isCount ? static_cast<void *>(&layout->batch) : &layout->stride,
              value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                     cublasLtMatmulPreferenceAttributes_t,
                                     const void *, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatmulPreference_t, int wanted,
    cublasLtMatmulHeuristicResult_t *results, int *count) {
  *count = wanted < 3 ? wanted : 3;
  for (int i = 0; i < *count; ++i)
    results[i] = {{i}, CUBLAS_STATUS_SUCCESS};
  return CUBLAS_STATUS_SUCCESS;
}

/// SIMULATED_FASTEST=n: algorithm n takes the least time, others more the
/// further they are from it. SIMULATED_PRODUCT_LOG=1 tells which are used.
inline void useAlgorithm(const cublasLtMatmulAlgo_t *algorithm,
                         cudaStream_t stream) {
  const char *fastest = std::getenv("SIMULATED_FASTEST");
  stream->cost +=
      1 + std::abs(algorithm->number - (fastest ? std::atoi(fastest) : 0));
  if (std::getenv("SIMULATED_PRODUCT_LOG"))
    std::fprintf(stderr, "simulated: a product by algorithm %d\n",
                 algorithm->number);
}

inline float wide(float x) { return x; }
inline double wide(double x) { return x; }
inline float wide(__nv_bfloat16 x) { return __bfloat162float(x); }
inline float wide(__half x) { return __half2float(x); }
inline void narrow(float x, float &to) { to = x; }
inline void narrow(double x, double &to) { to = x; }
inline void narrow(float x, __nv_bfloat16 &to) { to = __float2bfloat16_rn(x); }
inline void narrow(float x, __half &to) { to = __float2half_rn(x); }

template <typename T, typename W>
void simulateProduct(const SimulatedProduct &product, const void *alpha,
                     const T *a, const SimulatedLayout &la, const T *b,
                     const SimulatedLayout &lb, const void *beta, T *d,
                     const SimulatedLayout &ld) {
  W scale, keep;
  std::memcpy(&scale, alpha, sizeof scale);
  std::memcpy(&keep, beta, sizeof keep);
  bool ta = product.transposes[0] == CUBLAS_OP_T,
       tb = product.transposes[1] == CUBLAS_OP_T;
  int64_t inner = ta ? la.rows : la.columns;
  for (int64_t batch = 0; batch < ld.batch; ++batch)
    for (int64_t j = 0; j < ld.columns; ++j)
      for (int64_t i = 0; i < ld.rows; ++i) {
        const T *left = a + batch * la.stride + (ta ? i * la.leading : i);
        const T *right = b + batch * lb.stride + (tb ? j : j * lb.leading);
        int64_t leftStep = ta ? 1 : la.leading, rightStep = tb ? lb.leading : 1;
        W sum = 0;
        for (int64_t k = 0; k < inner; ++k)
          sum += wide(left[k * leftStep]) * wide(right[k * rightStep]);
        T &target = d[batch * ld.stride + j * ld.leading + i];
        W result = scale * sum + (keep == 0 ? W(0) : keep * W(wide(target)));
        if (product.epilogue == CUBLASLT_EPILOGUE_BIAS)
          result += W(wide(static_cast<const T *>(product.bias)[i]));
        narrow(result, target);
      }
}

/// A scale as it lies on the host when the product is queued.
inline int64_t load64(const void *scale, cudaDataType_t type) {
  int64_t bits = 0;
  std::memcpy(&bits, scale, type == CUDA_R_64F ? 8 : 4);
  return bits;
}

inline cublasStatus_t
cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product,
               const void *alpha, const void *a, cublasLtMatrixLayout_t la,
               const void *b, cublasLtMatrixLayout_t lb, const void *beta,
               const void *c, cublasLtMatrixLayout_t lc, void *d,
               cublasLtMatrixLayout_t ld, const cublasLtMatmulAlgo_t *algorithm,
               void *, size_t, cudaStream_t stream) {
  bool ta = product->transposes[0] == CUBLAS_OP_T,
       tb = product->transposes[1] == CUBLAS_OP_T;
  bool agrees =
      (ta ? la->columns : la->rows) == ld->rows &&
      (tb ? lb->rows : lb->columns) == ld->columns &&
      (ta ? la->rows : la->columns) == (tb ? lb->columns : lb->rows) &&
      c == d && lc == ld && la->batch == ld->batch && lb->batch == ld->batch &&
      (product->epilogue == CUBLASLT_EPILOGUE_DEFAULT) == !product->bias;
  if (!agrees)
    return CUBLAS_STATUS_INVALID_VALUE;
  useAlgorithm(algorithm, stream);
  const int64_t ones[2] = {load64(alpha, ld->type), load64(beta, ld->type)};
  auto run = [&](auto type, auto accumulator) {
    using T = decltype(type);
    stream->push([=, product = *product, la = *la, lb = *lb, ld = *ld] {
      simulateProduct<T, decltype(accumulator)>(
          product, &ones[0], static_cast<const T *>(a), la,
          static_cast<const T *>(b), lb, &ones[1], static_cast<T *>(d), ld);
    });
  };
  switch (ld->type) {
  case CUDA_R_32F:
    run(float(), float());
    break;
  case CUDA_R_64F:
    run(double(), double());
    break;
  case CUDA_R_16BF:
    run(__nv_bfloat16(), float());
    break;
  case CUDA_R_16F:
    run(__half(), float());
    break;
  }
  return CUBLAS_STATUS_SUCCESS;
}

#endif // SIMULATION_CUBLASLT_H
