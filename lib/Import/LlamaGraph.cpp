//===- LlamaGraph.cpp - the graph of a Llama ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The graph is written as the published model is: two-dimensional weights as
// stored, heads split and merged by reshapes. Normalisation gives it the form
// that shards well.
//
//===----------------------------------------------------------------------===//

#include "Llama.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

namespace {

/// One function: a pass over a sequence, with or without a cache.
class LlamaGraph {
public:
  LlamaGraph(ModuleOp module, StringRef name, const LlamaConfig &config,
             const Shapes &shapes, int64_t sequence)
      : graph(module, name, shapes.element), builder(graph.builder),
        config(config), shapes(shapes), sequence(sequence) {}

  void buildForward(ArrayRef<nn::ParameterAttr> parameters);
  void buildStep(ArrayRef<nn::ParameterAttr> parameters);

private:
  /// The cache of a layer.
  struct Cache {
    std::string keyName, valueName;
    Value key, value;
  };

  void addTokens();
  void addParameters(ArrayRef<nn::ParameterAttr> parameters);
  void addCaches();
  void addCacheResults();

  Value body();
  Value layer(int64_t index, Value hidden);
  Value attention(int64_t index, StringRef module, Value hidden);
  Value mlp(StringRef module, Value hidden);
  Value head(Value hidden);
  Value takeLast(Value hidden);
  Value rotate(Location loc, Value value);
  Value update(Location loc, Value cache, Value value);

  GraphBuilder graph;
  OpBuilder &builder;
  const LlamaConfig &config;
  const Shapes &shapes;
  int64_t sequence;

  Value tokens;
  Value position, length; ///< null without a cache
  SmallVector<Cache> caches;
  RopeTables rope;
};

} // namespace

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

static constexpr StringRef kCacheDims[] = {"batch", "", "", ""};

void LlamaGraph::addTokens() {
  tokens = graph.addInput("input_ids", {shapes.batch, sequence},
                          builder.getI32Type(), {"batch", "sequence"});
}

void LlamaGraph::addParameters(ArrayRef<nn::ParameterAttr> parameters) {
  for (nn::ParameterAttr parameter : parameters)
    graph.addParameter(parameter);
}

void LlamaGraph::addCaches() {
  SmallVector<int64_t> shape = {shapes.batch, shapes.cache, config.kvHeads,
                                config.headDim};
  for (int64_t i = 0; i < config.layers; ++i) {
    std::string name = ("past_key_values." + Twine(i)).str();
    Cache cache = {name + ".key", name + ".value", {}, {}};
    cache.key = graph.addState(cache.keyName, shape, kCacheDims);
    cache.value = graph.addState(cache.valueName, shape, kCacheDims);
    caches.push_back(std::move(cache));
  }
}

void LlamaGraph::addCacheResults() {
  for (const Cache &cache : caches) {
    graph.addStateResult(cache.keyName, cache.key, kCacheDims);
    graph.addStateResult(cache.valueName, cache.value, kCacheDims);
  }
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Value LlamaGraph::rotate(Location loc, Value value) {
  return nn::RotaryOp::create(builder, loc, value.getType(), value, rope.cosine,
                              rope.sine, config.rope.interleaved);
}

/// The cache with the keys or values of this step.
Value LlamaGraph::update(Location loc, Value cache, Value value) {
  return nn::CacheUpdateOp::create(builder, loc, cache.getType(), cache, value,
                                   position, length, /*start=*/Value(),
                                   /*capacity=*/IntegerAttr());
}

Value LlamaGraph::attention(int64_t index, StringRef module, Value hidden) {
  Location loc = graph.at(module);
  int64_t batch = shapes.batch, kvHeads = config.kvHeads;
  int64_t headDim = config.headDim, group = config.heads / kvHeads;
  hidden = graph.enter(module, hidden, "hidden_states");
  Value query = graph.linear((module + ".q_proj").str(), hidden);
  Value key = graph.linear((module + ".k_proj").str(), hidden);
  Value value = graph.linear((module + ".v_proj").str(), hidden);
  query = graph.reshape(loc, query, {batch, sequence, kvHeads, group, headDim});
  key = graph.reshape(loc, key, {batch, sequence, kvHeads, headDim});
  value = graph.reshape(loc, value, {batch, sequence, kvHeads, headDim});
  query = rotate(loc, query);
  key = rotate(loc, key);
  if (position) {
    Cache &cache = caches[index];
    key = cache.key = update(loc, cache.key, key);
    value = cache.value = update(loc, cache.value, value);
  }
  Value mixed = nn::AttentionOp::create(
      builder, loc, query.getType(), query, key, value, /*offset=*/position,
      /*start=*/Value(), builder.getF64FloatAttr(config.attentionScale),
      /*causal=*/builder.getUnitAttr(), /*window=*/IntegerAttr(),
      /*soft_cap=*/FloatAttr(), /*keys=*/IntegerAttr());
  mixed = graph.reshape(loc, mixed, {batch, sequence, config.heads * headDim});
  return graph.leave(module, graph.linear((module + ".o_proj").str(), mixed));
}

Value LlamaGraph::mlp(StringRef module, Value hidden) {
  Location loc = graph.at(module);
  hidden = graph.enter(module, hidden);
  Value gate = graph.linear((module + ".gate_proj").str(), hidden);
  Value up = graph.linear((module + ".up_proj").str(), hidden);
  Value gated = arith::MulFOp::create(builder, loc, graph.silu(loc, gate), up);
  return graph.leave(module,
                     graph.linear((module + ".down_proj").str(), gated));
}

Value LlamaGraph::layer(int64_t index, Value hidden) {
  std::string module = ("model.layers." + Twine(index)).str();
  Location loc = graph.at(module);
  hidden = graph.enter(module, hidden);
  Value branch =
      graph.rmsNorm(module + ".input_layernorm", hidden, config.normEpsilon);
  branch = attention(index, module + ".self_attn", branch);
  hidden = arith::AddFOp::create(builder, loc, hidden, branch);
  branch = graph.rmsNorm(module + ".post_attention_layernorm", hidden,
                         config.normEpsilon);
  branch = mlp(module + ".mlp", branch);
  hidden = arith::AddFOp::create(builder, loc, hidden, branch);
  return graph.leave(module, hidden);
}

/// From the tokens to the last hidden states, norm included.
Value LlamaGraph::body() {
  rope = buildRopeTables(graph, "model.rotary_emb", config.rope, sequence,
                         position, length);
  Value hidden = graph.embedding("model.embed_tokens", tokens);
  for (int64_t i = 0; i < config.layers; ++i)
    hidden = layer(i, hidden);
  return graph.rmsNorm("model.norm", hidden, config.normEpsilon);
}

/// The logits. A tied head uses the embedding's table.
Value LlamaGraph::head(Value hidden) {
  StringRef module = "lm_head";
  Location loc = graph.at(module);
  Value weight = graph.getParameter(config.tied ? "model.embed_tokens.weight"
                                                : "lm_head.weight");
  hidden = graph.enter(module, hidden);
  RankedTensorType type =
      graph.getType({shapes.batch, shapeOf(hidden)[1], config.vocabulary});
  Value logits =
      nn::ContractOp::create(builder, loc, type, hidden, weight, "bsk,nk->bsn");
  return graph.leave(module, logits);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void LlamaGraph::buildForward(ArrayRef<nn::ParameterAttr> parameters) {
  addTokens();
  addParameters(parameters);
  Value logits = head(body());
  logits = graph.cast(graph.at("lm_head"), logits, graph.getWideType());
  graph.addOutput("logits", logits, {"batch", "sequence", "vocabulary"});
  graph.finish();
}

/// The hidden state of the last valid token: the head has one row to do.
Value LlamaGraph::takeLast(Value hidden) {
  if (sequence == 1)
    return hidden;
  Location loc = graph.at("model");
  Value one =
      graph.splat(loc, cast<RankedTensorType>(length.getType()), /*value=*/1);
  Value last = arith::SubIOp::create(builder, loc, length, one);
  Value row = nn::TakeOp::create(
      builder, loc, graph.getType({shapes.batch, config.hidden}), hidden, last,
      /*dim=*/1);
  // Three dims, as plans for the head expect them.
  return graph.reshape(loc, row, {shapes.batch, 1, config.hidden});
}

void LlamaGraph::buildStep(ArrayRef<nn::ParameterAttr> parameters) {
  addTokens();
  position = graph.addInput("position", {}, builder.getI32Type(), {});
  length = graph.addInput("length", {}, builder.getI32Type(), {});
  addParameters(parameters);
  addCaches();

  Value logits = head(takeLast(body()));
  Location loc = graph.at("lm_head");
  logits = graph.reshape(loc, logits, {shapes.batch, config.vocabulary});
  SmallVector<int64_t> shape = {shapes.batch, shapes.topK};
  auto top = nn::TopKOp::create(
      builder, loc, graph.getType(shape),
      graph.getType(shape, builder.getI32Type()), logits, /*ids=*/Value(),
      /*start=*/Value(), shapes.topK, /*segments=*/1, /*size=*/IntegerAttr());
  Value values = graph.cast(loc, top.getTopValues(), graph.getWideType());
  graph.addOutput("top_values", values, {"batch", ""});
  graph.addOutput("top_ids", top.getTopIds(), {"batch", ""});
  addCacheResults();
  graph.finish();
}

void importer::buildLlama(ModuleOp module, const LlamaConfig &config,
                          const Shapes &shapes,
                          ArrayRef<nn::ParameterAttr> parameters) {
  if (!shapes.generate) {
    LlamaGraph(module, "forward", config, shapes, shapes.sequence)
        .buildForward(parameters);
    return;
  }
  LlamaGraph(module, "prefill", config, shapes, shapes.sequence)
      .buildStep(parameters);
  LlamaGraph(module, "decode", config, shapes, /*sequence=*/1)
      .buildStep(parameters);
}
