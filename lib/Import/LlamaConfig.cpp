//===- LlamaConfig.cpp - reading a Llama's configuration ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Llama.h"

#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

/// More layers than any model has; a bound on what a broken file can ask for.
static constexpr int64_t kMaxLayers = 10000;

static constexpr Bounds kEpsilonBounds = {0, 1};

/// The keys of the sizes that have to agree, in one of the two spellings.
namespace {
struct SizeKeys {
  StringRef hidden, heads, kvHeads, headDim;
};
} // namespace

static void checkSizes(KeyReader &keys, const SizeKeys &names,
                       LlamaConfig &config) {
  if (config.heads % config.kvHeads)
    keys.fail(names.kvHeads, "is " + Twine(config.kvHeads) +
                                 ", expected a divisor of the " +
                                 Twine(config.heads) + " heads");
  if (config.headDim == 0) {
    if (config.hidden % config.heads)
      keys.fail(names.hidden, "is " + Twine(config.hidden) +
                                  ", expected a multiple of the " +
                                  Twine(config.heads) + " heads");
    config.headDim = config.hidden / config.heads;
  }
  if (config.headDim == 0 || config.headDim > kMaxExtent / config.heads)
    keys.fail(names.headDim, "is out of range for " + Twine(config.heads) +
                                 " heads of a hidden size of " +
                                 Twine(config.hidden));
}

//===----------------------------------------------------------------------===//
// Hugging Face
//===----------------------------------------------------------------------===//

static LogicalResult readHuggingFace(KeyReader &keys, LlamaConfig &config) {
  std::string modelType = keys.getString("model_type", StringRef("llama"));
  if (modelType != "llama")
    keys.fail("model_type",
              "is " + quote(modelType) + ", which contradicts architectures");
  config.layers = keys.getInt("num_hidden_layers", std::nullopt, 1, kMaxLayers);
  config.hidden = keys.getInt("hidden_size");
  config.intermediate = keys.getInt("intermediate_size");
  config.heads = keys.getInt("num_attention_heads");
  config.kvHeads = keys.getInt("num_key_value_heads", config.heads);
  config.headDim = keys.getInt("head_dim", 0);
  config.vocabulary = keys.getInt("vocab_size");
  config.contextLength = keys.getInt("max_position_embeddings", 2048);
  config.normEpsilon = keys.getFloat("rms_norm_eps", 1e-6, kEpsilonBounds);
  config.tied = keys.getBool("tie_word_embeddings", false);
  config.queryBias = config.keyBias = config.valueBias = config.outputBias =
      keys.getBool("attention_bias", false);
  config.gateBias = config.upBias = config.downBias =
      keys.getBool("mlp_bias", false);

  std::string activation = keys.getString("hidden_act", StringRef("silu"));
  if (activation != "silu" && activation != "swish")
    keys.fail("hidden_act", "is " + quote(activation) + ", supported is silu");
  checkSizes(
      keys,
      {"hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"},
      config);
  if (keys.failed())
    return failure();
  config.rope =
      readHuggingFaceRope(keys, {config.headDim, config.contextLength});
  config.attentionScale = 1 / std::sqrt(static_cast<double>(config.headDim));
  return finishHuggingFaceConfig(keys);
}

//===----------------------------------------------------------------------===//
// GGUF
//===----------------------------------------------------------------------===//

/// Keys that must have the value that stands for "not used".
static void checkUnusedKeys(KeyReader &keys) {
  std::string type = keys.getString("general.type", StringRef("model"));
  if (type != "model")
    keys.fail("general.type", "is " + quote(type) + ", expected model");
  keys.getInt("llama.expert_count", 0, 0, 0);
  keys.getInt("llama.expert_used_count", 0, 0, 0);
  keys.getInt("llama.pooling_type", 0, 0, 0);
  keys.getInt("split.count", 1, 0, 1);
  if (!keys.getBool("llama.attention.causal", true))
    keys.fail("llama.attention.causal", "is false, expected true");
  if (keys.getBool("llama.use_parallel_residual", false))
    keys.fail("llama.use_parallel_residual", "is not supported");
  // Says which converter permuted the rows of q and k; all of them do.
  keys.skip("llama.tensor_data_layout");
}

/// The vocabulary is as large as the embedding; a key may say so, too.
static int64_t readVocabulary(const Source &source, KeyReader &keys) {
  const tprt::TensorInfo *table =
      source.getCheckpoint().find("token_embd.weight");
  std::optional<int64_t> rows;
  if (table && table->shape.size() == 2 && table->shape[0] >= 1 &&
      table->shape[0] <= kMaxExtent)
    rows = table->shape[0];
  return keys.getInt("llama.vocab_size", rows);
}

static void readTensorFlags(const Weights &weights, LlamaConfig &config) {
  auto has = [&](StringRef module) {
    return weights.contains(("model.layers.0." + module + ".bias").str());
  };
  config.queryBias = has("self_attn.q_proj");
  config.keyBias = has("self_attn.k_proj");
  config.valueBias = has("self_attn.v_proj");
  config.outputBias = has("self_attn.o_proj");
  config.gateBias = has("mlp.gate_proj");
  config.upBias = has("mlp.up_proj");
  config.downBias = has("mlp.down_proj");
  config.tied = !weights.contains("lm_head.weight");
}

static LogicalResult readFrequencyDivisors(const Source &source,
                                           Weights &weights, RopeConfig &rope) {
  StringRef name = "rope_freqs.weight";
  if (!source.getCheckpoint().find(name.str()))
    return success();
  FailureOr<SmallVector<double>> divisors =
      weights.readVector(name, rope.dims / 2);
  if (failed(divisors))
    return failure();
  for (double divisor : *divisors)
    if (!(divisor > 0) || std::isinf(divisor))
      return source.emitError()
             << "tensor " << quote(name)
             << " has an element that is not a positive number";
  rope.divisors = std::move(*divisors);
  return success();
}

static LogicalResult readGguf(const Source &source, KeyReader &keys,
                              Weights &weights, LlamaConfig &config) {
  config.layers = keys.getInt("llama.block_count", std::nullopt, 1, kMaxLayers);
  config.hidden = keys.getInt("llama.embedding_length");
  config.intermediate = keys.getInt("llama.feed_forward_length");
  config.heads = keys.getInt("llama.attention.head_count");
  config.kvHeads = keys.getInt("llama.attention.head_count_kv", config.heads);
  config.headDim = keys.getInt("llama.attention.key_length", 0);
  config.vocabulary = readVocabulary(source, keys);
  config.contextLength = keys.getInt("llama.context_length");
  config.normEpsilon = keys.getFloat("llama.attention.layer_norm_rms_epsilon",
                                     std::nullopt, kEpsilonBounds);
  checkSizes(keys,
             {"llama.embedding_length", "llama.attention.head_count",
              "llama.attention.head_count_kv", "llama.attention.key_length"},
             config);
  if (keys.failed())
    return failure();
  int64_t valueDim =
      keys.getInt("llama.attention.value_length", config.headDim);
  if (valueDim != config.headDim)
    keys.fail("llama.attention.value_length",
              "is " + Twine(valueDim) + ", expected the " +
                  Twine(config.headDim) + " of key_length");
  // Zero stands for the usual scale.
  double scale = keys.getFloat("llama.attention.scale", 0.0);
  config.attentionScale =
      scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(config.headDim));
  config.rope =
      readGgufRope(keys, "llama", {config.headDim, config.contextLength});
  checkUnusedKeys(keys);
  // The other prefixes are about the tokenizer and the file itself.
  if (failed(keys.finish([](StringRef) { return false; }, "llama.")))
    return failure();
  readTensorFlags(weights, config);
  return readFrequencyDivisors(source, weights, config.rope);
}

FailureOr<LlamaConfig> importer::readLlamaConfig(const Source &source,
                                                 Weights &weights) {
  KeyReader keys = source.readConfig();
  LlamaConfig config;
  LogicalResult result = source.isGguf()
                             ? readGguf(source, keys, weights, config)
                             : readHuggingFace(keys, config);
  if (failed(result))
    return failure();
  return config;
}
