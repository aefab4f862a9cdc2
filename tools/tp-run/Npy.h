//===- Npy.h - NumPy's array files ------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_RUN_NPY_H
#define TP_TOOLS_TP_RUN_NPY_H

#include "Array.h"
#include "mlir/Support/LLVM.h"

namespace mlir::tp {

/// Reads a little-endian, C-ordered array of f4, f8, i4 or i8. Returns false
/// and a message that names the file otherwise.
bool readNpy(StringRef path, Array &array, std::string &message);

/// Writes an array; bf16 is written as f4, which NumPy knows. False after
/// printing what is wrong.
bool writeNpy(StringRef path, const Array &array);

} // namespace mlir::tp

#endif // TP_TOOLS_TP_RUN_NPY_H
