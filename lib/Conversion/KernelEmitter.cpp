//===- KernelEmitter.cpp - writes a kernel as vectorised loops ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Values are computed on demand, at the point of the iteration space where they
// are wanted, in the outermost loop that knows their index, and once there. A row
// is a number of *stages*: one loop for each reduction, in order, then one loop
// that stores. What a stage needs of an earlier stage's elements it computes
// again from loads; what it needs of a reduction is a scalar of the row.
//
// The innermost loop is vectorised. Its remainder is not masked: extents are
// known, so it is a shorter vector.
//
// A kernel may work in place on inputs of the full shape: an element, or vector
// of them, is read by the last stage right before it is stored, all results of a
// step are computed before the first is stored, and results of rows are stored
// when the row is done.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/RT/IR/RT.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

using Dims = SmallVector<int64_t>;

namespace {

/// One loop that is being written, or the function around all of them.
struct Level {
  Block *block = nullptr;
  /// The next inner loop, before which values of this level go.
  Operation *inner = nullptr;
  Value index;
  std::map<std::pair<void *, Dims>, Value> values;
};

class KernelEmitter {
public:
  KernelEmitter(func::FuncOp kernel, func::FuncOp target, const KernelShape &shape)
      : kernel(kernel), target(target), shape(shape),
        builder(kernel.getContext()), loc(kernel.getLoc()) {}

  void emit();

private:
  /// What a vectorised step does; gets and gives what is carried along.
  using Step = function_ref<SmallVector<Value>(ArrayRef<Value>)>;

  void flattenBuffers();
  Value flatten(Value buffer);
  Value addConstant(DenseElementsAttr constant);

  void emitRows(unsigned loop);
  void emitStages();
  void emitReduction(Operation *op);
  void emitStores();
  SmallVector<Value> emitLoop(unsigned loop, ArrayRef<Value> carried,
                              size_t perPiece, Step step);
  SmallVector<Value> emitPieces(ArrayRef<Value> carried, size_t perPiece, Step step);
  SmallVector<Value> inLoop(int64_t extent, int64_t step, ArrayRef<Value> carried,
                            function_ref<SmallVector<Value>(ArrayRef<Value>)> body);

  Value evaluate(Value value, ArrayRef<int64_t> dims);
  Value compute(Value value, ArrayRef<int64_t> dims, bool isVector);
  Value computeLeaf(Operation *op, ArrayRef<int64_t> dims, Type type);
  Value computePointwise(Operation *op, ArrayRef<int64_t> dims, Type type);
  Value load(Value flat, ArrayRef<int64_t> valueShape, ArrayRef<int64_t> dims,
             Type type);
  void store(Value value, Value flat, ArrayRef<int64_t> valueShape);
  Value linearIndex(ArrayRef<int64_t> valueShape, ArrayRef<int64_t> dims);
  Value indexAlong(int64_t dim, Type type);

  unsigned lastLoop() const { return shape.extents.size() - 1; }
  bool runsInnermost(ArrayRef<int64_t> dims) const;
  unsigned levelOf(Value value, ArrayRef<int64_t> dims) const;
  void goTo(unsigned level);
  Value constantIndex(int64_t value);
  Type vectorOf(Type element, int64_t lanes) const;
  Value spread(Value value, Type type);

  func::FuncOp kernel, target;
  const KernelShape &shape;
  OpBuilder builder;
  Location loc;
  std::vector<Level> levels;
  int64_t currentLanes = 1;
  /// The flat buffer of each argument, non-splat constant and result.
  DenseMap<Value, Value> flats;
  SmallVector<Value> flatResults;
  DenseMap<Operation *, Value> reduced;
  unsigned numConstants = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Places and types
//===----------------------------------------------------------------------===//

/// Goes to where values of a level are written: before its inner loop if that is
/// open, else at its end.
void KernelEmitter::goTo(unsigned level) {
  Level &at = levels[level];
  if (at.inner)
    builder.setInsertionPoint(at.inner);
  else if (at.block->mightHaveTerminator())
    builder.setInsertionPoint(at.block->getTerminator());
  else
    builder.setInsertionPointToEnd(at.block);
}

bool KernelEmitter::runsInnermost(ArrayRef<int64_t> dims) const {
  return llvm::any_of(dims, [&](int64_t dim) {
    return shape.loopOf[dim] == lastLoop();
  });
}

/// The outermost level that knows the index of a value: 0 is the function, level
/// i + 1 the body of loop i.
unsigned KernelEmitter::levelOf(Value value, ArrayRef<int64_t> dims) const {
  Operation *op = value.getDefiningOp();
  if (op && getKernelRole(op) == KernelRole::Reduction)
    return shape.firstReducedLoop;
  unsigned level = 0;
  for (int64_t dim : dims)
    level = std::max(level, shape.loopOf[dim] + 1);
  return level;
}

Value KernelEmitter::constantIndex(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Type KernelEmitter::vectorOf(Type element, int64_t lanes) const {
  return lanes == 1 ? element : Type(VectorType::get({lanes}, element));
}

/// A scalar in every lane, where a vector is wanted.
Value KernelEmitter::spread(Value value, Type type) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector || isa<VectorType>(value.getType()))
    return value;
  auto wanted = VectorType::get(vector.getShape(), value.getType());
  return vector::BroadcastOp::create(builder, loc, wanted, value);
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// The buffer as one dim: all indexing is by linear index.
Value KernelEmitter::flatten(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t size = type.getNumElements();
  auto flat = MemRefType::get({size}, type.getElementType());
  if (flat == type)
    return buffer;
  return memref::ReinterpretCastOp::create(builder, loc, flat, buffer,
                                           /*offset=*/int64_t(0),
                                           ArrayRef<int64_t>{size},
                                           ArrayRef<int64_t>{1});
}

/// A constant that is not one value everywhere is data of the program.
Value KernelEmitter::addConstant(DenseElementsAttr constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (type.getElementType().isInteger(1)) {
    Type byte = builder.getI8Type();
    constant = constant.mapValues(byte, [](const APInt &bit) { return bit.zext(8); });
    type = cast<RankedTensorType>(constant.getType());
  }
  auto flat = MemRefType::get({type.getNumElements()}, type.getElementType());
  auto data = constant.reshape(
      RankedTensorType::get(flat.getShape(), flat.getElementType()));
  std::string name =
      (target.getName() + "_constant_" + Twine(numConstants++)).str();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(kernel);
  memref::GlobalOp::create(builder, loc, name, builder.getStringAttr("private"),
                           flat, data, /*constant=*/true, IntegerAttr());
  builder.setInsertionPointToEnd(levels[0].block);
  return memref::GetGlobalOp::create(builder, loc, flat, name);
}

void KernelEmitter::flattenBuffers() {
  goTo(0);
  unsigned numInputs = kernel.getNumArguments();
  for (auto [old, fresh] : llvm::zip(kernel.getArguments(), target.getArguments()))
    flats[old] = isa<MemRefType>(fresh.getType()) ? flatten(fresh) : Value(fresh);
  for (BlockArgument result : target.getArguments().drop_front(numInputs))
    flatResults.push_back(flatten(result));
  for (Operation &op : kernel.getBody().front()) {
    DenseElementsAttr constant;
    if (matchPattern(&op, m_Constant(&constant)) && !constant.isSplat())
      flats[op.getResult(0)] = addConstant(constant);
  }
}

/// The linear index of an element, or of the first of a vector: dims rise, so that
/// a value that runs along the innermost loop has its lanes side by side.
Value KernelEmitter::linearIndex(ArrayRef<int64_t> valueShape,
                                 ArrayRef<int64_t> dims) {
  Value index;
  int64_t stride = 1;
  // Of dims that share a loop, the most minor one has the loop's stride.
  std::optional<unsigned> previousLoop;
  for (int64_t i = int64_t(dims.size()) - 1; i >= 0; --i) {
    unsigned loop = shape.loopOf[dims[i]];
    if (previousLoop != loop) {
      Value term = levels[loop + 1].index;
      if (stride != 1)
        term = arith::MulIOp::create(builder, loc, term, constantIndex(stride));
      index = index ? Value(arith::AddIOp::create(builder, loc, index, term)) : term;
    }
    previousLoop = loop;
    stride *= valueShape[i];
  }
  return index ? index : constantIndex(0);
}

Value KernelEmitter::load(Value flat, ArrayRef<int64_t> valueShape,
                          ArrayRef<int64_t> dims, Type type) {
  Value index = linearIndex(valueShape, dims);
  Type stored = cast<MemRefType>(flat.getType()).getElementType();
  Value value;
  auto vector = dyn_cast<VectorType>(type);
  if (!vector) {
    value = memref::LoadOp::create(builder, loc, flat, index);
  } else {
    auto wanted = VectorType::get(vector.getShape(), stored);
    value = vector::LoadOp::create(builder, loc, wanted, flat, index);
  }
  // Booleans are bytes in memory.
  return value.getType() == type
             ? value
             : Value(arith::TruncIOp::create(builder, loc, type, value));
}

void KernelEmitter::store(Value value, Value flat, ArrayRef<int64_t> valueShape) {
  Value index = linearIndex(
      valueShape, llvm::to_vector(llvm::seq<int64_t>(0, valueShape.size())));
  Type stored = cast<MemRefType>(flat.getType()).getElementType();
  if (getElementTypeOrSelf(value.getType()) != stored) {
    Type type = stored;
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      type = VectorType::get(vector.getShape(), stored);
    value = arith::ExtUIOp::create(builder, loc, type, value);
  }
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(builder, loc, value, flat, index);
  else
    memref::StoreOp::create(builder, loc, value, flat, index);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// The element of `value` whose index along its dims is that along `dims` of the
/// space; a vector of them if it runs along the innermost loop.
Value KernelEmitter::evaluate(Value value, ArrayRef<int64_t> dims) {
  unsigned level = levelOf(value, dims);
  auto key = std::make_pair(value.getAsOpaquePointer(), Dims(dims));
  auto &known = levels[level].values;
  auto it = known.find(key);
  if (it != known.end())
    return it->second;
  Value result = compute(value, dims, runsInnermost(dims));
  known[key] = result;
  return result;
}

Value KernelEmitter::compute(Value value, ArrayRef<int64_t> dims, bool isVector) {
  Operation *op = value.getDefiningOp();
  if (op)
    if (Value row = reduced.lookup(op))
      return row;
  if (!isa<RankedTensorType>(value.getType())) {
    if (!op)
      return flats.lookup(value);
    goTo(0);
    return builder.clone(*op)->getResult(0);
  }
  auto tensor = cast<RankedTensorType>(value.getType());
  Type type = vectorOf(tensor.getElementType(), isVector ? currentLanes : 1);
  unsigned level = levelOf(value, dims);
  if (Value flat = flats.lookup(value)) {
    goTo(level);
    return load(flat, tensor.getShape(), dims, type);
  }
  DenseElementsAttr constant;
  if (matchPattern(op, m_Constant(&constant))) {
    goTo(level);
    auto element = constant.getSplatValue<Attribute>();
    TypedAttr attribute = cast<TypedAttr>(element);
    if (auto vector = dyn_cast<VectorType>(type))
      attribute = DenseElementsAttr::get(vector, element);
    return arith::ConstantOp::create(builder, loc, attribute);
  }
  if (getKernelRole(op) == KernelRole::Leaf)
    return computeLeaf(op, dims, type);
  return computePointwise(op, dims, type);
}

/// The index along a dim of the space, of one element or of each lane.
Value KernelEmitter::indexAlong(int64_t dim, Type type) {
  unsigned loop = shape.loopOf[dim];
  Value index = levels[loop + 1].index;
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return index;
  auto wanted = VectorType::get(vector.getShape(), builder.getIndexType());
  Value first = vector::BroadcastOp::create(builder, loc, wanted, index);
  if (loop != lastLoop())
    return first;
  SmallVector<Attribute> steps;
  for (int64_t lane = 0; lane < vector.getNumElements(); ++lane)
    steps.push_back(builder.getIndexAttr(lane));
  Value lanes = arith::ConstantOp::create(builder, loc,
                                          DenseElementsAttr::get(wanted, steps));
  return arith::AddIOp::create(builder, loc, first, lanes);
}

Value KernelEmitter::computeLeaf(Operation *op, ArrayRef<int64_t> dims, Type type) {
  SmallVector<Value> operands;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    Dims operandDims;
    if (isa<RankedTensorType>(operand.getType()))
      for (int64_t dim : getOperandDims(op, i))
        operandDims.push_back(dims[dim]);
    operands.push_back(evaluate(operand, operandDims));
  }
  goTo(levelOf(op->getResult(0), dims));
  for (Value &operand : operands)
    operand = spread(operand, type);
  return cast<KernelOpInterface>(op).buildElement(
      builder, operands, type, [&](int64_t dim) { return indexAlong(dims[dim], type); });
}

Value KernelEmitter::computePointwise(Operation *op, ArrayRef<int64_t> dims,
                                      Type type) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, evaluate(operand, dims));
  goTo(levelOf(op->getResult(0), dims));
  Operation *clone = builder.clone(*op, mapping);
  clone->setLoc(loc);
  clone->getResult(0).setType(type);
  return clone->getResult(0);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Writes a loop one level further in; `body` gives what the next round gets.
SmallVector<Value> KernelEmitter::inLoop(
    int64_t extent, int64_t step, ArrayRef<Value> carried,
    function_ref<SmallVector<Value>(ArrayRef<Value>)> body) {
  unsigned outer = levels.size() - 1;
  goTo(outer);
  Value begin = constantIndex(0), end = constantIndex(extent);
  auto loop = scf::ForOp::create(builder, loc, begin, end, constantIndex(step),
                                 ValueRange(carried));
  levels[outer].inner = loop;
  // Without carried values the builder has ended the body already.
  Block *block = loop.getBody();
  if (block->mightHaveTerminator())
    block->getTerminator()->erase();
  levels.push_back({block, nullptr, loop.getInductionVar(), {}});
  SmallVector<Value> arguments(loop.getRegionIterArgs());
  SmallVector<Value> next = body(arguments);
  builder.setInsertionPointToEnd(block);
  scf::YieldOp::create(builder, loc, next);
  levels.pop_back();
  levels[outer].inner = nullptr;
  return llvm::to_vector_of<Value>(loop.getResults());
}

/// The vectorised loop and its remainder. The first `perPiece` carried values
/// belong to full vectors, the others to the remainder.
SmallVector<Value> KernelEmitter::emitPieces(ArrayRef<Value> carried,
                                             size_t perPiece, Step step) {
  int64_t extent = shape.extents.back(), lanes = shape.lanes;
  int64_t full = extent / lanes * lanes;
  SmallVector<Value> result;
  // A single step needs no loop: its values go where the loop would be.
  auto once = [&](int64_t start, int64_t width, ArrayRef<Value> values) {
    unsigned outer = levels.size() - 1;
    goTo(outer);
    levels.push_back({levels[outer].block, nullptr, constantIndex(start), {}});
    currentLanes = width;
    llvm::append_range(result, step(values));
    levels.pop_back();
  };
  if (full > lanes) {
    llvm::append_range(result,
                       inLoop(full, lanes, carried.take_front(perPiece),
                              [&](ArrayRef<Value> values) {
                                currentLanes = lanes;
                                return step(values);
                              }));
  } else if (full == lanes) {
    once(0, lanes, carried.take_front(perPiece));
  } else {
    llvm::append_range(result, carried.take_front(perPiece));
  }
  if (extent > full)
    once(full, extent - full, carried.drop_front(perPiece));
  else
    llvm::append_range(result, carried.drop_front(perPiece));
  return result;
}

SmallVector<Value> KernelEmitter::emitLoop(unsigned loop, ArrayRef<Value> carried,
                                           size_t perPiece, Step step) {
  if (loop == lastLoop())
    return emitPieces(carried, perPiece, step);
  return inLoop(shape.extents[loop], 1, carried, [&](ArrayRef<Value> values) {
    return emitLoop(loop + 1, values, perPiece, step);
  });
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static TypedAttr neutralOf(ReduceKind kind, FloatType type) {
  double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case ReduceKind::Sum:
    return FloatAttr::get(type, 0.0);
  case ReduceKind::Product:
    return FloatAttr::get(type, 1.0);
  case ReduceKind::Max:
    return FloatAttr::get(type, -infinity);
  case ReduceKind::Min:
    return FloatAttr::get(type, infinity);
  }
  llvm_unreachable("all kinds are listed");
}

static vector::CombiningKind combiningKindOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return vector::CombiningKind::ADD;
  case ReduceKind::Product:
    return vector::CombiningKind::MUL;
  case ReduceKind::Max:
    return vector::CombiningKind::MAXIMUMF;
  case ReduceKind::Min:
    return vector::CombiningKind::MINIMUMF;
  }
  llvm_unreachable("all kinds are listed");
}

/// Accumulates lane by lane, in at least f32, then across the lanes.
void KernelEmitter::emitReduction(Operation *op) {
  ReduceKind kind = cast<KernelOpInterface>(op).getReduceKind();
  Value input = op->getOperand(0);
  auto element = cast<FloatType>(
      cast<RankedTensorType>(input.getType()).getElementType());
  FloatType wide = element.getWidth() < 32 ? builder.getF32Type() : element;
  int64_t extent = shape.extents.back();
  int64_t remainder = extent % shape.lanes;
  goTo(levels.size() - 1);
  SmallVector<Value> initial;
  auto addAccumulator = [&](int64_t lanes) {
    TypedAttr neutral = neutralOf(kind, wide);
    if (lanes > 1)
      neutral = DenseElementsAttr::get(VectorType::get({lanes}, wide),
                                       Attribute(neutral));
    initial.push_back(arith::ConstantOp::create(builder, loc, neutral));
  };
  bool hasFull = extent >= shape.lanes;
  if (hasFull)
    addAccumulator(shape.lanes);
  if (remainder)
    addAccumulator(remainder);
  auto step = [&](ArrayRef<Value> carried) -> SmallVector<Value> {
    Value value = evaluate(
        input, llvm::to_vector(llvm::seq<int64_t>(0, shape.space.size())));
    goTo(levels.size() - 1);
    if (wide != element)
      value = arith::ExtFOp::create(builder, loc, vectorOf(wide, currentLanes), value);
    return {vector::makeArithReduction(builder, loc, combiningKindOf(kind),
                                       carried.front(), value)};
  };
  SmallVector<Value> sums =
      emitLoop(shape.firstReducedLoop, initial, hasFull ? 1 : 0, step);
  goTo(levels.size() - 1);
  Value total;
  for (Value sum : sums) {
    if (isa<VectorType>(sum.getType()))
      sum = vector::ReductionOp::create(builder, loc, combiningKindOf(kind), sum);
    total = total ? vector::makeArithReduction(builder, loc, combiningKindOf(kind),
                                               total, sum)
                  : sum;
  }
  if (wide != element)
    total = arith::TruncFOp::create(builder, loc, element, total);
  reduced[op] = total;
}

/// Stores results of the full shape in a loop, then results of the row.
void KernelEmitter::emitStores() {
  Operation *terminator = kernel.getBody().front().getTerminator();
  SmallVector<std::pair<Value, Value>> full, rows;
  for (auto [result, flat] : llvm::zip(terminator->getOperands(), flatResults)) {
    bool isRow = shape.rows < shape.space.size() &&
                 shapeOf(result.getType()).size() == shape.rows;
    (isRow ? rows : full).push_back({result, flat});
  }
  auto storeAll = [&](ArrayRef<std::pair<Value, Value>> results) {
    SmallVector<Value> values;
    for (auto [result, flat] : results) {
      size_t rank = shapeOf(result.getType()).size();
      values.push_back(
          evaluate(result, llvm::to_vector(llvm::seq<int64_t>(0, rank))));
    }
    goTo(levels.size() - 1);
    for (auto [value, result] : llvm::zip(values, results))
      store(value, result.second, shapeOf(result.first.getType()));
  };
  if (!full.empty())
    emitLoop(levels.size() - 1, {}, 0, [&](ArrayRef<Value>) -> SmallVector<Value> {
      storeAll(full);
      return {};
    });
  storeAll(rows);
}

void KernelEmitter::emitStages() {
  for (Operation &op : kernel.getBody().front())
    if (getKernelRole(&op) == KernelRole::Reduction)
      emitReduction(&op);
  emitStores();
}

void KernelEmitter::emitRows(unsigned loop) {
  if (loop == shape.firstReducedLoop)
    return emitStages();
  inLoop(shape.extents[loop], 1, {}, [&](ArrayRef<Value>) -> SmallVector<Value> {
    emitRows(loop + 1);
    return {};
  });
}

void KernelEmitter::emit() {
  Block *block = target.addEntryBlock();
  levels.push_back({block, nullptr, Value(), {}});
  flattenBuffers();
  // Without reductions there is one stage, which is all loops.
  if (shape.firstReducedLoop > lastLoop())
    emitStores();
  else
    emitRows(0);
  builder.setInsertionPointToEnd(block);
  func::ReturnOp::create(builder, loc);
}

LogicalResult tp::emitKernel(func::FuncOp kernel) {
  FailureOr<KernelShape> shape = analyseKernel(kernel);
  if (failed(shape))
    return failure();
  SmallVector<Type> types;
  for (TypeRange part : {TypeRange(kernel.getArgumentTypes()),
                         TypeRange(kernel.getResultTypes())})
    for (Type type : part) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      types.push_back(tensor ? Type(rt::getBufferType(tensor)) : type);
    }
  OpBuilder builder(kernel);
  auto target = func::FuncOp::create(
      builder, kernel.getLoc(), kernel.getName(),
      FunctionType::get(kernel.getContext(), types, {}));
  target.setPrivate();
  target->setAttr(rt::kKernelName, builder.getUnitAttr());
  KernelEmitter(kernel, target, *shape).emit();
  kernel.erase();
  return success();
}
