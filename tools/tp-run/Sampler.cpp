//===- Sampler.cpp - draws the next token ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
double Sampler::uniform() {
  state += 0x9e3779b97f4a7c15ull;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}

int32_t Sampler::draw(ArrayRef<double> values, ArrayRef<int32_t> ids) {
  size_t count = values.size();
  if (options.topK > 0)
    count = std::min(count, size_t(options.topK));
  if (options.temperature <= 0 || count < 2)
    return ids.front();
  std::vector<double> weights;
  double total = 0;
  for (size_t i = 0; i < count; ++i) {
    weights.push_back(std::exp((values[i] - values[0]) / options.temperature));
    total += weights.back();
  }
  // The fewest candidates that hold top_p of the mass.
  double mass = 0;
  size_t kept = 0;
  while (kept < count && (kept == 0 || mass < options.topP * total))
    mass += weights[kept++];
  double point = uniform() * mass;
  for (size_t i = 0; i < kept; ++i) {
    point -= weights[i];
    if (point < 0)
      return ids[i];
  }
  return ids[kept - 1];
}
