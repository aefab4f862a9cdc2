//===- Products.h - products of matrices by cuBLASLt ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_PRODUCTS_H
#define TPRT_CUDA_PRODUCTS_H

#include "Support.h"

#include <cublasLt.h>
#include <vector>

namespace tprt_cuda {

/// The products of a program on one rank, each with its algorithm.
class Products {
public:
  Products() = default;
  Products(const Products &) = delete;
  ~Products();

  /// Finds an algorithm for each, on the current GPU. An Error if one has none.
  void open(const Program &program);

  /// See Host::multiply.
  tprt_status queue(Rank *rank, int64_t number, const void *a, const void *b,
                    bool adds, void *c) const;

private:
  /// A product ready to be called.
  struct Matmul {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
    cublasLtMatmulAlgo_t algorithm = {};
    /// In the type that the product is accumulated in.
    alignas(8) unsigned char one[8] = {}, zero[8] = {};
  };
  void create(const MatmulShape &shape, Matmul &product);
  void findAlgorithm(const MatmulShape &shape, Matmul &product);

  cublasLtHandle_t blas = nullptr;
  std::vector<Matmul> matmuls;
  void *workspace = nullptr;
  const size_t workspaceBytes = 32 << 20;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_PRODUCTS_H
