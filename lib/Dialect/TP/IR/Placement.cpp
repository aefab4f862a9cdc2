//===- Placement.cpp - the algebra of placements --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/IR/Placement.h"
#include "tp/Dialect/TP/IR/TP.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;

int64_t tp::sizeOf(ArrayRef<Axis> axes) {
  int64_t product = 1;
  for (const Axis &axis : axes)
    product *= axis.size;
  return product;
}

bool tp::overlap(ArrayRef<Axis> a, ArrayRef<Axis> b) {
  return llvm::any_of(a, [&](const Axis &x) {
    return llvm::any_of(b, [&](const Axis &y) { return x.overlaps(y); });
  });
}

Axes tp::normalised(ArrayRef<Axis> axes) {
  Axes result;
  for (const Axis &axis : axes) {
    if (axis.size == 1)
      continue;
    if (!result.empty() && result.back().name == axis.name &&
        result.back().pre * result.back().size == axis.pre)
      result.back().size *= axis.size;
    else
      result.push_back(axis);
  }
  return result;
}

bool tp::isPrefix(ArrayRef<Axis> prefix, ArrayRef<Axis> axes) {
  Axes a = normalised(prefix), b = normalised(axes);
  if (a.size() > b.size())
    return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i])
      continue;
    return i + 1 == a.size() && a[i].name == b[i].name &&
           a[i].pre == b[i].pre && b[i].size % a[i].size == 0;
  }
  return true;
}

Axes Placement::usedAxes() const {
  Axes used;
  for (const Axes &axes : dims)
    used.append(axes.begin(), axes.end());
  used.append(partial.begin(), partial.end());
  return used;
}

SmallVector<int64_t> Placement::localShape() const {
  SmallVector<int64_t> shape;
  for (auto [pad, axes] : llvm::zip(pads, dims))
    shape.push_back(pad / sizeOf(axes));
  return shape;
}

Placement Placement::replicated(ArrayRef<int64_t> shape) {
  Placement placement;
  placement.dims.resize(shape.size());
  placement.pads.assign(shape.begin(), shape.end());
  return placement;
}

//===----------------------------------------------------------------------===//
// Permutation
//===----------------------------------------------------------------------===//

namespace {
/// Where each axis is cut.
class Cuts {
public:
  void add(ArrayRef<Axis> axes) {
    for (const Axis &axis : axes) {
      points[axis.name].insert(axis.pre);
      points[axis.name].insert(axis.pre * axis.size);
    }
  }

  /// Appends `axis`, cut into its parts; false if these do not nest: 2 x 3 and
  /// 3 x 2 of an axis of 6.
  bool cut(const Axis &axis, Axes &parts) const {
    int64_t at = axis.pre, end = axis.pre * axis.size;
    for (int64_t point : points.at(axis.name)) {
      if (point <= at || point > end)
        continue;
      if (point % at)
        return false;
      parts.push_back({axis.name, at, point / at});
      at = point;
    }
    return at == end || axis.size == 1;
  }

  /// Whether all cuts of each axis nest.
  bool nest() const {
    for (const auto &[name, cuts] : points) {
      int64_t last = 1;
      for (int64_t point : cuts)
        if (point % std::exchange(last, point))
          return false;
    }
    return true;
  }

  bool cut(ArrayRef<Axis> axes, Axes &parts) const {
    return llvm::all_of(axes,
                        [&](const Axis &axis) { return cut(axis, parts); });
  }

private:
  std::map<StringRef, std::set<int64_t>> points;
};
} // namespace

/// Appends to `parts` the digits of an index over `axes` whose more-major
/// digits have product `begin` and that have product `end` together with these.
static bool digits(ArrayRef<Axis> axes, int64_t begin, int64_t end,
                   Axes &parts) {
  int64_t at = 1;
  for (const Axis &axis : axes) {
    int64_t next = at * axis.size;
    int64_t from = std::max(at, begin), to = std::min(next, end);
    if (from < to) {
      if (from % at || to % from || next % to)
        return false;
      parts.push_back({axis.name, axis.pre * (from / at), to / from});
    }
    at = next;
  }
  return true;
}

FailureOr<Placement> tp::permuted(Placement placement, ArrayRef<Axis> from,
                                  ArrayRef<Axis> to) {
  Axes source = normalised(from), target = normalised(to);
  Cuts cuts;
  cuts.add(source);
  cuts.add(placement.usedAxes());
  Axes places;
  if (!cuts.nest() || !cuts.cut(source, places))
    return failure();
  SmallVector<int64_t> before{1}; // of each place, and the size of all
  for (const Axis &axis : places)
    before.push_back(before.back() * axis.size);

  // Runs of consecutive places become the same digits of `to`.
  auto replace = [&](ArrayRef<Axis> axes, Axes &result) {
    Axes parts;
    if (!cuts.cut(axes, parts))
      return false;
    for (size_t i = 0; i < parts.size();) {
      size_t first = llvm::find(places, parts[i]) - places.begin();
      if (first == places.size()) {
        result.push_back(parts[i++]);
        continue;
      }
      size_t end = first;
      while (i < parts.size() && end < places.size() && places[end] == parts[i])
        ++end, ++i;
      if (!digits(target, before[first], before[end], result))
        return false;
    }
    result = normalised(result);
    return true;
  };
  Placement result = placement;
  for (auto [axes, changed] : llvm::zip(placement.dims, result.dims)) {
    changed.clear();
    if (!replace(axes, changed))
      return failure();
  }
  // Partial axes have no order: they are taken in that of the places.
  Axes parts, moved, kept;
  if (!cuts.cut(placement.partial, parts))
    return failure();
  for (const Axis &axis : places)
    if (llvm::is_contained(parts, axis))
      moved.push_back(axis);
  for (const Axis &axis : parts)
    if (!llvm::is_contained(places, axis))
      kept.push_back(axis);
  if (!replace(moved, kept))
    return failure();
  llvm::sort(kept);
  result.partial = normalised(kept);
  return result;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

Axis tp::toAxis(AxisRefAttr axis, MeshAttr mesh) {
  int64_t size = axis.getSize();
  return {axis.getName(), axis.getPre(),
          size ? size : mesh.getAxisSize(axis.getName())};
}

Axes tp::toAxes(ArrayAttr axes, MeshAttr mesh) {
  Axes result;
  for (AxisRefAttr axis : axes.getAsRange<AxisRefAttr>())
    result.push_back(toAxis(axis, mesh));
  return result;
}

static AxisRefAttr toAttribute(const Axis &axis, MeshAttr mesh,
                               MLIRContext *context) {
  bool whole = axis.pre == 1 && axis.size == mesh.getAxisSize(axis.name);
  return AxisRefAttr::get(context, axis.name, axis.pre, whole ? 0 : axis.size);
}

ArrayAttr tp::toAttribute(ArrayRef<Axis> axes, MeshAttr mesh,
                          MLIRContext *context) {
  SmallVector<Attribute> result;
  for (const Axis &axis : axes)
    result.push_back(::toAttribute(axis, mesh, context));
  return ArrayAttr::get(context, result);
}

Placement tp::toPlacement(ShardingAttr sharding, MeshAttr mesh,
                          ArrayRef<int64_t> shape) {
  Placement placement = Placement::replicated(shape);
  for (auto [i, dim] : llvm::enumerate(sharding.getDims())) {
    for (AxisRefAttr axis : dim.getAxes())
      placement.dims[i].push_back(toAxis(axis, mesh));
    if (dim.getPad())
      placement.pads[i] = dim.getPad();
  }
  placement.partialKind = sharding.getPartialKind();
  for (AxisRefAttr axis : sharding.getPartialAxes())
    placement.partial.push_back(toAxis(axis, mesh));
  return placement;
}

ShardingAttr tp::toSharding(const Placement &placement,
                            FlatSymbolRefAttr meshName, MeshAttr mesh,
                            ArrayRef<int64_t> shape, MLIRContext *context) {
  SmallVector<DimShardingAttr> dims;
  for (size_t i = 0; i < placement.dims.size(); ++i) {
    SmallVector<AxisRefAttr> axes;
    for (const Axis &axis : normalised(placement.dims[i]))
      axes.push_back(::toAttribute(axis, mesh, context));
    int64_t pad = placement.pads[i] == shape[i] ? 0 : placement.pads[i];
    dims.push_back(DimShardingAttr::get(context, axes, pad, false, -1));
  }
  SmallVector<AxisRefAttr> partial;
  for (const Axis &axis : normalised(placement.partial))
    partial.push_back(::toAttribute(axis, mesh, context));
  ReduceKind kind = partial.empty() ? ReduceKind::Sum : placement.partialKind;
  return ShardingAttr::get(context, meshName, dims, kind, partial);
}

static void describePart(llvm::raw_ostream &os, const Axis &axis,
                         MeshAttr mesh) {
  os << axis.name;
  if (axis.size != mesh.getAxisSize(axis.name))
    os << ":(" << axis.pre << ")" << axis.size;
}

std::string tp::describe(const Placement &placement, MeshAttr mesh) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  bool first = true;
  for (MeshAxisAttr axis : mesh.getAxes()) {
    bool found = false;
    auto item = [&](const Axis &part) -> llvm::raw_ostream & {
      os << (first ? "" : ", ");
      describePart(os, part, mesh);
      first = false;
      found = true;
      return os << ": ";
    };
    for (auto [dim, axes] : llvm::enumerate(placement.dims))
      for (const Axis &part : axes)
        if (part.name == axis.getName())
          item(part) << "Shard(" << dim << ")";
    for (const Axis &part : placement.partial)
      if (part.name == axis.getName())
        item(part) << "Partial(" << stringifyReduceKind(placement.partialKind)
                   << ")";
    if (!found)
      item({axis.getName(), 1, axis.getSize()}) << "Replicate";
  }
  os << "]";
  return text;
}
