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

// A block is made of groups of 32 elements, and a group is what is decoded: no
// run pays for more of a block of 256 than it reads. In every type the products
// of levels and scales have at most 24 significant bits: exact in f32, so that
// a fused multiply-add gives the same bits.

namespace {
constexpr int64_t groupElements = 32;
constexpr int64_t superBlockElements = 256;

/// f16 d, then 16 bytes; byte j holds elements j (low half) and j + 16.
struct Q4_0 {
  static constexpr int64_t elements = groupElements, bytes = 18;
  static void decode(const uint8_t *block, int64_t, float *out) {
    float d = fromF16(load<uint16_t>(block));
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>((block[2 + j] & 15) - 8) * d;
      out[j + 16] = static_cast<float>((block[2 + j] >> 4) - 8) * d;
    }
  }
};

/// f16 d, f16 m, then as in Q4_0.
struct Q4_1 {
  static constexpr int64_t elements = groupElements, bytes = 20;
  static void decode(const uint8_t *block, int64_t, float *out) {
    float d = fromF16(load<uint16_t>(block));
    float m = fromF16(load<uint16_t>(block + 2));
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(block[4 + j] & 15) * d + m;
      out[j + 16] = static_cast<float>(block[4 + j] >> 4) * d + m;
    }
  }
};

/// The levels 0..31 of a group of Q5_0 or Q5_1: a word whose bit j is the fifth
/// bit of element j, then the low four bits as in Q4_0.
void fiveBitLevels(const uint8_t *data, int *levels) {
  auto high = load<uint32_t>(data);
  for (int j = 0; j < 16; ++j) {
    levels[j] = (data[4 + j] & 15) | (high >> j & 1) << 4;
    levels[j + 16] = data[4 + j] >> 4 | (high >> (j + 16) & 1) << 4;
  }
}

/// f16 d, then the levels; 16 is zero.
struct Q5_0 {
  static constexpr int64_t elements = groupElements, bytes = 22;
  static void decode(const uint8_t *block, int64_t, float *out) {
    float d = fromF16(load<uint16_t>(block));
    int levels[groupElements];
    fiveBitLevels(block + 2, levels);
    for (int j = 0; j < groupElements; ++j)
      out[j] = static_cast<float>(levels[j] - 16) * d;
  }
};

/// f16 d, f16 m, then the levels.
struct Q5_1 {
  static constexpr int64_t elements = groupElements, bytes = 24;
  static void decode(const uint8_t *block, int64_t, float *out) {
    float d = fromF16(load<uint16_t>(block));
    float m = fromF16(load<uint16_t>(block + 2));
    int levels[groupElements];
    fiveBitLevels(block + 4, levels);
    for (int j = 0; j < groupElements; ++j)
      out[j] = static_cast<float>(levels[j]) * d + m;
  }
};

/// f16 d, then 32 signed bytes.
struct Q8_0 {
  static constexpr int64_t elements = groupElements, bytes = 34;
  static void decode(const uint8_t *block, int64_t, float *out) {
    float d = fromF16(load<uint16_t>(block));
    for (int j = 0; j < 32; ++j)
      out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * d;
  }
};

/// What Q4_K and Q5_K begin with, 16 bytes: f16 d, f16 dmin, and 12 bytes with
/// a scale and a minimum, both of 6 bits, for each of the 8 groups. Groups 0..3
/// have theirs in the low six bits of bytes g and g + 4. Groups 4..7 have the
/// low four bits of both in byte g + 4, scale in the low half, and the two bits
/// above them at the top of bytes g - 4 and g. An element is then its level
/// times d * scale, less dmin * minimum.
struct GroupScale {
  float scale, minimum;

  GroupScale(const uint8_t *block, int64_t group) {
    const uint8_t *packed = block + 4;
    int s = 0, m = 0;
    if (group < 4) {
      s = packed[group] & 63;
      m = packed[group + 4] & 63;
    } else {
      s = (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
      m = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
    }
    scale = fromF16(load<uint16_t>(block)) * static_cast<float>(s);
    minimum = fromF16(load<uint16_t>(block + 2)) * static_cast<float>(m);
  }
};

/// The scales, then 32 bytes for each pair of groups: element j of the even one
/// is in the low half of byte j, that of the odd one in the high half.
struct Q4K {
  static constexpr int64_t elements = superBlockElements, bytes = 144;
  static void decode(const uint8_t *block, int64_t group, float *out) {
    GroupScale by(block, group);
    const uint8_t *low = block + 16 + group / 2 * 32;
    int shift = group % 2 ? 4 : 0;
    for (int j = 0; j < groupElements; ++j)
      out[j] = static_cast<float>(low[j] >> shift & 15) * by.scale - by.minimum;
  }
};

/// The scales, then 32 bytes with the fifth bits: bit g of byte j is that of
/// element j of group g; then as in Q4_K.
struct Q5K {
  static constexpr int64_t elements = superBlockElements, bytes = 176;
  static void decode(const uint8_t *block, int64_t group, float *out) {
    GroupScale by(block, group);
    const uint8_t *high = block + 16, *low = block + 48 + group / 2 * 32;
    int shift = group % 2 ? 4 : 0;
    for (int j = 0; j < groupElements; ++j) {
      int level = (low[j] >> shift & 15) | (high[j] >> group & 1) << 4;
      out[j] = static_cast<float>(level) * by.scale - by.minimum;
    }
  }
};

/// 128 bytes with low halves, 64 with the two bits above them, 16 signed scales
/// for 16 elements each, f16 d. Four groups, h of 0 and 1, make a half of the
/// block. Groups 4 * h + q with q of 0 and 2 have their low bits in the low and
/// high halves of bytes 64 * h + j, those with q of 1 and 3 in the 32 bytes
/// after; the upper bits are bits 2 * q and 2 * q + 1 of byte 32 * h + j. Level
/// 32 is zero.
struct Q6K {
  static constexpr int64_t elements = superBlockElements, bytes = 210;
  static void decode(const uint8_t *block, int64_t group, float *out) {
    int64_t half = group / 4, quarter = group % 4;
    const uint8_t *low = block + half * 64 + quarter % 2 * 32;
    const uint8_t *high = block + 128 + half * 32;
    const uint8_t *scales = block + 192 + group * 2;
    float d = fromF16(load<uint16_t>(block + 208));
    int64_t shift = quarter / 2 * 4;
    for (int j = 0; j < groupElements; ++j) {
      int level = (low[j] >> shift & 15) | (high[j] >> 2 * quarter & 3) << 4;
      float scale = d * static_cast<int8_t>(scales[j / 16]);
      out[j] = static_cast<float>(level - 32) * scale;
    }
  }
};
} // namespace

/// Elements 32 * `group` and on, of a tensor.
template <typename Block>
static void decodeGroup(const uint8_t *data, int64_t group, float *out) {
  constexpr int64_t groups = Block::elements / groupElements;
  Block::decode(data + group / groups * Block::bytes, group % groups, out);
}

/// Elements of a run with step 1: whole groups go straight to `out`.
template <typename Block>
static void decodeRun(const uint8_t *data, int64_t first, int64_t count,
                      float *out) {
  int64_t group = first / groupElements, skip = first % groupElements;
  float values[groupElements];
  while (count > 0) {
    int64_t taken = std::min(groupElements - skip, count);
    if (taken == groupElements) {
      decodeGroup<Block>(data, group, out);
    } else {
      decodeGroup<Block>(data, group, values);
      std::copy_n(values + skip, taken, out);
    }
    out += taken;
    count -= taken;
    skip = 0;
    ++group;
  }
}

template <typename Block>
static void decodeBlocks(const uint8_t *data, int64_t first, int64_t step,
                         int64_t count, float *out) {
  if (step == 1)
    return decodeRun<Block>(data, first, count, out);
  // A short step meets the same group again.
  float values[groupElements];
  int64_t current = -1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = first + i * step;
    if (index / groupElements != current) {
      current = index / groupElements;
      decodeGroup<Block>(data, current, values);
    }
    out[i] = values[index % groupElements];
  }
}

Decoder<float> checkpoint::findBlockDecoder(StoredType type) {
  switch (type) {
  case StoredType::Q4_0:
    return decodeBlocks<Q4_0>;
  case StoredType::Q4_1:
    return decodeBlocks<Q4_1>;
  case StoredType::Q5_0:
    return decodeBlocks<Q5_0>;
  case StoredType::Q5_1:
    return decodeBlocks<Q5_1>;
  case StoredType::Q8_0:
    return decodeBlocks<Q8_0>;
  case StoredType::Q4_K:
    return decodeBlocks<Q4K>;
  case StoredType::Q5_K:
    return decodeBlocks<Q5K>;
  case StoredType::Q6_K:
    return decodeBlocks<Q6K>;
  default:
    return nullptr;
  }
}
