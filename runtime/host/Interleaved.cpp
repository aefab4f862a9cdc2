//===- Interleaved.cpp - stored weights, eight lines side by side --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Interleaved.h"

#include "Error.h"
#include "Simd.h"
#include "Stored.h"
#include "StoredBlocks.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace tprt;
using stored::loadHalf, stored::partElements;

namespace {

constexpr int64_t groupLines = interleavedLines;

/// How far ahead weights are asked for, in bytes: farther than in Stored.cpp,
/// since less time is spent on each.
constexpr int64_t prefetchDistance = 8192;

/// Numbers have `Planes` planes of at most five bits. Fields are `halves` of
/// two bytes, in front or at the end, and words of four.
template <int64_t Type, int64_t Halves, int Planes> struct BlockOf {
  static constexpr int64_t type = Type, bytes = kStored[Type].bytes,
                           elements = kStored[Type].elements, halves = Halves;
  static constexpr int planes = Planes;
  static constexpr bool halvesAtEnd = false;
  static constexpr bool hasHalves = false; ///< of a part, with own scales
  /// Words of a part whose products a sum of 16 bits holds: eight if numbers
  /// are at most 15, since 16 of their products with 2^7 and two of those fit;
  /// four if they are at most 31.
  static constexpr int wordsOfSum = 8;
};

/// Blocks of 32 with a scale, and a minimum too or numbers that are `Bias` too
/// large.
template <int64_t Type, int64_t Halves, int Planes, int Bias>
struct SmallBlock : BlockOf<Type, Halves, Planes> {};

/// Likewise, whose fifth bits are a word in front of the low four.
template <int64_t Type, int64_t Halves, int Bias>
struct FifthBitBlock : SmallBlock<Type, Halves, 1, Bias> {
  static constexpr int wordsOfSum = 4;
};

/// Blocks of 256 whose parts have scales and minima of six bits.
template <int64_t Type> struct LargeBlock : BlockOf<Type, 2, 1> {};

template <int64_t Type> struct Block;
template <>
struct Block<TPRT_STORED_Q4_0> : SmallBlock<TPRT_STORED_Q4_0, 1, 1, 8> {};
template <>
struct Block<TPRT_STORED_Q4_1> : SmallBlock<TPRT_STORED_Q4_1, 2, 1, 0> {};
template <>
struct Block<TPRT_STORED_Q5_0> : FifthBitBlock<TPRT_STORED_Q5_0, 1, 16> {};
template <>
struct Block<TPRT_STORED_Q5_1> : FifthBitBlock<TPRT_STORED_Q5_1, 2, 0> {};
template <>
struct Block<TPRT_STORED_Q8_0> : SmallBlock<TPRT_STORED_Q8_0, 1, 2, 128> {};
template <> struct Block<TPRT_STORED_Q4_K> : LargeBlock<TPRT_STORED_Q4_K> {};
template <> struct Block<TPRT_STORED_Q5_K> : LargeBlock<TPRT_STORED_Q5_K> {
  static constexpr int wordsOfSum = 4;
};
template <> struct Block<TPRT_STORED_Q6_K> : BlockOf<TPRT_STORED_Q6_K, 1, 2> {
  static constexpr bool halvesAtEnd = true, hasHalves = true;
};

template <typename Body> void dispatch(int64_t stored, const Body &body) {
  switch (storedTypeOf(stored)) {
  case TPRT_STORED_Q4_0:
    return body(Block<TPRT_STORED_Q4_0>());
  case TPRT_STORED_Q4_1:
    return body(Block<TPRT_STORED_Q4_1>());
  case TPRT_STORED_Q5_0:
    return body(Block<TPRT_STORED_Q5_0>());
  case TPRT_STORED_Q5_1:
    return body(Block<TPRT_STORED_Q5_1>());
  case TPRT_STORED_Q8_0:
    return body(Block<TPRT_STORED_Q8_0>());
  case TPRT_STORED_Q4_K:
    return body(Block<TPRT_STORED_Q4_K>());
  case TPRT_STORED_Q5_K:
    return body(Block<TPRT_STORED_Q5_K>());
  case TPRT_STORED_Q6_K:
    return body(Block<TPRT_STORED_Q6_K>());
  }
  raise(TPRT_INVALID, "blocks of stored type ", stored, " are not interleaved");
}

//===----------------------------------------------------------------------===//
// The layout
//===----------------------------------------------------------------------===//

/// Calls move(offset in a block, offset among eight, bytes) for the fields of
/// line `line`.
template <typename Block, typename Move>
TPRT_INLINE void forEachField(int64_t line, const Move &move) {
  constexpr int64_t halves = 2 * Block::halves;
  constexpr int64_t begin = Block::halvesAtEnd ? Block::bytes - halves : 0;
  for (int64_t at = begin; at < begin + halves; at += 2)
    move(at, at * groupLines + 2 * line, 2);
  constexpr int64_t words = Block::halvesAtEnd ? 0 : halves;
  for (int64_t at = words; at < words + Block::bytes - halves; at += 4)
    move(at, at * groupLines + 4 * line, 4);
}

template <typename Block>
void interleave(uint8_t *tensor, int64_t groups, int64_t blocks) {
  const int64_t bytes = groupLines * blocks * Block::bytes;
  std::vector<uint8_t> lines(static_cast<size_t>(bytes));
  for (; groups > 0; --groups, tensor += bytes) {
    std::memcpy(lines.data(), tensor, lines.size());
    for (int64_t line = 0; line < groupLines; ++line)
      for (int64_t i = 0; i < blocks; ++i) {
        const uint8_t *from = lines.data() + (line * blocks + i) * Block::bytes;
        uint8_t *to = tensor + i * groupLines * Block::bytes;
        forEachField<Block>(line, [&](int64_t at, int64_t among, int64_t size) {
          std::memcpy(to + among, from + at, size_t(size));
        });
      }
  }
}

template <typename Block>
void widenLine(const uint8_t *group, int64_t line, int64_t first, int64_t count,
               float *out) {
  constexpr int64_t many = 16;
  uint8_t blocks[many * Block::bytes];
  while (count > 0) {
    const int64_t block = first / Block::elements,
                  skip = first % Block::elements;
    const int64_t taken = std::min(many * Block::elements - skip, count);
    const int64_t last = (first + taken - 1) / Block::elements;
    for (int64_t i = block; i <= last; ++i) {
      const uint8_t *from = group + i * groupLines * Block::bytes;
      uint8_t *to = blocks + (i - block) * Block::bytes;
      forEachField<Block>(line, [&](int64_t at, int64_t among, int64_t size) {
        std::memcpy(to + at, from + among, size_t(size));
      });
    }
    widenStored(Block::type, blocks, skip, taken, out);
    first += taken;
    count -= taken;
    out += taken;
  }
}

//===----------------------------------------------------------------------===//
// Rows in fixed point
//===----------------------------------------------------------------------===//

typedef int8_t DigitVector __attribute__((vector_size(lanes<float>)));

TPRT_INLINE bool fixPart(const float *from, FixedPart &part) {
  constexpr int32_t bias = 127, fraction = 23;
  // The bits of magnitudes are ordered as they are, an infinity's and a NaN's
  // beyond all others.
  int32_t bits[partElements], top = 0;
  __builtin_memcpy(bits, from, sizeof bits);
  for (int32_t value : bits)
    top = std::max(top, value & 0x7fffffff);
  // As if the largest were a little larger: it then becomes less than 127 *
  // 2^16, so that its upper digit is one.
  const int32_t exponent =
      int32_t((uint32_t(top) + (1u << 17)) >> fraction) - bias;
  if (top != 0 && (exponent < -60 || exponent > 100))
    return false;
  const int32_t shift = top == 0 ? 0 : 22 - exponent;
  const int32_t up = (bias + shift) << fraction, down = (bias - shift)
                                                        << fraction;
  float multiplier;
  __builtin_memcpy(&multiplier, &up, sizeof up);
  __builtin_memcpy(&part.unit, &down, sizeof down);
  constexpr int64_t half = lanes<float>;
  static_assert(2 * half == partElements);
  for (int64_t h = 0; h < 2; ++h) {
    const FloatVector scaled = loadVector(from + h * half) * multiplier;
    IntVector value = __builtin_convertvector(
        scaled + (scaled < 0.0f ? splat(-0.5f) : splat(0.5f)), IntVector);
    part.sums[h] = part.unit * float(sumLanes<int32_t>(value));
    for (int64_t digit = 0; digit < 3; ++digit) {
      const DigitVector low = __builtin_convertvector(value, DigitVector);
      __builtin_memcpy(part.digits[digit] + h * half, &low, sizeof low);
      value = (value - __builtin_convertvector(low, IntVector)) >> 8;
    }
  }
  return true;
}

TPRT_INLINE void fixParts(const float *row, int64_t count, FixedPart *parts,
                          bool *fits) {
  *fits = true;
  for (int64_t i = 0; i < count && *fits; ++i)
    *fits = fixPart(row + i * partElements, parts[i]);
}

struct FixKernel {
  TPRT_MULTIVERSION(fixParts)
};

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

// One lane is a line.
typedef float FloatLanes __attribute__((vector_size(32)));
typedef int32_t IntLanes __attribute__((vector_size(32)));
// Two and four neighbours of each line.
typedef int16_t ShortLanes __attribute__((vector_size(32)));
typedef uint8_t ByteLanes __attribute__((vector_size(32)));

#ifdef TPRT_X86
namespace avx2 {
#include "InterleavedAvx2.h"
} // namespace avx2
#endif

} // namespace

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

void tprt::interleaveLines(int64_t stored, void *tensor, int64_t groups,
                           int64_t inner) {
  dispatch(stored, [&](auto block) {
    using Stored = decltype(block);
    interleave<Stored>(static_cast<uint8_t *>(tensor), groups,
                       inner / Stored::elements);
  });
}

void tprt::widenInterleaved(int64_t stored, const void *group, int64_t line,
                            int64_t first, int64_t count, float *out) {
  dispatch(stored, [&](auto block) {
    widenLine<decltype(block)>(static_cast<const uint8_t *>(group), line, first,
                               count, out);
  });
}

bool tprt::fixRow(const float *row, int64_t count, FixedPart *parts) {
  bool fits = false;
  runMultiversion<FixKernel>(row, count, parts, &fits);
  return fits;
}

bool tprt::multipliesInterleaved() {
  return instructionSet() != InstructionSet::Baseline;
}

void tprt::multiplyInterleaved(int64_t stored, const void *group, int64_t parts,
                               const FixedPart *rows, int64_t numRows,
                               float *sums) {
#ifdef TPRT_X86
  dispatch(stored, [&](auto block) {
    avx2::multiplyGroup<decltype(block)>(static_cast<const uint8_t *>(group),
                                         parts, rows, numRows, sums);
  });
#else
  (void)group, (void)parts, (void)rows, (void)numRows, (void)sums;
  raise(TPRT_UNSUPPORTED, "no instructions for stored type ", stored);
#endif
}
