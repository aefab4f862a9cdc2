//===- Placement.cpp - the algebra of placements --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/IR/Placement.h"
#include "tp/Dialect/TP/IR/TP.h"

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
