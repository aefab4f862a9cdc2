//===- Array.h - a dense array in host memory -------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_RUN_ARRAY_H
#define TP_TOOLS_TP_RUN_ARRAY_H

#include "tprt/Dtype.h"
#include "llvm/ADT/SmallVector.h"
#include <string>
#include <vector>

namespace mlir::tp {

/// Dense, row-major.
struct Array {
  tprt_dtype dtype = TPRT_F32;
  llvm::SmallVector<int64_t> shape;
  std::vector<char> data;

  int64_t size() const {
    int64_t product = 1;
    for (int64_t extent : shape)
      product *= extent;
    return product;
  }
  /// Element i as a double, whatever the type.
  double at(int64_t i) const;
  /// Gives the array this type, shape and zeros.
  void reset(tprt_dtype type, llvm::ArrayRef<int64_t> extents);
};

} // namespace mlir::tp

#endif // TP_TOOLS_TP_RUN_ARRAY_H
