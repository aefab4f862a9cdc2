//===- Model.h - a model, read and sharded ----------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// How the tools that run a model and compile it come to a program.
//
//===----------------------------------------------------------------------===//

#ifndef TP_EXECUTION_MODEL_H
#define TP_EXECUTION_MODEL_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tp/Import/Import.h"
#include <string>

namespace mlir::tp {

/// What the command line says of a model.
struct ModelOptions {
  std::string model, mesh, plan = "auto";
  ImportOptions import; ///< of a model that is a checkpoint
  /// Whether weights are widened when they are loaded, instead of staying as
  /// their file stores them.
  bool dequantise = false;
  /// Whether the checkpoint that a module names must be there, unchanged.
  bool checksWeights = true;
};

/// A module that was read, before it is sharded: global, or local already.
struct Source {
  OwningOpRef<ModuleOp> module;
  std::string checkpoint; ///< where its weights are; empty if nowhere
  bool isLocal = false;
};

/// Whether `path` is IR (and not a checkpoint).
bool isModuleFile(StringRef path);

/// Reads a module or imports a checkpoint. Errors are printed.
FailureOr<Source> readSource(const ModelOptions &options, MLIRContext *context);

/// Where the checkpoint is that the module at `modulePath` names, relative to
/// its own folder. If `checksum` is not empty it must be there, as it was when
/// the module was made; errors are printed.
FailureOr<std::string> findCheckpoint(StringRef name, StringRef checksum,
                                      StringRef modulePath);

/// Makes `module`, which was not sharded yet, the program of one device: what
/// it says itself of placements goes. Fails with diagnostics.
LogicalResult unshardSource(ModuleOp module);

/// Shards `module`, a copy of the source's or that itself, over `mesh` (empty:
/// over the mesh of the module or of the plan file, if there is one). Fails
/// with diagnostics.
LogicalResult shardSource(ModuleOp module, const Source &source, StringRef mesh,
                          StringRef plan);

} // namespace mlir::tp

#endif // TP_EXECUTION_MODEL_H
