//===- KernelThreads.cpp - writes a kernel for the threads of a grid ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Neighbouring threads take neighbouring vectors, so that their loads coalesce.
// How many blocks and threads a launch has is written beside the kernel, but it
// is correct for any number of either.
//
//===----------------------------------------------------------------------===//

#include "KernelWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::tp;

/// Threads of a block where nothing is reduced, the most that a block may have,
/// and those that run in step.
static constexpr int64_t kThreads = 256, kMostThreads = 1024, kWarp = 32;
/// More blocks than this do not make a GPU busier; threads go round instead.
static constexpr int64_t kMostBlocks = 1 << 16;

/// Values of all levels that share `block` go before `inner`.
void KernelWriter::setInner(Block *block, Operation *inner) {
  for (Level &level : levels)
    if (level.block == block)
      level.inner = inner;
}

/// Goes through the points of the loops from `first` up to `end`, `lanes` of
/// the last one at a time: `begin` is this thread's (or block's) number and
/// `stride` how many there are. Every loop becomes a level whose index is
/// worked out.
SmallVector<Value>
KernelWriter::inGrid(unsigned first, unsigned end, int64_t lanes, Value begin,
                     Value stride, ArrayRef<Value> carried,
                     function_ref<SmallVector<Value>(ArrayRef<Value>)> body) {
  Block *outer = levels.back().block;
  goTo(levels.size() - 1);
  Value count = constantIndex(shape.product(first, end) / lanes);
  auto loop = scf::ForOp::create(builder, loc, begin, count, stride,
                                 ValueRange(carried));
  setInner(outer, loop);
  Block *block = loop.getBody();
  if (block->mightHaveTerminator())
    block->getTerminator()->erase();
  builder.setInsertionPointToEnd(block);
  SmallVector<Value> indices(end - first);
  Value rest = loop.getInductionVar();
  for (unsigned i = end; i-- > first;) {
    int64_t width = i + 1 == end ? lanes : 1;
    int64_t extent = shape.extents[i] / width;
    Value index = rest;
    if (i > first) {
      Value divisor = constantIndex(extent);
      index = arith::RemSIOp::create(builder, loc, rest, divisor);
      rest = arith::DivSIOp::create(builder, loc, rest, divisor);
    }
    if (width != 1)
      index = arith::MulIOp::create(builder, loc, index, constantIndex(width));
    indices[i - first] = index;
  }
  for (Value index : indices)
    levels.push_back({block, nullptr, index, {}});
  SmallVector<Value> next =
      body(llvm::to_vector_of<Value>(loop.getRegionIterArgs()));
  builder.setInsertionPointToEnd(block);
  scf::YieldOp::create(builder, loc, next);
  levels.resize(levels.size() - indices.size());
  setInner(outer, nullptr);
  return llvm::to_vector_of<Value>(loop.getResults());
}

/// A stage: the points of a row over the threads of its block, or all points
/// over all threads.
SmallVector<Value> KernelWriter::emitOverThreads(unsigned loop,
                                                 ArrayRef<Value> carried,
                                                 Step step) {
  goTo(levels.size() - 1);
  constexpr auto x = gpu::Dimension::x;
  bool hasRows = shape.firstReducedLoop <= lastLoop();
  Value width = gpu::BlockDimOp::create(builder, loc, x);
  Value thread = gpu::ThreadIdOp::create(builder, loc, x);
  if (!hasRows) {
    Value block = gpu::BlockIdOp::create(builder, loc, x);
    Value first = arith::MulIOp::create(builder, loc, block, width);
    thread = arith::AddIOp::create(builder, loc, first, thread);
    Value blocks = gpu::GridDimOp::create(builder, loc, x);
    width = arith::MulIOp::create(builder, loc, blocks, width);
  }
  currentLanes = shape.lanes;
  return inGrid(loop, shape.extents.size(), shape.lanes, thread, width, carried,
                step);
}

static gpu::AllReduceOperation operationOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Product:
    return gpu::AllReduceOperation::MUL;
  case ReduceKind::And:
    return gpu::AllReduceOperation::AND;
  case ReduceKind::Or:
    return gpu::AllReduceOperation::OR;
  case ReduceKind::Max:
    return gpu::AllReduceOperation::MAXIMUMF;
  case ReduceKind::Min:
    return gpu::AllReduceOperation::MINIMUMF;
  case ReduceKind::Sum:
    break;
  }
  return gpu::AllReduceOperation::ADD;
}

Value KernelWriter::reduceBlock(Value value, ReduceKind kind) {
  return gpu::AllReduceOp::create(
      builder, loc, value,
      gpu::AllReduceOperationAttr::get(builder.getContext(), operationOf(kind)),
      /*uniform=*/UnitAttr());
}

/// Once a row, after all threads of the block have read what they need.
void KernelWriter::inFirstThread(function_ref<void()> body) {
  gpu::BarrierOp::create(builder, loc);
  Value thread = gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        thread, constantIndex(0));
  auto branch = scf::IfOp::create(builder, loc, isFirst);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenYield());
  body();
}

void KernelWriter::emitThreads() {
  unsigned numLoops = shape.extents.size(), rowLoops = shape.firstReducedLoop;
  int64_t blocks = 1, threads = kThreads;
  if (rowLoops >= numLoops) {
    int64_t vectors = shape.product(0, numLoops) / shape.lanes;
    blocks = llvm::divideCeil(vectors, kThreads);
    emitStores();
  } else {
    int64_t vectors = shape.product(rowLoops, numLoops) / shape.lanes;
    threads = std::min(kMostThreads, int64_t(llvm::alignTo(vectors, kWarp)));
    blocks = shape.product(0, rowLoops);
    goTo(0);
    Value first = gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x);
    Value stride = gpu::GridDimOp::create(builder, loc, gpu::Dimension::x);
    if (rowLoops == 0)
      emitStages();
    else
      inGrid(0, rowLoops, 1, first, stride, {},
             [&](ArrayRef<Value>) -> SmallVector<Value> {
               emitStages();
               return {};
             });
  }
  target->setAttr(rt::kGridName, builder.getDenseI64ArrayAttr(
                                     {std::min(blocks, kMostBlocks), threads}));
}
