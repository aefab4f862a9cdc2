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

  /// The candidate that takes the least time on the rank's compute stream,
  /// which `finish` waits for; one that gains less than 2 % on the first does
  /// not count. Operands are what lies in `block`, another part of it each
  /// time, so that they are not in caches. What memory there is none for is not
  /// measured: the first.
  int64_t measure(Rank &rank, int64_t number, const void *block,
                  int64_t blockBytes, const std::function<void()> &finish);

  /// See Host::multiply.
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
  std::string multiply(const Rank &rank, const Matmul &plan, const void *a,
                       const void *b, bool adds, const void *bias,
                       void *c) const;

  cublasLtHandle_t blas = nullptr;
  std::vector<Matmul> matmuls;
  void *workspace = nullptr;
  const size_t workspaceBytes = 32 << 20;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_PRODUCTS_H
