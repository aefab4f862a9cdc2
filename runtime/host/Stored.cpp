//===- Stored.cpp - weights as files store them --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Stored.h"

#include "Interleaved.h"
#include "StoredBlocks.h"

#include <algorithm>

using namespace tprt;
using stored::partElements;

namespace {

/// 16-bit floats: a tensor may end within what is here a block.
template <typename Block>
constexpr bool isPlain = std::is_same<Block, stored::BF16>::value ||
                         std::is_same<Block, stored::F16>::value;

/// Of whole blocks, or of 16-bit floats.
template <typename Block> constexpr int64_t bytesOf(int64_t elements) {
  return elements * Block::bytes / Block::elements;
}

//===----------------------------------------------------------------------===//
// Widening
//===----------------------------------------------------------------------===//

/// Parts [first, first + count).
template <typename Block>
TPRT_INLINE void widenParts(const uint8_t *tensor, int64_t first, int64_t count,
                            float *out) {
  constexpr int64_t parts = Block::elements / partElements;
  for (int64_t i = first; i < first + count; ++i, out += partElements) {
    FloatVector values[2];
    Block::load(tensor + i / parts * Block::bytes, i % parts, values);
    storeVector(out, values[0]);
    storeVector(out + lanes<float>, values[1]);
  }
}

template <typename Block> struct WidenKernel {
  TPRT_MULTIVERSION(widenParts<Block>)
};

/// One part, of which only `count` elements may be there to be read.
template <typename Block>
void widenPart(const uint8_t *tensor, int64_t part, int64_t count, float *out) {
  if (!isPlain<Block> || count == partElements)
    return runMultiversion<WidenKernel<Block>>(tensor, part, int64_t(1), out);
  uint8_t copy[Block::bytes] = {};
  std::memcpy(copy, tensor + part * Block::bytes,
              size_t(bytesOf<Block>(count)));
  runMultiversion<WidenKernel<Block>>(copy, int64_t(0), int64_t(1), out);
}

template <typename Block>
void widenRange(const uint8_t *tensor, int64_t first, int64_t count,
                float *out) {
  float part[partElements];
  while (count > 0) {
    const int64_t skip = first % partElements;
    int64_t taken = std::min(partElements - skip, count);
    if (skip == 0 && count >= partElements) {
      taken = count / partElements * partElements;
      runMultiversion<WidenKernel<Block>>(tensor, first / partElements,
                                          taken / partElements, out);
    } else {
      // Blocks are whole in memory; only 16-bit floats may end within a part.
      widenPart<Block>(tensor, first / partElements,
                       isPlain<Block> ? skip + taken : partElements, part);
      std::copy_n(part + skip, taken, out);
    }
    first += taken;
    count -= taken;
    out += taken;
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Where lines, rows and their products lie.
struct Products {
  const uint8_t *lines;
  int64_t lineBytes; ///< from one line to the next
  const float *rows;
  int64_t rowStride;
  float *sums;
  int64_t sumLine, sumRow; ///< strides
};

/// How far ahead weights are asked for, in bytes: across the end of a page,
/// where processors stop to do it themselves.
constexpr int64_t prefetchDistance = 1024;

/// Adds the products of one line with `Rows` rows. Memory is read as one
/// stream, which processors foresee best; a single row has two sums in flight,
/// so that additions do not wait for one another.
template <typename Block, int Rows>
TPRT_INLINE void addLine(const Products &of, int64_t parts, int64_t line,
                         int64_t firstRow) {
  constexpr int64_t inBlock = Block::elements / partElements;
  constexpr int chains = Rows == 1 ? 2 : 1;
  const uint8_t *block = of.lines + line * of.lineBytes;
  const float *row = of.rows + firstRow * of.rowStride;
  FloatVector sum[Rows][chains] = {};
  for (int64_t i = 0; i < parts; block += Block::bytes)
    for (int64_t part = 0; part < inBlock && i < parts;
         ++part, ++i, row += partElements) {
      FloatVector weights[2];
      __builtin_prefetch(block + prefetchDistance);
      Block::load(block, part, weights);
      for (int v = 0; v < 2; ++v)
        for (int r = 0; r < Rows; ++r)
          sum[r][v % chains] += weights[v] * loadVector(row + r * of.rowStride +
                                                        v * lanes<float>);
    }
  for (int r = 0; r < Rows; ++r) {
    for (int chain = 1; chain < chains; ++chain)
      sum[r][0] += sum[r][chain];
    of.sums[line * of.sumLine + (firstRow + r) * of.sumRow] +=
        sumLanes<float>(sum[r][0]);
  }
}

template <typename Block>
TPRT_INLINE void addProducts(const Products *given, int64_t parts,
                             int64_t numLines, int64_t numRows) {
  const Products of = *given;
  int64_t row = 0;
  for (; row + 4 <= numRows; row += 4)
    for (int64_t line = 0; line < numLines; ++line)
      addLine<Block, 4>(of, parts, line, row);
  for (; row < numRows; ++row)
    for (int64_t line = 0; line < numLines; ++line)
      addLine<Block, 1>(of, parts, line, row);
}

template <typename Block> struct ProductKernel {
  TPRT_MULTIVERSION(addProducts<Block>)
};

template <typename Block>
void multiplyLines(const StoredLines &lines, const StoredRows &rows,
                   float *sums) {
  const int64_t parts = lines.inner / partElements;
  const int64_t rest = lines.inner % partElements;
  Products of{static_cast<const uint8_t *>(lines.tensor) +
                  bytesOf<Block>(lines.first),
              bytesOf<Block>(lines.stride),
              rows.rows,
              paddedInner(lines.inner),
              sums,
              rows.count,
              1};
  std::fill_n(sums, lines.count * rows.count, 0.0f);
  const Products *whole = &of;
  runMultiversion<ProductKernel<Block>>(whole, parts, lines.count, rows.count);
  if (!isPlain<Block> || rest == 0)
    return;
  for (int64_t line = 0; line < lines.count; ++line) {
    uint8_t last[Block::bytes] = {};
    std::memcpy(last, of.lines + line * of.lineBytes + parts * Block::bytes,
                size_t(bytesOf<Block>(rest)));
    Products end = of;
    end.lines = last;
    end.rows += parts * partElements;
    end.sums += line * of.sumLine;
    const Products *one = &end;
    runMultiversion<ProductKernel<Block>>(one, int64_t(1), int64_t(1),
                                          rows.count);
  }
}

/// Calls body(Block()) for the blocks of a stored type.
template <typename Body> void dispatch(int64_t type, const Body &body) {
  switch (type) {
  case TPRT_STORED_F16:
    return body(stored::F16());
  case TPRT_STORED_BF16:
    return body(stored::BF16());
  case TPRT_STORED_Q4_0:
    return body(stored::Q4_0());
  case TPRT_STORED_Q4_1:
    return body(stored::Q4_1());
  case TPRT_STORED_Q5_0:
    return body(stored::Q5_0());
  case TPRT_STORED_Q5_1:
    return body(stored::Q5_1());
  case TPRT_STORED_Q8_0:
    return body(stored::Q8_0());
  case TPRT_STORED_Q4_K:
    return body(stored::Q4_K());
  case TPRT_STORED_Q5_K:
    return body(stored::Q5_K());
  case TPRT_STORED_Q6_K:
    return body(stored::Q6_K());
  }
  raise(TPRT_INVALID, "no stored type has the number ", type);
}

} // namespace

/// Line by line, each in its group.
static void widenLines(int64_t stored, const void *tensor, int64_t first,
                       int64_t count, float *out) {
  const int64_t line = interleavedLine(stored);
  const int64_t groupBytes = storedBytes(stored, interleavedLines * line);
  while (count > 0) {
    const int64_t at = first / line, skip = first % line;
    const int64_t taken = std::min(line - skip, count);
    widenInterleaved(stored,
                     static_cast<const uint8_t *>(tensor) +
                         at / interleavedLines * groupBytes,
                     at % interleavedLines, skip, taken, out);
    first += taken;
    count -= taken;
    out += taken;
  }
}

void tprt::widenStored(int64_t stored, const void *tensor, int64_t first,
                       int64_t count, float *out) {
  if (interleavedLine(stored) != 0)
    return widenLines(stored, tensor, first, count, out);
  dispatch(stored, [&](auto block) {
    widenRange<decltype(block)>(static_cast<const uint8_t *>(tensor), first,
                                count, out);
  });
}

void tprt::multiplyStored(int64_t type, const StoredLines &lines,
                          const StoredRows &rows, float *sums) {
  dispatch(type, [&](auto block) {
    multiplyLines<decltype(block)>(lines, rows, sums);
  });
}
