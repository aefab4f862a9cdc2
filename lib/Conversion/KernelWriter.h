//===- KernelWriter.h - state of a kernel being written ---------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Values are computed on demand, at the point of the iteration space where they
// are wanted, in the outermost loop that knows their index, and once there. A
// row is a number of *stages*: one loop for each reduction, in order, then one
// loop that stores. What a stage needs of an earlier stage's elements it
// computes again from loads; what it needs of a reduction is a scalar of the
// row.
//
// The innermost loop is vectorised. Its remainder is not masked: extents are
// known, so it is a shorter vector.
//
// A kernel may work in place on inputs of the full shape: an element, or vector
// of them, is read by the last stage right before it is stored, all results of
// a step are computed before the first is stored, and results of rows are
// stored when the row is done.
//
// On threads there are no loops but those that a grid of any size needs to get
// around: over all points, or over rows, one block each, and within a row over
// its points. A reduction ends with one over the block, after which every
// thread has read what it needs of the row, so that working in place stays
// possible.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_KERNELWRITER_H
#define TP_LIB_CONVERSION_KERNELWRITER_H

#include "KernelEmitter.h"
#include "mlir/IR/Builders.h"
#include "tp/Dialect/TP/IR/TP.h"
#include <map>

namespace mlir::tp {

using Dims = SmallVector<int64_t>;

/// One loop that is being written, or the function around all of them.
struct Level {
  Block *block = nullptr;
  /// The next inner loop, before which values of this level go.
  Operation *inner = nullptr;
  Value index;
  /// By value and dims; only ever looked up.
  std::map<std::pair<void *, Dims>, Value> values;
};

class KernelWriter {
public:
  KernelWriter(func::FuncOp kernel, func::FuncOp target,
               const KernelShape &shape)
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
  void emitThreads();
  SmallVector<Value> emitOverThreads(unsigned loop, ArrayRef<Value> carried,
                                     Step step);
  SmallVector<Value>
  inGrid(unsigned first, unsigned end, int64_t lanes, Value begin, Value stride,
         ArrayRef<Value> carried,
         function_ref<SmallVector<Value>(ArrayRef<Value>)> body);
  void setInner(Block *block, Operation *inner);
  Value reduceBlock(Value value, ReduceKind kind);
  void inFirstThread(function_ref<void()> body);
  void emitReduction(Operation *op);
  void emitStores();
  SmallVector<Value> emitLoop(unsigned loop, ArrayRef<Value> carried,
                              size_t perPiece, Step step);
  SmallVector<Value> emitPieces(ArrayRef<Value> carried, size_t perPiece,
                                Step step);
  SmallVector<Value>
  inLoop(int64_t extent, int64_t step, ArrayRef<Value> carried,
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

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_KERNELWRITER_H
