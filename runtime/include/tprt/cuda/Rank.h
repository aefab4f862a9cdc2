//===- Rank.h - one rank of a program on a GPU ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What a compiled program and its host know of one another. The program has
// kernels and queues them; products and collectives are the host's, so that a
// program needs no library but CUDA's own runtime.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_RANK_H
#define TPRT_CUDA_RANK_H

#include "tprt/tprt.h"

#include <cstdio>
#include <cstring>
#include <cuda_runtime.h>

// A simulation on a CPU launches in its own way.
#ifndef TPRT_LAUNCH
#define TPRT_LAUNCH(kernel, blocks, threads, stream)                           \
  kernel<<<unsigned(blocks), unsigned(threads), 0, stream>>>
#endif

namespace tprt_cuda {

/// Version of this header. A program of another version is refused.
constexpr int64_t kVersion = 3;

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
/// `stride` elements apart. A, B and C begin at multiples of `alignment` bytes,
/// a bias at a multiple of 16. With a bias, an element for each row is added to
/// all columns.
struct MatmulShape {
  tprt_dtype type;
  bool transposeA, transposeB;
  int64_t rows, columns, inner;
  int64_t leadingA, leadingB, leadingC;
  int64_t batch, strideA, strideB, strideC;
  int64_t alignment;
  bool addsBias;
};

struct Rank;

/// Queues an entry's work on the streams of a rank; the arena and all buffers
/// are in the GPU's memory, at multiples of 64 bytes.
typedef tprt_status (*EntryFunction)(Rank *rank, void *arena,
                                     void *const *arguments,
                                     void *const *results);

struct Entry {
  const char *name;
  EntryFunction run;
  int64_t arenaBytes, numArguments, numResults;
};

struct Program {
  int64_t version; ///< kVersion
  int64_t ranks, scratchBytes, workspaceBytes, events;
  int64_t numGroups, numMatmuls, numEntries;
  const Group *groups;
  const MatmulShape *matmuls;
  const Entry *entries;
};

//===----------------------------------------------------------------------===//
// What a program asks of its host
//===----------------------------------------------------------------------===//

/// A collective over the members of a group, in their order. Blocks of `count`
/// elements: all of an all_reduce, what this rank sends to an all_gather or
/// receives from a reduce_scatter, what goes to each member in an all_to_all.
/// Gathered, scattered and exchanged blocks lie one after the other. An
/// all_reduce may be in place.
struct Collective {
  tprt_collective_kind kind;
  int64_t id; ///< as in the manifest
  int64_t group;
  /// Of a permute: the same ranks in another order. This rank gets the block of
  /// the member of `group` whose index is this rank's within `source`.
  int64_t source;
  tprt_reduction reduction;
  int64_t numBuffers;
  struct Buffer {
    const void *send;
    void *receive;
    int64_t count;
    tprt_dtype type;
  } buffers[4];
};

/// Attention over buffers on the GPU, of narrow floats; see tprt_attention.
struct Attention {
  tprt_attention_desc desc;
  const void *q, *k, *v;
  const int32_t *offset; ///< on the GPU, or null
  int64_t start;
  void *out;
};

class Host {
public:
  /// Queues product `number` of the program on the compute stream; `adds` to
  /// what is in C. `bias` is null unless the product adds one.
  virtual tprt_status multiply(Rank *rank, int64_t number, const void *a,
                               const void *b, bool adds, const void *bias,
                               void *c) = 0;
  /// Queues it on the communicate stream.
  virtual tprt_status communicate(Rank *rank, const Collective &what) = 0;
  /// Queues it on the compute stream if the host has a library that takes it;
  /// else the program's own kernel is to do it. If it is causal, queries that
  /// stand beyond the keys are the program's in any case.
  virtual tprt_status attend(Rank *rank, const Attention &what,
                             bool *isQueued) = 0;

protected:
  ~Host() = default;
};

//===----------------------------------------------------------------------===//
// A rank
//===----------------------------------------------------------------------===//

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
  cudaEvent_t *events = nullptr; ///< of collectives that are awaited later
  void *scratch = nullptr;       ///< of collectives that pack
  void *workspace = nullptr;     ///< of calls, on the compute stream
  /// Within each group.
  const int64_t *coordinates = nullptr;
  Fault *fault = nullptr;
  Host *host = nullptr;
  tprt_status status = TPRT_OK;
  char message[512] = "";

  /// The first failure stays. Returns its status.
  tprt_status fail(tprt_status what, const char *call, const char *reason) {
    if (status == TPRT_OK) {
      status = what;
      std::snprintf(message, sizeof message, "%s: %s", call, reason);
    }
    return status;
  }
};

/// A call of CUDA; if it fails, the function that it stands in returns.
#define TPRT_CUDA(rank, call)                                                  \
  do {                                                                         \
    cudaError_t tprtError = (call);                                            \
    if (tprtError != cudaSuccess)                                              \
      return (rank)->fail(TPRT_FAILED, #call, cudaGetErrorString(tprtError));  \
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

/// C = A * B, C += A * B or C = A * B + bias, by the number of its shape in the
/// table.
inline tprt_status multiply(Rank *rank, int64_t number, const void *a,
                            const void *b, void *c, bool adds = false,
                            const void *bias = nullptr) {
  return rank->host->multiply(rank, number, a, b, adds, bias, c);
}

inline tprt_status communicate(Rank *rank, const Collective &what) {
  return rank->host->communicate(rank, what);
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_RANK_H
