//===- StoredBlocks.h - weights as files store them, in registers --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// One class for each stored type. A block is `elements` consecutive elements in
// `bytes` bytes; load() gives 32 of them, part `part` of the block, as two
// vectors. The values are the very ones that reading the tensor as f32 gives:
// products of a scale and a small integer are exact, and what is rounded is
// rounded once, in the same place, with or without fused multiply-add.
//
// The block formats are those of GGUF files, as ggml defines them.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_STOREDBLOCKS_H
#define TPRT_HOST_STOREDBLOCKS_H

#include "Simd.h"

namespace tprt::stored {

/// What load() gives at a time.
constexpr int64_t partElements = 32;

typedef uint8_t ByteVector __attribute__((vector_size(16), aligned(1)));
typedef uint16_t ShortVector __attribute__((vector_size(32), aligned(1)));
typedef int8_t SignedByteVector __attribute__((vector_size(16), aligned(1)));

TPRT_INLINE IntVector loadBytes(const uint8_t *from) {
  ByteVector bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, IntVector);
}

TPRT_INLINE FloatVector toFloat(IntVector numbers) {
  return __builtin_convertvector(numbers, FloatVector);
}

/// Two 16-bit floats, the first in the low bits. With the language's own type
/// compilers use the processor's conversion, one for both.
struct HalfPair {
  float first, second;

  TPRT_INLINE explicit HalfPair(uint32_t bits) {
#ifdef __FLT16_MAX__
    typedef _Float16 Halves __attribute__((vector_size(4)));
    typedef float Floats __attribute__((vector_size(8)));
    Halves halves;
    __builtin_memcpy(&halves, &bits, sizeof halves);
    Floats floats = __builtin_convertvector(halves, Floats);
    first = floats[0];
    second = floats[1];
#else
    first = f16ToF32(uint16_t(bits));
    second = f16ToF32(uint16_t(bits >> 16));
#endif
  }
};

TPRT_INLINE uint32_t loadWord(const uint8_t *from) {
  uint32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

/// By way of a pair: loaded into a part of a register, it would wait for what
/// was there before.
TPRT_INLINE float loadHalf(const uint8_t *from) {
  uint16_t bits;
  __builtin_memcpy(&bits, from, sizeof bits);
  return HalfPair(uint32_t(bits)).first;
}

TPRT_INLINE HalfPair loadHalfPair(const uint8_t *from) {
  return HalfPair(loadWord(from));
}

//===----------------------------------------------------------------------===//
// 16-bit floats
//===----------------------------------------------------------------------===//

struct BF16 {
  static constexpr int64_t elements = 32, bytes = 64;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    for (int i = 0; i < 2; ++i) {
      ShortVector shorts;
      __builtin_memcpy(&shorts, block + 32 * i, sizeof shorts);
      IntVector bits = __builtin_convertvector(shorts, IntVector) << 16;
      __builtin_memcpy(&out[i], &bits, sizeof bits);
    }
  }
};

struct F16 {
  static constexpr int64_t elements = 32, bytes = 64;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
#ifdef __FLT16_MAX__
    typedef _Float16 HalfVector __attribute__((vector_size(32), aligned(1)));
    for (int i = 0; i < 2; ++i) {
      HalfVector halves;
      __builtin_memcpy(&halves, block + 32 * i, sizeof halves);
      out[i] = __builtin_convertvector(halves, FloatVector);
    }
#else
    float values[32];
    for (int i = 0; i < 32; ++i)
      values[i] = loadHalf(block + 2 * i);
    out[0] = loadVector(values);
    out[1] = loadVector(values + 16);
#endif
  }
};

//===----------------------------------------------------------------------===//
// Blocks of 32: one scale, perhaps one minimum
//===----------------------------------------------------------------------===//

/// Sixteen bytes; byte j holds the low four bits of element j and of element
/// j + 16.
TPRT_INLINE void loadNibbles(const uint8_t *from, IntVector out[2]) {
  IntVector bytes = loadBytes(from);
  out[0] = bytes & 15;
  out[1] = bytes >> 4;
}

/// Adds 16 where bit i of `bits` is set, for elements i = 0 to 31.
TPRT_INLINE void addFifthBits(uint32_t bits, IntVector out[2]) {
  const IntVector lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (int i = 0; i < 2; ++i) {
    IntVector all = IntVector{} + int32_t((bits >> 16 * i) & 0xffff);
    out[i] |= ((all >> lane) & 1) << 4;
  }
}

/// f16 scale, 16 bytes of halves; less 8.
struct Q4_0 {
  static constexpr int64_t elements = 32, bytes = 18;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    const float scale = loadHalf(block);
    IntVector numbers[2];
    loadNibbles(block + 2, numbers);
    for (int i = 0; i < 2; ++i)
      out[i] = toFloat(numbers[i] - 8) * scale;
  }
};

/// f16 scale, f16 minimum, 16 bytes of halves.
struct Q4_1 {
  static constexpr int64_t elements = 32, bytes = 20;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    const HalfPair of = loadHalfPair(block);
    IntVector numbers[2];
    loadNibbles(block + 4, numbers);
    for (int i = 0; i < 2; ++i)
      out[i] = toFloat(numbers[i]) * of.first + of.second;
  }
};

/// f16 scale, 32 fifth bits, 16 bytes of halves; less 16.
struct Q5_0 {
  static constexpr int64_t elements = 32, bytes = 22;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    const float scale = loadHalf(block);
    IntVector numbers[2];
    loadNibbles(block + 6, numbers);
    addFifthBits(loadWord(block + 2), numbers);
    for (int i = 0; i < 2; ++i)
      out[i] = toFloat(numbers[i] - 16) * scale;
  }
};

/// f16 scale, f16 minimum, 32 fifth bits, 16 bytes of halves.
struct Q5_1 {
  static constexpr int64_t elements = 32, bytes = 24;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    const HalfPair of = loadHalfPair(block);
    IntVector numbers[2];
    loadNibbles(block + 8, numbers);
    addFifthBits(loadWord(block + 4), numbers);
    for (int i = 0; i < 2; ++i)
      out[i] = toFloat(numbers[i]) * of.first + of.second;
  }
};

/// f16 scale, 32 signed bytes.
struct Q8_0 {
  static constexpr int64_t elements = 32, bytes = 34;

  TPRT_INLINE static void load(const uint8_t *block, int64_t,
                               FloatVector out[2]) {
    const float scale = loadHalf(block);
    for (int i = 0; i < 2; ++i) {
      SignedByteVector numbers;
      __builtin_memcpy(&numbers, block + 2 + 16 * i, sizeof numbers);
      out[i] = toFloat(__builtin_convertvector(numbers, IntVector)) * scale;
    }
  }
};

//===----------------------------------------------------------------------===//
// Blocks of 256: parts of 32 with scales of their own
//===----------------------------------------------------------------------===//

/// Six bits each of scale and minimum for eight parts, in twelve bytes: the
/// first four parts in the low bits of bytes 0 to 7, the others' low four bits
/// in bytes 8 to 11 and their high two on top of the first eight bytes.
struct PartScale {
  float scale, minimum;

  TPRT_INLINE PartScale(const uint8_t *block, int64_t part) {
    const uint8_t *packed = block + 4;
    int ofScale, ofMinimum;
    if (part < 4) {
      ofScale = packed[part] & 63;
      ofMinimum = packed[part + 4] & 63;
    } else {
      ofScale = (packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4);
      ofMinimum = (packed[part + 4] >> 4) | (packed[part] >> 6 << 4);
    }
    const HalfPair of = loadHalfPair(block);
    scale = of.first * float(ofScale);
    minimum = of.second * float(ofMinimum);
  }
};

/// f16 scale of scales, f16 scale of minima, twelve bytes of both, 4 x 32 bytes
/// of halves: two parts in each 32.
struct Q4_K {
  static constexpr int64_t elements = 256, bytes = 144;

  TPRT_INLINE static void load(const uint8_t *block, int64_t part,
                               FloatVector out[2]) {
    const PartScale of(block, part);
    const uint8_t *halves = block + 16 + part / 2 * 32;
    for (int i = 0; i < 2; ++i) {
      IntVector numbers = loadBytes(halves + 16 * i) >> int(part % 2 * 4) & 15;
      out[i] = toFloat(numbers) * of.scale - of.minimum;
    }
  }
};

/// As Q4_K, with 32 bytes of fifth bits before the halves: bit p of byte i is
/// element i of part p.
struct Q5_K {
  static constexpr int64_t elements = 256, bytes = 176;

  TPRT_INLINE static void load(const uint8_t *block, int64_t part,
                               FloatVector out[2]) {
    const PartScale of(block, part);
    const uint8_t *halves = block + 48 + part / 2 * 32;
    for (int i = 0; i < 2; ++i) {
      IntVector numbers = loadBytes(halves + 16 * i) >> int(part % 2 * 4) & 15;
      IntVector fifth = loadBytes(block + 16 + 16 * i) >> int(part) & 1;
      out[i] = toFloat(numbers | fifth << 4) * of.scale - of.minimum;
    }
  }
};

/// 128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales, f16
/// scale of scales; less 32. Of each 128 elements, parts 0 and 1 are in the low
/// halves of 64 bytes and parts 2 and 3 in the high ones; part p's pairs are
/// bits 2p of 32 bytes.
struct Q6_K {
  static constexpr int64_t elements = 256, bytes = 210;

  TPRT_INLINE static void load(const uint8_t *block, int64_t part,
                               FloatVector out[2]) {
    const float scale = loadHalf(block + 208);
    const int64_t quarter = part % 4;
    const uint8_t *low = block + part / 4 * 64 + quarter % 2 * 32;
    const uint8_t *high = block + 128 + part / 4 * 32;
    for (int i = 0; i < 2; ++i) {
      IntVector numbers = loadBytes(low + 16 * i) >> int(quarter / 2 * 4) & 15;
      IntVector upper = loadBytes(high + 16 * i) >> int(quarter * 2) & 3;
      const float own = float(int8_t(block[192 + part * 2 + i]));
      out[i] = toFloat((numbers | upper << 4) - 32) * (scale * own);
    }
  }
};

} // namespace tprt::stored

#endif // TPRT_HOST_STOREDBLOCKS_H
