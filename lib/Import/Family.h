//===- Family.h - what families of models plug into -------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A family is one function that reads its configuration and builds its graph,
// and an entry in the table of Import.cpp. Everything it shares with others is
// in KeyReader (configurations), Weights (tensors), Rope and GraphBuilder.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_FAMILY_H
#define TP_LIB_IMPORT_FAMILY_H

#include "GraphBuilder.h"
#include "Source.h"

#include "tp/Import/Import.h"

namespace mlir::tp::importer {

/// One import: from where, what is asked for, and where it goes.
struct ImportJob {
  const Source &source;
  const ImportOptions &options;
  ModuleOp module;
};

struct Family {
  StringRef modelType;        ///< in config.json
  StringRef architecture;     ///< in config.json
  StringRef ggufArchitecture; ///< in a GGUF file
  LogicalResult (*import)(const ImportJob &job);
};

/// Sizes and types that the options and the model settle together.
struct Shapes {
  bool generate;
  int64_t batch;
  int64_t sequence; ///< of the whole input, or of one prefill chunk
  int64_t cache;    ///< positions that the cache holds
  int64_t topK;
  FloatType element;
};
FailureOr<Shapes> resolveShapes(const ImportJob &job, int64_t contextLength,
                                int64_t vocabulary);

/// Tensors so large that sizes in bytes could overflow are refused.
LogicalResult checkSize(const Source &source, StringRef what,
                        ArrayRef<int64_t> shape);

/// Fails unless every key that is left in a config.json is known not to matter
/// to the result of any causal language model.
LogicalResult finishHuggingFaceConfig(KeyReader &config);

/// Whether `name` is PREFIX, a number below `count`, a dot and more.
bool isInLayer(StringRef name, StringRef prefix, int64_t count);

// The families.
LogicalResult importLlama(const ImportJob &job);

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_FAMILY_H
