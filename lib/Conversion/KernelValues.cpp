//===- KernelValues.cpp - the elements that a kernel computes -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KernelWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Places and types
//===----------------------------------------------------------------------===//

/// Goes to where values of a level are written: before its inner loop if that
/// is open, else at its end.
void KernelWriter::goTo(unsigned level) {
  Level &at = levels[level];
  if (at.inner)
    builder.setInsertionPoint(at.inner);
  else if (at.block->mightHaveTerminator())
    builder.setInsertionPoint(at.block->getTerminator());
  else
    builder.setInsertionPointToEnd(at.block);
}

bool KernelWriter::runsInnermost(ArrayRef<int64_t> dims) const {
  return llvm::any_of(
      dims, [&](int64_t dim) { return shape.loopOf[dim] == lastLoop(); });
}

/// The outermost level that knows the index of a value: 0 is the function,
/// level i + 1 the body of loop i.
unsigned KernelWriter::levelOf(Value value, ArrayRef<int64_t> dims) const {
  Operation *op = value.getDefiningOp();
  if (op && getKernelRole(op) == KernelRole::Reduction)
    return shape.firstReducedLoop;
  unsigned level = 0;
  for (int64_t dim : dims)
    level = std::max(level, shape.loopOf[dim] + 1);
  return level;
}

Value KernelWriter::constantIndex(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Type KernelWriter::vectorOf(Type element, int64_t lanes) const {
  return lanes == 1 ? element : Type(VectorType::get({lanes}, element));
}

/// A scalar in every lane, where a vector is wanted.
Value KernelWriter::spread(Value value, Type type) {
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
Value KernelWriter::flatten(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t size = type.getNumElements();
  auto flat = MemRefType::get({size}, type.getElementType());
  if (flat == type)
    return buffer;
  return memref::ReinterpretCastOp::create(
      builder, loc, flat, buffer,
      /*offset=*/int64_t(0), ArrayRef<int64_t>{size}, ArrayRef<int64_t>{1});
}

/// A constant that is not one value everywhere is data of the program.
Value KernelWriter::addConstant(DenseElementsAttr constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (type.getElementType().isInteger(1)) {
    Type byte = builder.getI8Type();
    constant =
        constant.mapValues(byte, [](const APInt &bit) { return bit.zext(8); });
    type = cast<RankedTensorType>(constant.getType());
  }
  auto flat = MemRefType::get({type.getNumElements()}, type.getElementType());
  auto data = constant.reshape(
      RankedTensorType::get(flat.getShape(), flat.getElementType()));
  std::string name =
      (target.getName() + "_constant_" + Twine(numConstants++)).str();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(target);
  memref::GlobalOp::create(builder, loc, name, builder.getStringAttr("private"),
                           flat, data, /*constant=*/true, IntegerAttr());
  builder.setInsertionPointToEnd(levels[0].block);
  return memref::GetGlobalOp::create(builder, loc, flat, name);
}

void KernelWriter::flattenBuffers() {
  goTo(0);
  unsigned numInputs = kernel.getNumArguments();
  for (auto [old, fresh] :
       llvm::zip(kernel.getArguments(), target.getArguments()))
    flats[old] =
        isa<MemRefType>(fresh.getType()) ? flatten(fresh) : Value(fresh);
  for (BlockArgument result : target.getArguments().drop_front(numInputs))
    flatResults.push_back(flatten(result));
  for (Operation &op : kernel.getBody().front()) {
    DenseElementsAttr constant;
    if (matchPattern(&op, m_Constant(&constant)) && !constant.isSplat())
      flats[op.getResult(0)] = addConstant(constant);
  }
}

/// The linear index of an element, or of the first of a vector: dims rise, so
/// that a value that runs along the innermost loop has its lanes side by side.
Value KernelWriter::linearIndex(ArrayRef<int64_t> valueShape,
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
      index = index ? Value(arith::AddIOp::create(builder, loc, index, term))
                    : term;
    }
    previousLoop = loop;
    stride *= valueShape[i];
  }
  return index ? index : constantIndex(0);
}

Value KernelWriter::load(Value flat, ArrayRef<int64_t> valueShape,
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

void KernelWriter::store(Value value, Value flat,
                         ArrayRef<int64_t> valueShape) {
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

/// The element of `value` whose index along its dims is that along `dims` of
/// the space; a vector of them if it runs along the innermost loop.
Value KernelWriter::evaluate(Value value, ArrayRef<int64_t> dims) {
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

Value KernelWriter::compute(Value value, ArrayRef<int64_t> dims,
                            bool isVector) {
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
Value KernelWriter::indexAlong(int64_t dim, Type type) {
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
  Value lanes = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(wanted, steps));
  return arith::AddIOp::create(builder, loc, first, lanes);
}

Value KernelWriter::computeLeaf(Operation *op, ArrayRef<int64_t> dims,
                                Type type) {
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
      builder, operands, type,
      [&](int64_t dim) { return indexAlong(dims[dim], type); });
}

Value KernelWriter::computePointwise(Operation *op, ArrayRef<int64_t> dims,
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
