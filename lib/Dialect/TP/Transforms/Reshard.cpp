//===- Reshard.cpp - the cheapest way from one placement to another -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <functional>
#include <map>
#include <queue>
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Axes are cut into the parts that either end of the path tells apart, so that
/// a state is, for each part, where it is: on a dim (in order), partial, or
/// unused.
using Atoms = SmallVector<unsigned, 4>;

struct State {
  SmallVector<Atoms, 4> dims;
  Atoms partial; ///< sorted

  bool operator<(const State &other) const {
    return std::tie(dims, partial) < std::tie(other.dims, other.partial);
  }
  bool operator==(const State &other) const {
    return dims == other.dims && partial == other.partial;
  }
};

struct Cost {
  double bytes = 0;
  int collectives = 0, moves = 0;
  bool operator<(const Cost &other) const {
    return std::tie(bytes, collectives, moves) <
           std::tie(other.bytes, other.collectives, other.moves);
  }
};

struct Edge {
  Move move;
  Atoms atoms;
  int64_t dim = 0, splitDim = 0;
};

class Search {
public:
  Search(const Placement &from, const Placement &to, int64_t elementBytes)
      : from(from), to(to) {
    fullBytes = double(elementBytes);
    for (int64_t pad : from.pads)
      fullBytes *= double(pad);
    makeAtoms();
  }

  FailureOr<std::vector<ReshardStep>> run() {
    State start = toState(from), goal = toState(to);
    if (!start.partial.empty() && !goal.partial.empty() &&
        from.partialKind != to.partialKind)
      return failure();
    best[start] = {};
    queue.push({Cost(), number(start)});
    while (!queue.empty()) {
      if (order.size() > kMostStates)
        return plainPath(start, goal);
      auto [cost, id] = queue.top();
      queue.pop();
      State state = order[id];
      if (best[state] < cost)
        continue;
      if (state == goal)
        return path(start, goal);
      expand(state, cost, goal);
    }
    return failure();
  }

private:
  /// The states of a few axes are few; of very many axes, the search gives up.
  static constexpr size_t kMostStates = 20000;
  /// Up to so many partial parts are reduced and scattered in every order.
  static constexpr size_t kMostOrdered = 4;

  //===--------------------------------------------------------------------===//
  // Parts of axes
  //===--------------------------------------------------------------------===//

  void makeAtoms() {
    std::map<std::pair<StringRef, int64_t>, int> cuts;
    Axes all = from.usedAxes();
    all.append(to.usedAxes());
    for (const Axis &axis : all) {
      cuts[{axis.name, axis.pre}];
      cuts[{axis.name, axis.pre * axis.size}];
    }
    for (auto it = cuts.begin(); it != cuts.end(); ++it) {
      auto next = std::next(it);
      if (next != cuts.end() && next->first.first == it->first.first &&
          next->first.second % it->first.second == 0)
        atoms.push_back({it->first.first, it->first.second,
                         next->first.second / it->first.second});
    }
  }

  Atoms toAtoms(ArrayRef<Axis> axes) {
    Atoms result;
    for (const Axis &axis : axes)
      for (auto [i, atom] : llvm::enumerate(atoms))
        if (atom.overlaps(axis))
          result.push_back(i);
    return result;
  }

  Axes toAxes(ArrayRef<unsigned> list) {
    Axes result;
    for (unsigned atom : list)
      result.push_back(atoms[atom]);
    return normalised(result);
  }

  State toState(const Placement &placement) {
    State state;
    for (const Axes &axes : placement.dims)
      state.dims.push_back(toAtoms(axes));
    state.partial = toAtoms(placement.partial);
    llvm::sort(state.partial);
    return state;
  }

  double sizeOfAtoms(ArrayRef<unsigned> list) {
    double size = 1;
    for (unsigned atom : list)
      size *= double(atoms[atom].size);
    return size;
  }

  double localBytes(const State &state) {
    double bytes = fullBytes;
    for (const Atoms &dim : state.dims)
      bytes /= sizeOfAtoms(dim);
    return bytes;
  }

  //===--------------------------------------------------------------------===//
  // Moves
  //===--------------------------------------------------------------------===//

  /// The atoms that `goal` has on dim d right after what `state` has there and
  /// that `available` holds; empty if the state is not a prefix of the goal.
  Atoms wanted(const State &state, const State &goal, size_t dim,
               function_ref<bool(unsigned)> available) {
    const Atoms &have = state.dims[dim], &want = goal.dims[dim];
    Atoms next;
    if (have.size() > want.size() ||
        !std::equal(have.begin(), have.end(), want.begin()))
      return next;
    for (size_t i = have.size(); i < want.size() && available(want[i]); ++i)
      next.push_back(want[i]);
    return next;
  }

  bool divides(const State &state, size_t dim, ArrayRef<unsigned> more) {
    int64_t product = int64_t(sizeOfAtoms(state.dims[dim]) * sizeOfAtoms(more));
    return from.pads[dim] % product == 0;
  }

  void expand(const State &state, Cost cost, const State &goal) {
    std::set<unsigned> used(state.partial.begin(), state.partial.end());
    for (const Atoms &dim : state.dims)
      used.insert(dim.begin(), dim.end());
    auto isUnused = [&](unsigned atom) { return !used.count(atom); };
    double bytes = localBytes(state);

    // Any of what is partial may be reduced, or scattered, if only for a while.
    forEachList(state.partial, [&](const Atoms &list) {
      if (llvm::is_sorted(list))
        reduce(state, cost, bytes, list, goal);
      for (size_t dim = 0; dim < state.dims.size(); ++dim)
        scatterInto(state, cost, bytes, dim, list);
    });

    Atoms unusedPartial;
    for (unsigned atom : goal.partial)
      if (isUnused(atom))
        unusedPartial.push_back(atom);
    if (!unusedPartial.empty() && to.partialKind == ReduceKind::Sum) {
      State next = state;
      next.partial.append(unusedPartial);
      llvm::sort(next.partial);
      relax(state, next, {Move::MakePartial, unusedPartial}, cost, 0);
    }

    for (size_t dim = 0; dim < state.dims.size(); ++dim) {
      sliceInto(state, cost, dim, wanted(state, goal, dim, isUnused));
      // Any unused part may be worth slicing by for a while.
      for (unsigned atom = 0; atom < atoms.size(); ++atom)
        if (isUnused(atom))
          sliceInto(state, cost, dim, {atom});
      moveSuffixes(state, cost, bytes, dim);
    }
  }

  /// Calls `visit` with every list of distinct atoms of `from`; of many atoms,
  /// with all of them and with each by itself.
  static void forEachList(const Atoms &from,
                          function_ref<void(const Atoms &)> visit) {
    if (from.size() > kMostOrdered) {
      visit(from);
      for (unsigned atom : from)
        visit({atom});
      return;
    }
    Atoms list;
    std::function<void()> extend = [&] {
      for (unsigned atom : from) {
        if (llvm::is_contained(list, atom))
          continue;
        list.push_back(atom);
        visit(list);
        extend();
        list.pop_back();
      }
    };
    extend();
  }

  static State withoutPartial(State state, const Atoms &list) {
    llvm::erase_if(state.partial, [&](unsigned atom) {
      return llvm::is_contained(list, atom);
    });
    return state;
  }

  void reduce(const State &state, Cost cost, double bytes, const Atoms &list,
              const State &goal) {
    double n = sizeOfAtoms(list);
    bool isWanted = llvm::none_of(list, [&](unsigned atom) {
      return llvm::is_contained(goal.partial, atom);
    });
    if (isWanted)
      relax(state, withoutPartial(state, list), {Move::AllReduce, list}, cost,
            2 * (n - 1) / n * bytes);
  }

  void sliceInto(const State &state, Cost cost, size_t dim, const Atoms &list) {
    for (size_t count = list.size(); count > 0; --count) {
      Atoms part(list.begin(), list.begin() + count);
      if (!divides(state, dim, part))
        continue;
      State next = state;
      next.dims[dim].append(part);
      relax(state, next, {Move::Slice, part, int64_t(dim)}, cost, 0);
    }
  }

  void scatterInto(const State &state, Cost cost, double bytes, size_t dim,
                   const Atoms &list) {
    if (!divides(state, dim, list))
      return;
    State next = withoutPartial(state, list);
    next.dims[dim].append(list);
    double n = sizeOfAtoms(list);
    relax(state, next, {Move::ReduceScatter, list, int64_t(dim)}, cost,
          (n - 1) / n * bytes);
  }

  /// All-gathers and all-to-alls of the last 1, 2, ... parts of a dim.
  void moveSuffixes(const State &state, Cost cost, double bytes, size_t dim) {
    const Atoms &have = state.dims[dim];
    for (size_t count = 1; count <= have.size(); ++count) {
      Atoms suffix(have.end() - count, have.end());
      double n = sizeOfAtoms(suffix);
      State gathered = state;
      gathered.dims[dim].truncate(have.size() - count);
      relax(state, gathered, {Move::AllGather, suffix, int64_t(dim)}, cost,
            (n - 1) * bytes);
      for (size_t other = 0; other < state.dims.size(); ++other) {
        if (other == dim || !divides(state, other, suffix))
          continue;
        State next = gathered;
        next.dims[other].append(suffix);
        relax(state, next,
              {Move::AllToAll, suffix, int64_t(dim), int64_t(other)}, cost,
              (n - 1) / n * bytes);
      }
    }
  }

  void relax(const State &state, const State &next, const Edge &edge, Cost cost,
             double bytes) {
    cost.bytes += bytes;
    cost.collectives += bytes > 0;
    cost.moves += 1;
    auto [it, inserted] = best.try_emplace(next, cost);
    if (!inserted && !(cost < it->second))
      return;
    it->second = cost;
    previous[next] = {state, edge};
    queue.push({cost, number(next)});
  }

  /// States in the order in which they were found: ties go to the earlier.
  size_t number(const State &state) {
    auto [it, inserted] = numbers.try_emplace(state, order.size());
    if (inserted)
      order.push_back(state);
    return it->second;
  }

  /// Reduce, gather to what the ends have in common, then slice: right, if not
  /// the cheapest.
  FailureOr<std::vector<ReshardStep>> plainPath(const State &start,
                                                const State &goal) {
    previous.clear();
    State state = start;
    auto step = [&](const State &next, const Edge &edge) {
      previous[next] = {state, edge};
      state = next;
    };
    Atoms reducible, missing;
    for (unsigned atom : start.partial)
      if (!llvm::is_contained(goal.partial, atom))
        reducible.push_back(atom);
    if (!reducible.empty())
      step(withoutPartial(state, reducible), {Move::AllReduce, reducible});
    for (size_t dim = 0; dim < start.dims.size(); ++dim) {
      const Atoms &have = start.dims[dim], &want = goal.dims[dim];
      size_t common = 0;
      while (common < std::min(have.size(), want.size()) &&
             have[common] == want[common])
        ++common;
      Atoms suffix(have.begin() + common, have.end());
      State next = state;
      next.dims[dim].truncate(common);
      if (!suffix.empty())
        step(next, {Move::AllGather, suffix, int64_t(dim)});
    }
    for (unsigned atom : goal.partial)
      if (!llvm::is_contained(state.partial, atom))
        missing.push_back(atom);
    if (!missing.empty()) {
      if (to.partialKind != ReduceKind::Sum)
        return failure();
      State next = state;
      next.partial = goal.partial;
      step(next, {Move::MakePartial, missing});
    }
    for (size_t dim = 0; dim < start.dims.size(); ++dim) {
      const Atoms &want = goal.dims[dim];
      Atoms more(want.begin() + state.dims[dim].size(), want.end());
      if (!divides(state, dim, more))
        return failure();
      State next = state;
      next.dims[dim] = want;
      if (!more.empty())
        step(next, {Move::Slice, more, int64_t(dim)});
    }
    return path(start, state);
  }

  std::vector<ReshardStep> path(const State &start, State state) {
    std::vector<ReshardStep> steps;
    while (!(state == start)) {
      auto &[before, edge] = previous.at(state);
      Placement after = from;
      for (size_t dim = 0; dim < state.dims.size(); ++dim)
        after.dims[dim] = toAxes(state.dims[dim]);
      after.partial = toAxes(state.partial);
      if (from.partial.empty())
        after.partialKind = to.partialKind;
      steps.push_back(
          {edge.move, toAxes(edge.atoms), edge.dim, edge.splitDim, after});
      State earlier = before;
      state = earlier;
    }
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

  const Placement &from, &to;
  double fullBytes;
  SmallVector<Axis> atoms;
  std::map<State, Cost> best;
  std::map<State, std::pair<State, Edge>> previous;
  std::map<State, size_t> numbers;
  std::vector<State> order;
  using Entry = std::pair<Cost, size_t>;
  struct Later {
    bool operator()(const Entry &a, const Entry &b) const {
      return b.first < a.first || (!(a.first < b.first) && b.second < a.second);
    }
  };
  std::priority_queue<Entry, std::vector<Entry>, Later> queue;
};

} // namespace

/// `placement` without those of its axes that `other` cuts elsewhere, so that
/// they have no parts in common: (1)2 and (1)3 of an axis of 6.
static Placement withoutClashes(const Placement &placement,
                                const Placement &other) {
  auto divides = [](int64_t a, int64_t b) { return a % b == 0 || b % a == 0; };
  auto clashes = [&](const Axis &axis) {
    return llvm::any_of(other.usedAxes(), [&](const Axis &part) {
      int64_t end = axis.pre * axis.size, partEnd = part.pre * part.size;
      return axis.name == part.name &&
             !(divides(axis.pre, part.pre) && divides(axis.pre, partEnd) &&
               divides(end, part.pre) && divides(end, partEnd));
    });
  };
  Placement kept = placement;
  for (Axes &axes : kept.dims)
    llvm::erase_if(axes, clashes);
  llvm::erase_if(kept.partial, clashes);
  return kept;
}

FailureOr<std::vector<ReshardStep>> tp::planReshard(const Placement &from,
                                                    const Placement &to,
                                                    int64_t elementBytes) {
  if (from.dims.size() != to.dims.size() || from.pads != to.pads)
    return failure();
  Placement kept = withoutClashes(from, to);
  if (kept == from)
    return Search(from, to, elementBytes).run();
  FailureOr<std::vector<ReshardStep>> path =
      Search(from, kept, elementBytes).run();
  FailureOr<std::vector<ReshardStep>> rest =
      Search(kept, to, elementBytes).run();
  if (failed(path) || failed(rest))
    return failure();
  llvm::append_range(*path, *rest);
  return path;
}

double tp::costOf(const Placement &from, ArrayRef<ReshardStep> path,
                  int64_t elementBytes) {
  double total = 0;
  Placement current = from;
  for (const ReshardStep &step : path) {
    double bytes = double(elementBytes), n = double(sizeOf(step.axes));
    for (int64_t extent : current.localShape())
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
    }
    current = step.result;
  }
  return total;
}
