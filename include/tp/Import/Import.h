//===- Import.h - checkpoints to nn graphs ----------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_IMPORT_IMPORT_H
#define TP_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace mlir::tp {

struct ImportOptions {
  /// "forward": the logits of a whole sequence. "generate": two functions,
  /// @prefill and @decode, that share a key-value cache.
  std::string entry = "forward";
  int64_t batch = 1;
  /// Tokens of a sequence (forward) or of a prefill chunk (generate); 0
  /// chooses.
  int64_t sequence = 0;
  /// Tokens that fit in the cache; 0 chooses.
  int64_t maxSequence = 0;
  /// "f64", "f32", "bf16", or "auto" for the checkpoint's own.
  std::string dtype = "auto";
  /// How many of the best next tokens a generation step answers.
  int64_t topK = 1;
  /// The directory that the module's `nn.checkpoint` is relative to: that of
  /// the file the module will be written to. Empty: the current directory.
  std::string baseDirectory;
};

/// Reads the configuration and the tensor table of a GGUF file or a Hugging
/// Face directory and builds its graph; no weights are read. What is wrong is
/// one error diagnostic that begins with the file's name; tensors that are not
/// used are listed in a warning, a type that is not kept in a remark.
FailureOr<OwningOpRef<ModuleOp>>
importModel(StringRef path, const ImportOptions &options, MLIRContext *context);

/// A checkpoint as seen from `base`, the directory of the file that will name
/// it; empty is the current directory.
std::string getRelativePath(StringRef path, StringRef base);

} // namespace mlir::tp

#endif // TP_IMPORT_IMPORT_H
