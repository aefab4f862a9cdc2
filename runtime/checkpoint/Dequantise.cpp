//===- Dequantise.cpp - block-quantised types -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Codec.h"
#include "checkpoint/Convert.h"
#include "checkpoint/Support.h"

#include <algorithm>

using namespace tprt;
using namespace tprt::checkpoint;

namespace {
constexpr int64_t blockElements = 32;

/// f16 d, then 16 bytes; byte j holds elements j (low half) and j + 16.
struct Q4_0 {
  static constexpr int64_t bytes = 18;
  static void decode(const uint8_t *block, float *out) {
    float d = fromF16(load<uint16_t>(block));
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>((block[2 + j] & 15) - 8) * d;
      out[j + 16] = static_cast<float>((block[2 + j] >> 4) - 8) * d;
    }
  }
};

/// f16 d, f16 m, then as in Q4_0. The products are exact in f32, so that a
/// fused multiply-add gives the same bits.
struct Q4_1 {
  static constexpr int64_t bytes = 20;
  static void decode(const uint8_t *block, float *out) {
    float d = fromF16(load<uint16_t>(block));
    float m = fromF16(load<uint16_t>(block + 2));
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(block[4 + j] & 15) * d + m;
      out[j + 16] = static_cast<float>(block[4 + j] >> 4) * d + m;
    }
  }
};

/// f16 d, then 32 signed bytes.
struct Q8_0 {
  static constexpr int64_t bytes = 34;
  static void decode(const uint8_t *block, float *out) {
    float d = fromF16(load<uint16_t>(block));
    for (int j = 0; j < 32; ++j)
      out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * d;
  }
};
} // namespace

/// Elements of a run with step 1: whole blocks go straight to `out`.
template <typename Block>
static void decodeRun(const uint8_t *data, int64_t first, int64_t count,
                      float *out) {
  const uint8_t *block = data + first / blockElements * Block::bytes;
  int64_t skip = first % blockElements;
  float values[blockElements];
  while (count > 0) {
    int64_t taken = std::min(blockElements - skip, count);
    if (taken == blockElements) {
      Block::decode(block, out);
    } else {
      Block::decode(block, values);
      std::copy_n(values + skip, taken, out);
    }
    out += taken;
    count -= taken;
    skip = 0;
    block += Block::bytes;
  }
}

template <typename Block>
static void decodeBlocks(const uint8_t *data, int64_t first, int64_t step,
                         int64_t count, float *out) {
  if (step == 1)
    return decodeRun<Block>(data, first, count, out);
  // A short step meets the same block again.
  float values[blockElements];
  int64_t current = -1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = first + i * step;
    if (index / blockElements != current) {
      current = index / blockElements;
      Block::decode(data + current * Block::bytes, values);
    }
    out[i] = values[index % blockElements];
  }
}

Decoder<float> checkpoint::findBlockDecoder(StoredType type) {
  switch (type) {
  case StoredType::Q4_0:
    return decodeBlocks<Q4_0>;
  case StoredType::Q4_1:
    return decodeBlocks<Q4_1>;
  case StoredType::Q8_0:
    return decodeBlocks<Q8_0>;
  default:
    return nullptr;
  }
}
