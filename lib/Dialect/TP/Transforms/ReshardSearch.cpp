//===- ReshardSearch.cpp - shortest paths between placements --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardSearch.h"
#include "llvm/ADT/StringMap.h"
#include <queue>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

std::string State::key() const {
  std::string key;
  for (const Parts &dim : dims) {
    key.append(dim.begin(), dim.end());
    key.push_back(char(0xff));
  }
  key.append(partial.begin(), partial.end());
  key.push_back(char(0xfe + goalKind));
  return key;
}

namespace {

struct Cost {
  int64_t units = 0;
  int32_t collectives = 0, moves = 0;

  bool operator<(const Cost &other) const {
    return std::tie(units, collectives, moves) <
           std::tie(other.units, other.collectives, other.moves);
  }
};

struct Node {
  State state;
  Cost cost, estimate; ///< from the start; of the rest, never too high
  size_t parent = 0;
  Edge edge;
};

class Search {
public:
  explicit Search(const Problem &problem)
      : problem(problem), table(problem.table),
        whole(problem.devices * problem.devices) {
    State goal = problem.goal;
    goalUnits = units(goal);
    goalPartial = table.product(goal.partial);
    goalKey = goal.key();
    for (const Parts &dim : goal.dims)
      goalBlocks.push_back(table.product(dim));
    for (const Parts &dim : goal.dims)
      goalAtoms.push_back(table.atoms(dim));
    goalAtoms.push_back(table.atoms(goal.partial));
  }

  std::optional<std::vector<PathStep>> run() {
    relax(problem.start, 0, {}, 0, /*isStart=*/true);
    while (!queue.empty()) {
      Entry entry = queue.top();
      queue.pop();
      size_t number = entry.node;
      if (nodes[number].cost < entry.cost)
        continue; // Reached more cheaply since.
      if (number == goalNode)
        return path();
      if (nodes.size() > kMostNodes)
        return std::nullopt;
      expand(number);
    }
    return std::nullopt;
  }

private:
  static constexpr size_t kMostNodes = 30000;
  /// Of more partial atoms than these, not every order is tried.
  static constexpr size_t kMostOrdered = 4;
  /// Permutations tried from a state.
  static constexpr size_t kMostPermutations = 1024;

  //===--------------------------------------------------------------------===//
  // Costs
  //===--------------------------------------------------------------------===//

  int64_t units(const State &state) const {
    int64_t blocks = 1;
    for (const Parts &dim : state.dims)
      blocks *= table.product(dim);
    return whole / blocks;
  }

  bool fits(const State &state, size_t dim) const {
    return problem.divisors[dim] % table.product(state.dims[dim]) == 0;
  }

  /// Less than what any path to the goal costs, or as much:
  ///  - A block grows by all-gathers alone, each of which costs what it adds.
  ///  - p partials become q at the least cost when each device reduces its
  ///  share
  ///    of the blocks, 1 / D of the tensor for each partial, which are gathered
  ///    at the end.
  ///  - Where nothing is partial, a device receives what the goal's block has
  ///    and its own has not; on some device that is all of it if the two are
  ///    cut by different axes.
  Cost estimate(const State &state) const {
    int64_t have = units(state), least = std::max<int64_t>(0, goalUnits - have);
    int64_t partial = table.product(state.partial);
    int64_t share = whole / problem.devices;
    bool changesKind = !state.goalKind && goalPartial > 1;
    if (changesKind && partial > 1)
      least = std::max(least, (partial - 1) * share);
    else if (partial > goalPartial)
      least = std::max(least, goalUnits + (partial - 2 * goalPartial) * share);
    else if (partial == 1 && goalPartial == 1)
      least = std::max(least, goalUnits - leastOverlap(state));
    Cost cost;
    cost.units = least;
    cost.collectives = cost.moves = least > 0;
    return cost;
  }

  /// What the block of some device has of the block that it has at the goal;
  /// not too little.
  int64_t leastOverlap(const State &state) const {
    int64_t blocks = 1;
    for (size_t dim = 0; dim < state.dims.size(); ++dim) {
      if (isCutApart(state.dims[dim], problem.goal.dims[dim]))
        return 0;
      blocks *= std::max(table.product(state.dims[dim]), goalBlocks[dim]);
    }
    return whole / blocks;
  }

  /// Whether the lists, after what they have in common, go on with axes that
  /// are independent of each other.
  bool isCutApart(ArrayRef<Part> a, ArrayRef<Part> b) const {
    size_t i = 0;
    while (i < a.size() && i < b.size() && a[i] == b[i])
      ++i;
    if (i == a.size() || i == b.size())
      return false;
    const Axis &left = table.get(a[i]), &right = table.get(b[i]);
    if (!left.overlaps(right))
      return true;
    if (left.name != right.name || left.pre != right.pre)
      return false;
    // One is a major part of the other: what follows it meets the rest.
    if (right.size % left.size == 0)
      return i + 1 < a.size();
    return left.size % right.size == 0 && i + 1 < b.size();
  }

  //===--------------------------------------------------------------------===//
  // Moves
  //===--------------------------------------------------------------------===//

  void expand(size_t number) {
    const State state = nodes[number].state; // `nodes` grows.
    int64_t have = units(state);
    Parts used = state.partial;
    for (const Parts &dim : state.dims)
      used.append(dim);
    Parts unused = table.unused(used);
    addReductions(number, state, have);
    for (Part gap : unused)
      table.forEachSubPart(gap, /*onlyAtoms=*/true,
                           [&](Part part) { addSlices(number, state, part); });
    addPartials(number, state, unused);
    for (size_t dim = 0; dim < state.dims.size(); ++dim)
      addGathers(number, state, dim, have);
    addPermutations(number, state, have);
  }

  void addSlices(size_t from, const State &state, Part part) {
    for (size_t dim = 0; dim < state.dims.size(); ++dim) {
      State next = state;
      table.append(next.dims[dim], part);
      if (fits(next, dim))
        relax(next, from, {Move::Slice, {part}, int64_t(dim)}, 0);
    }
  }

  /// Only where the goal is partial: elsewhere a slice is worth more.
  void addPartials(size_t from, const State &state, const Parts &unused) {
    if (goalPartial == 1 || (!state.goalKind && !state.partial.empty()))
      return;
    for (Part gap : unused)
      table.forEachSubPart(gap, /*onlyAtoms=*/true, [&](Part part) {
        State next = state;
        next.partial.push_back(part);
        next.partial = table.sorted(next.partial);
        next.goalKind = true;
        relax(next, from, {Move::MakePartial, {part}}, 0);
      });
  }

  void addReductions(size_t from, const State &state, int64_t have) {
    auto add = [&](const Parts &list, const Parts &rest) {
      int64_t n = table.product(list);
      State reduced = state;
      reduced.partial = table.sorted(rest);
      reduced.goalKind |= rest.empty();
      if (table.sorted(list) == list)
        relax(reduced, from, {Move::AllReduce, list}, 2 * (n - 1) * (have / n));
      for (size_t dim = 0; dim < state.dims.size(); ++dim) {
        State next = reduced;
        table.append(next.dims[dim], list);
        if (fits(next, dim))
          relax(next, from, {Move::ReduceScatter, list, int64_t(dim)},
                (n - 1) * (have / n));
      }
    };
    bool inEveryOrder = table.atoms(state.partial).size() <= kMostOrdered;
    Parts list;
    forEachList(state.partial, list, inEveryOrder, add);
  }

  /// Visits the ordered lists of parts of `from`, with what they leave; if not
  /// in every order, then all of it and each part alone.
  void
  forEachList(const Parts &from, Parts &list, bool inEveryOrder,
              function_ref<void(const Parts &list, const Parts &rest)> visit) {
    if (!inEveryOrder)
      visit(from, {});
    for (size_t i = 0; i < from.size(); ++i)
      table.forEachSubPart(from[i], false, [&](Part part) {
        Parts rest = from;
        rest.erase(rest.begin() + i);
        table.without(from[i], part, rest);
        list.push_back(part);
        Parts joined;
        table.append(joined, list);
        visit(joined, rest);
        if (inEveryOrder)
          forEachList(rest, list, inEveryOrder, visit);
        list.pop_back();
      });
  }

  /// All-gathers and all-to-alls of a dim's most minor parts.
  void addGathers(size_t from, const State &state, size_t dim, int64_t have) {
    table.forEachSuffix(
        state.dims[dim], [&](const Parts &kept, const Parts &suffix) {
          int64_t n = table.product(suffix);
          State gathered = state;
          gathered.dims[dim] = kept;
          relax(gathered, from, {Move::AllGather, suffix, int64_t(dim)},
                (n - 1) * have);
          for (size_t other = 0; other < state.dims.size(); ++other) {
            State next = gathered;
            table.append(next.dims[other], suffix);
            if (other != dim && fits(next, other))
              relax(next, from,
                    {Move::AllToAll, suffix, int64_t(dim), int64_t(other)},
                    (n - 1) * (have / n));
          }
        });
  }

  /// All ways to give every dim, and the partials, other axes of the same
  /// sizes.
  void addPermutations(size_t from, const State &state, int64_t have) {
    SmallVector<int64_t> sizes;
    for (const Parts &dim : state.dims)
      sizes.push_back(table.product(dim));
    sizes.push_back(table.product(state.partial));
    State next = state;
    for (Parts &dim : next.dims)
      dim.clear();
    next.partial.clear();
    Parts used;
    size_t left = kMostPermutations;
    fill(from, state, next, used, 0, sizes, have, left);
  }

  /// Fills list number `slot` and those after it. The goal's order comes first.
  void fill(size_t from, const State &state, State &next, Parts &used,
            size_t slot, MutableArrayRef<int64_t> sizes, int64_t have,
            size_t &left) {
    if (slot == sizes.size()) {
      State done = next;
      done.partial = table.sorted(done.partial);
      --left;
      relax(done, from, {Move::Permute, {}}, have);
      return;
    }
    if (sizes[slot] == 1)
      return fill(from, state, next, used, slot + 1, sizes, have, left);
    bool isPartial = slot == next.dims.size();
    Parts &list = isPartial ? next.partial : next.dims[slot];
    auto visit = [&](Part part) {
      int64_t size = table.get(part).size;
      // Partials have no order: ascending.
      bool isTurn = !isPartial || list.empty() || list.back() < part;
      if (left == 0 || !isTurn || sizes[slot] % size)
        return;
      Parts before = list;
      if (isPartial)
        list.push_back(part);
      else
        table.append(list, part);
      used.push_back(part);
      sizes[slot] /= size;
      fill(from, state, next, used, slot, sizes, have, left);
      sizes[slot] *= size;
      used.pop_back();
      list = before;
    };
    for (Part part : orderedForGoal(used, list, slot))
      visit(part);
  }

  /// The unused atoms: first the one that the goal has next in this list, then
  /// others that it has in this list, then those that it has nowhere.
  Parts orderedForGoal(const Parts &used, const Parts &list,
                       size_t slot) const {
    const Parts &wanted = goalAtoms[slot];
    Parts have = table.atoms(list);
    Part next = wanted.size() > have.size() &&
                        std::equal(have.begin(), have.end(), wanted.begin())
                    ? wanted[have.size()]
                    : Part(table.numParts());
    auto rank = [&](Part part) {
      if (part == next)
        return 0;
      if (llvm::is_contained(wanted, part))
        return 1;
      return llvm::any_of(goalAtoms,
                          [&](const Parts &atoms) {
                            return llvm::is_contained(atoms, part);
                          })
                 ? 3
                 : 2;
    };
    Parts parts;
    for (Part gap : table.unused(used))
      table.forEachSubPart(gap, /*onlyAtoms=*/true,
                           [&](Part part) { parts.push_back(part); });
    llvm::sort(parts, [&](Part a, Part b) {
      return std::pair(rank(a), a) < std::pair(rank(b), b);
    });
    return parts;
  }

  //===--------------------------------------------------------------------===//
  // Bookkeeping
  //===--------------------------------------------------------------------===//

  void relax(const State &state, size_t from, Edge edge, int64_t units,
             bool isStart = false) {
    Cost cost;
    if (!isStart) {
      cost = nodes[from].cost;
      cost.units += units;
      cost.collectives += units > 0;
      cost.moves += 1;
      if (goalNode != kNone && !(cost < nodes[goalNode].cost))
        return;
    }
    std::string key = state.key();
    auto [it, inserted] = numbers.try_emplace(key, nodes.size());
    size_t number = it->second;
    if (inserted) {
      nodes.push_back({state, cost, {}, from, std::move(edge)});
      if (key == goalKey)
        goalNode = number;
      else
        nodes.back().estimate = estimate(state);
    } else {
      if (!(cost < nodes[number].cost))
        return;
      nodes[number].cost = cost;
      nodes[number].parent = from;
      nodes[number].edge = std::move(edge);
    }
    Cost total = cost;
    total.units += nodes[number].estimate.units;
    total.collectives += nodes[number].estimate.collectives;
    total.moves += nodes[number].estimate.moves;
    if (goalNode != kNone && number != goalNode &&
        !(total < nodes[goalNode].cost))
      return;
    queue.push({total, cost, number});
  }

  std::vector<PathStep> path() const {
    std::vector<PathStep> steps;
    for (size_t at = goalNode; at != 0; at = nodes[at].parent)
      steps.push_back(
          {nodes[at].edge, nodes[nodes[at].parent].state, nodes[at].state});
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

  struct Entry {
    Cost total, cost;
    size_t node;
    /// Of equals, the one that has come further, then the one found earlier.
    bool operator<(const Entry &other) const {
      if (total < other.total || other.total < total)
        return other.total < total;
      if (cost.units != other.cost.units)
        return cost.units < other.cost.units;
      return node > other.node;
    }
  };

  static constexpr size_t kNone = ~size_t(0);

  const Problem &problem;
  const PartTable &table;
  const int64_t whole;
  int64_t goalUnits = 0, goalPartial = 1;
  SmallVector<int64_t> goalBlocks;
  /// Of each dim, and of what is partial.
  SmallVector<Parts, 5> goalAtoms;
  std::string goalKey;
  size_t goalNode = kNone;
  std::vector<Node> nodes;
  llvm::StringMap<size_t> numbers;
  std::priority_queue<Entry> queue;
};

} // namespace

std::optional<std::vector<PathStep>> reshard::findPath(const Problem &problem) {
  return Search(problem).run();
}
