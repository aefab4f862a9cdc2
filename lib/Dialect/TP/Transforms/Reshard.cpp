//===- Reshard.cpp - the cheapest way from one placement to another -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include "ReshardSearch.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

//===----------------------------------------------------------------------===//
// Where axes are cut
//===----------------------------------------------------------------------===//

/// The axes, cut as the two ends cut them; or `finely`, wherever they can be.
static SmallVector<PartTable::CutAxis> chooseCuts(ArrayRef<Axis> meshAxes,
                                                  const Placement &from,
                                                  const Placement &to,
                                                  bool finely) {
  Axes used = from.usedAxes();
  used.append(to.usedAxes());
  SmallVector<PartTable::CutAxis> result;
  for (const Axis &axis : meshAxes) {
    SmallVector<int64_t, 8> cuts{1, axis.size};
    if (finely)
      for (int64_t cut = 2; cut * cut <= axis.size; ++cut)
        if (axis.size % cut == 0)
          cuts.append({cut, axis.size / cut});
    for (const Axis &part : used)
      if (part.name == axis.name)
        cuts.append({part.pre, part.pre * part.size});
    llvm::sort(cuts);
    cuts.erase(llvm::unique(cuts), cuts.end());
    result.push_back({axis, cuts});
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Steps of a path
//===----------------------------------------------------------------------===//

/// Appends to `from` and `to` the parts of one list before and after, without
/// those that stay where they are.
static void addMoved(const PartTable &table, ArrayRef<Part> before,
                     ArrayRef<Part> after, Parts &from, Parts &to) {
  llvm::SmallDenseMap<Part, int64_t> places;
  int64_t place = 1;
  for (Part part : before) {
    places[part] = place;
    place *= table.get(part).size;
  }
  Parts stay;
  place = 1;
  for (Part part : after) {
    auto it = places.find(part);
    if (it != places.end() && it->second == place)
      stay.push_back(part);
    place *= table.get(part).size;
  }
  for (Part part : before)
    if (!llvm::is_contained(stay, part))
      from.push_back(part);
  for (Part part : after)
    if (!llvm::is_contained(stay, part))
      to.push_back(part);
}

/// The two orders of the group of a permute.
static std::pair<Axes, Axes>
permutedAxes(const PartTable &table, const State &before, const State &after) {
  Parts from, to;
  for (auto [a, b] : llvm::zip(before.dims, after.dims))
    addMoved(table, a, b, from, to);
  addMoved(table, before.partial, after.partial, from, to);
  // What only one of them has stands last in the other: of ranges that can be
  // cut, all but what stays.
  auto unusedBeside = [&](const State &state) {
    Parts used = state.partial, unused;
    for (const Parts &dim : state.dims)
      used.append(dim);
    for (Part gap : table.unused(used))
      if (llvm::any_of(llvm::concat<const Part>(from, to),
                       [&](Part part) { return table.isSameRange(part, gap); }))
        unused.push_back(gap);
    return unused;
  };
  Parts unusedBefore = unusedBeside(before), unusedAfter = unusedBeside(after);
  from.append(unusedBefore);
  to.append(unusedAfter);
  return {table.decode(from), table.decode(to)};
}

namespace {

/// Turns a path of the search into steps. Free moves one after another become
/// one make_partial and one slice for each dim.
class PathWriter {
public:
  PathWriter(const Problem &problem, const Placement &from)
      : problem(problem), table(problem.table), current(from) {}

  ReshardPath write(ArrayRef<PathStep> path) {
    while (!path.empty()) {
      size_t numFree = 0;
      while (numFree < path.size() && isFree(path[numFree].edge.move))
        ++numFree;
      if (numFree > 0)
        writeFree(path.take_front(numFree));
      else
        writeStep(path.front());
      path = path.drop_front(std::max<size_t>(numFree, 1));
    }
    return std::move(steps);
  }

private:
  static bool isFree(Move move) {
    return move == Move::Slice || move == Move::MakePartial;
  }

  void writeFree(ArrayRef<PathStep> run) {
    Parts partial;
    SmallVector<Parts> dims(current.dims.size());
    for (const PathStep &step : run)
      table.append(step.edge.move == Move::MakePartial ? partial
                                                       : dims[step.edge.dim],
                   step.edge.parts);
    if (!partial.empty()) {
      ReshardStep step{Move::MakePartial, table.decode(table.sorted(partial))};
      step.kind = problem.toKind;
      current.partial = table.decode(run.back().after.partial);
      current.partialKind = problem.toKind;
      finish(step);
    }
    for (auto [dim, parts] : llvm::enumerate(dims)) {
      if (parts.empty())
        continue;
      ReshardStep step{Move::Slice, table.decode(parts), int64_t(dim)};
      current.dims[dim].append(step.axes);
      current.dims[dim] = normalised(current.dims[dim]);
      finish(step);
    }
  }

  void writeStep(const PathStep &edge) {
    ReshardStep step{edge.edge.move, table.decode(edge.edge.parts),
                     edge.edge.dim, edge.edge.splitDim};
    step.kind = current.partialKind;
    if (step.move == Move::Permute)
      std::tie(step.axes, step.toAxes) =
          permutedAxes(table, edge.before, edge.after);
    for (auto [dim, parts] : llvm::zip(current.dims, edge.after.dims))
      dim = table.decode(parts);
    current.partial = table.decode(edge.after.partial);
    finish(step);
  }

  void finish(ReshardStep &step) {
    step.result = current;
    steps.push_back(std::move(step));
  }

  const Problem &problem;
  const PartTable &table;
  Placement current;
  ReshardPath steps;
};

} // namespace

/// Reduces, gathers and slices whatever differs: right, if not the cheapest.
static ReshardPath plainPath(const Placement &from, const Placement &to) {
  ReshardPath path;
  Placement current = from;
  auto finish = [&](ReshardStep step) {
    step.result = current;
    path.push_back(std::move(step));
  };
  bool samePartial =
      from.partial == to.partial && from.partialKind == to.partialKind;
  if (!samePartial && !from.partial.empty()) {
    current.partial.clear();
    ReshardStep step{Move::AllReduce, from.partial};
    step.kind = from.partialKind;
    finish(step);
  }
  for (size_t dim = 0; dim < from.dims.size(); ++dim)
    if (from.dims[dim] != to.dims[dim] && !from.dims[dim].empty()) {
      current.dims[dim].clear();
      finish({Move::AllGather, from.dims[dim], int64_t(dim)});
    }
  if (!samePartial && !to.partial.empty()) {
    current.partial = to.partial;
    current.partialKind = to.partialKind;
    ReshardStep step{Move::MakePartial, to.partial};
    step.kind = to.partialKind;
    finish(step);
  }
  for (size_t dim = 0; dim < to.dims.size(); ++dim)
    if (current.dims[dim] != to.dims[dim]) {
      current.dims[dim] = to.dims[dim];
      finish({Move::Slice, to.dims[dim], int64_t(dim)});
    }
  return path;
}

//===----------------------------------------------------------------------===//
// The planner
//===----------------------------------------------------------------------===//

static SmallVector<Axis> axesOf(MeshAttr mesh) {
  SmallVector<Axis> axes;
  for (MeshAxisAttr axis : mesh.getAxes())
    axes.push_back({axis.getName(), 1, axis.getSize()});
  return axes;
}

ReshardPlanner::ReshardPlanner(MeshAttr mesh) : meshAxes(axesOf(mesh)) {}

/// Joined and, where there is no order, sorted.
static Placement canonical(Placement placement) {
  for (Axes &axes : placement.dims)
    axes = normalised(axes);
  llvm::sort(placement.partial);
  placement.partial = normalised(placement.partial);
  return placement;
}

static void write(llvm::raw_ostream &os, const Placement &placement) {
  auto list = [&](ArrayRef<Axis> axes) {
    for (const Axis &axis : axes)
      os << axis.name << ':' << axis.pre << ':' << axis.size << ' ';
    os << '|';
  };
  for (const Axes &axes : placement.dims)
    list(axes);
  list(placement.partial);
  os << int(placement.partialKind);
}

static bool fits(const Placement &placement) {
  return llvm::all_of(llvm::zip(placement.dims, placement.pads), [](auto dim) {
    auto [axes, pad] = dim;
    return pad % sizeOf(axes) == 0;
  });
}

namespace {

/// A question to the search, on axes that are cut in one way or another.
struct Question {
  const Placement &from, &to;
  int64_t devices;
  ArrayRef<int64_t> divisors;

  struct Answer {
    std::optional<ReshardPath> path;
    Cost cost;
    bool gaveUp;
  };

  Answer ask(ArrayRef<PartTable::CutAxis> cuts,
             const SearchOptions &options) const {
    std::optional<PartTable> table = PartTable::make(cuts);
    if (!table)
      return {std::nullopt, {}, /*gaveUp=*/true};
    Problem problem{*table,
                    {},
                    {},
                    to.partial.empty() ? from.partialKind : to.partialKind,
                    SmallVector<int64_t>(divisors),
                    devices};
    for (const Axes &axes : from.dims)
      problem.start.dims.push_back(table->encode(axes));
    for (const Axes &axes : to.dims)
      problem.goal.dims.push_back(table->encode(axes));
    problem.start.partial = table->sorted(table->encode(from.partial));
    problem.goal.partial = table->sorted(table->encode(to.partial));
    problem.start.goalKind =
        from.partial.empty() || from.partialKind == problem.toKind;
    SearchResult result = findPath(problem, options);
    if (!result.path)
      return {std::nullopt, {}, result.gaveUp};
    return {PathWriter(problem, from).write(*result.path), result.cost, false};
  }
};

} // namespace

/// A quick search where axes are cut as the ends cut them finds most cheapest
/// paths, which one with all cuts has to beat.
static ReshardPath search(ArrayRef<Axis> meshAxes, const Placement &from,
                          const Placement &to, int64_t devices,
                          ArrayRef<int64_t> divisors) {
  // Beyond this, costs would not fit their integers.
  constexpr int64_t mostDevices = int64_t(1) << 29;
  if (devices > mostDevices)
    return plainPath(from, to);
  Question question{from, to, devices, divisors};
  auto coarse = chooseCuts(meshAxes, from, to, /*finely=*/false);
  auto fine = chooseCuts(meshAxes, from, to, /*finely=*/true);
  SearchOptions options, quick;
  quick.isQuick = true;
  quick.mostStates = 500;
  Question::Answer first{std::nullopt, {}, true};
  if (coarse != fine)
    first = question.ask(coarse, quick);
  if (first.path)
    options.limit = first.cost;
  Question::Answer best = question.ask(fine, options);
  if (best.path)
    return std::move(*best.path);
  if (!first.path && coarse != fine)
    first = question.ask(coarse, {});
  if (first.path)
    return std::move(*first.path);
  // Too large to find the cheapest path.
  options.isGreedy = true;
  best = question.ask(fine, options);
  ReshardPath plain = plainPath(from, to);
  bool isPlain =
      !best.path || costOf(from, plain, 1) < costOf(from, *best.path, 1);
  return isPlain ? std::move(plain) : std::move(*best.path);
}

FailureOr<ReshardPath> ReshardPlanner::plan(const Placement &from,
                                            const Placement &to) {
  if (from.dims.size() != to.dims.size() || from.pads != to.pads ||
      !fits(from) || !fits(to))
    return failure();
  Placement start = canonical(from), goal = canonical(to);
  if (start == goal)
    return ReshardPath();
  // All that matters of an extent is what it divides by.
  int64_t devices = 1;
  for (const Axis &axis : meshAxes)
    devices *= axis.size;
  SmallVector<int64_t> divisors;
  for (int64_t pad : from.pads)
    divisors.push_back(pad == 0 ? devices : std::gcd(pad, devices));
  std::string key;
  llvm::raw_string_ostream os(key);
  write(os, start);
  os << '>';
  write(os, goal);
  for (int64_t divisor : divisors)
    os << ' ' << divisor;
  auto [it, inserted] = known.try_emplace(key);
  if (inserted)
    it->second = search(meshAxes, start, goal, devices, divisors);
  ReshardPath path = it->second;
  for (ReshardStep &step : path)
    step.result.pads = from.pads;
  return path;
}

double tp::costOf(const Placement &from, ArrayRef<ReshardStep> path,
                  int64_t elementBytes) {
  double total = 0;
  const Placement *current = &from;
  for (const ReshardStep &step : path) {
    double bytes = double(elementBytes), n = double(sizeOf(step.axes));
    for (int64_t extent : current->localShape())
      bytes *= double(extent);
    switch (step.move) {
    case Move::Slice:
    case Move::MakePartial:
      break;
    case Move::AllGather:
      total += (n - 1) * bytes;
      break;
    case Move::AllReduce:
      total += 2 * (n - 1) / n * bytes;
      break;
    case Move::ReduceScatter:
    case Move::AllToAll:
      total += (n - 1) / n * bytes;
      break;
    case Move::Permute:
      total += bytes;
      break;
    }
    current = &step.result;
  }
  return total;
}
