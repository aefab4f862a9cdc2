//===- Products.h - products of matrices by cuBLASLt ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_PRODUCTS_H
#define TPRT_CUDA_PRODUCTS_H

#include "Support.h"

#include <cublasLt.h>
#include <functional>
#include <vector>

namespace tprt_cuda {

/// The products of a program on one rank, each with its algorithm: the one that
/// cuBLASLt holds best, unless another one is chosen, of its or our own.
class Products {
public:
  Products() = default;
  Products(const Products &) = delete;
  ~Products();

  /// Finds an algorithm for each, on the current GPU. An Error if one has none.
  void open(const Program &program);

  int64_t size() const { return int64_t(matmuls.size()); }
  /// How many algorithms there are to choose from, at least one; ours is last.
  int64_t candidates(int64_t number) const {
    return int64_t(matmuls[size_t(number)].candidates.size());
  }
  void choose(int64_t number, int64_t candidate);
  /// Products whose algorithm is not cuBLASLt's first.
  int64_t numOthers() const;

  /// Our own, if it takes the product, else the first.
  int64_t findOwn(int64_t number) const;

  /// What a measurement needs; CUDA may wait for other GPUs when it goes.
  struct Measurement {
    const char *block; ///< memory to read
    int64_t blockBytes;
    std::function<void()> finish; ///< waits for the rank's compute stream
    cudaEvent_t begin = nullptr, end = nullptr;
    std::vector<void *> buffers;

    Measurement(const void *block, int64_t blockBytes,
                std::function<void()> finish);
    Measurement(const Measurement &) = delete;
    ~Measurement();
    /// Null if there is no memory.
    void *make(int64_t bytes);
  };
  /// The candidate that takes the least time of many in a row, of which the
  /// host takes part where a product is small; one that gains less than 2 % on
  /// the first does not count. Operands are what lies in the block, another
  /// part of it each time, so that they are not in caches. Where there is no
  /// memory for the others it is the first.
  int64_t measure(Rank &rank, int64_t number, Measurement &measurement) const;

  /// See Host::multiply. A rank's own thread calls it.
  tprt_status queue(Rank *rank, int64_t number, const void *a, const void *b,
                    bool adds, const void *bias, void *c) const;

private:
  /// cuBLASLt's, or a kernel (FewColumns.h).
  struct Candidate {
    bool isOwn;
    cublasLtMatmulAlgo_t algorithm;
  };
  /// A product ready to be called.
  struct Matmul {
    const MatmulShape *shape = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
    std::vector<Candidate> candidates; ///< the likely best first
    size_t chosen = 0;
    /// In the type that the product is accumulated in.
    alignas(8) unsigned char one[8] = {}, zero[8] = {};
  };
  void create(const MatmulShape &shape, Matmul &product);
  void findAlgorithms(const MatmulShape &shape, Matmul &product);
  /// Empty, or what was wrong.
  std::string multiply(const Rank &rank, const Matmul &plan,
                       const Candidate &candidate, const void *a, const void *b,
                       bool adds, const void *bias, void *c) const;
  /// Milliseconds of many of what `queue` queues; infinity if it fails.
  float time(Rank &rank, Measurement &measurement,
             const std::function<std::string()> &queue) const;

  cublasLtHandle_t blas = nullptr;
  std::vector<Matmul> matmuls;
  void *workspace = nullptr;
  const size_t workspaceBytes = 32 << 20;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_PRODUCTS_H
