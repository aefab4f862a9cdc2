//===- CollectiveShape.h - the geometry of collectives -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_COLLECTIVESHAPE_H
#define TPRT_HOST_COLLECTIVESHAPE_H

#include "Abi.h"

#include <cstdint>
#include <string>

namespace tprt {

constexpr int64_t maxCollectiveBuffers = 4;

/// Lets collectives keep their lists of members on the stack.
constexpr int64_t maxGroupSize = 1024;

/// One tensor of a collective as [outer, dim, inner] around the dim that it
/// acts on. Sizes in elements.
struct CollectiveShape {
  int64_t elementBytes;
  int64_t elements; ///< of this rank's input
  int64_t outer, extent, inner;

  CollectiveShape(const tprt_collective_buffer &buffer);
  int64_t bytes() const { return elements * elementBytes; }
};

/// Checks a descriptor for a group of that size; an Error that says what is
/// wrong with it.
void checkCollective(const tprt_collective_desc &desc, int64_t groupSize);

/// An Error if there is no such reduction, or none of that type.
void checkReduction(int64_t reduction, int64_t dtype = TPRT_I32);

/// Bytes of this rank's inputs.
int64_t inputBytes(const tprt_collective_desc &desc);

/// What a device sends under a ring algorithm: rounded up once for all tensors.
int64_t ringBytes(const tprt_collective_desc &desc, int64_t groupSize);

/// The bytes of a descriptor that are in use.
int64_t descriptorBytes(const tprt_collective_desc &desc);

/// Whether two members take part in the same collective.
bool sameCollective(const tprt_collective_desc &a,
                    const tprt_collective_desc &b);

/// "all_reduce 3 of f32 [2, 5], bf16 [7]".
std::string describeCollective(const tprt_collective_desc &desc);

/// The part of a tensor that one member of a large all_reduce reduces.
struct ReducedPart {
  int64_t offset, bytes, elements;

  ReducedPart(const tprt_collective_buffer &buffer, int64_t member,
              int64_t members);
};

/// Copies the piece with this index, of `groupSize` equal ones along a dim, out
/// of a tensor: dense.
void cutPiece(const tprt_collective_buffer &buffer, int64_t dim, int64_t index,
              int64_t groupSize, const void *input, void *piece) noexcept;

/// Makes this member's output of one tensor from the inputs of all members, in
/// the group's order. Everything but all_reduce. `source` is the member that a
/// permute takes from.
void combine(const tprt_collective_desc &desc, int64_t buffer, int64_t index,
             int64_t source, int64_t groupSize, const void *const *inputs,
             void *output) noexcept;

} // namespace tprt

#endif // TPRT_HOST_COLLECTIVESHAPE_H
