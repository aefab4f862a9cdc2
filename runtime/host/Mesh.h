//===- Mesh.h - ranks, axes, groups and blocks ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_MESH_H
#define TPRT_HOST_MESH_H

#include "Abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tprt {

struct Axis {
  std::string name;
  int64_t size = 1;
};

/// A sub-axis: the part of an axis of that `size` whose more-major parts have
/// product `pre`. A whole axis has `pre` 1.
struct AxisPart {
  int64_t axis = 0; ///< index into the mesh's axes
  int64_t pre = 1;
  int64_t size = 1;

  bool operator==(const AxisPart &other) const {
    return axis == other.axis && pre == other.pre && size == other.size;
  }
};

/// One dim of a sharded tensor.
struct Dim {
  int64_t size = 0;   ///< true size
  int64_t padded = 0; ///< a multiple of `shards`
  std::vector<AxisPart> axes;
  int64_t shards = 1; ///< product of the axes' sizes

  int64_t local() const { return padded / shards; }

  bool operator==(const Dim &other) const {
    return size == other.size && padded == other.padded && axes == other.axes;
  }
};

/// Where a rank's block of a tensor lies along one dim.
struct BlockDim {
  int64_t size;   ///< true size of the whole dim
  int64_t start;  ///< of the block
  int64_t extent; ///< of the block, padding included

  /// The number of elements of the block that are not padding.
  int64_t valid() const {
    int64_t left = size > start ? size - start : 0;
    return left < extent ? left : extent;
  }
};
using Block = std::vector<BlockDim>;

/// Padding included.
inline int64_t elementsOf(const Block &block) {
  int64_t count = 1;
  for (const BlockDim &dim : block)
    count *= dim.extent;
  return count;
}

/// The ranks, numbered row-major over named axes.
class Mesh {
public:
  Mesh() = default;
  explicit Mesh(std::vector<Axis> axes);

  const std::vector<Axis> &axes() const { return meshAxes; }
  int64_t numRanks() const { return ranks; }

  /// Index of the axis of that name, or -1.
  int64_t find(const std::string &name) const;

  /// Coordinate of a rank on a sub-axis.
  int64_t coordinate(int64_t rank, const AxisPart &part) const;

  /// Mixed-radix coordinate over several sub-axes, major to minor.
  int64_t coordinate(int64_t rank, const std::vector<AxisPart> &parts) const;

  /// The ranks of the group that contains `rank`, in the group's order.
  std::vector<int64_t> members(int64_t rank,
                               const std::vector<AxisPart> &parts) const;

  /// The block of a tensor with these dims that a rank holds.
  Block block(int64_t rank, const std::vector<Dim> &dims) const;

private:
  /// By how much a rank's number grows with its coordinate on a sub-axis.
  int64_t stride(const AxisPart &part) const;

  std::vector<Axis> meshAxes;
  std::vector<int64_t> strides; ///< of each axis in rank numbers
  int64_t ranks = 1;
};

} // namespace tprt

#endif // TPRT_HOST_MESH_H
