//===- RopeConfig.cpp - reading rotary embedding's configuration ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Rope.h"

#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

using Scaling = RopeConfig::Scaling;

static constexpr double kDefaultTheta = 10000;

static double readTheta(KeyReader &keys, StringRef key, double absent) {
  double theta = keys.getFloat(key, absent, Bounds::positive());
  if (theta <= 1)
    keys.fail(key, "is " + spell(theta) + ", expected more than 1");
  return theta;
}

/// YaRN's scale of the attention logits, as a factor on one side of a product.
static double yarnScale(double factor, double weight) {
  return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1;
}

//===----------------------------------------------------------------------===//
// Hugging Face
//===----------------------------------------------------------------------===//

static void readLlama3(KeyReader &scaling, RopeConfig &rope) {
  rope.factor = scaling.getFloat("factor", std::nullopt, Bounds::positive());
  rope.lowFrequencyFactor =
      scaling.getFloat("low_freq_factor", std::nullopt, Bounds::positive());
  rope.highFrequencyFactor =
      scaling.getFloat("high_freq_factor", std::nullopt, Bounds::positive());
  if (rope.highFrequencyFactor <= rope.lowFrequencyFactor)
    scaling.fail("high_freq_factor", "must be greater than low_freq_factor");
}

/// A number for which null and zero, too, mean the default.
static double getNonZero(KeyReader &keys, StringRef key, double absent) {
  double value = keys.getFloat(key, 0.0, Bounds{0, 1e300});
  return value == 0 ? absent : value;
}

static void readYarn(KeyReader &scaling, const RopeContext &context,
                     RopeConfig &rope) {
  // The factor may be left to follow from the two context lengths.
  double implied = static_cast<double>(context.contextLength) /
                   static_cast<double>(rope.originalContext);
  rope.factor = scaling.getFloat("factor", implied, Bounds::positive());
  rope.betaFast = getNonZero(scaling, "beta_fast", rope.betaFast);
  rope.betaSlow = getNonZero(scaling, "beta_slow", rope.betaSlow);
  rope.truncate = scaling.getBool("truncate", true);
  double mscale = scaling.getFloat("mscale", 0.0);
  double mscaleAll = scaling.getFloat("mscale_all_dim", 0.0);
  double attention =
      mscale != 0 && mscaleAll != 0
          ? yarnScale(rope.factor, mscale) / yarnScale(rope.factor, mscaleAll)
          : yarnScale(rope.factor, 1);
  if (!std::isfinite(attention)) {
    scaling.fail("mscale_all_dim", "makes the attention factor infinite");
    return;
  }
  rope.attentionFactor = scaling.getFloat("attention_factor", attention);
}

/// Reads the object that says how the rotation is scaled.
static void readScaling(KeyReader &scaling, const RopeContext &context,
                        RopeConfig &rope) {
  // Older files say "type", some say both.
  std::string older = scaling.getString("type", "default");
  std::string type = scaling.getString("rope_type", StringRef(older));
  rope.originalContext =
      scaling.getInt("original_max_position_embeddings", rope.originalContext);
  auto kind = llvm::StringSwitch<std::optional<Scaling>>(type)
                  .Case("default", Scaling::None)
                  .Case("linear", Scaling::Linear)
                  .Case("dynamic", Scaling::Dynamic)
                  .Case("llama3", Scaling::Llama3)
                  .Case("yarn", Scaling::Yarn)
                  .Default(std::nullopt);
  if (!kind) {
    scaling.fail(scaling.has("rope_type") ? "rope_type" : "type",
                 "is " + quote(type) +
                     ", expected default, linear, dynamic, llama3 or yarn");
    return;
  }
  rope.scaling = *kind;
  switch (rope.scaling) {
  case Scaling::None:
    break;
  case Scaling::Linear:
    rope.factor = scaling.getFloat("factor", std::nullopt, Bounds::positive());
    break;
  case Scaling::Dynamic:
    // Below 1 the base could become negative.
    rope.factor = scaling.getFloat("factor", std::nullopt, Bounds{1, 1e300});
    // This kind goes by the context length, whatever else is said.
    rope.originalContext = context.contextLength;
    if (rope.dims <= 2)
      scaling.fail("factor", "cannot be applied to rotations of 2 dims");
    break;
  case Scaling::Llama3:
    readLlama3(scaling, rope);
    break;
  case Scaling::Yarn:
    readYarn(scaling, context, rope);
    break;
  }
}

RopeConfig importer::readHuggingFaceRope(KeyReader &config,
                                         const RopeContext &context) {
  RopeConfig rope;
  rope.originalContext =
      config.getInt("original_max_position_embeddings", context.contextLength);
  rope.theta = readTheta(config, "rope_theta", kDefaultTheta);
  double partial = config.getFloat("partial_rotary_factor", 1.0, Bounds{0, 1});

  // "rope_parameters" is the newer spelling and may hold what used to stand
  // beside "rope_scaling".
  bool newer = config.has("rope_parameters");
  if (newer && config.has("rope_scaling"))
    config.fail("rope_scaling",
                "contradicts rope_parameters: keep one of them");
  KeyReader scaling =
      config.getObject(newer ? "rope_parameters" : "rope_scaling");
  config.skip("rope_scaling");
  config.skip("rope_parameters");
  rope.theta = readTheta(scaling, "rope_theta", rope.theta);
  partial = scaling.getFloat("partial_rotary_factor", partial, Bounds{0, 1});

  rope.dims =
      static_cast<int64_t>(static_cast<double>(context.headDim) * partial);
  if (rope.dims < 2 || rope.dims % 2)
    config.fail(partial == 1 ? "head_dim" : "partial_rotary_factor",
                "makes rotary embedding act on " + Twine(rope.dims) +
                    " dims of a head, expected an even number");
  else
    readScaling(scaling, context, rope);
  (void)scaling.finish([](StringRef) { return false; });
  return rope;
}

//===----------------------------------------------------------------------===//
// GGUF
//===----------------------------------------------------------------------===//

RopeConfig importer::readGgufRope(KeyReader &config, StringRef architecture,
                                  const RopeContext &context) {
  std::string prefix = (architecture + ".rope.").str();
  std::string scaling = prefix + "scaling.";
  RopeConfig rope;
  rope.interleaved = true;
  rope.dims = config.getInt(prefix + "dimension_count", context.headDim, 2,
                            context.headDim);
  if (rope.dims % 2)
    config.fail(prefix + "dimension_count",
                "is " + Twine(rope.dims) + ", expected an even number");
  rope.theta = readTheta(config, prefix + "freq_base", kDefaultTheta);
  rope.originalContext =
      config.getInt(scaling + "original_context_length", context.contextLength);
  // Zero stands for no factor. Older files have it under another name.
  rope.factor = getNonZero(config, prefix + "scale_linear", 1);
  rope.factor = getNonZero(config, scaling + "factor", rope.factor);
  double attention = config.getFloat(scaling + "attn_factor", 1.0);
  // Says only that the model was trained further with this scaling.
  config.skip(scaling + "finetuned");

  std::string type = config.getString(scaling + "type", "linear");
  if (type == "none") {
    rope.factor = 1;
  } else if (type == "linear") {
    rope.scaling = rope.factor == 1 ? Scaling::None : Scaling::Linear;
  } else if (type == "yarn") {
    rope.scaling = Scaling::Yarn;
    rope.betaFast =
        getNonZero(config, scaling + "yarn_beta_fast", rope.betaFast);
    rope.betaSlow =
        getNonZero(config, scaling + "yarn_beta_slow", rope.betaSlow);
    attention *= yarnScale(rope.factor, 1);
  } else {
    config.fail(scaling + "type",
                "is " + quote(type) + ", expected none, linear or yarn");
  }
  rope.attentionFactor = attention;
  return rope;
}
