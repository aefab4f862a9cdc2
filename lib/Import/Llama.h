//===- Llama.h - the Llama family -------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_LLAMA_H
#define TP_LIB_IMPORT_LLAMA_H

#include "Family.h"
#include "Rope.h"

namespace mlir::tp::importer {

struct LlamaConfig {
  int64_t layers = 0, hidden = 0, intermediate = 0;
  int64_t heads = 0, kvHeads = 0, headDim = 0;
  int64_t vocabulary = 0, contextLength = 0;
  double normEpsilon = 0, attentionScale = 0;
  bool queryBias = false, keyBias = false, valueBias = false,
       outputBias = false;
  bool gateBias = false, upBias = false, downBias = false;
  bool tied = false; ///< the head's weight is the embedding's
  RopeConfig rope;
};

/// Reads and checks the configuration; what the file says by having a tensor or
/// not is found in `weights`.
FailureOr<LlamaConfig> readLlamaConfig(const Source &source, Weights &weights);

/// A published parameter name as GGUF spells it.
std::string getLlamaGgufName(StringRef name);

/// All parameters, in the order of the model.
FailureOr<SmallVector<nn::ParameterAttr>>
takeLlamaParameters(const LlamaConfig &config, Weights &weights);

/// Builds @forward, or @prefill and @decode.
void buildLlama(ModuleOp module, const LlamaConfig &config,
                const Shapes &shapes, ArrayRef<nn::ParameterAttr> parameters);

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_LLAMA_H
