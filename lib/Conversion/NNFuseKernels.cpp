//===- NNFuseKernels.cpp - groups ops into kernels ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// One walk over the block. A group is open while no op outside it has used one
// of its results; only open groups grow, so that a group can always be placed
// where its last member was: nothing before that point needs it, and everything
// it needs is there. Two open groups can be joined for the same reason.
//
// Leaves (constants, broadcasts, index tensors) belong to no group: they are
// cloned into every group that uses them, and only become a kernel of their own
// for an op that cannot be in one.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/SetVector.h"
#include <deque>

namespace mlir::tp {
#define GEN_PASS_DEF_NNFUSEKERNELS
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Preparation
//===----------------------------------------------------------------------===//

/// Replaces ops that are the identity by their operand.
static void dropIdentity(Operation *op) {
  auto buffers = dyn_cast<BufferOpInterface>(op);
  if (!buffers || op->getNumResults() != 1)
    return;
  std::optional<unsigned> viewed = buffers.getViewedOperand(0);
  if (!viewed ||
      op->getOperand(*viewed).getType() != op->getResult(0).getType())
    return;
  op->getResult(0).replaceAllUsesWith(op->getOperand(*viewed));
  op->erase();
}

/// Writes a composite out, unsharded as every local op is: the same whichever
/// factor is named.
static void decompose(Operation *op) {
  auto composite = cast<DecomposeOpInterface>(op);
  ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
  const auto *factor = llvm::find_if(rule.factors, [](const Factor &factor) {
    return factor.kind == FactorKind::Decompose;
  });
  if (factor == rule.factors.end())
    factor = rule.factors.begin();
  if (factor == rule.factors.end())
    return;
  OpBuilder builder(op);
  SmallVector<Value> values = composite.decompose(
      builder, factor - rule.factors.begin(), /*shards=*/1, factor->size);
  op->replaceAllUsesWith(values);
  op->erase();
}

/// Brings the dims that a reduction takes away to the end.
static void makeTrailing(Operation *op) {
  auto reduction = cast<KernelOpInterface>(op);
  SmallVector<int64_t> reduced = reduction.getReducedDims();
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  if (reduced.front() == type.getRank() - int64_t(reduced.size()))
    return;
  SmallVector<int64_t> permutation, shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!llvm::is_contained(reduced, dim))
      permutation.push_back(dim);
  llvm::append_range(permutation, reduced);
  for (int64_t dim : permutation)
    shape.push_back(type.getDimSize(dim));
  OpBuilder builder(op);
  Value input = nn::TransposeOp::create(
      builder, op->getLoc(), type.clone(shape), op->getOperand(0), permutation);
  op->getResult(0).replaceAllUsesWith(
      reduction.buildTrailingReduction(builder, input));
  op->erase();
}

/// Erases what nothing needs. Leaves may stand after ops that used them.
static void eraseDead(Block &block) {
  llvm::SetVector<Operation *> dead;
  for (Operation &op : block)
    if (isOpTriviallyDead(&op))
      dead.insert(&op);
  while (!dead.empty()) {
    Operation *op = dead.pop_back_val();
    SmallVector<Value> operands(op->getOperands());
    op->erase();
    for (Value operand : operands) {
      Operation *producer = operand ? operand.getDefiningOp() : nullptr;
      if (producer && producer->getBlock() == &block &&
          isOpTriviallyDead(producer))
        dead.insert(producer);
    }
  }
}

static void prepare(Block &block) {
  eraseDead(block);
  for (Operation &op : llvm::make_early_inc_range(block))
    dropIdentity(&op);
  for (Operation &op : llvm::make_early_inc_range(block))
    if (getKernelRole(&op) == KernelRole::Composite)
      decompose(&op);
  for (Operation &op : llvm::make_early_inc_range(block))
    if (getKernelRole(&op) == KernelRole::Reduction)
      makeTrailing(&op);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static bool isLeaf(Operation *op) {
  return getKernelRole(op) == KernelRole::Leaf;
}

namespace {

struct Group {
  /// The iteration space, and the dims that a reduction leaves, if there is
  /// one.
  SmallVector<int64_t> space;
  std::optional<unsigned> rows;
  bool open = true;
  SmallVector<Operation *> members;

  bool isRowShape(ArrayRef<int64_t> shape) const {
    return rows && ArrayRef<int64_t>(space).take_front(*rows) == shape;
  }
};

/// What an op asks of a group that it joins.
struct Request {
  ArrayRef<int64_t> shape;
  std::optional<unsigned> rows; ///< of a reduction
};

class Grouping {
public:
  explicit Grouping(Block &block) : block(block) {}

  void run();

  /// The groups that are left, each with its members in the block's order, by
  /// the position of their last member.
  std::vector<Group *> take();

  Group *groupOf(Operation *op) {
    auto it = numbers.find(op);
    return it == numbers.end() ? nullptr : &groups[find(it->second)];
  }

  /// An op is gone; another may get its address.
  void forget(Operation *op) { numbers.erase(op); }

private:
  unsigned find(unsigned number) {
    while (parents[number] != number)
      number = parents[number] = parents[parents[number]];
    return number;
  }
  void visit(Operation *op);
  void visitMember(Operation *op, const Request &request);
  void materialise(Operation *leaf, Operation *user);
  bool accepts(const Group &group, const Request &request) const;
  void forEachSource(Value value, function_ref<void(Value, bool)> callback,
                     bool inPlace = true);
  unsigned join(unsigned a, unsigned b);
  void closeSources(Operation *op);

  Block &block;
  std::deque<Group> groups;
  std::vector<unsigned> parents;
  DenseMap<Operation *, unsigned> numbers;
};

} // namespace

/// Whether dim d of the operand is dim d of the op.
static bool runsAlongLeadingDims(Operation *op, unsigned index) {
  SmallVector<int64_t> dims = getOperandDims(op, index);
  return llvm::equal(dims, llvm::seq<int64_t>(0, dims.size()));
}

/// Calls back with each value that `value` is computed from through leaves; the
/// flag says whether a leading dim of it is the same dim of `value`.
void Grouping::forEachSource(Value value,
                             function_ref<void(Value, bool)> callback,
                             bool inPlace) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != &block)
    return;
  if (getKernelRole(op) != KernelRole::Leaf || numbers.count(op)) {
    callback(value, inPlace);
    // A leaf with a kernel of its own is still cloned; so are its sources read.
    if (getKernelRole(op) != KernelRole::Leaf)
      return;
  }
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    forEachSource(operand, callback, inPlace && runsAlongLeadingDims(op, i));
}

bool Grouping::accepts(const Group &group, const Request &request) const {
  if (!group.open)
    return false;
  bool full = ArrayRef<int64_t>(group.space) == request.shape;
  if (request.rows)
    return full && (!group.rows || group.rows == request.rows);
  return full || group.isRowShape(request.shape);
}

unsigned Grouping::join(unsigned a, unsigned b) {
  Group &to = groups[a], &from = groups[b];
  llvm::append_range(to.members, from.members);
  from.members.clear();
  if (!to.rows)
    to.rows = from.rows;
  parents[b] = a;
  return a;
}

/// Every group that an op outside it reads is complete.
void Grouping::closeSources(Operation *op) {
  Group *own = groupOf(op);
  for (Value operand : op->getOperands())
    forEachSource(operand, [&](Value source, bool) {
      Group *group = groupOf(source.getDefiningOp());
      if (group && group != own)
        group->open = false;
    });
}

void Grouping::visitMember(Operation *op, const Request &request) {
  // Groups that give an operand at a point that this op's element can reach.
  llvm::SmallSetVector<unsigned, 4> candidates;
  llvm::SmallDenseSet<unsigned, 4> refused;
  auto visitSource = [&](Value source, bool inPlace) {
    auto it = numbers.find(source.getDefiningOp());
    if (it == numbers.end())
      return;
    unsigned number = find(it->second);
    if (inPlace && accepts(groups[number], request))
      candidates.insert(number);
    else
      refused.insert(number);
  };
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    bool inPlace = !isLeaf(op) || runsAlongLeadingDims(op, i);
    forEachSource(operand, visitSource, inPlace);
  }
  std::optional<unsigned> chosen;
  // The widest space first: others become rows of it.
  auto byRank = candidates.takeVector();
  llvm::sort(byRank, [&](unsigned a, unsigned b) {
    return std::make_tuple(groups[b].space.size(), a) <
           std::make_tuple(groups[a].space.size(), b);
  });
  for (unsigned number : byRank) {
    if (refused.count(number))
      continue;
    if (!chosen) {
      chosen = number;
      continue;
    }
    Group &to = groups[*chosen], &from = groups[number];
    bool same = to.space == from.space &&
                (!to.rows || !from.rows || to.rows == from.rows);
    bool rowsOnly = !from.rows && to.isRowShape(from.space);
    if (same || rowsOnly)
      chosen = join(*chosen, number);
  }
  if (!chosen) {
    chosen = groups.size();
    groups.emplace_back().space.assign(request.shape.begin(),
                                       request.shape.end());
    parents.push_back(*chosen);
  }
  Group &group = groups[*chosen];
  group.members.push_back(op);
  if (request.rows)
    group.rows = request.rows;
  numbers[op] = *chosen;
  closeSources(op);
}

/// Gives a leaf that `user`, an op outside any kernel, needs a kernel. The
/// groups that it reads may have grown since the leaf was written, so it moves
/// to where they are complete.
void Grouping::materialise(Operation *leaf, Operation *user) {
  if (numbers.count(leaf))
    return;
  leaf->moveBefore(user);
  visitMember(leaf,
              Request{shapeOf(leaf->getResult(0).getType()), std::nullopt});
}

void Grouping::visit(Operation *op) {
  switch (getKernelRole(op)) {
  case KernelRole::Leaf:
    return;
  case KernelRole::Pointwise:
    return visitMember(
        op, Request{shapeOf(op->getResult(0).getType()), std::nullopt});
  case KernelRole::Reduction:
    return visitMember(op, Request{shapeOf(op->getOperand(0).getType()),
                                   shapeOf(op->getResult(0).getType()).size()});
  default:
    break;
  }
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    if (producer && isa<RankedTensorType>(operand.getType()) &&
        getKernelRole(producer) == KernelRole::Leaf)
      materialise(producer, op);
  }
  closeSources(op);
}

void Grouping::run() {
  for (Operation &op : block)
    visit(&op);
}

std::vector<Group *> Grouping::take() {
  std::vector<Group *> result;
  for (Group &group : groups) {
    if (group.members.empty())
      continue;
    llvm::sort(group.members, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    result.push_back(&group);
  }
  llvm::sort(result, [](Group *a, Group *b) {
    return a->members.back()->isBeforeInBlock(b->members.back());
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

namespace {

/// Builds the fused op of one group.
class FusedBuilder {
public:
  FusedBuilder(Grouping &grouping, Group &group)
      : grouping(grouping), group(group),
        members(group.members.begin(), group.members.end()) {}

  void build();

private:
  Value map(Value value);
  Value cloneInto(Operation *op);
  bool isCloned(Operation *leaf);
  bool isReadElsewhere(Value value);
  bool isResult(Operation *op);
  bool takesResult(Operation *op, Operation *user);

  Grouping &grouping;
  Group &group;
  DenseSet<Operation *> members;
  IRMapping mapping;
  Block *body = nullptr;
  SmallVector<Value> inputs;
};

} // namespace

/// Clones an op without what only matters outside of kernels.
Value FusedBuilder::cloneInto(Operation *op) {
  for (Value operand : op->getOperands())
    map(operand);
  // The block has no parent yet.
  OpBuilder builder(op->getContext());
  builder.setInsertionPointToEnd(body);
  Operation *clone = builder.clone(*op, mapping);
  for (NamedAttribute attribute : llvm::to_vector(clone->getDiscardableAttrs()))
    clone->removeDiscardableAttr(attribute.getName());
  return mapping.lookup(op->getResult(0));
}

/// The value inside the region: a member's, a clone of a leaf, or an argument.
Value FusedBuilder::map(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  // A leaf may be a member that stands after the one that reads it.
  Operation *op = value.getDefiningOp();
  if (op && isLeaf(op))
    return cloneInto(op);
  inputs.push_back(value);
  Value argument = body->addArgument(value.getType(), value.getLoc());
  mapping.map(value, argument);
  return argument;
}

/// Whether another group will clone a leaf, directly or through other leaves.
bool FusedBuilder::isCloned(Operation *leaf) {
  return llvm::any_of(leaf->getUsers(), [&](Operation *user) {
    Group *other = grouping.groupOf(user);
    return (other && other != &group) || (isLeaf(user) && isCloned(user));
  });
}

/// Whether the value of a member must outlive the kernel.
bool FusedBuilder::isReadElsewhere(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (!isLeaf(user))
      return !members.contains(user);
    Group *other = grouping.groupOf(user);
    return (other && other != &group) || isCloned(user);
  });
}

/// Whether `user` reads what the kernel gives for member `op`: other groups
/// clone a leaf, and read anything else.
bool FusedBuilder::takesResult(Operation *op, Operation *user) {
  if (isLeaf(op))
    return !isLeaf(user) && !grouping.groupOf(user);
  // Leaves that are members were cloned already, but stay for other groups.
  return isLeaf(user) || !members.contains(user);
}

bool FusedBuilder::isResult(Operation *op) {
  if (!isLeaf(op))
    return isReadElsewhere(op->getResult(0));
  return llvm::any_of(op->getUsers(),
                      [&](Operation *user) { return takesResult(op, user); });
}

void FusedBuilder::build() {
  auto block = std::make_unique<Block>();
  body = block.get();
  SmallVector<Operation *> producers;
  SmallVector<Type> types;
  for (Operation *op : group.members) {
    if (!mapping.contains(op->getResult(0)))
      cloneInto(op);
    if (!isResult(op))
      continue;
    producers.push_back(op);
    types.push_back(op->getResult(0).getType());
  }
  Operation *last = group.members.back();
  OpBuilder builder(last);
  // The module that the last member belongs to names the kernel's launch.
  auto fused = rt::FusedOp::create(builder, last->getLoc(), types, inputs);
  fused.getBody().push_back(block.release());
  SmallVector<Value> yielded;
  for (Operation *op : producers)
    yielded.push_back(mapping.lookup(op->getResult(0)));
  builder.setInsertionPointToEnd(body);
  rt::YieldOp::create(builder, last->getLoc(), yielded);
  for (auto [op, result] : llvm::zip(producers, fused.getResults()))
    op->getResult(0).replaceUsesWithIf(result, [&, op = op](OpOperand &use) {
      return takesResult(op, use.getOwner());
    });
  // Leaves stay for other groups to clone, and are dead in the end.
  for (Operation *op : llvm::reverse(group.members)) {
    if (isLeaf(op))
      continue;
    op->dropAllUses();
    grouping.forget(op);
    op->erase();
  }
}

namespace {

struct NNFuseKernelsPass
    : public tp::impl::NNFuseKernelsBase<NNFuseKernelsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration() || function->hasAttr(rt::kKernelName))
      return;
    if (!function.getBody().hasOneBlock()) {
      function.emitError(
          "lowering needs straight-line code, one block a function");
      return signalPassFailure();
    }
    Block &block = function.getBody().front();
    prepare(block);
    Grouping grouping(block);
    grouping.run();
    for (Group *group : grouping.take())
      FusedBuilder(grouping, *group).build();
    eraseDead(block);
  }
};

} // namespace
