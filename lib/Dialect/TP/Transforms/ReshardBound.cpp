//===- ReshardBound.cpp - what a reshard costs at the least ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardBound.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

//===----------------------------------------------------------------------===//
// Outlines
//===----------------------------------------------------------------------===//

OutlineBound::OutlineBound(const Problem &problem)
    : problem(problem), startUnits(problem.units(problem.start)),
      startPartial(problem.table.product(problem.start.partial)),
      goalIsPartial(!problem.goal.partial.empty()) {
  findDivisors();
  for (Part part = 0; part < problem.table.numParts(); ++part)
    problem.table.forEachAtom(part, [&](Part atom) {
      atomSizes.insert(divisor(problem.table.get(atom).size));
    });
  mostKept = 0;
  for (Part part = 0; part < problem.table.numParts(); ++part)
    if (problem.table.isWholeRange(part) && isKept(part))
      mostKept = times(mostKept, divisor(problem.table.get(part).size));
  // Keys have to fit, short of the two that the map keeps for itself.
  uint64_t most = ~uint64_t(0) / 8 / divisors.size() / divisors.size();
  stride = 4;
  for (const Parts &dim : problem.goal.dims) {
    goalDims.push_back(makeGoalDim(dim));
    goalDims.back().stride = stride;
    size_t count = (goalDims.back().prefixes.size() + 1) * divisors.size();
    most /= count;
    stride *= count;
  }
  known = most > 0;
  if (known)
    relax(outlineOf(problem.goal, false), problem.units(problem.goal), {});
}

void OutlineBound::findDivisors() {
  for (int64_t i = 1; i * i <= problem.devices; ++i)
    if (problem.devices % i == 0) {
      divisors.push_back(i);
      if (i * i < problem.devices)
        divisors.push_back(problem.devices / i);
    }
  llvm::sort(divisors);
  for (int64_t a : divisors)
    for (int64_t b : divisors) {
      products.push_back(problem.devices % (a * b) ? kNone : divisor(a * b));
      quotients.push_back(a % b ? kNone : divisor(a / b));
    }
}

OutlineBound::Divisor OutlineBound::divisor(int64_t size) const {
  return llvm::lower_bound(divisors, size) - divisors.begin();
}

OutlineBound::GoalDim OutlineBound::makeGoalDim(ArrayRef<Part> list) const {
  const PartTable &table = problem.table;
  GoalDim result;
  result.prefixes.push_back({divisor(1), {}});
  for (Part part : list) {
    const Axis &axis = table.get(part);
    GoalDim::Turn turn{part, result.goal, {}};
    Prefix before = result.prefixes[result.goal];
    before.shorter.push_back(result.goal);
    for (int64_t end : table.endsFrom(part)) {
      Prefix prefix = before;
      prefix.size = times(before.size, divisor(end / axis.pre));
      if (prefix.size == kNone)
        continue; // What is beyond the part comes earlier in the list.
      for (auto [other, number] : turn.ends)
        if (end % other == 0)
          prefix.shorter.push_back(number);
      if (end == axis.pre * axis.size)
        result.goal = result.prefixes.size();
      turn.ends.push_back({end, uint16_t(result.prefixes.size())});
      result.prefixes.push_back(prefix);
    }
    result.turns.push_back(turn);
  }
  return result;
}

OutlineBound::OutlineDim OutlineBound::outlineOf(size_t dim,
                                                 ArrayRef<Part> list) const {
  const PartTable &table = problem.table;
  const GoalDim &goal = goalDims[dim];
  uint16_t prefix = 0;
  size_t i = 0;
  for (; i < list.size() && i < goal.turns.size(); ++i) {
    const GoalDim::Turn &turn = goal.turns[i];
    const Axis &axis = table.get(list[i]);
    if (prefix != turn.before || !table.isSameRange(list[i], turn.part) ||
        axis.pre != table.get(turn.part).pre)
      break;
    for (auto [end, number] : turn.ends)
      if (end == axis.pre * axis.size)
        prefix = number;
  }
  return {prefix, divisor(table.product(list.drop_front(i)))};
}

/// Of an axis that can be cut in ways that do not nest, any part may become one
/// that is partial at the goal.
bool OutlineBound::isKept(Part part) const {
  return llvm::any_of(problem.goal.partial, [&](Part other) {
    return problem.table.isSameRange(part, other);
  });
}

OutlineBound::Outline OutlineBound::outlineOf(const State &state,
                                              bool ofCounts) const {
  Outline outline;
  for (auto [dim, list] : llvm::enumerate(state.dims))
    outline.dims.push_back(
        ofCounts ? OutlineDim{uint16_t(goalDims[dim].prefixes.size()),
                              divisor(problem.table.product(list))}
                 : outlineOf(dim, list));
  outline.goalKind = state.goalKind;
  outline.ofCounts = ofCounts;
  int64_t kept = 1, rest = 1;
  for (Part part : state.partial)
    (!ofCounts && state.goalKind && isKept(part) ? kept : rest) *=
        problem.table.get(part).size;
  outline.kept = divisor(kept);
  outline.rest = divisor(rest);
  return outline;
}

OutlineBound::Divisor OutlineBound::sizeOf(size_t dim, OutlineDim of) const {
  ArrayRef<Prefix> prefixes = goalDims[dim].prefixes;
  return of.prefix == prefixes.size()
             ? of.rest
             : times(prefixes[of.prefix].size, of.rest);
}

OutlineBound::Key OutlineBound::keyOf(const Outline &outline) const {
  Key key = outline.goalKind * 2 + outline.ofCounts;
  for (auto [dim, goal] : llvm::zip(outline.dims, goalDims))
    key += (Key(dim.prefix) * divisors.size() + dim.rest) * goal.stride;
  return key + (Key(outline.kept) * divisors.size() + outline.rest) * stride;
}

OutlineBound::Outline OutlineBound::outlineOf(Key key) const {
  Outline outline;
  outline.ofCounts = key % 2;
  outline.goalKind = key / 2 % 2;
  key /= 4;
  for (const GoalDim &goal : goalDims) {
    OutlineDim &dim = outline.dims.emplace_back();
    dim.rest = key % divisors.size();
    key /= divisors.size();
    dim.prefix = key % (goal.prefixes.size() + 1);
    key /= goal.prefixes.size() + 1;
  }
  outline.rest = key % divisors.size();
  outline.kept = key / divisors.size();
  return outline;
}

//===----------------------------------------------------------------------===//
// The search
//===----------------------------------------------------------------------===//

OutlineBound::Bound OutlineBound::least(const State &state, bool ofCounts,
                                        Cost enough) {
  if (!known)
    return {{}, true};
  Key key = keyOf(outlineOf(state, ofCounts));
  while (true) {
    auto it = numbers.find(key);
    if (it != numbers.end() && nodes[it->second].isDone)
      return {nodes[it->second].cost, true};
    if (queue.empty()) // Beyond the limit.
      return {{std::numeric_limits<int64_t>::max() / 2, 0, 0}, true};
    if (nodes.size() > kMostOutlines)
      return {queue.top().cost, true};
    if (enough < queue.top().cost)
      return {queue.top().cost, false};
    settleNext();
  }
}

void OutlineBound::settleNext() {
  Entry entry = queue.top();
  queue.pop();
  Node &node = nodes[entry.node];
  if (node.isDone)
    return;
  node.isDone = true;
  Outline outline = outlineOf(node.key);
  if (outline.ofCounts)
    addArrangements(outline, 0, entry.cost);
  else
    addMovesTo(outline, entry.cost);
}

int64_t OutlineBound::unitsOf(const Outline &outline) const {
  int64_t blocks = 1;
  for (size_t dim = 0; dim < outline.dims.size(); ++dim)
    blocks *= divisors[sizeOf(dim, outline.dims[dim])];
  return problem.devices * problem.devices / blocks;
}

/// No more than what it costs to get from the start to an outline: see
/// Search::glance.
int64_t OutlineBound::leastBefore(const Outline &outline, int64_t units) const {
  int64_t partial = divisors[outline.kept] * divisors[outline.rest];
  int64_t least = std::max<int64_t>(0, units - startUnits);
  if (partial < startPartial)
    least =
        std::max(least, units + (startPartial - 2 * partial) * problem.devices);
  return least;
}

void OutlineBound::relax(const Outline &outline, int64_t units, Cost cost) {
  if (cost.units + leastBefore(outline, units) > limit)
    return;
  Key key = keyOf(outline);
  auto [it, inserted] = numbers.try_emplace(key, nodes.size());
  if (inserted)
    nodes.push_back({key, cost, false});
  else if (cost < nodes[it->second].cost)
    nodes[it->second].cost = cost;
  else
    return;
  queue.push({cost, it->second});
}

/// Relaxes all with these counts, from dim number `dim` on: a permute leads
/// from there to any other of them.
void OutlineBound::addArrangements(Outline &outline, size_t dim, Cost cost) {
  if (dim == outline.dims.size()) {
    int64_t have = unitsOf(outline);
    Divisor partial = outline.rest;
    outline.ofCounts = false;
    for (Divisor kept = 0; kept <= partial; ++kept) {
      outline.kept = kept;
      outline.rest = over(partial, kept);
      if (outline.rest != kNone && over(mostKept, kept) != kNone &&
          (outline.goalKind || kept == 0))
        relax(outline, have, cost + Cost{have, 1, 1});
    }
    outline.kept = 0;
    outline.rest = partial;
    return;
  }
  OutlineDim counts = outline.dims[dim];
  for (auto [number, prefix] : llvm::enumerate(goalDims[dim].prefixes)) {
    Divisor rest = over(counts.rest, prefix.size);
    if (rest == kNone)
      continue;
    outline.dims[dim] = {uint16_t(number), rest};
    addArrangements(outline, dim + 1, cost);
  }
  outline.dims[dim] = counts;
}

/// What a dim was before something was appended.
void OutlineBound::addAppended(size_t dim, OutlineDim after,
                               Changes &changes) const {
  for (Divisor size = 1; size <= after.rest; ++size)
    if (Divisor rest = over(after.rest, size); rest != kNone)
      changes.push_back({size, {after.prefix, rest}});
  const Prefix &prefix = goalDims[dim].prefixes[after.prefix];
  for (uint16_t shorter : prefix.shorter) {
    Divisor more = over(prefix.size, goalDims[dim].prefixes[shorter].size);
    changes.push_back({times(more, after.rest), {shorter, 0}});
  }
}

/// What a dim was before something was taken off its end: what is `unused`
/// and more that another dim got.
void OutlineBound::addTaken(size_t dim, OutlineDim after, Divisor most,
                            Changes &changes) const {
  auto add = [&](Divisor size, OutlineDim before) {
    if (size == 0 || size == kNone || over(most, size) == kNone)
      return;
    Divisor total = sizeOf(dim, before);
    if (total != kNone && problem.divisors[dim] % divisors[total] == 0)
      changes.push_back({size, before});
  };
  for (Divisor size = 1; size <= most; ++size)
    if (Divisor rest = times(after.rest, size); rest != kNone)
      add(size, {after.prefix, rest});
  if (after.rest != 0)
    return;
  ArrayRef<Prefix> prefixes = goalDims[dim].prefixes;
  for (auto [number, longer] : llvm::enumerate(prefixes)) {
    if (!llvm::is_contained(longer.shorter, after.prefix))
      continue;
    Divisor size = over(longer.size, prefixes[after.prefix].size);
    for (Divisor rest = 0; rest <= most; ++rest)
      add(times(size, rest), {uint16_t(number), rest});
  }
}

/// Relaxes what an outline was before `size` partials were reduced.
void OutlineBound::addReduced(Outline &outline, int64_t units, Divisor size,
                              Cost cost) {
  Divisor kept = outline.kept, rest = outline.rest;
  for (Divisor more = 0; more <= size; ++more) {
    Divisor other = over(size, more);
    if (other == kNone)
      continue;
    outline.kept = times(kept, more);
    outline.rest = times(rest, other);
    if (outline.rest == kNone || outline.kept == kNone ||
        over(mostKept, outline.kept) == kNone ||
        (!outline.goalKind && more != 0))
      continue;
    relax(outline, units, cost);
    if (outline.goalKind && kept == 0 && rest == 0 && more == 0) {
      outline.goalKind = false;
      relax(outline, units, cost);
      outline.goalKind = true;
    }
  }
  outline.kept = kept;
  outline.rest = rest;
}

/// Relaxes all from where one move leads to an outline.
void OutlineBound::addMovesTo(Outline &outline, Cost cost) {
  size_t rank = outline.dims.size();
  Outline counts = outline;
  counts.ofCounts = true;
  counts.kept = 0;
  counts.rest = times(outline.kept, outline.rest);
  Divisor used = counts.rest;
  int64_t blocks = 1;
  for (size_t dim = 0; dim < rank; ++dim) {
    Divisor size = sizeOf(dim, outline.dims[dim]);
    counts.dims[dim] = {uint16_t(goalDims[dim].prefixes.size()), size};
    used = times(used, size);
    blocks *= divisors[size];
  }
  int64_t have = problem.devices * problem.devices / blocks;
  relax(counts, have, cost);
  const Divisor all = divisors.size() - 1, unused = over(all, used);
  auto with = [&](int64_t units) { return cost + Cost{units, units > 0, 1}; };
  for (Divisor size = 1; size <= all; ++size) {
    int64_t n = divisors[size];
    if (over(unused, size) != kNone)
      addReduced(outline, have, size, with(2 * (n - 1) * (have / n)));
    if (!goalIsPartial || !outline.goalKind || !atomSizes.contains(size))
      continue;
    for (Divisor *list : {&outline.kept, &outline.rest}) {
      Divisor after = *list;
      if (over(after, size) != kNone) {
        *list = over(after, size);
        relax(outline, have, with(0));
      }
      *list = after;
    }
  }
  addDimMovesTo(outline, have, unused, cost);
}

/// Of the moves that lead to an outline with `have` units, those that change a
/// dim.
void OutlineBound::addDimMovesTo(Outline &outline, int64_t have, Divisor unused,
                                 Cost cost) {
  size_t rank = outline.dims.size();
  auto with = [&](int64_t units) { return cost + Cost{units, units > 0, 1}; };
  SmallVector<Changes, 6> taken(rank);
  for (size_t dim = 0; dim < rank; ++dim) {
    OutlineDim after = outline.dims[dim];
    addTaken(dim, after, divisors.size() - 1, taken[dim]);
    llvm::sort(taken[dim], [](const Change &a, const Change &b) {
      return std::tie(a.size, a.dim.prefix, a.dim.rest) <
             std::tie(b.size, b.dim.prefix, b.dim.rest);
    });
    for (const Change &change : taken[dim]) {
      int64_t n = divisors[change.size];
      if (over(unused, change.size) == kNone)
        continue;
      outline.dims[dim] = change.dim;
      relax(outline, have / n, with((n - 1) * (have / n)));
    }
    outline.dims[dim] = after;
  }
  auto isLess = [](const Change &change, Divisor size) {
    return change.size < size;
  };
  Changes appended;
  for (size_t dim = 0; dim < rank; ++dim) {
    OutlineDim after = outline.dims[dim];
    appended.clear();
    addAppended(dim, after, appended);
    for (const Change &change : appended) {
      int64_t n = divisors[change.size];
      outline.dims[dim] = change.dim;
      if (atomSizes.contains(change.size))
        relax(outline, have * n, with(0));
      addReduced(outline, have * n, change.size, with((n - 1) * have));
      for (size_t other = 0; other < rank; ++other) {
        OutlineDim otherAfter = outline.dims[other];
        if (other != dim)
          for (auto it = llvm::lower_bound(taken[other], change.size, isLess);
               it != taken[other].end() && it->size == change.size; ++it) {
            outline.dims[other] = it->dim;
            relax(outline, have, with((n - 1) * (have / n)));
          }
        outline.dims[other] = otherAfter;
      }
    }
    outline.dims[dim] = after;
  }
}
