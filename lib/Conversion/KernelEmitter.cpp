//===- KernelEmitter.cpp - writes a kernel as vectorised loops ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KernelWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Writes a loop one level further in; `body` gives what the next round gets.
SmallVector<Value>
KernelWriter::inLoop(int64_t extent, int64_t step, ArrayRef<Value> carried,
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
SmallVector<Value> KernelWriter::emitPieces(ArrayRef<Value> carried,
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
    llvm::append_range(result, inLoop(full, lanes, carried.take_front(perPiece),
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

SmallVector<Value> KernelWriter::emitLoop(unsigned loop,
                                          ArrayRef<Value> carried,
                                          size_t perPiece, Step step) {
  if (shape.form == KernelForm::Threads)
    return emitOverThreads(loop, carried, step);
  if (loop == lastLoop())
    return emitPieces(carried, perPiece, step);
  return inLoop(shape.extents[loop], 1, carried, [&](ArrayRef<Value> values) {
    return emitLoop(loop + 1, values, perPiece, step);
  });
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static vector::CombiningKind combiningKindOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Product:
    return vector::CombiningKind::MUL;
  case ReduceKind::And:
    return vector::CombiningKind::AND;
  case ReduceKind::Or:
    return vector::CombiningKind::OR;
  case ReduceKind::Max:
    return vector::CombiningKind::MAXIMUMF;
  case ReduceKind::Min:
    return vector::CombiningKind::MINIMUMF;
  case ReduceKind::Sum:
    break;
  }
  return vector::CombiningKind::ADD;
}

/// Accumulates lane by lane, in at least f32, then across the lanes.
void KernelWriter::emitReduction(Operation *op) {
  ReduceKind kind = cast<KernelOpInterface>(op).getReduceKind();
  Value input = op->getOperand(0);
  auto element =
      cast<FloatType>(cast<RankedTensorType>(input.getType()).getElementType());
  FloatType wide = element.getWidth() < 32 ? builder.getF32Type() : element;
  int64_t extent = shape.extents.back();
  int64_t remainder = extent % shape.lanes;
  goTo(levels.size() - 1);
  SmallVector<Value> initial;
  auto addAccumulator = [&](int64_t lanes) {
    TypedAttr neutral = FloatAttr::get(wide, neutralOf(kind));
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
      value = arith::ExtFOp::create(builder, loc, vectorOf(wide, currentLanes),
                                    value);
    return {vector::makeArithReduction(builder, loc, combiningKindOf(kind),
                                       carried.front(), value)};
  };
  SmallVector<Value> sums =
      emitLoop(shape.firstReducedLoop, initial, hasFull ? 1 : 0, step);
  goTo(levels.size() - 1);
  Value total;
  for (Value sum : sums) {
    if (isa<VectorType>(sum.getType()))
      sum =
          vector::ReductionOp::create(builder, loc, combiningKindOf(kind), sum);
    total = total ? vector::makeArithReduction(
                        builder, loc, combiningKindOf(kind), total, sum)
                  : sum;
  }
  if (shape.form == KernelForm::Threads)
    total = reduceBlock(total, kind);
  if (wide != element)
    total = arith::TruncFOp::create(builder, loc, element, total);
  reduced[op] = total;
}

/// Stores results of the full shape in a loop, then results of the row.
void KernelWriter::emitStores() {
  Operation *terminator = kernel.getBody().front().getTerminator();
  SmallVector<std::pair<Value, Value>> full, rows;
  for (auto [result, flat] :
       llvm::zip(terminator->getOperands(), flatResults)) {
    bool isRow = shape.rows < shape.space.size() &&
                 shapeOf(result.getType()).size() == shape.rows;
    (isRow ? rows : full).push_back({result, flat});
  }
  auto evaluateAll = [&](ArrayRef<std::pair<Value, Value>> results) {
    SmallVector<Value> values;
    for (auto [result, flat] : results) {
      size_t rank = shapeOf(result.getType()).size();
      values.push_back(
          evaluate(result, llvm::to_vector(llvm::seq<int64_t>(0, rank))));
    }
    goTo(levels.size() - 1);
    return values;
  };
  auto storeAll = [&](ArrayRef<std::pair<Value, Value>> results) {
    SmallVector<Value> values = evaluateAll(results);
    for (auto [value, result] : llvm::zip(values, results))
      store(value, result.second, shapeOf(result.first.getType()));
  };
  if (!full.empty())
    emitLoop(levels.size() - 1, {}, 0,
             [&](ArrayRef<Value>) -> SmallVector<Value> {
               storeAll(full);
               return {};
             });
  if (shape.form == KernelForm::Loops || rows.empty())
    return storeAll(rows);
  SmallVector<Value> values = evaluateAll(rows);
  inFirstThread([&] {
    for (auto [value, result] : llvm::zip(values, rows))
      store(value, result.second, shapeOf(result.first.getType()));
  });
}

void KernelWriter::emitStages() {
  for (Operation &op : kernel.getBody().front())
    if (getKernelRole(&op) == KernelRole::Reduction)
      emitReduction(&op);
  emitStores();
}

void KernelWriter::emitRows(unsigned loop) {
  if (loop == shape.firstReducedLoop)
    return emitStages();
  inLoop(shape.extents[loop], 1, {},
         [&](ArrayRef<Value>) -> SmallVector<Value> {
           emitRows(loop + 1);
           return {};
         });
}

void KernelWriter::emit() {
  Block *block = target.addEntryBlock();
  levels.push_back({block, nullptr, Value(), {}});
  flattenBuffers();
  // Without reductions there is one stage, which is all loops.
  if (shape.form == KernelForm::Threads)
    emitThreads();
  else if (shape.firstReducedLoop > lastLoop())
    emitStores();
  else
    emitRows(0);
  builder.setInsertionPointToEnd(block);
  func::ReturnOp::create(builder, loc);
}

LogicalResult tp::emitKernel(func::FuncOp kernel, KernelForm form,
                             bool anyAlignment) {
  FailureOr<KernelShape> shape = analyseKernel(kernel, form, anyAlignment);
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
  auto target =
      func::FuncOp::create(builder, kernel.getLoc(), kernel.getName(),
                           FunctionType::get(kernel.getContext(), types, {}));
  target.setPrivate();
  target->setAttr(rt::kKernelName, builder.getUnitAttr());
  KernelWriter(kernel, target, *shape).emit();
  kernel.erase();
  return success();
}
