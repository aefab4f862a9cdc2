//===- ReshardReference.cpp - the least a reshard can cost ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardReference.h"
#include <limits>
#include <queue>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;
using llvm::ArrayRef;

//===----------------------------------------------------------------------===//
// Costs and cuttings
//===----------------------------------------------------------------------===//

Cost test::costOfMove(Move move, int64_t n, int64_t blocks,
                      int64_t numDevices) {
  int64_t local = numDevices * numDevices / blocks;
  switch (move) {
  case Move::Slice:
  case Move::MakePartial:
    return {};
  case Move::AllGather:
    return {(n - 1) * local, 1};
  case Move::AllReduce:
    return {2 * (n - 1) * (local / n), 1};
  case Move::ReduceScatter:
  case Move::AllToAll:
    return {(n - 1) * (local / n), 1};
  case Move::Permute:
    return {local, 1};
  }
  return {};
}

Cutting test::uncut(const Mesh &mesh) {
  Cutting cutting;
  for (const auto &[name, size] : mesh.axes)
    cutting.push_back({size});
  return cutting;
}

/// All lists of primes with product `size`.
static std::vector<std::vector<int64_t>> primeLists(int64_t size) {
  if (size == 1)
    return {{}};
  std::vector<std::vector<int64_t>> lists;
  for (int64_t prime = 2; prime <= size; ++prime) {
    bool isPrime = true;
    for (int64_t i = 2; i < prime; ++i)
      isPrime &= prime % i != 0;
    if (!isPrime || size % prime)
      continue;
    for (std::vector<int64_t> &rest : primeLists(size / prime)) {
      rest.insert(rest.begin(), prime);
      lists.push_back(rest);
    }
  }
  return lists;
}

std::vector<Cutting> test::everyCutting(const Mesh &mesh) {
  std::vector<Cutting> cuttings{{}};
  for (const auto &[name, size] : mesh.axes) {
    std::vector<Cutting> longer;
    for (const Cutting &cutting : cuttings)
      for (const std::vector<int64_t> &parts : primeLists(size)) {
        longer.push_back(cutting);
        longer.back().push_back(parts);
      }
    cuttings = std::move(longer);
  }
  return cuttings;
}

//===----------------------------------------------------------------------===//
// States and moves
//===----------------------------------------------------------------------===//

class Reference::Builder {
public:
  Builder(Reference &reference, const Cutting &cutting)
      : reference(reference), numDevices(reference.mesh.numDevices()),
        rank(int(reference.pads.size())) {
    for (auto [axis, sizes] : llvm::zip(reference.mesh.axes, cutting)) {
      int64_t pre = 1;
      for (int64_t size : sizes) {
        parts.push_back({axis.first, pre, size});
        pre *= size;
      }
    }
    enumerate(Arrangement(rank + 1), 0);
    for (const auto &[arrangement, node] : arrangements)
      addMoves(arrangement, node);
  }

private:
  int64_t product(ArrayRef<int> list) const {
    int64_t n = 1;
    for (int part : list)
      n *= parts[part].size;
    return n;
  }

  /// Puts part number `part` and all that follow everywhere they can be.
  void enumerate(const Arrangement &arrangement, int part) {
    for (int dim = 0; dim < rank; ++dim)
      if (reference.pads[dim] % product(arrangement[dim]))
        return;
    if (part == int(parts.size())) {
      Node node = reference.stateOf(placementOf(arrangement));
      arrangements.push_back({arrangement, node});
      nodes.emplace(codeOf(arrangement), node);
      return;
    }
    enumerate(arrangement, part + 1);
    Arrangement next = arrangement;
    next[rank].push_back(part);
    enumerate(next, part + 1);
    for (int dim = 0; dim < rank; ++dim)
      for (size_t i = 0; i <= arrangement[dim].size(); ++i) {
        next = arrangement;
        next[dim].insert(next[dim].begin() + i, part);
        enumerate(next, part + 1);
      }
  }

  static uint64_t codeOf(const Arrangement &arrangement) {
    uint64_t code = 0;
    for (const std::vector<int> &list : arrangement) {
      for (int part : list)
        code = code * 16 + part + 1;
      code = code * 16 + 15;
    }
    return code;
  }

  /// Neighbours that are consecutive parts of one axis, joined.
  Axes joined(ArrayRef<int> list) const {
    Axes axes;
    for (int part : list) {
      const Axis &next = parts[part];
      if (!axes.empty() && axes.back().name == next.name &&
          axes.back().pre * axes.back().size == next.pre)
        axes.back().size *= next.size;
      else
        axes.push_back(next);
    }
    return axes;
  }

  Placement placementOf(const Arrangement &arrangement) const {
    Placement placement;
    placement.pads.assign(reference.pads.begin(), reference.pads.end());
    for (int dim = 0; dim < rank; ++dim)
      placement.dims.push_back(joined(arrangement[dim]));
    placement.partial = joined(arrangement[rank]);
    llvm::sort(placement.partial);
    return placement;
  }

  //===--------------------------------------------------------------------===//
  // Moves
  //===--------------------------------------------------------------------===//

  /// Adds a move, if the tensor fits where it leads.
  void add(Node from, const Arrangement &to, Cost cost) {
    auto it = nodes.find(codeOf(to));
    if (it != nodes.end())
      reference.edges[from].push_back({it->second, uint32_t(cost.bytes)});
  }

  /// Calls `visit` with every list of distinct items, in every order.
  static void forEachList(ArrayRef<int> items, std::vector<int> &list,
                          llvm::function_ref<void(ArrayRef<int>)> visit) {
    if (!list.empty())
      visit(list);
    for (int item : items) {
      if (llvm::is_contained(list, item))
        continue;
      list.push_back(item);
      forEachList(items, list, visit);
      list.pop_back();
    }
  }

  void addMoves(const Arrangement &arrangement, Node node) {
    int64_t blocks = 1;
    for (int dim = 0; dim < rank; ++dim)
      blocks *= product(arrangement[dim]);
    addFree(arrangement, node);
    addReductions(arrangement, node, blocks);
    for (int dim = 0; dim < rank; ++dim)
      addMovesOf(dim, arrangement, node, blocks);
  }

  /// Slices and make_partials, of one part at a time: more is more of them.
  void addFree(const Arrangement &arrangement, Node node) {
    for (int part = 0; part < int(parts.size()); ++part) {
      if (llvm::any_of(arrangement, [&](const std::vector<int> &list) {
            return llvm::is_contained(list, part);
          }))
        continue;
      for (int i = 0; i <= rank; ++i) {
        Arrangement next = arrangement;
        next[i].push_back(part);
        llvm::sort(next[rank]);
        add(node, next, {});
      }
    }
  }

  void addReductions(const Arrangement &arrangement, Node node,
                     int64_t blocks) {
    std::vector<int> list;
    forEachList(arrangement[rank], list, [&](ArrayRef<int> axes) {
      int64_t n = product(axes);
      Arrangement reduced = arrangement;
      llvm::erase_if(reduced[rank],
                     [&](int part) { return llvm::is_contained(axes, part); });
      add(node, reduced, costOfMove(Move::AllReduce, n, blocks, numDevices));
      for (int dim = 0; dim < rank; ++dim) {
        Arrangement next = reduced;
        next[dim].insert(next[dim].end(), axes.begin(), axes.end());
        add(node, next, costOfMove(Move::ReduceScatter, n, blocks, numDevices));
      }
    });
  }

  /// The most minor parts of a dim, gathered or moved to another.
  void addMovesOf(int dim, const Arrangement &arrangement, Node node,
                  int64_t blocks) {
    Arrangement gathered = arrangement;
    std::vector<int> axes;
    while (!gathered[dim].empty()) {
      axes.insert(axes.begin(), gathered[dim].back());
      gathered[dim].pop_back();
      int64_t n = product(axes);
      add(node, gathered, costOfMove(Move::AllGather, n, blocks, numDevices));
      for (int other = 0; other < rank; ++other) {
        if (other == dim)
          continue;
        Arrangement next = gathered;
        next[other].insert(next[other].end(), axes.begin(), axes.end());
        add(node, next, costOfMove(Move::AllToAll, n, blocks, numDevices));
      }
    }
  }

  Reference &reference;
  int64_t numDevices;
  int rank;
  std::vector<Axis> parts;
  std::vector<std::pair<Arrangement, Node>> arrangements;
  std::unordered_map<uint64_t, Node> nodes;
};

Reference::Reference(const Mesh &mesh, ArrayRef<int64_t> pads,
                     ArrayRef<Cutting> cuttings)
    : mesh(mesh), pads(pads.begin(), pads.end()) {
  for (const Cutting &cutting : cuttings)
    Builder(*this, cutting);
  addHubs();
}

/// The number of a placement, which may have been met in another cutting.
Reference::Node Reference::stateOf(const Placement &placement) {
  // No axis has more than 255 devices here.
  std::string key;
  auto write = [&](ArrayRef<Axis> axes) {
    for (const Axis &axis : axes)
      for (size_t i = 0; i < mesh.axes.size(); ++i)
        if (axis.name == mesh.axes[i].first)
          key += {char(i + 1), char(axis.pre), char(axis.size)};
    key += '\0';
  };
  for (const Axes &axes : placement.dims)
    write(axes);
  write(placement.partial);
  auto [it, isNew] = numbers.try_emplace(key, Node(placements.size()));
  if (isNew) {
    placements.push_back(placement);
    edges.emplace_back();
    isPartial.push_back(!placement.partial.empty());
  }
  return it->second;
}

void Reference::addHubs() {
  auto product = [](ArrayRef<Axis> axes) {
    int64_t n = 1;
    for (const Axis &axis : axes)
      n *= axis.size;
    return n;
  };
  std::map<std::vector<int64_t>, Node> hubs;
  for (Node state = 0; state < placements.size(); ++state) {
    std::vector<int64_t> counts;
    int64_t blocks = 1;
    for (const Axes &axes : placements[state].dims) {
      counts.push_back(product(axes));
      blocks *= counts.back();
    }
    counts.push_back(product(placements[state].partial));
    auto [it, isNew] = hubs.try_emplace(counts, Node(edges.size()));
    if (isNew) {
      edges.emplace_back();
      isPartial.push_back(isPartial[state]);
    }
    Cost cost = costOfMove(Move::Permute, 1, blocks, mesh.numDevices());
    edges[state].push_back({it->second, uint32_t(cost.bytes)});
    edges[it->second].push_back({state, 0});
  }
}

std::vector<size_t> Reference::wholeStates() const {
  auto isWhole = [&](const Axis &axis) {
    return llvm::is_contained(mesh.wholeAxes(), axis);
  };
  std::vector<size_t> whole;
  for (size_t state = 0; state < placements.size(); ++state)
    if (llvm::all_of(
            placements[state].dims,
            [&](const Axes &axes) { return llvm::all_of(axes, isWhole); }) &&
        llvm::all_of(placements[state].partial, isWhole))
      whole.push_back(state);
  return whole;
}

//===----------------------------------------------------------------------===//
// Shortest paths
//===----------------------------------------------------------------------===//

Reference::Least Reference::from(size_t state) const {
  // Twice as many nodes as there are: 2 i is node i, partial of the source's
  // kind if it is, and 2 i + 1 the same of another kind.
  Cost far{std::numeric_limits<int64_t>::max(), 0};
  std::vector<Cost> best(2 * edges.size(), far);
  using Entry = std::pair<Cost, Node>;
  auto isLater = [](const Entry &a, const Entry &b) {
    return b.first < a.first;
  };
  std::priority_queue<Entry, std::vector<Entry>, decltype(isLater)> open(
      isLater);
  Least least;
  least.before.resize(best.size());
  auto visit = [&](Node node, Cost cost, Node before) {
    if (!(cost < best[node]))
      return;
    best[node] = cost;
    least.before[node] = before;
    open.push({cost, node});
  };
  visit(2 * Node(state), {}, 2 * Node(state));
  while (!open.empty()) {
    auto [cost, node] = open.top();
    open.pop();
    if (best[node] < cost)
      continue;
    for (const Edge &edge : edges[node / 2]) {
      bool keepsKind = isPartial[node / 2], hasKind = isPartial[edge.target];
      Cost sum = cost + edge.cost();
      if (!hasKind || !keepsKind || node % 2 == 0)
        visit(2 * edge.target, sum, node);
      if (hasKind && (!keepsKind || node % 2 == 1))
        visit(2 * edge.target + 1, sum, node);
    }
  }
  for (size_t i = 0; i < placements.size(); ++i) {
    least.sameKind.push_back(best[2 * i]);
    least.otherKind.push_back(isPartial[i] ? best[2 * i + 1] : best[2 * i]);
  }
  return least;
}

std::vector<size_t> Reference::pathTo(size_t state, bool isOtherKind,
                                      const Least &least) const {
  std::vector<size_t> path;
  Node node = 2 * Node(state) + (isOtherKind && isPartial[state]);
  for (Node last = node + 1; node != last;
       last = node, node = least.before[node])
    if (node / 2 < placements.size())
      path.insert(path.begin(), node / 2);
  return path;
}
