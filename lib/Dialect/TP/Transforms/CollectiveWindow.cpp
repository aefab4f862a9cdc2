//===- CollectiveWindow.cpp - successive moves as one change --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveWindow.h"
#include "CollectiveSteps.h"

using namespace mlir;
using namespace mlir::tp;

MoveCost tp::costOfMoves(const Placement &from, ArrayRef<ReshardStep> path,
                         int64_t elementBytes) {
  return {costOf(from, path, elementBytes),
          llvm::count_if(
              path,
              [](const ReshardStep &step) { return isCollective(step.move); }),
          int64_t(path.size())};
}

namespace {

/// Works on *atoms*, parts of axes that no step cuts.
class WindowReader {
public:
  WindowReader(ArrayRef<ReshardStep> steps, ArrayRef<int64_t> localShape,
               MeshAttr mesh)
      : steps(steps), localShape(localShape), mesh(mesh) {}

  std::optional<CollectiveWindow> run() {
    if (!cutAxes())
      return std::nullopt;
    // Once to find out what the steps need, and again from there.
    from.dims.resize(localShape.size());
    Placement now = from;
    for (const ReshardStep &step : steps)
      if (!apply(step, now))
        return std::nullopt;
    for (auto [extent, axes] : llvm::zip(localShape, from.dims))
      from.pads.push_back(extent * sizeOf(axes));
    now = from;
    CollectiveWindow window;
    for (const ReshardStep &step : steps) {
      if (!apply(step, now) || !divides(now))
        return std::nullopt;
      window.path.push_back(onStretch(step));
      window.path.back().result = onStretch(now);
    }
    window.from = onStretch(from);
    window.axes = stretches;
    return window;
  }

private:
  //===--------------------------------------------------------------------===//
  // Atoms
  //===--------------------------------------------------------------------===//

  /// Cuts every axis wherever a step cuts it. False where the parts do not
  /// nest, or leave a gap.
  bool cutAxes() {
    for (MeshAxisAttr meshAxis : mesh.getAxes()) {
      SmallVector<int64_t> cuts;
      SmallVector<Axis> parts;
      for (const ReshardStep &step : steps)
        for (const Axis &axis :
             llvm::concat<const Axis>(step.axes, step.toAxes))
          if (axis.name == meshAxis.getName()) {
            cuts.append({axis.pre, axis.pre * axis.size});
            parts.push_back(axis);
          }
      llvm::sort(cuts);
      cuts.erase(llvm::unique(cuts), cuts.end());
      if (cuts.size() < 2)
        continue; // Not named, or of size 1.
      for (size_t i = 0; i + 1 < cuts.size(); ++i) {
        if (cuts[i + 1] % cuts[i])
          return false;
        Axis atom{parts.front().name, cuts[i], cuts[i + 1] / cuts[i]};
        if (llvm::none_of(parts,
                          [&](const Axis &part) { return holds(part, atom); }))
          return false;
        atoms.push_back(atom);
      }
      stretches.push_back(
          {parts.front().name, cuts.front(), cuts.back() / cuts.front()});
    }
    return true;
  }

  static bool holds(const Axis &axis, const Axis &atom) {
    return axis.name == atom.name && axis.pre <= atom.pre &&
           atom.pre * atom.size <= axis.pre * axis.size;
  }

  Axes atomsOf(ArrayRef<Axis> axes) const {
    Axes result;
    for (const Axis &axis : axes)
      for (const Axis &atom : atoms)
        if (holds(axis, atom))
          result.push_back(atom);
    return result;
  }

  //===--------------------------------------------------------------------===//
  // What steps do, and need
  //===--------------------------------------------------------------------===//

  bool isKnown(const Axis &atom) const {
    return llvm::is_contained(known, atom);
  }

  static bool isUsed(const Axis &atom, const Placement &now) {
    return llvm::is_contained(now.usedAxes(), atom);
  }

  /// Axes that are unused now, and so from the beginning if nothing is known.
  bool takeUnused(ArrayRef<Axis> axes, const Placement &now) {
    for (const Axis &atom : axes) {
      if (isUsed(atom, now))
        return false;
      if (!isKnown(atom))
        known.push_back(atom);
    }
    return true;
  }

  /// Takes axes from the end of a dim. Those that are more major than all that
  /// is known of the dim have been there from the beginning.
  bool takeFromDim(int64_t dim, Axes axes, Placement &now) {
    Axes &have = now.dims[dim];
    while (!axes.empty() && !have.empty()) {
      if (axes.back() != have.back())
        return false;
      axes.pop_back();
      have.pop_back();
    }
    if (llvm::any_of(axes, [&](const Axis &atom) { return isKnown(atom); }))
      return false;
    known.append(axes);
    from.dims[dim].insert(from.dims[dim].begin(), axes.begin(), axes.end());
    return true;
  }

  bool takePartial(ArrayRef<Axis> axes, ReduceKind kind, Placement &now) {
    for (const Axis &atom : axes) {
      if ((!now.partial.empty() && now.partialKind != kind) ||
          (!from.partial.empty() && from.partialKind != kind))
        return false;
      auto *it = llvm::find(now.partial, atom);
      if (it != now.partial.end()) {
        now.partial.erase(it);
        continue;
      }
      if (isKnown(atom))
        return false;
      known.push_back(atom);
      from.partial.push_back(atom);
      from.partialKind = kind;
    }
    return true;
  }

  bool permute(ArrayRef<Axis> axes, ArrayRef<Axis> toAxes, Placement &now) {
    if (axes.size() != toAxes.size())
      return false;
    for (auto [a, b] : llvm::zip(axes, toAxes))
      if (!isKnown(a) || a.size != b.size)
        return false;
    auto move = [&, axes = axes](Axes &list) {
      for (Axis &atom : list)
        if (const auto *it = llvm::find(axes, atom); it != axes.end())
          atom = toAxes[it - axes.begin()];
    };
    llvm::for_each(now.dims, move);
    move(now.partial);
    return true;
  }

  bool apply(const ReshardStep &step, Placement &now) {
    Axes axes = atomsOf(step.axes);
    int64_t rank = localShape.size();
    if (step.dim < 0 || step.splitDim < 0 ||
        (step.move != Move::MakePartial && step.move != Move::AllReduce &&
         step.move != Move::Permute && step.dim >= rank))
      return false;
    switch (step.move) {
    case Move::Slice:
      if (!takeUnused(axes, now))
        return false;
      now.dims[step.dim].append(axes);
      return true;
    case Move::MakePartial:
      if (!takeUnused(axes, now) ||
          (!now.partial.empty() && now.partialKind != step.kind))
        return false;
      now.partial.append(axes);
      now.partialKind = step.kind;
      return true;
    case Move::AllGather:
      return takeFromDim(step.dim, axes, now);
    case Move::AllReduce:
      return takePartial(axes, step.kind, now);
    case Move::ReduceScatter:
      if (!takePartial(axes, step.kind, now))
        return false;
      now.dims[step.dim].append(axes);
      return true;
    case Move::AllToAll:
      if (step.splitDim >= rank || step.dim == step.splitDim ||
          !takeFromDim(step.dim, axes, now))
        return false;
      now.dims[step.splitDim].append(axes);
      return true;
    case Move::Permute:
      return permute(axes, atomsOf(step.toAxes), now);
    }
    return false;
  }

  static bool divides(const Placement &now) {
    return llvm::all_of(llvm::zip(now.pads, now.dims), [](auto pair) {
      return std::get<0>(pair) % sizeOf(std::get<1>(pair)) == 0;
    });
  }

  //===--------------------------------------------------------------------===//
  // Stretches
  //===--------------------------------------------------------------------===//

  Axes onStretch(ArrayRef<Axis> list) const {
    Axes result;
    for (Axis axis : list)
      for (const Axis &stretch : stretches)
        if (stretch.name == axis.name) {
          axis.pre /= stretch.pre;
          result.push_back(axis);
        }
    return normalised(result);
  }

  Placement onStretch(Placement placement) const {
    for (Axes &dim : placement.dims)
      dim = onStretch(dim);
    llvm::sort(placement.partial);
    placement.partial = onStretch(placement.partial);
    return placement;
  }

  ReshardStep onStretch(ReshardStep step) const {
    step.axes = onStretch(step.axes);
    step.toAxes = onStretch(step.toAxes);
    return step;
  }

  ArrayRef<ReshardStep> steps;
  ArrayRef<int64_t> localShape;
  MeshAttr mesh;
  SmallVector<Axis> atoms, stretches;
  /// Atoms of which it is known where they lie before the first step.
  Axes known;
  Placement from;
};

} // namespace

std::optional<CollectiveWindow>
CollectiveWindow::read(ArrayRef<ReshardStep> steps,
                       ArrayRef<int64_t> localShape, MeshAttr mesh) {
  return WindowReader(steps, localShape, mesh).run();
}

ReshardStep CollectiveWindow::toMesh(ReshardStep step) const {
  auto onMesh = [&](Axes &list) {
    for (Axis &axis : list)
      for (const Axis &stretch : axes)
        if (stretch.name == axis.name)
          axis.pre *= stretch.pre;
  };
  onMesh(step.axes);
  onMesh(step.toAxes);
  return step;
}
