//===- Interleaved.h - stored weights, eight lines side by side ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A tensor in a block-quantised type may lie in memory in groups of eight
// lines, so that a vector's lanes belong to lines: what is done for a block is
// done for eight of them at once. A group's bytes are as many as before. It has
// the first blocks of its lines, then the second ones, and so on; of eight
// blocks, field by field,
//
//   Q4_1 as stored     s m n0 n1 n2 n3              a block: 2 2 4 4 4 4 bytes
//   interleaved        s x 8, m x 8, n0 x 8, ...    eight blocks
//
// Rows that are multiplied with such lines are brought to fixed point: an
// integer of three bytes an element, and a unit for each 32 of them. Numbers of
// a block are taken four bits at a time. Products of these with bytes are
// exact; as many as a register has bytes are one instruction, and 16 of them
// fit into 16 bits before they are added up in 32. A part of a line is rounded
// but once or twice:
//
//   sum += scale * unit * (2^8 * upper digits' sum + lowest digit's sum)
//        + minimum * sum of the row's part
//
#ifndef TPRT_HOST_INTERLEAVED_H
#define TPRT_HOST_INTERLEAVED_H

#include "tprt/Dtype.h"

namespace tprt {

/// Puts `groups` groups of eight lines side by side, in place; a line is
/// `inner` elements of a type that may be interleaved.
void interleaveLines(int64_t stored, void *tensor, int64_t groups,
                     int64_t inner);

/// out[i] = element first + i of line `line` within a group.
void widenInterleaved(int64_t stored, const void *group, int64_t line,
                      int64_t first, int64_t count, float *out);

/// 32 elements of a row: element i is unit * (digits[2][i] * 2^16 +
/// digits[1][i]
/// * 2^8 + digits[0][i]), rounded to 2^-23 of the largest.
struct FixedPart {
  static constexpr int64_t elements = 32;

  int8_t digits[3][elements];
  float unit;    ///< a power of two
  float sums[2]; ///< of the elements of each half
};

/// Writes the `count` parts of a dense row, on a cache line or not. False, with
/// nothing of use written, if one has an infinity or a NaN, or its largest is
/// beyond 2^100 or below 2^-60 and not 0.
bool fixRow(const float *row, int64_t count, FixedPart *parts);

/// Whether this processor has instructions that make multiplyInterleaved()
/// worth it; only then may it be called.
bool multipliesInterleaved();

/// sums[row * 8 + line] = the product of a group's lines and `numRows` rows of
/// `parts` parts.
void multiplyInterleaved(int64_t stored, const void *group, int64_t parts,
                         const FixedPart *rows, int64_t numRows, float *sums);

} // namespace tprt

#endif // TPRT_HOST_INTERLEAVED_H
