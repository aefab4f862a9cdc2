//===- RandomProgram.cpp - legal programs made of choices -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "RandomProgram.h"
#include "mlir/IR/Verifier.h"
#include "tp/Dialect/NN/IR/NN.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

Recipe Recipe::random(unsigned seed) {
  std::mt19937 generator(seed);
  auto numbers = [&](size_t count) {
    Choices choices(count);
    for (uint32_t &choice : choices)
      choice = uint32_t(generator());
    return choices;
  };
  Recipe recipe;
  recipe.mesh = numbers(12);
  for (size_t count = 3 + generator() % 23; count > 0; --count)
    recipe.ops.push_back(numbers(40));
  recipe.placements = numbers(240);
  return recipe;
}

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

unsigned ProgramBuilder::below(unsigned count) {
  if (next >= choices->size() || count == 0)
    return 0;
  // Kept small, so that shrinking has less to do.
  uint32_t &choice = (*choices)[next++];
  choice %= count;
  return choice;
}

int64_t ProgramBuilder::size() { return sizes[below(sizes.size())]; }

SmallVector<int64_t> ProgramBuilder::shape(unsigned leastRank,
                                           unsigned mostRank) {
  SmallVector<int64_t> result;
  int64_t elements = 1;
  unsigned rank = leastRank + below(mostRank - leastRank + 1);
  for (unsigned i = 0; i < rank; ++i) {
    int64_t extent = size();
    if (elements * extent > 300)
      extent = 1;
    elements *= extent;
    result.push_back(extent);
  }
  return result;
}

RankedTensorType ProgramBuilder::tensor(ArrayRef<int64_t> shape, Type element) {
  return RankedTensorType::get(shape, element ? element : f32);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value ProgramBuilder::fresh(Type type, int low, int high) {
  Value value = function.getBody().front().addArgument(type, loc);
  tensors.try_emplace(value, randomTensor(type, low, high, numbers));
  pool.push_back(value);
  return value;
}

Value ProgramBuilder::any(Type element, unsigned leastRank, unsigned mostRank,
                          bool exact) {
  SmallVector<Value> fitting;
  for (Value value : llvm::reverse(pool)) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getElementType() == element && type.getRank() >= leastRank &&
        type.getRank() <= mostRank && (!exact || isExact(value)))
      fitting.push_back(value);
  }
  // Recent ones, most of the time.
  unsigned range =
      oneIn(4) ? fitting.size() : std::min<size_t>(fitting.size(), 4);
  unsigned choice = below(range + (oneIn(5) || !range ? 1 : 0));
  if (choice < range)
    return fitting[choice];
  return fresh(tensor(shape(leastRank, std::min(mostRank, 4u)), element));
}

Value ProgramBuilder::operand(Type type, int low, int high) {
  SmallVector<Value> fitting;
  bool mustFit = low != -4 || high != 4;
  for (Value value : llvm::reverse(pool)) {
    auto fits = [&](double x) { return x >= low && x <= high; };
    if (value.getType() == type &&
        (!mustFit || (isExact(value) &&
                      llvm::all_of(tensors.find(value)->second.data, fits))))
      fitting.push_back(value);
  }
  unsigned choice = below(fitting.size() + 1);
  return choice < fitting.size() ? fitting[choice] : fresh(type, low, high);
}

bool ProgramBuilder::keep(Operation *op, bool isInexact) {
  OpFunction evaluate = lookupOp(op->getName().getStringRef());
  SmallVector<const Tensor *> in;
  for (Value value : op->getOperands()) {
    in.push_back(&tensors.find(value)->second);
    isInexact |= !isExact(value);
  }
  if (!evaluate || failed(verify(op))) {
    op->erase();
    return false;
  }
  Tensors results = evaluate(op, in);
  for (const Tensor &tensor : results)
    for (double x : tensor.data)
      isInexact |= std::floor(x) != x;
  double limit = isInexact ? 100 : 1e5;
  for (const Tensor &tensor : results)
    if (tensor.data.size() > 600 || llvm::any_of(tensor.data, [&](double x) {
          return !(std::abs(x) <= limit);
        })) {
      op->erase();
      return false;
    }
  for (auto [value, tensor] : llvm::zip(op->getResults(), results)) {
    tensors.try_emplace(value, std::move(tensor));
    pool.push_back(value);
    if (isInexact)
      inexact.insert(value);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Meshes and placements
//===----------------------------------------------------------------------===//

void ProgramBuilder::makeMesh(Recipe &recipe) {
  choices = &recipe.mesh;
  next = 0;
  SmallVector<MeshAxisAttr> axes;
  unsigned count = 1 + below(3);
  int64_t ranks = 1;
  for (unsigned i = 0; i < count; ++i) {
    int64_t extent = ArrayRef<int64_t>{2, 3, 4, 1}[below(4)];
    if (ranks * extent > 12)
      extent = 1;
    ranks *= extent;
    StringRef name = ArrayRef<StringRef>{"x", "y", "z"}[i];
    axes.push_back(MeshAxisAttr::get(builder.getContext(), name, extent));
  }
  mesh = MeshAttr::get(builder.getContext(), axes);
  for (int i = 0; i < 4; ++i)
    sizes.push_back(ArrayRef<int64_t>{2, 4, 3, 6, 12, 5, 8, 1, 7}[below(9)]);
}

Placement ProgramBuilder::placement(RankedTensorType type, bool mayBePartial) {
  Placement result = Placement::replicated(type.getShape());
  Axes parts;
  for (MeshAxisAttr axis : mesh.getAxes()) {
    if (axis.getSize() == 4 && oneIn(3)) {
      parts.push_back({axis.getName(), 1, 2});
      parts.push_back({axis.getName(), 2, 2});
    } else {
      parts.push_back({axis.getName(), 1, axis.getSize()});
    }
  }
  if (oneIn(3))
    std::reverse(parts.begin(), parts.end());
  for (const Axis &part : parts) {
    unsigned rank = type.getRank();
    unsigned choice = below(2 * rank + 2);
    if (choice == 1 && mayBePartial)
      result.partial.push_back(part);
    if (choice < 2 || rank == 0)
      continue;
    unsigned dim = (choice - 2) % rank;
    int64_t shards = sizeOf(result.dims[dim]) * part.size;
    if (type.getDimSize(dim) % shards == 0 || oneIn(16))
      result.dims[dim].push_back(part);
  }
  for (auto [axes, pad, size] :
       llvm::zip(result.dims, result.pads, type.getShape()))
    if (oneIn(40))
      pad = (llvm::divideCeil(size, sizeOf(axes)) + 1) * sizeOf(axes);
  // Bits are of integers, and a sum of bits is no bit.
  bool isBit = type.getElementType().isInteger(1);
  if (!result.partial.empty() && (isBit || oneIn(3))) {
    ReduceKind kinds[] = {ReduceKind::And, ReduceKind::Or, ReduceKind::Max,
                          ReduceKind::Product, ReduceKind::Min};
    unsigned first = type.getElementType().isInteger() ? 0 : 2;
    result.partialKind = kinds[first + below(isBit ? 2 : 5 - first)];
  }
  return result;
}

ShardingAttr ProgramBuilder::attribute(const Placement &placement,
                                       RankedTensorType type) {
  return toSharding(placement, meshName, mesh, type.getShape(),
                    builder.getContext());
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

ProgramBuilder::ProgramBuilder(MLIRContext &context, Recipe &recipe)
    : builder(&context), loc(builder.getUnknownLoc()),
      f32(builder.getF32Type()), i32(builder.getI32Type()), recipe(recipe) {
  makeMesh(recipe);
  module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(module->getBody());
  MeshOp::create(builder, loc, "mesh", mesh);
  meshName = FlatSymbolRefAttr::get(&context, "mesh");
  function =
      func::FuncOp::create(builder, loc, "f", builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
}

Program ProgramBuilder::run() {
  for (Choices &list : recipe.ops) {
    choices = &list;
    next = 0;
    auto [name, maker] = makers()[below(makers().size())];
    maker(*this, name);
  }
  choices = &recipe.placements;
  next = 0;
  if (pool.empty())
    fresh(tensor({size()}));
  finish();
  Program program;
  for (BlockArgument argument : function.getArguments())
    program.arguments.push_back(tensors.find(argument)->second);
  program.expected = std::move(expected);
  program.module = std::move(module);
  return program;
}

void ProgramBuilder::placeArguments() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = cast<RankedTensorType>(argument.getType());
    if (!oneIn(2))
      continue;
    bool isParameter = type.getElementType() == f32 && oneIn(4);
    Placement placed = placement(type, !isParameter && oneIn(3));
    function.setArgAttr(number, kShardingName, attribute(placed, type));
    if (isParameter)
      function.setArgAttr(
          number, "nn.parameter",
          nn::ParameterAttr::getWhole(
              builder.getContext(), "w" + std::to_string(number),
              "w" + std::to_string(number), type.getShape(), "normal"));
  }
}

void ProgramBuilder::finish() {
  // Everything that nothing uses is a result, so that all of it is compared.
  SmallVector<Value> results;
  for (Value value : llvm::reverse(pool))
    if (value.use_empty() && (value.getDefiningOp() || results.empty()))
      results.push_back(value);
  func::ReturnOp::create(builder, loc, results);
  Block &block = function.getBody().front();
  for (unsigned i = block.getNumArguments(); i-- > 0;)
    if (block.getArgument(i).use_empty())
      block.eraseArgument(i);
  SmallVector<Type> types;
  for (Value value : results)
    types.push_back(value.getType());
  function.setFunctionType(
      builder.getFunctionType(block.getArgumentTypes(), types));
  placeArguments();
  for (auto [i, value] : llvm::enumerate(results)) {
    expected.push_back(tensors.find(value)->second);
    auto type = cast<RankedTensorType>(value.getType());
    if (oneIn(3)) {
      Placement placed = placement(type, oneIn(4));
      function.setResultAttr(i, kShardingName, attribute(placed, type));
      continue;
    }
    // State goes back to where it came from.
    if (!oneIn(3))
      continue;
    for (BlockArgument argument : function.getArguments()) {
      unsigned number = argument.getArgNumber();
      auto sharding =
          function.getArgAttrOfType<ShardingAttr>(number, kShardingName);
      if (argument.getType() != type ||
          function.getArgAttr(number, "nn.state") ||
          function.getArgAttr(number, "nn.parameter") ||
          (sharding && !sharding.getPartialAxes().empty()))
        continue;
      auto name = builder.getStringAttr("s" + Twine(number));
      function.setArgAttr(number, "nn.state", name);
      function.setResultAttr(i, "nn.state", name);
      break;
    }
  }
}
