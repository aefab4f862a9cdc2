//===- ReshardReference.h - the least a reshard can cost --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A second search for shortest paths over the table of moves in Reshard.h,
// which shares nothing with the first: it writes down every state and every
// move and runs Dijkstra from one state to all, in whole numbers.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_DIALECT_RESHARDREFERENCE_H
#define TP_UNITTESTS_DIALECT_RESHARDREFERENCE_H

#include "Simulator.h"
#include <map>
#include <unordered_map>

namespace mlir::tp::test {

/// What a path costs. On N devices, bytes are counted in 1 / N^2 of the whole
/// tensor's, of which every block's fraction is a multiple: (n - 1) / n of a
/// tensor in d blocks, where n and d divide N.
struct Cost {
  int64_t bytes = 0;
  int64_t collectives = 0;

  bool operator==(const Cost &other) const {
    return bytes == other.bytes && collectives == other.collectives;
  }
  bool operator<(const Cost &other) const {
    return std::tie(bytes, collectives) <
           std::tie(other.bytes, other.collectives);
  }
  Cost operator+(const Cost &other) const {
    return {bytes + other.bytes, collectives + other.collectives};
  }
};

/// The cost of one move over n of `numDevices` devices, of a tensor in
/// `blocks`.
Cost costOfMove(Move move, int64_t n, int64_t blocks, int64_t numDevices);

/// How the axes of a mesh are cut: for each, the sizes of its parts.
using Cutting = std::vector<std::vector<int64_t>>;

Cutting uncut(const Mesh &mesh);
/// All ways to cut the axes into parts of prime size: 2 x 3 and 3 x 2.
std::vector<Cutting> everyCutting(const Mesh &mesh);

/// All placements of a tensor on a mesh whose axes are cut in one of some ways,
/// and the moves between them. Partial states are there twice, once for either
/// of two kinds: that of the source of a path, and another.
class Reference {
public:
  Reference(const Mesh &mesh, llvm::ArrayRef<int64_t> pads,
            llvm::ArrayRef<Cutting> cuttings);

  size_t size() const { return placements.size(); }
  /// Each state as a placement, of kind sum.
  const Placement &placement(size_t state) const { return placements[state]; }
  /// The states whose axes are all whole.
  std::vector<size_t> wholeStates() const;

  /// Least costs from one state to all: where the target is partial, of the
  /// source's kind (or any, if the source is not partial), and of another.
  struct Least {
    std::vector<Cost> sameKind, otherKind;
    /// For pathTo: of each node and kind, the one before it.
    std::vector<uint32_t> before;
  };
  Least from(size_t state) const;
  /// The states on a cheapest path, for messages.
  std::vector<size_t> pathTo(size_t state, bool isOtherKind,
                             const Least &least) const;

private:
  /// One list for each dim, and a last one, in ascending order, of what is
  /// partial, of numbers of parts in one cutting.
  using Arrangement = std::vector<std::vector<int>>;
  /// States, then hubs: one hub for each choice of numbers of blocks and of
  /// partials, to which permutes lead and from which they come for free.
  using Node = uint32_t;

  /// A move; it is a collective if it sends bytes.
  struct Edge {
    Node target;
    uint32_t bytes;
    Cost cost() const { return {bytes, bytes > 0}; }
  };

  /// The states and moves of one cutting.
  class Builder;

  Node stateOf(const Placement &placement);
  void addHubs();

  const Mesh &mesh;
  std::vector<int64_t> pads;
  std::vector<Placement> placements;
  std::unordered_map<std::string, Node> numbers;
  std::vector<std::vector<Edge>> edges;
  std::vector<bool> isPartial;
};

} // namespace mlir::tp::test

#endif // TP_UNITTESTS_DIALECT_RESHARDREFERENCE_H
