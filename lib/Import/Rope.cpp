//===- Rope.cpp - rotary position embedding -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Rope.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

using Scaling = RopeConfig::Scaling;

/// Sizes are far below 2^53, where doubles stop being exact.
static double real(int64_t size) { return static_cast<double>(size); }

static constexpr double kTwoPi = 6.283185307179586476925286766559;

//===----------------------------------------------------------------------===//
// Frequencies
//===----------------------------------------------------------------------===//

/// Long wavelengths are stretched, short ones kept, those between interpolated.
static double scaleLlama3(const RopeConfig &rope, double frequency) {
  double turns = real(rope.originalContext) * frequency / kTwoPi;
  if (turns < rope.lowFrequencyFactor)
    return frequency / rope.factor;
  if (turns > rope.highFrequencyFactor)
    return frequency;
  double smooth = (turns - rope.lowFrequencyFactor) /
                  (rope.highFrequencyFactor - rope.lowFrequencyFactor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

/// The pairs between which YaRN goes from keeping to stretching.
static std::pair<double, double> getYarnRange(const RopeConfig &rope) {
  auto pairOfTurns = [&](double turns) {
    return real(rope.dims) *
           std::log(real(rope.originalContext) / (turns * kTwoPi)) /
           (2 * std::log(rope.theta));
  };
  double low = pairOfTurns(rope.betaFast), high = pairOfTurns(rope.betaSlow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, real(rope.dims - 1));
  return {low, low == high ? high + 0.001 : high};
}

static double scaleYarn(const RopeConfig &rope, int64_t pair,
                        double frequency) {
  auto [low, high] = getYarnRange(rope);
  double ramp = std::clamp((real(pair) - low) / (high - low), 0.0, 1.0);
  return frequency / rope.factor * ramp + frequency * (1 - ramp);
}

/// How much a sequence of this length exceeds the original context, as dynamic
/// scaling counts it; at least 1.
static double getStretch(const RopeConfig &rope, int64_t length) {
  double ratio =
      real(std::max(length, rope.originalContext)) / real(rope.originalContext);
  return rope.factor * ratio - (rope.factor - 1);
}

/// The base of dynamic scaling is theta * stretch ^ (dims / (dims - 2)), so
/// that a pair's inverse frequency is the original one times stretch to this.
static double getStretchExponent(const RopeConfig &rope, int64_t pair) {
  return 0.0 - real(2 * pair) / real(rope.dims - 2);
}

static double scale(const RopeConfig &rope, int64_t pair, double frequency,
                    int64_t length) {
  switch (rope.scaling) {
  case Scaling::Linear:
    return frequency / rope.factor;
  case Scaling::Dynamic:
    return frequency *
           std::pow(getStretch(rope, length), getStretchExponent(rope, pair));
  case Scaling::Llama3:
    return scaleLlama3(rope, frequency);
  case Scaling::Yarn:
    return scaleYarn(rope, pair, frequency);
  case Scaling::None:
    break;
  }
  return frequency;
}

SmallVector<double> RopeConfig::getInverseFrequencies(int64_t length) const {
  SmallVector<double> frequencies;
  for (int64_t pair = 0; pair < dims / 2; ++pair) {
    double frequency = std::pow(theta, -real(2 * pair) / real(dims));
    frequency = scale(*this, pair, frequency, length);
    frequencies.push_back(divisors.empty() ? frequency
                                           : frequency / divisors[pair]);
  }
  return frequencies;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

namespace {
/// Builds the tables in one function.
class TableBuilder {
public:
  TableBuilder(GraphBuilder &graph, StringRef module, const RopeConfig &rope,
               int64_t sequence)
      : graph(graph), builder(graph.builder), rope(rope), loc(graph.at(module)),
        type(graph.getWideType()), sequence(sequence) {}

  RopeTables build(Value position, Value length);

private:
  Value getPositions(Value position);
  Value getFrequencies(Value position, Value length);
  Value stretchFrequencies(Value frequencies, Value position, Value length);
  Value finish(Value table);

  RankedTensorType getType(ArrayRef<int64_t> shape) const {
    return RankedTensorType::get(shape, type);
  }

  GraphBuilder &graph;
  OpBuilder &builder;
  const RopeConfig &rope;
  Location loc;
  FloatType type;
  int64_t sequence;
};
} // namespace

Value TableBuilder::getPositions(Value position) {
  auto ids = RankedTensorType::get({sequence}, builder.getI32Type());
  Value positions = nn::IotaOp::create(builder, loc, ids, /*start=*/Value(),
                                       builder.getI64IntegerAttr(0));
  if (position)
    positions =
        arith::AddIOp::create(builder, loc, positions,
                              graph.broadcast(loc, position, {sequence}, {}));
  return arith::SIToFPOp::create(builder, loc, getType({sequence}), positions);
}

/// Dynamic scaling where the length is known at run time only: the original
/// frequencies times a power of the stretch.
Value TableBuilder::stretchFrequencies(Value frequencies, Value position,
                                       Value length) {
  int64_t pairs = rope.dims / 2;
  auto ids = cast<RankedTensorType>(position.getType());
  Value original = graph.splat(loc, ids, real(rope.originalContext));
  Value end = arith::AddIOp::create(builder, loc, position, length);
  end = arith::MaxSIOp::create(builder, loc, end, original);
  Value stretch = arith::SIToFPOp::create(builder, loc, getType({}), end);
  stretch = arith::MulFOp::create(
      builder, loc, stretch,
      graph.splat(loc, getType({}), rope.factor / real(rope.originalContext)));
  stretch = arith::SubFOp::create(
      builder, loc, stretch, graph.splat(loc, getType({}), rope.factor - 1));

  SmallVector<double> exponents;
  for (int64_t pair = 0; pair < pairs; ++pair)
    exponents.push_back(getStretchExponent(rope, pair));
  Value power = math::PowFOp::create(builder, loc,
                                     graph.broadcast(loc, stretch, {pairs}, {}),
                                     graph.constant(loc, type, exponents));
  return arith::MulFOp::create(builder, loc, frequencies, power);
}

Value TableBuilder::getFrequencies(Value position, Value length) {
  bool inGraph = rope.scaling == Scaling::Dynamic && position;
  Value frequencies = graph.constant(
      loc, type, rope.getInverseFrequencies(inGraph ? 0 : sequence));
  return inGraph ? stretchFrequencies(frequencies, position, length)
                 : frequencies;
}

/// What cosine and sine have in common.
Value TableBuilder::finish(Value table) {
  if (rope.attentionFactor != 1)
    table = arith::MulFOp::create(
        builder, loc, table,
        graph.splat(loc, cast<RankedTensorType>(table.getType()),
                    rope.attentionFactor));
  return graph.cast(loc, table, graph.getElementType());
}

RopeTables TableBuilder::build(Value position, Value length) {
  SmallVector<int64_t> shape = {sequence, rope.dims / 2};
  Value positions = getPositions(position);
  Value frequencies = getFrequencies(position, length);
  Value angles = arith::MulFOp::create(
      builder, loc, graph.broadcast(loc, positions, shape, {0}),
      graph.broadcast(loc, frequencies, shape, {1}));
  Value cosine = finish(math::CosOp::create(builder, loc, angles));
  Value sine = finish(math::SinOp::create(builder, loc, angles));
  return {cosine, sine};
}

RopeTables importer::buildRopeTables(GraphBuilder &graph, StringRef module,
                                     const RopeConfig &rope, int64_t sequence,
                                     Value position, Value length) {
  return TableBuilder(graph, module, rope, sequence).build(position, length);
}
