//===- InterleavedAvx2.h - integer products of lines and rows -*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Included by Interleaved.cpp alone, within its namespaces.
//
//===----------------------------------------------------------------------===//

#define TPRT_TARGET TPRT_TARGET_AVX2

/// Sums of the products of two neighbours, unsigned and signed. Compilers know
/// these instructions by their form, but take that apart when they see where
/// the numbers come from.
TPRT_TARGET TPRT_INLINE ShortLanes multiplyBytes(const ByteLanes &a,
                                                 const ByteLanes &b) {
  typedef char Chars __attribute__((vector_size(32)));
  return (ShortLanes)__builtin_ia32_pmaddubsw256((Chars)a, (Chars)b);
}

/// Likewise, both signed.
TPRT_TARGET TPRT_INLINE IntLanes multiplyShorts(const ShortLanes &a,
                                                const ShortLanes &b) {
  return (IntLanes)__builtin_ia32_pmaddwd256(a, b);
}

template <typename T> TPRT_TARGET TPRT_INLINE T loadLanes(const void *from) {
  T vector;
  __builtin_memcpy(&vector, from, sizeof vector);
  return vector;
}

/// Eight 16-bit floats.
TPRT_TARGET TPRT_INLINE FloatLanes loadHalves(const uint8_t *from) {
#ifdef __FLT16_MAX__
  typedef _Float16 Halves __attribute__((vector_size(16)));
  return __builtin_convertvector(loadLanes<Halves>(from), FloatLanes);
#else
  FloatLanes result;
  for (int i = 0; i < 8; ++i)
    result[i] = loadHalf(from + 2 * i);
  return result;
#endif
}

/// The same four elements of a row for all lines.
TPRT_TARGET TPRT_INLINE ByteLanes broadcast(const int8_t *from) {
  int32_t word;
  __builtin_memcpy(&word, from, sizeof word);
  IntLanes words = IntLanes{} + word;
  return loadLanes<ByteLanes>(&words);
}

/// A digit's sum over `Words` words of a part, from word `first` on, no more
/// than a block's wordsOfSum.
template <int Words>
TPRT_TARGET TPRT_INLINE ShortLanes multiplyDigit(const ByteLanes numbers[8],
                                                 const int8_t digits[32],
                                                 int first) {
  ShortLanes sum = multiplyBytes(numbers[first], broadcast(digits + 4 * first));
  for (int word = first + 1; word < first + Words; ++word)
    sum += multiplyBytes(numbers[word], broadcast(digits + 4 * word));
  return sum;
}

/// The bytes' bits from `shift` on that `mask` has.
TPRT_TARGET TPRT_INLINE ByteLanes bitsOf(const ByteLanes &bytes, int shift,
                                         uint8_t mask) {
  ShortLanes shifted = loadLanes<ShortLanes>(&bytes) >> int16_t(shift);
  return loadLanes<ByteLanes>(&shifted) & (ByteLanes{} + mask);
}

/// Eight words, or what one plane of theirs is.
TPRT_TARGET TPRT_INLINE void loadPlane(const uint8_t *words, int shift,
                                       uint8_t mask, ByteLanes numbers[8]) {
  for (int word = 0; word < 8; ++word)
    numbers[word] =
        bitsOf(loadLanes<ByteLanes>(words + 32 * word), shift, mask);
}

/// Bits `at` to `at + 3` of each line's word as fifth bits of the line's bytes.
TPRT_TARGET TPRT_INLINE ByteLanes spreadBits(const IntLanes &words, int at) {
  // A copy of the four for each byte, shifted so that the byte's own is lowest.
  const IntLanes spread = ((words >> at & 15) * 0x00204081 & 0x01010101) << 4;
  return loadLanes<ByteLanes>(&spread);
}

//===----------------------------------------------------------------------===//
// One overload for each family of types, or for one type: plane `plane` of a
// part's numbers, and the lines' scales and minima. `block` is eight blocks,
// interleaved.
//===----------------------------------------------------------------------===//

/// Low and high halves of 16 bytes are 32 numbers.
template <int64_t Type, int64_t Halves, int Bias>
TPRT_TARGET TPRT_INLINE void loadNumbers(SmallBlock<Type, Halves, 1, Bias>,
                                         const uint8_t *block, int64_t, int,
                                         ByteLanes numbers[8]) {
  for (int word = 0; word < 4; ++word) {
    const ByteLanes bytes =
        loadLanes<ByteLanes>(block + 16 * Halves + 32 * word);
    numbers[word] = bitsOf(bytes, 0, 15);
    numbers[word + 4] = bitsOf(bytes, 4, 15);
  }
}

template <int64_t Type, int64_t Halves, int Bias>
TPRT_TARGET TPRT_INLINE void loadNumbers(FifthBitBlock<Type, Halves, Bias>,
                                         const uint8_t *block, int64_t part,
                                         int plane, ByteLanes numbers[8]) {
  const uint8_t *fifth = block + 16 * Halves;
  loadNumbers(SmallBlock<Type, Halves, 1, Bias>(), block + 32, part, plane,
              numbers);
  for (int word = 0; word < 8; ++word)
    numbers[word] |= spreadBits(loadLanes<IntLanes>(fifth), 4 * word);
}

/// Signed bytes, which become unsigned.
template <int64_t Type, int Bias>
TPRT_TARGET TPRT_INLINE void loadNumbers(SmallBlock<Type, 1, 2, Bias>,
                                         const uint8_t *block, int64_t,
                                         int plane, ByteLanes numbers[8]) {
  for (int word = 0; word < 8; ++word)
    numbers[word] =
        bitsOf(loadLanes<ByteLanes>(block + 16 + 32 * word) ^ uint8_t(0x80),
               4 * plane, 15);
}

template <int64_t Type, int64_t Halves, int Planes, int Bias>
TPRT_TARGET TPRT_INLINE void
loadFactors(SmallBlock<Type, Halves, Planes, Bias>, const uint8_t *block,
            int64_t, FloatLanes *scales, FloatLanes &minimum) {
  scales[0] = loadHalves(block);
  minimum = Halves == 2 ? loadHalves(block + 16) : scales[0] * float(-Bias);
}

/// Six bits each for a part's scale and minimum, in three words
/// (StoredBlocks.h).
template <int64_t Type>
TPRT_TARGET TPRT_INLINE void loadFactors(LargeBlock<Type>, const uint8_t *block,
                                         int64_t part, FloatLanes *scales,
                                         FloatLanes &minimum) {
  const IntLanes first = loadLanes<IntLanes>(block + 32),
                 second = loadLanes<IntLanes>(block + 64),
                 third = loadLanes<IntLanes>(block + 96);
  const int shift = int(part % 4) * 8;
  IntLanes scale, least;
  if (part < 4) {
    scale = (first >> shift) & 63;
    least = (second >> shift) & 63;
  } else {
    scale = ((third >> shift) & 15) | ((first >> (shift + 6)) & 3) << 4;
    least = ((third >> (shift + 4)) & 15) | ((second >> (shift + 6)) & 3) << 4;
  }
  scales[0] = loadHalves(block) * __builtin_convertvector(scale, FloatLanes);
  minimum =
      -(loadHalves(block + 16) * __builtin_convertvector(least, FloatLanes));
}

TPRT_TARGET TPRT_INLINE void loadNumbers(Block<TPRT_STORED_Q4_K>,
                                         const uint8_t *block, int64_t part,
                                         int, ByteLanes numbers[8]) {
  loadPlane(block + 128 + part / 2 * 256, int(part % 2) * 4, 15, numbers);
}

TPRT_TARGET TPRT_INLINE void loadNumbers(Block<TPRT_STORED_Q5_K>,
                                         const uint8_t *block, int64_t part,
                                         int, ByteLanes numbers[8]) {
  ByteLanes fifth[8];
  loadPlane(block + 384 + part / 2 * 256, int(part % 2) * 4, 15, numbers);
  loadPlane(block + 128, int(part), 1, fifth);
  for (int word = 0; word < 8; ++word)
    numbers[word] |= fifth[word] << 4;
}

TPRT_TARGET TPRT_INLINE void loadNumbers(Block<TPRT_STORED_Q6_K>,
                                         const uint8_t *block, int64_t part,
                                         int plane, ByteLanes numbers[8]) {
  const int64_t half = part / 4, quarter = part % 4;
  if (plane == 0)
    loadPlane(block + (half * 2 + quarter % 2) * 256, int(quarter / 2) * 4, 15,
              numbers);
  else
    loadPlane(block + 1024 + half * 256, int(quarter) * 2, 3, numbers);
}

/// Signed bytes that scale the scale, for each half of a part.
TPRT_TARGET TPRT_INLINE void loadFactors(Block<TPRT_STORED_Q6_K>,
                                         const uint8_t *block, int64_t part,
                                         FloatLanes *scales, FloatLanes &) {
  const FloatLanes scale = loadHalves(block + 1664);
  const IntLanes own = loadLanes<IntLanes>(block + 1536 + part / 2 * 32);
  for (int half = 0; half < 2; ++half)
    scales[half] =
        scale *
        __builtin_convertvector(
            own << (24 - 8 * (int(part % 2) * 2 + half)) >> 24, FloatLanes);
}

//===----------------------------------------------------------------------===//
// All types
//===----------------------------------------------------------------------===//

/// Adds the products of a part's halves, or of the whole, with one row to
/// `upper` (in units of 2^8) and `lower`; so many words go into one sum.
template <int Halves, int WordsOfSum>
TPRT_TARGET TPRT_INLINE void addPlane(const ByteLanes numbers[8], int plane,
                                      const FixedPart &row, IntLanes *upper,
                                      IntLanes *lower) {
  constexpr int words = WordsOfSum < 8 / Halves ? WordsOfSum : 8 / Halves;
  const ShortLanes weight = ShortLanes{} + int16_t(1 << 4 * plane);
  for (int word = 0; word < 8; word += words) {
    const int half = word * Halves / 8;
    auto digit = [&](int number) TPRT_TARGET __attribute__((always_inline)) {
      return multiplyDigit<words>(numbers, row.digits[number], word);
    };
    upper[half] += multiplyShorts(digit(2), weight * 256) +
                   multiplyShorts(digit(1), weight);
    lower[half] += multiplyShorts(digit(0), weight);
  }
}

/// What a part adds to the lines' sums: of a half, or the whole.
TPRT_TARGET TPRT_INLINE void join(const IntLanes &upper, const IntLanes &lower,
                                  const FloatLanes &scale, FloatLanes &sum) {
  sum += (__builtin_convertvector(upper, FloatLanes) * 256.0f +
          __builtin_convertvector(lower, FloatLanes)) *
         scale;
}

template <typename Block, int Rows>
TPRT_TARGET TPRT_INLINE void multiplyRows(const uint8_t *group, int64_t parts,
                                          const FixedPart *rows, float *sums) {
  constexpr int64_t inBlock = Block::elements / partElements;
  constexpr int halves = Block::hasHalves ? 2 : 1;
  FloatLanes sum[Rows] = {};
  for (int64_t i = 0; i < parts; ++i) {
    const uint8_t *block = group + i / inBlock * groupLines * Block::bytes;
    const int64_t part = i % inBlock;
    constexpr int64_t partBytes = groupLines * Block::bytes / inBlock;
    prefetch(block + prefetchDistance + part * partBytes, partBytes);
    IntLanes upper[Rows][halves] = {}, lower[Rows][halves] = {};
    for (int plane = 0; plane < Block::planes; ++plane) {
      ByteLanes numbers[8];
      loadNumbers(Block(), block, part, plane, numbers);
      for (int r = 0; r < Rows; ++r)
        addPlane<halves, Block::wordsOfSum>(numbers, plane, rows[r * parts + i],
                                            upper[r], lower[r]);
    }
    FloatLanes scales[2], minimum;
    loadFactors(Block(), block, part, scales, minimum);
    for (int r = 0; r < Rows; ++r) {
      const FixedPart &row = rows[r * parts + i];
      for (int half = 0; half < halves; ++half)
        join(upper[r][half], lower[r][half], scales[half] * row.unit, sum[r]);
      if constexpr (Block::hasHalves)
        sum[r] += scales[0] * (-32.0f * row.sums[0]) +
                  scales[1] * (-32.0f * row.sums[1]);
      else
        sum[r] += minimum * (row.sums[0] + row.sums[1]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    __builtin_memcpy(sums + r * groupLines, &sum[r], sizeof sum[r]);
}

template <typename Block>
TPRT_TARGET void multiplyGroup(const uint8_t *group, int64_t parts,
                               const FixedPart *rows, int64_t numRows,
                               float *sums) {
  int64_t row = 0;
  for (; row + 4 <= numRows; row += 4)
    multiplyRows<Block, 4>(group, parts, rows + row * parts,
                           sums + row * groupLines);
  for (; row < numRows; ++row)
    multiplyRows<Block, 1>(group, parts, rows + row * parts,
                           sums + row * groupLines);
}

#undef TPRT_TARGET
