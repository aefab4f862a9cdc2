//===- Rope.h - rotary position embedding -----------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_ROPE_H
#define TP_LIB_IMPORT_ROPE_H

#include "GraphBuilder.h"
#include "KeyReader.h"

namespace mlir::tp::importer {

/// Which angle each pair of dims turns by, per position.
struct RopeConfig {
  enum class Scaling { None, Linear, Dynamic, Llama3, Yarn };

  /// Dims of a head that are rotated, an even number.
  int64_t dims = 0;
  double theta = 10000;
  /// Whether pairs are neighbours or half of the dims apart.
  bool interleaved = false;

  Scaling scaling = Scaling::None;
  double factor = 1;
  /// The context that the model was trained on before it was scaled.
  int64_t originalContext = 0;
  double lowFrequencyFactor = 1, highFrequencyFactor = 4; ///< llama3
  double betaFast = 32, betaSlow = 1;                     ///< yarn
  bool truncate = true;                                   ///< yarn
  /// What cosine and sine are multiplied by.
  double attentionFactor = 1;
  /// Divide the inverse frequencies, if there are any: GGUF's rope_freqs.
  SmallVector<double> divisors;

  /// Inverse frequencies, one a pair, for a sequence of this length: only the
  /// dynamic ones depend on it.
  SmallVector<double> getInverseFrequencies(int64_t length) const;
};

/// What rotary embedding takes from the rest of a configuration.
struct RopeContext {
  int64_t headDim, contextLength;
};

/// Reads `rope_theta`, `rope_scaling` or `rope_parameters` and what belongs to
/// them from a config.json. Errors stay in the reader.
RopeConfig readHuggingFaceRope(KeyReader &config, const RopeContext &context);

/// Reads ARCHITECTURE.rope.* from the key-values of a GGUF file.
RopeConfig readGgufRope(KeyReader &config, StringRef architecture,
                        const RopeContext &context);

struct RopeTables {
  Value cosine, sine; ///< [sequence, dims / 2]
};

/// Builds the tables of `sequence` positions from `position` on, the first
/// `length` of which are in use. Without a position, from zero, all in use.
/// Dynamic scaling goes by the length at the end of this step, as transformers
/// does: keys that are cached keep the angles that they were stored with.
RopeTables buildRopeTables(GraphBuilder &graph, StringRef module,
                           const RopeConfig &rope, int64_t sequence,
                           Value position, Value length);

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_ROPE_H
