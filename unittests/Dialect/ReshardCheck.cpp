//===- ReshardCheck.cpp - whether a path is one, and right ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardCheck.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;
using llvm::ArrayRef;

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

static void write(llvm::raw_ostream &os, ArrayRef<Axis> axes) {
  os << "{";
  for (const Axis &axis : axes)
    os << (&axis == axes.begin() ? "" : " ") << axis.name << ":(" << axis.pre
       << ")" << axis.size;
  os << "}";
}

std::string test::show(ArrayRef<Axis> axes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  write(os, axes);
  return text;
}

std::string test::show(const Placement &placement) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (auto [axes, pad] : llvm::zip(placement.dims, placement.pads)) {
    write(os, axes);
    os << pad << " ";
  }
  if (!placement.partial.empty()) {
    os << stringifyReduceKind(placement.partialKind);
    write(os, placement.partial);
  }
  return text;
}

std::string test::show(ArrayRef<ReshardStep> path) {
  static const char *const names[] = {
      "slice",          "make_partial", "all_gather", "all_reduce",
      "reduce_scatter", "all_to_all",   "permute"};
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const ReshardStep &step : path) {
    os << "\n  " << names[int(step.move)] << " ";
    write(os, step.axes);
    if (step.move == Move::Permute)
      write(os, step.toAxes);
    else
      os << " dim " << step.dim;
    if (step.move == Move::AllToAll)
      os << " to " << step.splitDim;
    os << " -> " << show(step.result);
  }
  return text;
}

//===----------------------------------------------------------------------===//
// The table of moves
//===----------------------------------------------------------------------===//

static int64_t product(ArrayRef<Axis> axes) {
  int64_t n = 1;
  for (const Axis &axis : axes)
    n *= axis.size;
  return n;
}

/// What is wrong with axes that are used together.
static std::string illegalAxes(const Mesh &mesh, ArrayRef<Axis> axes) {
  for (const Axis &axis : axes) {
    int64_t whole = 0;
    for (const auto &[name, size] : mesh.axes)
      if (name == axis.name)
        whole = size;
    if (!whole || axis.pre < 1 || axis.size < 2 ||
        whole % (axis.pre * axis.size))
      return "an axis that the mesh has not";
    for (const Axis &other : axes) {
      if (&other == &axis || other.name != axis.name)
        continue;
      const Axis &major = axis.pre < other.pre ? axis : other;
      const Axis &minor = axis.pre < other.pre ? other : axis;
      if (minor.pre % (major.pre * major.size))
        return "axes that overlap";
    }
  }
  return "";
}

std::string test::illegal(const Mesh &mesh, const Placement &placement) {
  if (placement.dims.size() != placement.pads.size())
    return "not as many dims as extents";
  Axes all = placement.partial;
  for (auto [axes, pad] : llvm::zip(placement.dims, placement.pads)) {
    all.append(axes.begin(), axes.end());
    if (pad % product(axes))
      return "an extent that does not divide";
  }
  return illegalAxes(mesh, all);
}

/// The numbers of blocks of each dim, and the number of partials.
static std::vector<int64_t> countsOf(const Placement &placement) {
  std::vector<int64_t> counts;
  for (const Axes &axes : placement.dims)
    counts.push_back(product(axes));
  counts.push_back(product(placement.partial));
  return counts;
}

/// The parts of some axes, however they are cut.
static Axes partsOf(ArrayRef<Axis> axes) {
  Axes sorted(axes.begin(), axes.end()), parts;
  llvm::sort(sorted);
  for (const Axis &axis : sorted)
    if (!parts.empty() && parts.back().name == axis.name &&
        parts.back().pre * parts.back().size == axis.pre)
      parts.back().size *= axis.size;
    else
      parts.push_back(axis);
  return parts;
}

/// Multiplies the counts before and after a step so that they become equal if
/// the step changes them as its move does.
static void balance(const ReshardStep &step, std::vector<int64_t> &before,
                    std::vector<int64_t> &after) {
  int64_t n = product(step.axes);
  switch (step.move) {
  case Move::Slice:
    before[step.dim] *= n;
    break;
  case Move::MakePartial:
    before.back() *= n;
    break;
  case Move::AllGather:
    after[step.dim] *= n;
    break;
  case Move::AllReduce:
    after.back() *= n;
    break;
  case Move::ReduceScatter:
    after.back() *= n;
    before[step.dim] *= n;
    break;
  case Move::AllToAll:
    after[step.dim] *= n;
    before[step.splitDim] *= n;
    break;
  case Move::Permute:
    break;
  }
}

/// What is wrong with one step.
static std::string wrongStep(const Mesh &mesh, const Placement &from,
                             const ReshardStep &step) {
  int64_t rank = int64_t(from.dims.size());
  if (std::string wrong = illegal(mesh, step.result); !wrong.empty())
    return wrong;
  std::string wrong = illegalAxes(mesh, step.axes);
  if (!wrong.empty() || step.axes.empty())
    return "the group: " + wrong;
  bool isOfDim = step.move != Move::MakePartial &&
                 step.move != Move::AllReduce && step.move != Move::Permute;
  if (isOfDim && (step.dim < 0 || step.dim >= rank))
    return "no such dim";
  if (step.move == Move::AllToAll &&
      (step.splitDim < 0 || step.splitDim >= rank || step.splitDim == step.dim))
    return "no such dim to split";
  if (step.move == Move::Permute &&
      (!illegalAxes(mesh, step.toAxes).empty() ||
       partsOf(step.axes) != partsOf(step.toAxes)))
    return "a permutation of other axes";
  if (from.pads != step.result.pads)
    return "other extents";
  bool reduces =
      step.move == Move::AllReduce || step.move == Move::ReduceScatter;
  if ((!from.partial.empty() && !step.result.partial.empty() &&
       from.partialKind != step.result.partialKind) ||
      (reduces && step.kind != from.partialKind) ||
      (step.move == Move::MakePartial && step.kind != step.result.partialKind))
    return "the kind changes";
  std::vector<int64_t> before = countsOf(from), after = countsOf(step.result);
  balance(step, before, after);
  return before == after ? "" : "other numbers of blocks than the move makes";
}

Walk test::walk(const Mesh &mesh, const Placement &from, const Placement &to,
                ArrayRef<ReshardStep> path) {
  Walk result;
  Placement current = from;
  for (const ReshardStep &step : path) {
    result.wrong = wrongStep(mesh, current, step);
    if (!result.wrong.empty())
      return result;
    int64_t blocks = 1;
    for (const Axes &axes : current.dims)
      blocks *= product(axes);
    result.cost = result.cost + costOfMove(step.move, product(step.axes),
                                           blocks, mesh.numDevices());
    current = step.result;
  }
  if (current != to)
    result.wrong = "the path ends elsewhere";
  return result;
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

/// Gives all placements of a path these extents.
static void setPads(ArrayRef<int64_t> pads, Placement &from,
                    ReshardPath &path) {
  from.pads.assign(pads.begin(), pads.end());
  for (ReshardStep &step : path)
    step.result.pads.assign(pads.begin(), pads.end());
}

std::string DataCheck::runOnce(const Placement &from, const ReshardPath &path,
                               ArrayRef<int64_t> trueShape) const {
  Simulator simulator(mesh, trueShape);
  simulator.place(from);
  if (std::string wrong = simulator.check(from); !wrong.empty())
    return "the test itself: " + wrong;
  for (const ReshardStep &step : path) {
    simulator.run(step);
    if (std::string wrong = simulator.check(step.result); !wrong.empty())
      return wrong + " after the step to " + show(step.result);
  }
  return "";
}

std::string DataCheck::run(Placement from, ReshardPath path) {
  std::vector<int64_t> pads = countsOf(from);
  pads.pop_back();
  for (const ReshardStep &step : path)
    for (size_t dim = 0; dim < pads.size(); ++dim)
      pads[dim] = std::lcm(pads[dim], product(step.result.dims[dim]));
  setPads(pads, from, path);
  std::string wrong = runOnce(from, path, pads);
  if (!wrong.empty() || pads.empty())
    return wrong;

  size_t dim = turn % pads.size();
  bool twoMissing = turn++ / pads.size() % 2 && pads[dim] > 1;
  pads[dim] *= 2;
  std::vector<int64_t> trueShape = pads;
  trueShape[dim] -= twoMissing ? 2 : 1;
  setPads(pads, from, path);
  return runOnce(from, path, trueShape);
}

std::string DataCheck::runNewSteps(const Placement &from,
                                   const ReshardPath &path) {
  Placement current = from;
  for (const ReshardStep &step : path) {
    std::string wrong;
    std::string name = show(current) + show(ArrayRef(step));
    if (seen.insert(name).second)
      wrong = run(current, {step});
    if (!wrong.empty())
      return wrong;
    current = step.result;
  }
  return "";
}
