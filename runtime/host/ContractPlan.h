//===- ContractPlan.h - contractions as matrix products ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONTRACTPLAN_H
#define TPRT_HOST_CONTRACTPLAN_H

#include "Abi.h"

#include <cstdint>
#include <vector>

namespace tprt {

/// A dim of a contraction, or several that are one in every operand.
struct ContractDim {
  int64_t extent = 1;
  int64_t a = 0, b = 0, c = 0; ///< strides
};

/// The product of the extents.
int64_t extentOf(const std::vector<ContractDim> &dims);

/// A matrix in memory with a unit stride along one of its dims.
struct MatrixLayout {
  bool transposed = false; ///< the fast dim is the first one
  int stride = 1;          ///< of the other
};

/// Whether [rows, columns] with these strides is a matrix that BLAS takes.
bool matrixLayout(int64_t rows, int64_t rowStride, int64_t columns,
                  int64_t columnStride, MatrixLayout &layout);

/// A contraction with its dims by role, simplified.
struct ContractPlan {
  /// Checks the descriptor; an Error that says what is wrong with it.
  explicit ContractPlan(const tprt_contract_desc &desc);

  std::vector<ContractDim> batch, rows, columns, inner;

  /// The same contraction with A and B exchanged.
  ContractPlan mirrored() const;

  /// The largest part that is one BLAS call on the operands as they are: one
  /// dim of each role, of extent 1 if there is none. Everything else is loops.
  struct Direct {
    ContractDim row, column, inner;
    std::vector<ContractDim> outerLoops, innerLoops;
    int64_t work =
        0; ///< multiplications in one call; 0 if there is no such part
  };
  Direct direct() const;
};

} // namespace tprt

#endif // TPRT_HOST_CONTRACTPLAN_H
