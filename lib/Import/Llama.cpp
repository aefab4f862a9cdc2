//===- Llama.cpp - importing Llamas ---------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Llama.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string importer::getLlamaGgufName(StringRef name) {
  auto [module, kind] = name.rsplit('.');
  StringRef layer = module, number;
  if (layer.consume_front("model.layers."))
    std::tie(number, layer) = layer.split('.');
  StringRef stored = llvm::StringSwitch<StringRef>(layer)
                         .Case("model.embed_tokens", "token_embd")
                         .Case("model.norm", "output_norm")
                         .Case("lm_head", "output")
                         .Case("input_layernorm", "attn_norm")
                         .Case("self_attn.q_proj", "attn_q")
                         .Case("self_attn.k_proj", "attn_k")
                         .Case("self_attn.v_proj", "attn_v")
                         .Case("self_attn.o_proj", "attn_output")
                         .Case("post_attention_layernorm", "ffn_norm")
                         .Case("mlp.gate_proj", "ffn_gate")
                         .Case("mlp.up_proj", "ffn_up")
                         .Case("mlp.down_proj", "ffn_down")
                         .Default(layer);
  std::string prefix = number.empty() ? "" : ("blk." + number + ".").str();
  return (prefix + stored + "." + kind).str();
}

/// Whether a tensor that was not used belongs to the network.
static bool wouldMatter(const Source &source, const LlamaConfig &config,
                        StringRef name) {
  if (source.isGguf())
    return isInLayer(name, "blk.", config.layers) ||
           name.starts_with("token_embd") || name.starts_with("output") ||
           name.starts_with("rope_");
  // Older files keep the frequencies that follow from the configuration, and
  // tied ones may hold the head's copy of the embedding.
  if (name.ends_with(".rotary_emb.inv_freq") ||
      (config.tied && name == "lm_head.weight"))
    return false;
  return isInLayer(name, "model.layers.", config.layers) ||
         name.starts_with("model.embed_tokens.") ||
         name.starts_with("model.norm.") || name.starts_with("lm_head.");
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

namespace {
/// Collects parameters until one is wrong.
class ParameterList {
public:
  explicit ParameterList(Weights &weights) : weights(weights) {}

  void add(const Twine &name, ArrayRef<int64_t> shape,
           StringRef initialisation = "normal",
           ArrayRef<StringRef> aliases = {}) {
    if (failed)
      return;
    FailureOr<nn::ParameterAttr> parameter =
        weights.take(name.str(), shape, initialisation, aliases);
    failed = mlir::failed(parameter);
    if (!failed)
      parameters.push_back(*parameter);
  }
  void addLinear(const Twine &module, int64_t out, int64_t in, bool bias) {
    add(module + ".weight", {out, in});
    if (bias)
      add(module + ".bias", {out});
  }
  FailureOr<SmallVector<nn::ParameterAttr>> take() {
    if (failed)
      return failure();
    return std::move(parameters);
  }

private:
  Weights &weights;
  SmallVector<nn::ParameterAttr> parameters;
  bool failed = false;
};
} // namespace

FailureOr<SmallVector<nn::ParameterAttr>>
importer::takeLlamaParameters(const LlamaConfig &config, Weights &weights) {
  ParameterList list(weights);
  int64_t hidden = config.hidden, intermediate = config.intermediate;
  int64_t queries = config.heads * config.headDim;
  int64_t keys = config.kvHeads * config.headDim;
  SmallVector<StringRef> aliases;
  if (config.tied)
    aliases.push_back("lm_head.weight");
  list.add("model.embed_tokens.weight", {config.vocabulary, hidden}, "normal",
           aliases);
  for (int64_t i = 0; i < config.layers; ++i) {
    std::string layer = ("model.layers." + Twine(i)).str();
    std::string attention = layer + ".self_attn", mlp = layer + ".mlp";
    list.add(layer + ".input_layernorm.weight", {hidden}, "ones");
    list.addLinear(attention + ".q_proj", queries, hidden, config.queryBias);
    list.addLinear(attention + ".k_proj", keys, hidden, config.keyBias);
    list.addLinear(attention + ".v_proj", keys, hidden, config.valueBias);
    list.addLinear(attention + ".o_proj", hidden, queries, config.outputBias);
    list.add(layer + ".post_attention_layernorm.weight", {hidden}, "ones");
    list.addLinear(mlp + ".gate_proj", intermediate, hidden, config.gateBias);
    list.addLinear(mlp + ".up_proj", intermediate, hidden, config.upBias);
    list.addLinear(mlp + ".down_proj", hidden, intermediate, config.downBias);
  }
  list.add("model.norm.weight", {hidden}, "ones");
  if (!config.tied)
    list.add("lm_head.weight", {config.vocabulary, hidden});
  return list.take();
}

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

static LogicalResult checkSizes(const Source &source, const LlamaConfig &config,
                                const Shapes &shapes) {
  int64_t queries = config.heads * config.headDim;
  int64_t widest = std::max({config.hidden, config.intermediate, queries});
  if (failed(checkSize(source, "the embedding",
                       {config.vocabulary, config.hidden})) ||
      failed(checkSize(source, "a projection", {widest, config.hidden})) ||
      failed(checkSize(source, "an activation",
                       {shapes.batch, shapes.sequence, widest})))
    return failure();
  if (!shapes.generate)
    return checkSize(source, "the logits",
                     {shapes.batch, shapes.sequence, config.vocabulary});
  if (failed(
          checkSize(source, "the logits", {shapes.batch, config.vocabulary})))
    return failure();
  return checkSize(
      source, "the cache of a layer",
      {shapes.batch, shapes.cache, config.kvHeads, config.headDim});
}

LogicalResult importer::importLlama(const ImportJob &job) {
  const Source &source = job.source;
  Weights weights(source, [&](StringRef name) {
    return source.isGguf() ? getLlamaGgufName(name) : name.str();
  });
  FailureOr<LlamaConfig> config = readLlamaConfig(source, weights);
  if (failed(config))
    return failure();
  FailureOr<Shapes> shapes =
      resolveShapes(job, config->contextLength, config->vocabulary);
  if (failed(shapes) || failed(checkSizes(source, *config, *shapes)))
    return failure();
  auto parameters = takeLlamaParameters(*config, weights);
  if (failed(parameters) || failed(weights.finish([&](StringRef name) {
        return wouldMatter(source, *config, name);
      })))
    return failure();
  buildLlama(job.module, *config, *shapes, *parameters);
  return success();
}
