//===- Manifest.h - what the runtime must know of a program -----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_MANIFEST_H
#define TP_CONVERSION_MANIFEST_H

#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace mlir::tp {

/// The manifest (docs/manifest.md) of a module at the runtime level, that is,
/// after buildRuntimePipeline. Fails with a diagnostic on what the runtime
/// cannot be told: an element type or an argument without a name. `backend` is
/// what the program will run on, "cpu" or "cuda".
FailureOr<std::string> buildManifest(ModuleOp module,
                                     StringRef backend = "cpu");

} // namespace mlir::tp

#endif // TP_CONVERSION_MANIFEST_H
