//===- ReshardSearch.cpp - shortest paths between placements --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardSearch.h"
#include "ReshardBound.h"
#include "ReshardMoves.h"
#include "llvm/ADT/StringMap.h"
#include <limits>
#include <queue>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

namespace {

/// How much of a state is settled.
enum Stage : uint8_t {
  /// All of it: it is where the moves from the start lead.
  Placed,
  /// The numbers of blocks and partials: a permute will choose the axes.
  Counted,
  /// All but which of the parts of equal size: a permute has chosen them so
  /// that the moves after it lead to the goal.
  Permuted
};

struct Node {
  State state; ///< canonical
  Stage stage;
  /// The dim of the reduce-scatter that led here, if it can be continued.
  int8_t scattered;
  bool isGoal;
  Cost cost, estimate;  ///< from the start; of the rest, never too high
  bool isFinal = false; ///< whether there is no better estimate
  uint16_t inPlace = 0; ///< how many parts are where the goal has them
  size_t parent = 0;
};

class Search {
public:
  Search(const Problem &problem, const SearchOptions &options)
      : problem(problem), options(options), table(problem.table),
        moves(problem), placed(table, [&](Part part) { return roleOf(part); }),
        permuted(table, [](Part) { return 0; }),
        whole(problem.devices * problem.devices),
        goalUnits(problem.units(problem.goal)),
        goalPartial(problem.table.product(problem.goal.partial)),
        placedGoal(problem.goal), permutedGoal(problem.goal) {
    placed.makeCanonical(placedGoal);
    permuted.makeCanonical(permutedGoal);
    for (const Parts &dim : problem.goal.dims)
      goalBlocks.push_back(table.product(dim));
    for (Part part = 0; part < table.numParts(); ++part)
      oneOrder &= permuted.areAlike(part, 0);
  }

  SearchResult run() {
    relax({problem.start, Placed, -1}, 0, {});
    while (!queue.empty()) {
      Entry entry = queue.top();
      queue.pop();
      size_t number = entry.node;
      if (nodes[number].cost < entry.cost)
        continue; // Reached more cheaply since.
      if (number == goalNode)
        return {path(), nodes[number].cost};
      if (nodes.size() > options.mostStates)
        return giveUp();
      if (nodes[number].isFinal || options.isQuick || numExpanded < kFirst)
        expand(number);
      else
        refine(number);
    }
    return {};
  }

private:
  /// What has been found so far may be the best.
  SearchResult giveUp() const {
    if (goalNode == kNone)
      return {std::nullopt, {}, /*gaveUp=*/true};
    return {path(), nodes[goalNode].cost, /*gaveUp=*/true};
  }

  /// So many states are looked at before outlines are worth their while.
  static constexpr size_t kFirst = 8;

  /// Where the goal does not tell parts apart, the way to it does not.
  int roleOf(Part part) const {
    if (llvm::is_contained(problem.goal.partial, part))
      return 1;
    return llvm::any_of(
               problem.goal.dims,
               [&](const Parts &dim) { return llvm::is_contained(dim, part); })
               ? -1
               : 0;
  }

  const Alike &alike(Stage stage) const {
    return stage == Placed ? placed : permuted;
  }

  //===--------------------------------------------------------------------===//
  // Estimates
  //===--------------------------------------------------------------------===//

  /// Less than what any path to the goal costs, or as much, at a glance:
  ///  - A block grows by all-gathers alone, each of which costs what it adds.
  ///  - p partials become q at the least cost when each device reduces its
  ///    share of the blocks, 1 / D of the tensor for each partial, which are
  ///    gathered at the end.
  ///  - Where nothing is partial, a device receives what the goal's block has
  ///    and its own has not; on some device that is all of it if the two are
  ///    cut by different axes.
  Cost glance(const Node &node) const {
    const State &state = node.state;
    int64_t least = std::max<int64_t>(0, goalUnits - problem.units(state));
    int64_t partial = table.product(state.partial);
    int64_t share = whole / problem.devices;
    bool changesKind = !state.goalKind && goalPartial > 1;
    if (changesKind && partial > 1)
      least = std::max(least, (partial - 1) * share);
    else if (partial > goalPartial)
      least = std::max(least, goalUnits + (partial - 2 * goalPartial) * share);
    else if (node.stage == Placed && partial == 1 && goalPartial == 1)
      least = std::max(least, goalUnits - leastOverlap(state));
    return {least, least > 0 && node.scattered < 0,
            least > 0 && node.scattered < 0};
  }

  /// Asks for a better estimate, until it is worse than that of the next state.
  void refine(size_t number) {
    Node &node = nodes[number];
    if (!bound) {
      bound.emplace(problem);
      if (goalNode != kNone)
        bound->setLimit(nodes[goalNode].cost.units);
      else if (options.limit)
        bound->setLimit(options.limit->units);
    }
    // The first collective may continue the last one.
    int32_t continued = node.scattered >= 0;
    Cost enough{std::numeric_limits<int64_t>::max(), 0, 0};
    if (!queue.empty())
      enough = queue.top().total - (options.isGreedy ? Cost() : node.cost) +
               Cost{0, continued, continued};
    auto [cost, isFinal] =
        bound->least(node.state, node.stage != Placed, enough);
    cost.collectives = std::max(0, cost.collectives - continued);
    cost.moves = std::max(0, cost.moves - continued);
    node.estimate = std::max(node.estimate, cost);
    node.isFinal = isFinal;
    push(number);
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

  /// How many parts both lists begin with.
  static size_t common(ArrayRef<Part> a, ArrayRef<Part> b) {
    size_t i = 0;
    while (i < a.size() && i < b.size() && a[i] == b[i])
      ++i;
    return i;
  }

  /// Whether the lists, after what they have in common, go on with axes that
  /// are independent of each other.
  bool isCutApart(ArrayRef<Part> a, ArrayRef<Part> b) const {
    size_t i = common(a, b);
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
  // Steps
  //===--------------------------------------------------------------------===//

  struct Step {
    State state;
    Stage stage;
    int8_t scattered;
  };

  void expand(size_t number) {
    ++numExpanded;
    const State state = nodes[number].state; // `nodes` grows.
    Stage stage = nodes[number].stage;
    int8_t scattered = nodes[number].scattered;
    if (stage == Counted) {
      moves.forEachPermuted(state, permuted, [&](State next) {
        relax({std::move(next), Permuted, -1}, number, {});
      });
      return;
    }
    moves.forEach(state, alike(stage),
                  [&](State next, const Edge &edge, int64_t units) {
                    forStep(stage, scattered, std::move(next), edge, units,
                            [&](Step step, Cost cost) {
                              relax(std::move(step), number, cost);
                            });
                  });
    if (stage == Placed || !oneOrder)
      relax({state, Counted, -1}, number, {problem.units(state), 1, 1});
  }

  /// Adds to a move what it costs and whether it goes on with a
  /// reduce-scatter.
  static void forStep(Stage stage, int8_t scattered, State next,
                      const Edge &edge, int64_t units,
                      function_ref<void(Step, Cost)> visit) {
    bool scatters = edge.move == Move::ReduceScatter;
    bool goesOn = scatters && scattered == edge.dim;
    bool mayGoOn = scatters && !next.partial.empty();
    visit({std::move(next), stage, int8_t(mayGoOn ? edge.dim : -1)},
          {units, units > 0 && !goesOn, !goesOn});
  }

  /// Lists, one after another, then the flags.
  std::string keyOf(const Step &step) const {
    std::string key;
    auto add = [&](ArrayRef<Part> list) {
      key.append(list.begin(), list.end());
      key.push_back(char(0xff));
    };
    if (step.stage == Counted) {
      // All states of the same counts are one.
      for (const Parts &dim : step.state.dims)
        key += std::to_string(table.product(dim)) + ' ';
      key += std::to_string(table.product(step.state.partial));
    } else {
      for (const Parts &dim : step.state.dims)
        add(dim);
      add(step.state.partial);
    }
    key.push_back(char(step.state.goalKind));
    key.push_back(char(step.stage));
    key.push_back(char(step.scattered));
    return key;
  }

  void relax(Step step, size_t from, Cost cost) {
    bool isGoal = false;
    if (step.stage != Counted) {
      alike(step.stage).makeCanonical(step.state);
      isGoal = step.state == (step.stage == Placed ? placedGoal : permutedGoal);
      if (isGoal)
        step.scattered = -1;
    }
    if (!nodes.empty())
      cost = cost + nodes[from].cost;
    if (!isOfInterest(cost))
      return;
    auto [it, inserted] = numbers.try_emplace(keyOf(step), nodes.size());
    size_t number = it->second;
    if (inserted) {
      uint16_t inPlace = countInPlace(step);
      nodes.push_back({std::move(step.state),
                       step.stage,
                       step.scattered,
                       isGoal,
                       cost,
                       {},
                       /*isFinal=*/isGoal,
                       inPlace,
                       from});
      nodes.back().estimate = glance(nodes.back());
    } else {
      if (!(cost < nodes[number].cost))
        return;
      nodes[number].cost = cost;
      nodes[number].parent = from;
    }
    if (isGoal) {
      goalNode = number;
      if (bound)
        bound->setLimit(cost.units);
    }
    push(number);
  }

  uint16_t countInPlace(const Step &step) const {
    if (step.stage != Placed)
      return 0;
    size_t count = 0;
    for (auto [dim, goal] : llvm::zip(step.state.dims, problem.goal.dims))
      count += common(dim, goal);
    return count;
  }

  bool isOfInterest(const Cost &cost) const {
    if (goalNode != kNone)
      return cost < nodes[goalNode].cost;
    return !options.limit ||
           std::tie(cost.units, cost.collectives) <
               std::tie(options.limit->units, options.limit->collectives);
  }

  void push(size_t number) {
    const Node &node = nodes[number];
    Cost total = node.cost + node.estimate;
    if (number == goalNode || isOfInterest(total))
      queue.push({options.isGreedy ? node.estimate : total, node.cost,
                  node.inPlace, number});
  }

  struct Entry {
    Cost total, cost;
    uint16_t inPlace;
    size_t node;
    /// Of equals, the one that has more in its place, then the one that has
    /// come further, then the one found earlier.
    bool operator<(const Entry &other) const {
      if (total < other.total || other.total < total)
        return other.total < total;
      return std::tuple(inPlace, cost.units, other.node) <
             std::tuple(other.inPlace, other.cost.units, node);
    }
  };

  //===--------------------------------------------------------------------===//
  // The path
  //===--------------------------------------------------------------------===//

  /// A step between two nodes: to which state before that was made canonical,
  /// and how it was.
  struct Taken {
    Edge edge;
    State raw;
    Renaming renaming;
  };

  /// The cheapest move that leads from one node to the other.
  Taken findMove(const Node &from, const Node &to) const {
    Taken taken;
    int64_t least = -1;
    moves.forEach(from.state, alike(from.stage),
                  [&](State next, const Edge &edge, int64_t units) {
                    State raw = next;
                    if (least >= 0 && units >= least)
                      return;
                    forStep(
                        from.stage, from.scattered, std::move(next), edge,
                        units, [&](Step step, Cost) {
                          alike(step.stage).makeCanonical(step.state);
                          if (step.state == to.state &&
                              (to.isGoal || step.scattered == to.scattered)) {
                            least = units;
                            taken = {edge, std::move(raw), {}};
                          }
                        });
                  });
    State canonical = taken.raw;
    alike(to.stage).makeCanonical(canonical, &taken.renaming);
    return taken;
  }

  static Renaming inverse(const Renaming &renaming) {
    Renaming result(renaming.size());
    for (auto [from, to] : llvm::enumerate(renaming))
      result[to] = from;
    return result;
  }

  /// First `inner`, then `outer`.
  static Renaming compose(const Renaming &outer, const Renaming &inner) {
    Renaming result;
    for (Part part : inner)
      result.push_back(outer[part]);
    return result;
  }

  Parts renamed(ArrayRef<Part> list, const Renaming &renaming) const {
    Parts result;
    for (Part part : list)
      result.push_back(renaming[part]);
    return result;
  }

  State renamed(const State &state, const Renaming &renaming) const {
    State result = state;
    for (Parts &dim : result.dims)
      dim = renamed(dim, renaming);
    result.partial = table.sorted(renamed(state.partial, renaming));
    return result;
  }

  Edge renamed(Edge edge, const Renaming &renaming) const {
    edge.parts = renamed(edge.parts, renaming);
    if (edge.move == Move::AllReduce)
      edge.parts = table.sorted(edge.parts);
    return edge;
  }

  /// Nodes are canonical; up to the first permute, their parts get their names
  /// from the start, and after it from the goal.
  std::vector<PathStep> path() const {
    SmallVector<size_t> chain;
    for (size_t at = goalNode; at != 0; at = nodes[at].parent)
      if (nodes[at].stage != Counted)
        chain.push_back(at);
    chain.push_back(0);
    std::reverse(chain.begin(), chain.end());
    size_t numPlaced = 0;
    while (numPlaced < chain.size() && nodes[chain[numPlaced]].stage == Placed)
      ++numPlaced;

    std::vector<PathStep> steps(chain.size() - 1);
    Renaming names;
    State start = problem.start;
    placed.makeCanonical(start, &names);
    names = inverse(names);
    for (size_t i = 0; i + 1 < numPlaced; ++i) {
      Taken taken = findMove(nodes[chain[i]], nodes[chain[i + 1]]);
      steps[i] = {renamed(taken.edge, names),
                  i == 0 ? problem.start : steps[i - 1].after,
                  renamed(taken.raw, names)};
      names = compose(names, inverse(taken.renaming));
    }
    if (numPlaced < chain.size()) {
      namePermuted(chain, numPlaced, steps);
      PathStep &permute = steps[numPlaced - 1];
      permute.edge.move = Move::Permute;
      permute.before =
          numPlaced == 1 ? problem.start : steps[numPlaced - 2].after;
    }
    return joinScatters(std::move(steps));
  }

  /// From the goal back to the first permute, of which it writes the state
  /// after.
  void namePermuted(ArrayRef<size_t> chain, size_t numPlaced,
                    std::vector<PathStep> &steps) const {
    Renaming names;
    State goal = problem.goal;
    permuted.makeCanonical(goal, &names);
    names = inverse(names);
    for (size_t i = chain.size() - 1; i >= numPlaced; --i) {
      const Node &node = nodes[chain[i]];
      steps[i - 1].after = renamed(node.state, names);
      if (i == numPlaced)
        break;
      const Node &before = nodes[chain[i - 1]];
      if (nodes[node.parent].stage == Counted) {
        steps[i - 1].edge.move = Move::Permute;
      } else {
        Taken taken = findMove(before, node);
        names = compose(names, taken.renaming);
        steps[i - 1].edge = renamed(taken.edge, names);
      }
      steps[i - 1].before = renamed(before.state, names);
    }
  }

  std::vector<PathStep> joinScatters(std::vector<PathStep> steps) const {
    std::vector<PathStep> joined;
    for (PathStep &step : steps) {
      bool goesOn = !joined.empty() && step.edge.move == Move::ReduceScatter &&
                    joined.back().edge.move == Move::ReduceScatter &&
                    joined.back().edge.dim == step.edge.dim;
      if (goesOn) {
        table.append(joined.back().edge.parts, step.edge.parts);
        joined.back().after = std::move(step.after);
      } else {
        joined.push_back(std::move(step));
      }
    }
    return joined;
  }

  static constexpr size_t kNone = ~size_t(0);

  const Problem &problem;
  const SearchOptions &options;
  const PartTable &table;
  const Moves moves;
  std::optional<OutlineBound> bound; ///< once it is worth its while
  const Alike placed, permuted;
  const int64_t whole, goalUnits, goalPartial;
  State placedGoal, permutedGoal;
  SmallVector<int64_t> goalBlocks;
  /// Whether all placements with the same counts are one permuted state.
  bool oneOrder = true;
  size_t goalNode = kNone, numExpanded = 0;
  std::vector<Node> nodes;
  llvm::StringMap<size_t> numbers;
  std::priority_queue<Entry> queue;
};

} // namespace

SearchResult reshard::findPath(const Problem &problem,
                               const SearchOptions &options) {
  return Search(problem, options).run();
}
