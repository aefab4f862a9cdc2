//===- Placement.h - the algebra of placements ------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The value type behind #tp.sharding: the same content with every axis given
// explicitly (a whole axis of size n is (1)n), so that passes compare, merge
// and split axes without asking the mesh. Attributes are for IR; placements are
// for algorithms.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_IR_PLACEMENT_H
#define TP_DIALECT_TP_IR_PLACEMENT_H

#include "tp/Interfaces/ShardingRule.h"

namespace mlir::tp {

class MeshAttr;
class ShardingAttr;
class AxisRefAttr;

/// An axis, or the part of one of `size` whose more-major parts have product
/// `pre`. `name` points into the context's string storage.
struct Axis {
  StringRef name;
  int64_t pre = 1;
  int64_t size = 1;

  bool operator==(const Axis &other) const {
    return name == other.name && pre == other.pre && size == other.size;
  }
  bool operator!=(const Axis &other) const { return !(*this == other); }
  bool operator<(const Axis &other) const {
    return std::tie(name, pre, size) <
           std::tie(other.name, other.pre, other.size);
  }
  /// Whether the two depend on each other: parts of the same axis, unless the
  /// one goes on where the other ends, or later. Of 6, (1)2 and (2)3 do not;
  /// (1)2 and (3)2 do: coordinates 0 and 2 have both at 0, only 1 has 0 and 1.
  bool overlaps(const Axis &other) const {
    return name == other.name && other.pre % (pre * size) != 0 &&
           pre % (other.pre * other.size) != 0;
  }
};

using Axes = SmallVector<Axis, 2>;

/// The product of the sizes.
int64_t sizeOf(ArrayRef<Axis> axes);
bool overlap(ArrayRef<Axis> a, ArrayRef<Axis> b);
/// Joins neighbours that are consecutive parts of one axis: (1)2 (2)4 is (1)8.
Axes normalised(ArrayRef<Axis> axes);
/// Whether `prefix` shards like the first axes of `axes`: after normalisation
/// it is a prefix, where the last axis may be a major part of its counterpart.
bool isPrefix(ArrayRef<Axis> prefix, ArrayRef<Axis> axes);

/// How a tensor lies on a mesh. `pads[i]` is the padded extent of dim i, always
/// explicit (the true size where nothing is padded).
struct Placement {
  SmallVector<Axes, 4> dims;
  SmallVector<int64_t, 4> pads;
  ReduceKind partialKind = ReduceKind::Sum;
  Axes partial;

  bool operator==(const Placement &other) const {
    return dims == other.dims && pads == other.pads &&
           partial == other.partial &&
           (partial.empty() || partialKind == other.partialKind);
  }
  bool operator!=(const Placement &other) const { return !(*this == other); }

  /// All axes in use, dims first.
  Axes usedAxes() const;
  /// The local extents: pads divided by the sizes of the axes.
  SmallVector<int64_t> localShape() const;

  static Placement replicated(ArrayRef<int64_t> shape);
};

/// The placement of a value after every device has got the tensor of the device
/// whose index over `from` is its own index over `to`; both lists have the same
/// parts. Fails where the result shards by no list of axes: when an axis of
/// `placement` is cut where the lists are not.
///
///   rows {x}, columns {y}   from [x, y] to [y, x]   rows {y}, columns {x}
///   rows {x, y}             from [x, y] to [y, x]   rows {y, x}
///   rows {x}                from [x, y] to [y, x]   rows {y}
///   rows {x, y} 3 x 2       from [x, y] to [y, x]   rows {y, x} 2 x 3
FailureOr<Placement> permuted(Placement placement, ArrayRef<Axis> from,
                              ArrayRef<Axis> to);

/// The placement that `sharding` gives a tensor of the given global shape. The
/// attribute must have been verified against the mesh.
Placement toPlacement(ShardingAttr sharding, MeshAttr mesh,
                      ArrayRef<int64_t> shape);
/// The attribute for a placement of a tensor of the given global shape.
ShardingAttr toSharding(const Placement &placement, FlatSymbolRefAttr meshName,
                        MeshAttr mesh, ArrayRef<int64_t> shape,
                        MLIRContext *context);

Axis toAxis(AxisRefAttr axis, MeshAttr mesh);
Axes toAxes(ArrayAttr axes, MeshAttr mesh);
ArrayAttr toAttribute(ArrayRef<Axis> axes, MeshAttr mesh, MLIRContext *context);

/// "[dp: Shard(0), tp: Shard(2)]", the view that DTensor users know, one entry
/// for each mesh axis; parts of an axis are listed with their (pre)size.
std::string describe(const Placement &placement, MeshAttr mesh);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_IR_PLACEMENT_H
