//===- Products.cpp - products of matrices by cuBLASLt --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include "FewColumns.h"
#include "Groups.h"

#include <algorithm>
#include <limits>

using namespace tprt_cuda;

/// Algorithms that cuBLASLt is asked for.
static constexpr int kMostCandidates = 8;

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
    findAlgorithms(program.matmuls[i], matmuls[size_t(i)]);
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
  auto set = [&](cublasLtMatmulDescAttributes_t which, auto value) {
    TPRT_CHECK_BLAS(cublasLtMatmulDescSetAttribute(product.operation, which,
                                                   &value, sizeof value));
  };
  auto operationOf = [](bool transposed) {
    return int32_t(transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, operationOf(shape.transposeA));
  set(CUBLASLT_MATMUL_DESC_TRANSB, operationOf(shape.transposeB));
  product.shape = &shape;
  if (shape.addsBias) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    // Algorithms depend on how the bias is aligned, which a null pointer is to
    // anything; where it is, a call says.
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER,
        reinterpret_cast<const void *>(uintptr_t(16)));
  }
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

void Products::findAlgorithms(const MatmulShape &shape, Matmul &product) {
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
  cublasLtMatmulHeuristicResult_t found[kMostCandidates] = {};
  int count = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      blas, product.operation, product.a, product.b, product.c, product.c,
      preference.handle, kMostCandidates, found, &count);
  const bool isOwn = isOfFewColumns(shape);
  if (status != CUBLAS_STATUS_SUCCESS)
    count = 0;
  if (count == 0 && !isOwn)
    raise(TPRT_UNSUPPORTED, "cuBLASLt has no algorithm for a product of ",
          shape.rows, "x", shape.inner, " and ", shape.inner, "x",
          shape.columns, shape.addsBias ? " with a bias" : "",
          status != CUBLAS_STATUS_SUCCESS ? ": " : "",
          status != CUBLAS_STATUS_SUCCESS ? cublasLtGetStatusString(status)
                                          : "");
  for (int i = 0; i < count; ++i)
    if (i == 0 || found[i].state == CUBLAS_STATUS_SUCCESS)
      product.candidates.push_back({false, found[i].algo});
  if (isOwn)
    product.candidates.push_back({true, {}});
}

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

void Products::choose(int64_t number, int64_t candidate) {
  if (candidate < 0 || candidate >= candidates(number))
    raise(TPRT_FAILED, "ranks differ: product ", number, " has ",
          candidates(number), " algorithms here, and number ", candidate,
          " is the choice of rank 0");
  matmuls[size_t(number)].chosen = size_t(candidate);
}

int64_t Products::numOthers() const {
  return std::count_if(matmuls.begin(), matmuls.end(),
                       [](const Matmul &each) { return each.chosen != 0; });
}

/// Of all matrices of a batch, from the first element to the last.
static int64_t operandBytes(const MatmulShape &shape, int64_t leading,
                            int64_t columns, int64_t stride) {
  return (leading * columns + (shape.batch - 1) * stride) * bytesOf(shape.type);
}

int64_t Products::findOwn(int64_t number) const {
  const std::vector<Candidate> &candidates = matmuls[size_t(number)].candidates;
  return candidates.back().isOwn ? int64_t(candidates.size()) - 1 : 0;
}

Products::Measurement::Measurement(const void *block, int64_t blockBytes,
                                   std::function<void()> finish)
    : block(static_cast<const char *>(block)), blockBytes(blockBytes),
      finish(std::move(finish)) {
  TPRT_CHECK(cudaEventCreate(&begin));
  TPRT_CHECK(cudaEventCreate(&end));
}

Products::Measurement::~Measurement() {
  for (void *buffer : buffers)
    cudaFree(buffer);
  for (cudaEvent_t event : {begin, end})
    if (event)
      cudaEventDestroy(event);
}

void *Products::Measurement::make(int64_t bytes) {
  void *buffer = nullptr;
  if (cudaMalloc(&buffer, size_t(bytes)) != cudaSuccess) {
    cudaGetLastError(); // what there was no memory for concerns nobody
    return nullptr;
  }
  buffers.push_back(buffer);
  return buffer;
}

namespace {

/// Where an operand is read: `turn` by `turn` another part of what there is.
struct Source {
  const char *from;
  int64_t bytes, most;

  const void *at(int64_t turn) const {
    const int64_t places = (most - bytes) / 256 + 1;
    return from + turn * ((bytes + 255) / 256) % places * 256;
  }
};

} // namespace

/// The least of three rows, after one to warm up.
float Products::time(Rank &rank, Measurement &measurement,
                     const std::function<std::string()> &queue) const {
  constexpr int rows = 4, many = 10;
  constexpr float never = std::numeric_limits<float>::infinity();
  float least = never;
  for (int row = 0; row < rows; ++row) {
    TPRT_CHECK(cudaEventRecord(measurement.begin, rank.compute));
    for (int i = 0; i < many; ++i)
      if (!queue().empty())
        return never;
    TPRT_CHECK(cudaEventRecord(measurement.end, rank.compute));
    measurement.finish();
    float milliseconds = 0;
    TPRT_CHECK(cudaEventElapsedTime(&milliseconds, measurement.begin,
                                    measurement.end));
    if (row > 0)
      least = std::min(least, milliseconds);
  }
  return least;
}

int64_t Products::measure(Rank &rank, int64_t number,
                          Measurement &measurement) const {
  const Matmul &product = matmuls[size_t(number)];
  const MatmulShape &shape = *product.shape;
  auto makeSource = [&](int64_t bytes) -> Source {
    if (bytes <= measurement.blockBytes)
      return {measurement.block, bytes, measurement.blockBytes};
    return {static_cast<const char *>(measurement.make(bytes)), bytes, bytes};
  };
  const Source a = makeSource(
      operandBytes(shape, shape.leadingA,
                   shape.transposeA ? shape.rows : shape.inner, shape.strideA));
  const Source b = makeSource(operandBytes(
      shape, shape.leadingB, shape.transposeB ? shape.inner : shape.columns,
      shape.strideB));
  void *c = measurement.make(
      operandBytes(shape, shape.leadingC, shape.columns, shape.strideC));
  if (!a.from || !b.from || !c)
    return 0;
  int64_t turn = 0, choice = 0;
  float first = 0, best = 0;
  for (int64_t i = 0; i < candidates(number); ++i) {
    const float taken = time(rank, measurement, [&] {
      ++turn;
      return multiply(rank, product, product.candidates[size_t(i)], a.at(turn),
                      b.at(turn), false,
                      shape.addsBias ? measurement.block : nullptr, c);
    });
    if (i == 0)
      first = best = taken;
    if (taken < 0.98f * first && taken < best) {
      best = taken;
      choice = i;
    }
  }
  return choice;
}

//===----------------------------------------------------------------------===//
// Calling
//===----------------------------------------------------------------------===//

std::string Products::multiply(const Rank &rank, const Matmul &plan,
                               const Candidate &candidate, const void *a,
                               const void *b, bool adds, const void *bias,
                               void *c) const {
  if (candidate.isOwn) {
    const cudaError_t status =
        queueFewColumns(*plan.shape, a, b, adds, bias, c, rank.compute);
    return status == cudaSuccess
               ? ""
               : join("a product of few columns: ", cudaGetErrorString(status));
  }
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  if (plan.shape->addsBias) // the description is this rank's own
    status = cublasLtMatmulDescSetAttribute(
        plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmul(blas, plan.operation, plan.one, a, plan.a, b,
                            plan.b, adds ? plan.one : plan.zero, c, plan.c, c,
                            plan.c, &candidate.algorithm, workspace,
                            workspaceBytes, rank.compute);
  return status == CUBLAS_STATUS_SUCCESS
             ? ""
             : join("cublasLtMatmul: ", cublasLtGetStatusString(status));
}

tprt_status Products::queue(Rank *rank, int64_t number, const void *a,
                            const void *b, bool adds, const void *bias,
                            void *c) const {
  const Matmul &plan = matmuls[size_t(number)];
  const std::string wrong =
      multiply(*rank, plan, plan.candidates[plan.chosen], a, b, adds, bias, c);
  return wrong.empty() ? TPRT_OK
                       : rank->fail(TPRT_FAILED, "product", wrong.c_str());
}
