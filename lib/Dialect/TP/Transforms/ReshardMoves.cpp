//===- ReshardMoves.cpp - the moves from a placement ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardMoves.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

//===----------------------------------------------------------------------===//
// Parts that are alike
//===----------------------------------------------------------------------===//

Alike::Alike(const PartTable &table, function_ref<int(Part)> roleOf)
    : table(table) {
  SmallVector<std::pair<int, int64_t>> classes;
  for (Part part = 0; part < table.numParts(); ++part) {
    int role = table.isPiece(part) ? roleOf(part) : -1;
    std::pair<int, int64_t> key(role, table.get(part).size);
    auto it = role < 0 ? classes.end() : llvm::find(classes, key);
    classOf.push_back(it - classes.begin());
    if (it == classes.end()) {
      classes.push_back(key);
      members.emplace_back();
    }
    members[classOf.back()].push_back(part);
  }
}

void Alike::makeCanonical(State &state, Renaming *renaming) const {
  Parts next(members.size(), 0);
  Renaming own;
  Renaming &to = renaming ? *renaming : own;
  constexpr Part none = 255;
  if (renaming)
    renaming->assign(classOf.size(), none);
  auto rename = [&](Part &part) {
    Part from = part, number = classOf[part];
    part = members[number][next[number]++];
    if (renaming)
      to[from] = part;
  };
  for (Parts &dim : state.dims)
    for (Part &part : dim)
      if (members[classOf[part]].size() > 1)
        rename(part);
  bool changed = false;
  for (Part &part : state.partial)
    if (members[classOf[part]].size() > 1) {
      rename(part);
      changed = true;
    }
  if (changed)
    state.partial = table.sorted(state.partial);
  if (!renaming)
    return;
  for (Part part = 0; part < table.numParts(); ++part) {
    bool isAlone = members[classOf[part]].size() == 1;
    if (to[part] == none)
      to[part] = isAlone ? part : members[classOf[part]][next[classOf[part]]++];
  }
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

Moves::Moves(const Problem &problem)
    : problem(problem), table(problem.table),
      goalIsPartial(!problem.goal.partial.empty()) {}

void Moves::forEach(const State &state, const Alike &alike, Visit visit) const {
  int64_t have = problem.units(state);
  addScatters(state, alike, have, visit);
  addReductions(state, alike, have, {}, visit);
  addFree(state, alike, visit);
  for (size_t dim = 0; dim < state.dims.size(); ++dim)
    addGathers(state, dim, have, visit);
}

/// One of each class of what is not used, uncut.
Parts Moves::unusedAtoms(const State &state, const Alike &alike) const {
  Parts used = state.partial, found;
  for (const Parts &dim : state.dims)
    used.append(dim);
  for (Part gap : table.unused(used))
    table.forEachAtom(gap, [&](Part atom) {
      if (llvm::none_of(
              found, [&](Part other) { return alike.areAlike(atom, other); }))
        found.push_back(atom);
    });
  return found;
}

void Moves::addFree(const State &state, const Alike &alike, Visit visit) const {
  Parts atoms = unusedAtoms(state, alike);
  for (Part atom : atoms)
    for (size_t dim = 0; dim < state.dims.size(); ++dim) {
      State next = state;
      table.append(next.dims[dim], atom);
      if (fits(next, dim))
        visit(std::move(next), {Move::Slice, {atom}, int64_t(dim)}, 0);
    }
  // Only where the goal is partial: elsewhere a slice is worth more.
  if (!goalIsPartial || (!state.goalKind && !state.partial.empty()))
    return;
  for (Part atom : atoms) {
    State next = state;
    next.partial.push_back(atom);
    next.partial = table.sorted(next.partial);
    next.goalKind = true;
    visit(std::move(next), {Move::MakePartial, {atom}}, 0);
  }
}

/// Visits the parts that `state` is partial over, beyond `last` in their order
/// if it is given, of those that are alike the first; with what is left once
/// the part is reduced.
void Moves::forEachReduced(
    const State &state, const Alike &alike, std::optional<Part> last,
    function_ref<void(Part atom, State reduced)> visit) const {
  Parts seen;
  for (size_t i = 0; i < state.partial.size(); ++i)
    table.forEachAtom(state.partial[i], [&](Part atom) {
      if ((last && atom <= *last) || llvm::any_of(seen, [&](Part other) {
            return alike.areAlike(atom, other);
          }))
        return;
      seen.push_back(atom);
      State reduced = state;
      reduced.partial.erase(reduced.partial.begin() + i);
      table.without(state.partial[i], atom, reduced.partial);
      reduced.partial = table.sorted(reduced.partial);
      reduced.goalKind |= reduced.partial.empty();
      visit(atom, std::move(reduced));
    });
}

void Moves::addScatters(const State &state, const Alike &alike, int64_t have,
                        Visit visit) const {
  forEachReduced(state, alike, std::nullopt, [&](Part atom, State reduced) {
    int64_t n = table.get(atom).size;
    for (size_t dim = 0; dim < state.dims.size(); ++dim) {
      State next = reduced;
      table.append(next.dims[dim], atom);
      if (fits(next, dim))
        visit(std::move(next), {Move::ReduceScatter, {atom}, int64_t(dim)},
              (n - 1) * (have / n));
    }
  });
}

/// All-reduces over `list` and more; `state` is what they leave.
void Moves::addReductions(const State &state, const Alike &alike, int64_t have,
                          const Parts &list, Visit visit) const {
  std::optional<Part> last;
  if (!list.empty())
    last = list.back();
  forEachReduced(state, alike, last, [&](Part atom, State next) {
    Parts longer = list;
    longer.push_back(atom);
    int64_t n = table.product(longer);
    visit(next, {Move::AllReduce, table.sorted(longer)},
          2 * (n - 1) * (have / n));
    // The kind is that of what was there before.
    next.goalKind = state.goalKind;
    addReductions(next, alike, have, longer, visit);
  });
}

/// All-gathers and all-to-alls of a dim's most minor parts.
void Moves::addGathers(const State &state, size_t dim, int64_t have,
                       Visit visit) const {
  table.forEachSuffix(
      state.dims[dim], [&](const Parts &kept, const Parts &suffix) {
        int64_t n = table.product(suffix);
        State gathered = state;
        gathered.dims[dim] = kept;
        for (size_t other = 0; other < state.dims.size(); ++other) {
          if (other == dim)
            continue;
          State next = gathered;
          table.append(next.dims[other], suffix);
          if (fits(next, other))
            visit(std::move(next),
                  {Move::AllToAll, suffix, int64_t(dim), int64_t(other)},
                  (n - 1) * (have / n));
        }
        visit(std::move(gathered), {Move::AllGather, suffix, int64_t(dim)},
              (n - 1) * have);
      });
}

//===----------------------------------------------------------------------===//
// Permutations
//===----------------------------------------------------------------------===//

/// Fills the lists of a state one after another.
class Moves::Filling {
public:
  Filling(const Moves &moves, const State &state, const Alike &alike,
          function_ref<void(State)> visit)
      : moves(moves), table(moves.table), alike(alike), visit(visit) {
    for (const Parts &dim : state.dims)
      sizes.push_back(table.product(dim));
    sizes.push_back(table.product(state.partial));
    next.dims.resize(state.dims.size());
    next.goalKind = state.goalKind;
  }

  /// List number `slot` and those after it.
  void fill(size_t slot) {
    if (slot == sizes.size()) {
      State done = next;
      done.partial = table.sorted(done.partial);
      visit(std::move(done));
      return;
    }
    if (sizes[slot] == 1)
      return fill(slot + 1);
    bool isPartial = slot == next.dims.size();
    Parts &list = isPartial ? next.partial : next.dims[slot];
    for (Part atom : moves.unusedAtoms(next, alike)) {
      int64_t size = table.get(atom).size;
      // Partials have no order: ascending.
      bool isTurn = !isPartial || list.empty() || list.back() < atom;
      if (!isTurn || sizes[slot] % size)
        continue;
      Parts before = list;
      if (isPartial)
        list.push_back(atom);
      else
        table.append(list, atom);
      sizes[slot] /= size;
      fill(slot);
      sizes[slot] *= size;
      list = before;
    }
  }

private:
  const Moves &moves;
  const PartTable &table;
  const Alike &alike;
  function_ref<void(State)> visit;
  /// Of each list, what is still to be filled in.
  SmallVector<int64_t> sizes;
  State next;
};

void Moves::forEachPermuted(const State &state, const Alike &alike,
                            function_ref<void(State)> visit) const {
  Filling(*this, state, alike, visit).fill(0);
}
