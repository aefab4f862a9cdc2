//===- CollectiveTest.cpp - passes over collectives on random ones --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Local programs of random moves and a little arithmetic. What a pass makes of
// them must be accepted by the verifier and compute the same on all devices.
//
// TP_FUZZ_PROGRAMS and TP_FUZZ_SEED say how many and from which on.
//
//===----------------------------------------------------------------------===//

#include "Support.h"
#include "mlir/Parser/Parser.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Reshard.h"
#include "gtest/gtest.h"
#include <cstdlib>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

unsigned setting(const char *name, unsigned otherwise) {
  const char *text = std::getenv(name);
  return text ? unsigned(std::strtoul(text, nullptr, 10)) : otherwise;
}

/// A value of the program under construction.
struct Local {
  Value value;
  Placement placement;
  Tensor whole;
};

/// A mesh with the axes, or parts of one, that programs use on it.
struct MoveMesh {
  const char *text;
  std::vector<Axis> axes;
};

class MoveProgram {
public:
  MoveProgram(MLIRContext &context, unsigned seed)
      : random(seed), builder(&context), loc(builder.getUnknownLoc()) {
    static const MoveMesh meshes[] = {
        {"[\"x\"=2, \"y\"=2]", {{"x", 1, 2}, {"y", 1, 2}}},
        {"[\"x\"=2, \"y\"=3]", {{"x", 1, 2}, {"y", 1, 3}}},
        {"[\"x\"=4]", {{"x", 1, 2}, {"x", 2, 2}}},
        {"[\"x\"=6]", {{"x", 1, 2}, {"x", 2, 3}}},
        {"[\"x\"=8]", {{"x", 1, 2}, {"x", 2, 2}, {"x", 4, 2}}},
        {"[\"x\"=2, \"y\"=2, \"z\"=2]",
         {{"x", 1, 2}, {"y", 1, 2}, {"z", 1, 2}}}};
    const MoveMesh &choice = meshes[below(std::size(meshes))];
    axes = choice.axes;
    module = parseSourceString<ModuleOp>(
        std::string("tp.mesh @mesh = <") + choice.text + ">", &context);
    mesh = (*module->getOps<MeshOp>().begin()).getMesh();
    builder.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(builder, loc, "f",
                                    builder.getFunctionType({}, {}));
    builder.setInsertionPointToEnd(function.addEntryBlock());
    for (unsigned i = 0, count = 1 + below(2); i < count; ++i)
      addArgument();
    for (unsigned i = 0, count = 2 + below(12); i < count; ++i)
      addOp();
    finish();
  }

  OwningOpRef<ModuleOp> module;
  Tensors arguments, expected;

private:
  unsigned below(unsigned count) { return unsigned(random() % count); }
  const Local &any() {
    // Recent values make longer chains.
    unsigned age = std::min(below(pool.size()), below(pool.size()));
    return pool[pool.size() - 1 - age];
  }

  Axes someAxes() {
    std::vector<Axis> shuffled = axes;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    return Axes(shuffled.begin(),
                shuffled.begin() + 1 + below(shuffled.size()));
  }
  ArrayAttr attribute(ArrayRef<Axis> list) {
    return toAttribute(normalised(list), mesh, builder.getContext());
  }

  /// Every dim divides by all devices; a fifth of it may be padding.
  void addArgument() {
    SmallVector<int64_t> shape{12, 12}, pads{24, 24};
    if (below(2))
      shape = pads;
    Placement placement = Placement::replicated(shape);
    placement.pads.assign(pads.begin(), pads.end());
    placement.partialKind = static_cast<ReduceKind>(below(3));
    for (const Axis &axis : someAxes()) {
      unsigned where = below(4);
      if (where < 2)
        placement.dims[where].push_back(axis);
      else if (where == 2)
        placement.partial.push_back(axis);
    }
    for (Axes &dim : placement.dims)
      dim = normalised(dim);
    llvm::sort(placement.partial);
    placement.partial = normalised(placement.partial);
    auto type = RankedTensorType::get(shape, builder.getF32Type());
    auto local =
        RankedTensorType::get(placement.localShape(), builder.getF32Type());
    unsigned number = function.getNumArguments();
    (void)function.insertArgument(number, local, {}, loc);
    function.setArgAttr(number, kShardingName, sharding(placement, shape));
    function.setArgAttr(number, kGlobalName, TypeAttr::get(type));
    arguments.push_back(randomTensor(type, -9, 9, random));
    pool.push_back({function.getArgument(number), placement, arguments.back()});
  }

  ShardingAttr sharding(const Placement &placement, ArrayRef<int64_t> shape) {
    return toSharding(placement, FlatSymbolRefAttr::get(meshName()), mesh,
                      shape, builder.getContext());
  }
  StringAttr meshName() { return builder.getStringAttr("mesh"); }

  void addOp() {
    const Local &from = any();
    if (below(5) == 0)
      return addArithmetic(from);
    // Most moves are not possible; an op is what does not fail to be inferred.
    for (unsigned i = 0; i < 30; ++i)
      if (addMove(from))
        return;
  }

  void addArithmetic(Local from) {
    if (!from.placement.partial.empty() &&
        from.placement.partialKind != ReduceKind::Sum)
      return;
    for (double &x : from.whole.data)
      x = -x;
    from.value = arith::NegFOp::create(builder, loc, from.value);
    pool.push_back(from);
  }

  /// The local type after a move; null if the dim does not divide.
  Type typeAfter(Move move, Type type, int64_t n, int64_t dim, int64_t split) {
    SmallVector<int64_t> shape(cast<RankedTensorType>(type).getShape());
    if (move == Move::AllGather || move == Move::AllToAll)
      shape[dim] *= n;
    bool shrinks = move == Move::Slice || move == Move::ReduceScatter ||
                   move == Move::AllToAll;
    int64_t &shrunk = shape[move == Move::AllToAll ? split : dim];
    if (shrinks && shrunk % n)
      return {};
    if (shrinks)
      shrunk /= n;
    return RankedTensorType::get(shape, builder.getF32Type());
  }

  /// Any move over these axes, right or wrong; null if there is no type for it.
  Operation *createMove(const Local &from, Move move, const Axes &list) {
    int64_t dim = below(2), split = 1 - dim, n = 1;
    for (const Axis &axis : list)
      n *= axis.size;
    Type type = typeAfter(move, from.value.getType(), n, dim, split);
    if (!type)
      return nullptr;
    TypeRange types(type);
    ValueRange values(from.value);
    auto on = FlatSymbolRefAttr::get(meshName());
    ArrayAttr over = attribute(list);
    auto kind =
        ReduceKindAttr::get(builder.getContext(), from.placement.partialKind);
    auto dims = builder.getDenseI64ArrayAttr({dim});
    StringAttr why = builder.getStringAttr("r" + std::to_string(pool.size()));
    switch (move) {
    case Move::AllReduce:
      return AllReduceOp::create(builder, loc, types, values, on, over, kind,
                                 why, why);
    case Move::AllGather:
      return AllGatherOp::create(builder, loc, types, values, on, over, dims,
                                 why, why);
    case Move::ReduceScatter:
      return ReduceScatterOp::create(builder, loc, types, values, on, over,
                                     kind, dims, why, why);
    case Move::AllToAll:
      return AllToAllOp::create(builder, loc, types, values, on, over, dims,
                                builder.getDenseI64ArrayAttr({split}), why,
                                why);
    case Move::Permute: {
      Axes to = list;
      std::shuffle(to.begin(), to.end(), random);
      return PermuteOp::create(builder, loc, types, values, on, over,
                               attribute(to), why, why);
    }
    case Move::Slice:
      return tp::SliceOp::create(builder, loc, type, from.value, on, over,
                                 builder.getI64IntegerAttr(dim));
    case Move::MakePartial:
      return MakePartialOp::create(builder, loc, type, from.value, on, over,
                                   kind);
    }
    return nullptr;
  }

  bool addMove(const Local &from) {
    // Gathers, of which few are possible, are tried twice as often.
    static const Move moves[] = {
        Move::AllReduce, Move::AllGather, Move::ReduceScatter, Move::AllToAll,
        Move::Permute,   Move::Slice,     Move::MakePartial,   Move::AllGather};
    Axes list = someAxes();
    Operation *op = createMove(from, moves[below(std::size(moves))], list);
    if (!op)
      return false;
    std::string message;
    auto to = cast<PlacementOpInterface>(op).inferPlacement(0, from.placement,
                                                            message);
    if (failed(to)) {
      op->erase();
      return false;
    }
    Local next{op->getResult(0), *to, from.whole};
    llvm::sort(next.placement.partial);
    next.placement.partial = normalised(next.placement.partial);
    pool.push_back(next);
    return true;
  }

  /// Returns the last value and some others.
  void finish() {
    SmallVector<Value> results;
    std::vector<Local> returned;
    for (const Local &local : llvm::reverse(pool))
      if (returned.empty() || below(4) == 0)
        returned.push_back(local);
    for (const Local &local : returned) {
      results.push_back(local.value);
      expected.push_back(local.whole);
    }
    func::ReturnOp::create(builder, loc, results);
    function.setFunctionType(builder.getFunctionType(
        function.getArgumentTypes(), ValueRange(results).getTypes()));
    for (auto [i, local] : llvm::enumerate(returned)) {
      function.setResultAttr(i, kShardingName,
                             sharding(local.placement, local.whole.shape));
      function.setResultAttr(i, kGlobalName,
                             TypeAttr::get(RankedTensorType::get(
                                 local.whole.shape, builder.getF32Type())));
    }
  }

  std::mt19937 random;
  OpBuilder builder;
  Location loc;
  func::FuncOp function;
  MeshAttr mesh;
  std::vector<Axis> axes;
  std::vector<Local> pool;
};

int64_t bytesSent(ModuleOp module) {
  int64_t bytes = 0;
  module.walk([&](CollectiveOpInterface op) { bytes += op.getBytesSent(); });
  return bytes;
}

/// The reasons of collectives, in order: they are all different.
std::vector<std::string> reasons(ModuleOp module) {
  std::vector<std::string> found;
  module.walk([&](CollectiveOpInterface op) {
    found.push_back(op.getReasonText().str());
  });
  return found;
}

using AddPasses = void (*)(OpPassManager &functions);

/// Random programs through passes; `changed` counts those that send less.
void check(AddPasses add, unsigned &changed) {
  auto context = makeContext();
  PassManager passes(context.get());
  add(passes.nest<func::FuncOp>());
  Passes verifier(*context);
  unsigned count = setting("TP_FUZZ_PROGRAMS", 2000);
  unsigned seed = setting("TP_FUZZ_SEED", 1);
  for (unsigned i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
    MoveProgram program(*context, seed + i);
    std::string messages, before = toText(*program.module);
    ASSERT_TRUE(succeeded(verifier.verify(*program.module, messages)))
        << "seed " << seed + i << ": the program itself is wrong: " << messages
        << before;
    int64_t sent = bytesSent(*program.module);
    ASSERT_TRUE(succeeded(passes.run(*program.module))) << before;
    EXPECT_TRUE(succeeded(verifier.verify(*program.module, messages)))
        << messages;
    EXPECT_EQ(checkLocal(functionOf(*program.module), program.arguments,
                         program.expected),
              "");
    int64_t left = bytesSent(*program.module);
    EXPECT_LE(left, sent);
    changed += left < sent;
    if (::testing::Test::HasFailure())
      ADD_FAILURE() << "seed " << seed + i << "\n"
                    << before << toText(*program.module);
  }
}

TEST(Collectives, SimplifiedComputeTheSame) {
  unsigned changed = 0;
  check(
      [](OpPassManager &functions) {
        functions.addPass(createTPSimplifyCollectives());
      },
      changed);
  EXPECT_GT(changed, setting("TP_FUZZ_PROGRAMS", 2000) / 4);
}

TEST(Collectives, MergedComputeTheSame) {
  unsigned changed = 0;
  check(
      [](OpPassManager &functions) {
        functions.addPass(createTPMergeCollectives());
      },
      changed);
}

TEST(Collectives, MergedThenSimplifiedComputeTheSame) {
  unsigned changed = 0;
  check(
      [](OpPassManager &functions) {
        functions.addPass(createTPMergeCollectives());
        functions.addPass(createTPSimplifyCollectives());
        functions.addPass(createTPMergeCollectives());
      },
      changed);
}

TEST(Collectives, OverlappedComputeTheSame) {
  unsigned changed = 0;
  check([](OpPassManager &functions) { addOverlap(functions); }, changed);
}

//===----------------------------------------------------------------------===//
// Halves
//===----------------------------------------------------------------------===//

/// Bytes of the arena, or of an argument or result, that hold a tensor.
struct Bytes {
  rt::PlaceKind kind;
  int64_t begin, end;

  bool overlaps(const Bytes &other) const {
    return kind == other.kind && begin < other.end && other.begin < end;
  }
};

/// Where a value of a planned function is.
Bytes placeOf(Value value) {
  auto type = tensorOf(value.getType());
  int64_t bytes = type.getNumElements() * 4;
  // Arguments and results are apart, of any size.
  auto slot = [&](rt::PlaceKind kind, int64_t number) {
    return Bytes{kind, number, number + 1};
  };
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return slot(rt::PlaceKind::Argument,
                cast<BlockArgument>(value).getArgNumber());
  auto places = result.getOwner()->getAttrOfType<ArrayAttr>(rt::kPlacesName);
  auto place = cast<rt::PlaceAttr>(places[result.getResultNumber()]);
  if (place.getKind() == rt::PlaceKind::Operand)
    return placeOf(result.getOwner()->getOperand(place.getIndex()));
  if (place.getKind() != rt::PlaceKind::Arena)
    return slot(place.getKind(), place.getIndex());
  return {rt::PlaceKind::Arena, place.getIndex(), place.getIndex() + bytes};
}

/// What is started and not awaited yet: nothing else writes what it reads or
/// writes.
void checkPending(func::FuncOp function, unsigned &between) {
  for (Operation &start : function.getBody().front()) {
    if (!isStart(&start))
      continue;
    Operation *last = *start.user_begin();
    for (Operation *wait : start.getUsers())
      if (last->isBeforeInBlock(wait))
        last = wait;
    SmallVector<Value> busy(start.getOperands());
    busy.append(start.result_begin(), start.result_end());
    for (Operation *op = start.getNextNode(); op != last;
         op = op->getNextNode()) {
      if (isa<WaitOp>(op))
        continue;
      for (Value written : op->getResults())
        for (Value value : busy) {
          ++between;
          EXPECT_FALSE(placeOf(written).overlaps(placeOf(value)));
        }
    }
  }
}

TEST(Collectives, OverlapKeepsOrderAndMemory) {
  auto context = makeContext();
  PassManager scheduling(context.get()), planning(context.get());
  addOverlap(scheduling.nest<func::FuncOp>());
  planning.nest<func::FuncOp>().addPass(createNNFuseKernels());
  planning.nest<func::FuncOp>().addPass(createTPPlanMemory());
  unsigned between = 0, count = setting("TP_FUZZ_PROGRAMS", 2000);
  for (unsigned i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
    MoveProgram program(*context, setting("TP_FUZZ_SEED", 1) + i);
    std::vector<std::string> before = reasons(*program.module);
    ASSERT_TRUE(succeeded(scheduling.run(*program.module)));
    EXPECT_EQ(reasons(*program.module), before);
    ASSERT_TRUE(succeeded(planning.run(*program.module)));
    checkPending(functionOf(*program.module), between);
    if (::testing::Test::HasFailure())
      ADD_FAILURE() << "program " << i << "\n" << toText(*program.module);
  }
  // Something is done in the meantime.
  EXPECT_GT(between, count / 10);
}

} // namespace
