//===- KernelAnalysis.cpp - how a kernel runs through its space -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/RT/IR/RT.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Walks a kernel from its results back, with the dims of the space along which
/// each value runs there.
class AccessWalk {
public:
  AccessWalk(func::FuncOp kernel, KernelShape &shape)
      : kernel(kernel), shape(shape), joined(shape.space.size(), true) {}

  LogicalResult run();

private:
  LogicalResult visit(Value value, const SmallVector<int64_t> &dims);
  LogicalResult visitOp(Operation *op, ArrayRef<int64_t> dims);
  LogicalResult visitRoot(Operation *op, Value value);
  void noteAccess(ArrayRef<int64_t> dims);
  void noteIndex(int64_t dim);
  void chooseLoops();

  func::FuncOp kernel;
  KernelShape &shape;
  /// Whether dim i can share a loop with dim i + 1.
  SmallVector<bool> joined;
  DenseMap<Value, std::set<SmallVector<int64_t>>> visited;
};

} // namespace

static SmallVector<int64_t> leading(size_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(0, rank));
}

/// Dims stay together if the access has both, one right after the other, or
/// none.
void AccessWalk::noteAccess(ArrayRef<int64_t> dims) {
  for (int64_t dim = 0; dim + 1 < int64_t(joined.size()); ++dim) {
    const auto *major = llvm::find(dims, dim);
    const auto *minor = llvm::find(dims, dim + 1);
    bool neither = major == dims.end() && minor == dims.end();
    bool inOrder =
        major != dims.end() && minor != dims.end() && minor == major + 1;
    joined[dim] &= neither || inOrder;
  }
}

/// A dim whose index is read must be a loop of its own.
void AccessWalk::noteIndex(int64_t dim) {
  joined[dim] = false;
  if (dim > 0)
    joined[dim - 1] = false;
}

LogicalResult AccessWalk::visitOp(Operation *op, ArrayRef<int64_t> dims) {
  switch (getKernelRole(op)) {
  case KernelRole::Reduction:
    if (dims == ArrayRef<int64_t>(leading(shape.rows)))
      return success();
    return op->emitOpError("is read at another row than the kernel's");
  case KernelRole::Pointwise:
    break;
  case KernelRole::Leaf:
    if (auto leaf = dyn_cast<KernelOpInterface>(op)) {
      for (auto [i, dim] : llvm::enumerate(dims))
        if (leaf.readsIndex(i))
          noteIndex(dim);
    } else {
      noteAccess(dims);
    }
    break;
  default:
    return op->emitOpError("cannot be part of a kernel");
  }
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    SmallVector<int64_t> operandDims;
    if (isa<RankedTensorType>(operand.getType()))
      for (int64_t dim : getOperandDims(op, i))
        operandDims.push_back(dims[dim]);
    if (!llvm::is_sorted(operandDims))
      return op->emitOpError("permutes dims, which kernels do not");
    if (failed(visit(operand, operandDims)))
      return failure();
  }
  return success();
}

LogicalResult AccessWalk::visit(Value value, const SmallVector<int64_t> &dims) {
  if (!visited[value].insert(dims).second)
    return success();
  if (Operation *op = value.getDefiningOp())
    return visitOp(op, dims);
  noteAccess(dims);
  return success();
}

/// A value of the whole space or of its rows, where evaluation starts.
LogicalResult AccessWalk::visitRoot(Operation *op, Value value) {
  ArrayRef<int64_t> own = shapeOf(value.getType());
  ArrayRef<int64_t> space = shape.space;
  if (own != space && own != space.take_front(shape.rows))
    return op->emitOpError("works on ")
           << value.getType()
           << ", which is neither the kernel's whole shape nor "
              "its rows";
  noteAccess(leading(own.size()));
  return visit(value, leading(own.size()));
}

void AccessWalk::chooseLoops() {
  unsigned rank = shape.space.size();
  bool reduces = shape.rows < rank;
  if (reduces && shape.rows > 0)
    joined[shape.rows - 1] = false;
  shape.firstReducedLoop = 0;
  for (unsigned dim = 0; dim < rank; ++dim) {
    if (dim == shape.rows)
      shape.firstReducedLoop = shape.extents.size();
    if (dim > 0 && joined[dim - 1])
      shape.extents.back() *= shape.space[dim];
    else
      shape.extents.push_back(shape.space[dim]);
    shape.loopOf.push_back(shape.extents.size() - 1);
  }
  if (shape.extents.empty())
    shape.extents.push_back(1);
  if (!reduces)
    shape.firstReducedLoop = shape.extents.size();
}

LogicalResult AccessWalk::run() {
  for (Operation &op : kernel.getBody().front()) {
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      for (Value result : op.getOperands())
        if (failed(visitRoot(&op, result)))
          return failure();
    } else if (getKernelRole(&op) == KernelRole::Reduction) {
      if (failed(visitRoot(&op, op.getOperand(0))))
        return failure();
    }
  }
  chooseLoops();
  return success();
}

/// Whole vectors of at most what one load of a thread can bring.
static int64_t lanesOfThreads(int64_t extent, int64_t widestElement) {
  constexpr int64_t bytesOfLoad = 16;
  int64_t lanes = std::max<int64_t>(1, bytesOfLoad / widestElement);
  while (extent % lanes)
    lanes /= 2;
  return lanes;
}

FailureOr<KernelShape> tp::analyseKernel(func::FuncOp kernel, KernelForm form,
                                         bool anyAlignment) {
  KernelShape shape;
  shape.form = form;
  int64_t widest = 1;
  std::optional<unsigned> rows;
  auto look = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return;
    if (tensor.getRank() >= int64_t(shape.space.size()))
      shape.space.assign(tensor.getShape().begin(), tensor.getShape().end());
    int64_t bytes = rt::getElementBytes(tensor.getElementType());
    widest = std::max(widest, bytes);
    if (bytes > 4)
      shape.lanes = 8;
  };
  llvm::for_each(kernel.getArgumentTypes(), look);
  for (Operation &op : kernel.getBody().front()) {
    llvm::for_each(op.getResultTypes(), look);
    if (getKernelRole(&op) != KernelRole::Reduction)
      continue;
    unsigned left = shapeOf(op.getResult(0).getType()).size();
    SmallVector<int64_t> reduced = cast<KernelOpInterface>(op).getReducedDims();
    if ((rows && *rows != left) || reduced.front() != int64_t(left))
      return op.emitOpError("in a kernel must reduce the same trailing dims as "
                            "every other reduction");
    rows = left;
  }
  // An argument that is only read through a smaller view could be wider than
  // any result; the roots are checked against the space, which settles it.
  shape.rows = rows.value_or(shape.space.size());
  if (failed(AccessWalk(kernel, shape).run()))
    return failure();
  if (form == KernelForm::Threads)
    shape.lanes =
        anyAlignment ? 1 : lanesOfThreads(shape.extents.back(), widest);
  return shape;
}
