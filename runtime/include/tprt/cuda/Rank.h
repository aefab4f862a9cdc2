//===- Rank.h - one rank of a program on a GPU ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_RANK_H
#define TPRT_CUDA_RANK_H

#include "tprt/tprt.h"

#include <cstdio>
#include <cstring>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <nccl.h>
#include <vector>

namespace tprt_cuda {

//===----------------------------------------------------------------------===//
// What a program says of itself
//===----------------------------------------------------------------------===//

/// A part of a mesh axis: a rank's coordinate on it is (rank / divisor) % size.
struct Part {
  int64_t divisor, size;
};

/// The ranks that agree outside these parts, ordered by them, major to minor.
struct Group {
  int64_t count;
  Part parts[TPRT_MAX_RANK];
};

/// C = A * B of column-major matrices, C: rows x columns. A batch has as many,
/// `stride` elements apart. All matrices begin at multiples of `alignment`
/// bytes.
struct MatmulShape {
  cudaDataType_t type;
  bool transposeA, transposeB;
  int64_t rows, columns, inner;
  int64_t leadingA, leadingB, leadingC;
  int64_t batch, strideA, strideB, strideC;
  int64_t alignment;
};

struct Rank;

/// Queues an entry's work on the streams of a rank; the arena and all buffers
/// are in the GPU's memory, at multiples of 256 bytes.
typedef tprt_status (*EntryFunction)(Rank *rank, void *arena,
                                     void *const *arguments,
                                     void *const *results);

struct Entry {
  const char *name;
  EntryFunction run;
  int64_t arenaBytes;
};

struct Program {
  int64_t version; ///< TPRT_VERSION
  int64_t ranks, scratchBytes, events;
  int64_t numGroups, numMatmuls, numEntries;
  const Group *groups;
  const MatmulShape *matmuls;
  const Entry *entries;
};

//===----------------------------------------------------------------------===//
// A rank
//===----------------------------------------------------------------------===//

/// A product ready to be called.
struct Matmul {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm = {};
  /// In the type that the product is accumulated in.
  alignas(8) unsigned char one[8] = {}, zero[8] = {};
};

struct GroupRank {
  ncclComm_t communicator = nullptr;
  int64_t coordinate = 0, size = 1;
};

/// What a kernel found wrong; in memory that host and device share.
struct Fault {
  enum What : int { None, Token, Cache, Index };
  int what;
  long long values[3];
};

/// Errors are sticky: once a call has failed nothing more is queued, and
/// `message` says what it was.
struct Rank {
  int64_t index = 0;
  /// Kernels and products; collectives, which run beside them.
  cudaStream_t compute = nullptr, communicate = nullptr;
  cudaEvent_t computed = nullptr, communicated = nullptr;
  std::vector<cudaEvent_t> events; ///< of collectives that are awaited later
  cublasLtHandle_t blas = nullptr;
  std::vector<Matmul> matmuls;
  void *workspace = nullptr; ///< of products
  size_t workspaceBytes = 32 << 20;
  void *scratch = nullptr; ///< of collectives that pack
  ncclComm_t world = nullptr;
  std::vector<GroupRank> groups;
  Fault *fault = nullptr;
  tprt_status status = TPRT_OK;
  char message[512] = "";

  /// The first failure stays. Returns its status.
  tprt_status fail(tprt_status what, const char *call, const char *reason) {
    if (status == TPRT_OK) {
      status = what;
      std::snprintf(message, sizeof message, "rank %lld: %s: %s",
                    static_cast<long long>(index), call, reason);
    }
    return status;
  }
};

// Each makes one call; if it fails, the function that it stands in returns.
#define TPRT_CUDA(rank, call)                                                  \
  do {                                                                         \
    cudaError_t tprtError = (call);                                            \
    if (tprtError != cudaSuccess)                                              \
      return (rank)->fail(TPRT_FAILED, #call, cudaGetErrorString(tprtError));  \
  } while (false)
#define TPRT_CUBLAS(rank, call)                                                \
  do {                                                                         \
    cublasStatus_t tprtError = (call);                                         \
    if (tprtError != CUBLAS_STATUS_SUCCESS)                                    \
      return (rank)->fail(TPRT_FAILED, #call,                                  \
                          cublasLtGetStatusString(tprtError));                 \
  } while (false)
#define TPRT_NCCL(rank, call)                                                  \
  do {                                                                         \
    ncclResult_t tprtError = (call);                                           \
    if (tprtError != ncclSuccess)                                              \
      return (rank)->fail(TPRT_FAILED, #call, ncclGetErrorString(tprtError));  \
  } while (false)
/// After a launch: what was wrong with its configuration.
#define TPRT_LAUNCHED(rank) TPRT_CUDA(rank, cudaGetLastError())
/// A function that queues work and gives a status.
#define TPRT_TRY(call)                                                         \
  do {                                                                         \
    tprt_status tprtStatus = (call);                                           \
    if (tprtStatus != TPRT_OK)                                                 \
      return tprtStatus;                                                       \
  } while (false)

/// A buffer in the arena, in bytes from its begin.
template <typename T> T *at(void *arena, int64_t offset) {
  return reinterpret_cast<T *>(static_cast<char *>(arena) + offset);
}

//===----------------------------------------------------------------------===//
// Opening a rank
//===----------------------------------------------------------------------===//

inline tprt_status createMatmul(Rank *rank, const MatmulShape &shape,
                                Matmul &product) {
  const bool isDouble = shape.type == CUDA_R_64F;
  const cudaDataType_t scale = isDouble ? CUDA_R_64F : CUDA_R_32F;
  const double doubleOne = 1;
  const float floatOne = 1;
  std::memcpy(product.one,
              isDouble ? static_cast<const void *>(&doubleOne) : &floatOne,
              isDouble ? sizeof doubleOne : sizeof floatOne);
  TPRT_CUBLAS(rank, cublasLtMatmulDescCreate(&product.operation,
                                             isDouble ? CUBLAS_COMPUTE_64F
                                                      : CUBLAS_COMPUTE_32F,
                                             scale));
  auto setTranspose = [&](cublasLtMatmulDescAttributes_t which, bool value) {
    const int32_t operation = value ? CUBLAS_OP_T : CUBLAS_OP_N;
    return cublasLtMatmulDescSetAttribute(product.operation, which, &operation,
                                          sizeof operation);
  };
  TPRT_CUBLAS(rank,
              setTranspose(CUBLASLT_MATMUL_DESC_TRANSA, shape.transposeA));
  TPRT_CUBLAS(rank,
              setTranspose(CUBLASLT_MATMUL_DESC_TRANSB, shape.transposeB));
  auto createLayout = [&](cublasLtMatrixLayout_t *layout, int64_t rows,
                          int64_t columns, int64_t leading, int64_t stride) {
    cublasStatus_t status = cublasLtMatrixLayoutCreate(
        layout, shape.type, uint64_t(rows), uint64_t(columns), leading);
    const int32_t batch = int32_t(shape.batch);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = cublasLtMatrixLayoutSetAttribute(
          *layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = cublasLtMatrixLayoutSetAttribute(
          *layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
          sizeof stride);
    return status;
  };
  TPRT_CUBLAS(rank, createLayout(&product.a,
                                 shape.transposeA ? shape.inner : shape.rows,
                                 shape.transposeA ? shape.rows : shape.inner,
                                 shape.leadingA, shape.strideA));
  TPRT_CUBLAS(rank, createLayout(&product.b,
                                 shape.transposeB ? shape.columns : shape.inner,
                                 shape.transposeB ? shape.inner : shape.columns,
                                 shape.leadingB, shape.strideB));
  TPRT_CUBLAS(rank, createLayout(&product.c, shape.rows, shape.columns,
                                 shape.leadingC, shape.strideC));
  cublasLtMatmulPreference_t preference = nullptr;
  TPRT_CUBLAS(rank, cublasLtMatmulPreferenceCreate(&preference));
  TPRT_CUBLAS(rank, cublasLtMatmulPreferenceSetAttribute(
                        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                        &rank->workspaceBytes, sizeof rank->workspaceBytes));
  const uint32_t alignment = uint32_t(shape.alignment);
  for (auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                     CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    TPRT_CUBLAS(rank, cublasLtMatmulPreferenceSetAttribute(
                          preference, which, &alignment, sizeof alignment));
  cublasLtMatmulHeuristicResult_t found = {};
  int count = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      rank->blas, product.operation, product.a, product.b, product.c, product.c,
      preference, 1, &found, &count);
  cublasLtMatmulPreferenceDestroy(preference);
  TPRT_CUBLAS(rank, status);
  if (count == 0)
    return rank->fail(TPRT_UNSUPPORTED, "cublasLtMatmulAlgoGetHeuristic",
                      "no algorithm for a product of this program");
  product.algorithm = found.algo;
  return TPRT_OK;
}

/// This rank's coordinate within a group, and the number that names the group
/// among those with the same parts.
inline GroupRank placeInGroup(const Group &group, int64_t rank,
                              int64_t &colour) {
  GroupRank place;
  colour = rank;
  for (int64_t i = 0; i < group.count; ++i) {
    const Part &part = group.parts[i];
    const int64_t index = rank / part.divisor % part.size;
    place.coordinate = place.coordinate * part.size + index;
    place.size *= part.size;
    colour -= index * part.divisor;
  }
  return place;
}

/// Makes this process, or thread, rank `index` of the program on the current
/// device. Every rank gives the same `id`, made by one of them with
/// ncclGetUniqueId; null if there is one rank. A status, with what is wrong in
/// `rank.message`; TPRT_UNSUPPORTED if there is no GPU.
inline tprt_status openRank(const Program &program, int64_t index,
                            const ncclUniqueId *id, Rank &rank) {
  Rank *self = &rank;
  rank.index = index;
  if (program.version != TPRT_VERSION)
    return rank.fail(TPRT_UNSUPPORTED, "open",
                     "the program was made for another version of tprt");
  if (index < 0 || index >= program.ranks || (program.ranks > 1 && !id))
    return rank.fail(TPRT_INVALID, "open",
                     "the program has no such rank, or needs an id for NCCL");
  int devices = 0;
  cudaError_t found = cudaGetDeviceCount(&devices);
  if (found != cudaSuccess || devices == 0)
    return rank.fail(TPRT_UNSUPPORTED, "no GPU",
                     found != cudaSuccess ? cudaGetErrorString(found)
                                          : "there is no device");
  TPRT_CUDA(self,
            cudaStreamCreateWithFlags(&rank.compute, cudaStreamNonBlocking));
  TPRT_CUDA(self, cudaStreamCreateWithFlags(&rank.communicate,
                                            cudaStreamNonBlocking));
  rank.events.resize(size_t(program.events));
  TPRT_CUDA(self,
            cudaEventCreateWithFlags(&rank.computed, cudaEventDisableTiming));
  TPRT_CUDA(self, cudaEventCreateWithFlags(&rank.communicated,
                                           cudaEventDisableTiming));
  for (cudaEvent_t &event : rank.events)
    TPRT_CUDA(self, cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  TPRT_CUDA(self, cudaMalloc(&rank.workspace, rank.workspaceBytes));
  if (program.scratchBytes > 0)
    TPRT_CUDA(self, cudaMalloc(&rank.scratch, size_t(program.scratchBytes)));
  TPRT_CUDA(self, cudaHostAlloc(reinterpret_cast<void **>(&rank.fault),
                                sizeof(Fault), cudaHostAllocMapped));
  *rank.fault = Fault();
  TPRT_CUBLAS(self, cublasLtCreate(&rank.blas));
  rank.matmuls.resize(size_t(program.numMatmuls));
  for (int64_t i = 0; i < program.numMatmuls; ++i)
    TPRT_TRY(createMatmul(self, program.matmuls[i], rank.matmuls[size_t(i)]));
  if (program.ranks > 1)
    TPRT_NCCL(self, ncclCommInitRank(&rank.world, int(program.ranks), *id,
                                     int(index)));
  // On every rank in the same order.
  for (int64_t i = 0; i < program.numGroups; ++i) {
    int64_t colour = 0;
    rank.groups.push_back(placeInGroup(program.groups[i], index, colour));
    GroupRank &group = rank.groups.back();
    if (rank.world)
      TPRT_NCCL(self,
                ncclCommSplit(rank.world, int(colour), int(group.coordinate),
                              &group.communicator, nullptr));
  }
  return TPRT_OK;
}

/// Waits for what was queued; what a kernel found wrong is an error then.
inline tprt_status finish(Rank &rank) {
  Rank *self = &rank;
  if (rank.status != TPRT_OK)
    return rank.status;
  TPRT_CUDA(self, cudaStreamSynchronize(rank.compute));
  TPRT_CUDA(self, cudaStreamSynchronize(rank.communicate));
  const Fault &fault = *rank.fault;
  char text[256] = "";
  switch (fault.what) {
  case Fault::None:
    return TPRT_OK;
  case Fault::Token:
    std::snprintf(text, sizeof text, "token id %lld is outside [0, %lld)",
                  fault.values[0], fault.values[1]);
    break;
  case Fault::Cache:
    std::snprintf(text, sizeof text,
                  "%lld rows at position %lld do not fit a cache of %lld",
                  fault.values[1], fault.values[0], fault.values[2]);
    break;
  case Fault::Index:
    std::snprintf(text, sizeof text, "index %lld is outside [0, %lld)",
                  fault.values[0], fault.values[1]);
    break;
  }
  return rank.fail(TPRT_INVALID, "a kernel", text);
}

/// Gives everything back, also of a rank that was not opened whole.
inline void closeRank(Rank &rank) {
  for (Matmul &product : rank.matmuls) {
    if (product.operation)
      cublasLtMatmulDescDestroy(product.operation);
    for (cublasLtMatrixLayout_t layout : {product.a, product.b, product.c})
      if (layout)
        cublasLtMatrixLayoutDestroy(layout);
  }
  for (GroupRank &group : rank.groups)
    if (group.communicator)
      ncclCommDestroy(group.communicator);
  if (rank.world)
    ncclCommDestroy(rank.world);
  if (rank.blas)
    cublasLtDestroy(rank.blas);
  rank.events.push_back(rank.computed);
  rank.events.push_back(rank.communicated);
  for (cudaEvent_t event : rank.events)
    if (event)
      cudaEventDestroy(event);
  for (cudaStream_t stream : {rank.compute, rank.communicate})
    if (stream)
      cudaStreamDestroy(stream);
  if (rank.fault)
    cudaFreeHost(rank.fault);
  for (void *memory : {rank.workspace, rank.scratch})
    if (memory)
      cudaFree(memory);
  rank = Rank();
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_RANK_H
