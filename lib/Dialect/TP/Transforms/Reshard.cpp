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

static int countPrimeFactors(int64_t size) {
  int count = 0;
  for (int64_t factor = 2; factor * factor <= size; ++factor)
    for (; size % factor == 0; size /= factor)
      ++count;
  return count + (size > 1);
}

static SmallVector<PartTable::CutAxis> chooseCuts(ArrayRef<Axis> meshAxes,
                                                  const Placement &from,
                                                  const Placement &to) {
  int factors = 0;
  for (const Axis &axis : meshAxes)
    factors += countPrimeFactors(axis.size);
  bool finely = factors <= ReshardPlanner::kFinelyCut;
  Axes used = from.usedAxes();
  used.append(to.usedAxes());
  SmallVector<PartTable::CutAxis> result;
  for (const Axis &axis : meshAxes) {
    SmallVector<int64_t, 8> cuts{1, axis.size};
    if (finely)
      for (int64_t cut = 2; cut < axis.size; ++cut)
        if (axis.size % cut == 0)
          cuts.push_back(cut);
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

/// Appends to `from` and `to` the atoms of one list before and after, without
/// those that stay where they are.
static void addMoved(const PartTable &table, ArrayRef<Part> before,
                     ArrayRef<Part> after, Parts &from, Parts &to) {
  bool nests = !table.hasClashes();
  Parts a = nests ? table.atoms(before) : Parts(before);
  Parts b = nests ? table.atoms(after) : Parts(after);
  std::map<Part, int64_t> places; // looked up, never iterated over
  int64_t place = 1;
  for (Part part : a) {
    places[part] = place;
    place *= table.get(part).size;
  }
  Parts stay;
  place = 1;
  for (Part part : b) {
    auto it = places.find(part);
    if (it != places.end() && it->second == place)
      stay.push_back(part);
    place *= table.get(part).size;
  }
  for (Part part : a)
    if (!llvm::is_contained(stay, part))
      from.push_back(part);
  for (Part part : b)
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
  if (table.hasClashes()) {
    // Where cuts do not nest, the group is of whole axes but for what stays.
    auto addUnused = [&](const State &state, Parts &list) {
      Parts used = state.partial;
      for (const Parts &dim : state.dims)
        used.append(dim);
      for (Part gap : table.unused(used))
        if (llvm::any_of(llvm::concat<const Part>(from, to), [&](Part part) {
              return table.get(part).name == table.get(gap).name;
            }))
          list.push_back(gap);
    };
    Parts unusedBefore, unusedAfter;
    addUnused(before, unusedBefore);
    addUnused(after, unusedAfter);
    from.append(unusedBefore);
    to.append(unusedAfter);
    return {table.decode(from), table.decode(to)};
  }
  // What only one of them has stands last in the other.
  auto complete = [&](Parts &list, ArrayRef<Part> other) {
    Parts missing;
    for (Part gap : table.unused(list))
      for (Part part : other)
        table.forEachSubPart(gap, false, [&](Part inGap) {
          if (inGap == part)
            missing.push_back(part);
        });
    list.append(table.sorted(missing));
  };
  Parts ownFrom = from;
  complete(from, to);
  complete(to, ownFrom);
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

static ReshardPath search(ArrayRef<Axis> meshAxes, const Placement &from,
                          const Placement &to, int64_t devices,
                          ArrayRef<int64_t> divisors) {
  // Beyond this, costs would not fit their integers.
  constexpr int64_t mostDevices = int64_t(1) << 29;
  std::optional<PartTable> table =
      PartTable::make(chooseCuts(meshAxes, from, to));
  if (!table || devices > mostDevices)
    return plainPath(from, to);
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
  problem.start.partial = table->encode(from.partial);
  problem.goal.partial = table->encode(to.partial);
  problem.start.goalKind =
      from.partial.empty() || from.partialKind == problem.toKind;
  std::optional<std::vector<PathStep>> path = findPath(problem);
  return path ? PathWriter(problem, from).write(*path) : plainPath(from, to);
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
