//===- Collectives.cpp - what collectives do to placements ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/IR/TP.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Steps of placements
//===----------------------------------------------------------------------===//

/// Removes `axes` from the end of `from`; false if they are not there.
static bool removeSuffix(Axes &from, ArrayRef<Axis> axes) {
  // Split the tail of `from` so that it ends with exactly the parts asked for.
  Axes tail = normalised(axes), rest = normalised(from);
  for (Axis axis : llvm::reverse(tail)) {
    if (rest.empty())
      return false;
    Axis &last = rest.back();
    if (last == axis) {
      rest.pop_back();
      continue;
    }
    bool isMinorPart = last.name == axis.name && axis.size < last.size &&
                       axis.pre * axis.size == last.pre * last.size &&
                       last.size % axis.size == 0;
    if (!isMinorPart)
      return false;
    last.size /= axis.size;
  }
  from = rest;
  return true;
}

/// Removes every part of `axes` from the partial axes, in any order.
static bool removePartial(Placement &placement, ArrayRef<Axis> axes) {
  Axes rest = normalised(placement.partial);
  for (const Axis &axis : normalised(axes)) {
    auto *it = llvm::find_if(rest, [&](const Axis &part) {
      return part.name == axis.name && part.pre <= axis.pre &&
             axis.pre * axis.size <= part.pre * part.size &&
             axis.pre % part.pre == 0 &&
             (part.pre * part.size) % (axis.pre * axis.size) == 0;
    });
    if (it == rest.end())
      return false;
    Axis major{it->name, it->pre, axis.pre / it->pre};
    Axis minor{it->name, axis.pre * axis.size,
               it->pre * it->size / (axis.pre * axis.size)};
    it = rest.erase(it);
    if (minor.size > 1)
      it = rest.insert(it, minor);
    if (major.size > 1)
      rest.insert(it, major);
  }
  placement.partial = rest;
  return true;
}

static void append(Axes &to, ArrayRef<Axis> axes) {
  to.append(axes.begin(), axes.end());
  to = normalised(to);
}

static FailureOr<Placement> refuse(std::string &message, const Twine &text) {
  message = text.str();
  return failure();
}

/// Every step needs a dim that exists, of an extent that its axes divide.
static bool hasDim(const Placement &placement, int64_t dim) {
  return dim >= 0 && dim < int64_t(placement.dims.size());
}

static FailureOr<Placement> shardFurther(Placement placement, int64_t dim,
                                         ArrayRef<Axis> axes,
                                         std::string &message) {
  if (overlap(axes, placement.usedAxes()))
    return refuse(message, "the value already uses these axes");
  append(placement.dims[dim], axes);
  if (placement.pads[dim] % sizeOf(placement.dims[dim]))
    return refuse(message, "extent " + Twine(placement.pads[dim]) + " of dim " +
                               Twine(dim) + " is not a multiple of " +
                               Twine(sizeOf(placement.dims[dim])));
  return placement;
}

static Axes axesOf(Operation *op, FlatSymbolRefAttr meshName, ArrayAttr axes) {
  return toAxes(axes, lookupMesh(op, meshName));
}

FailureOr<Placement> AllReduceOp::inferPlacement(unsigned, Placement from,
                                                 std::string &message) {
  if (from.partialKind != getKind() ||
      !removePartial(from, axesOf(*this, getMeshAttr(), getAxes())))
    return refuse(message, "needs a value that is partial (" +
                               stringifyReduceKind(getKind()) +
                               ") over its axes");
  return from;
}

FailureOr<Placement> AllGatherOp::inferPlacement(unsigned index, Placement from,
                                                 std::string &message) {
  int64_t dim = getDims()[index];
  if (!hasDim(from, dim) ||
      !removeSuffix(from.dims[dim], axesOf(*this, getMeshAttr(), getAxes())))
    return refuse(message, "needs dim " + Twine(dim) +
                               " sharded by its axes, most minor");
  return from;
}

FailureOr<Placement> ReduceScatterOp::inferPlacement(unsigned index,
                                                     Placement from,
                                                     std::string &message) {
  int64_t dim = getDims()[index];
  Axes axes = axesOf(*this, getMeshAttr(), getAxes());
  if (from.partialKind != getKind() || !hasDim(from, dim) ||
      !removePartial(from, axes))
    return refuse(message, "needs a value that is partial (" +
                               stringifyReduceKind(getKind()) +
                               ") over its axes");
  return shardFurther(std::move(from), dim, axes, message);
}

FailureOr<Placement> AllToAllOp::inferPlacement(unsigned index, Placement from,
                                                std::string &message) {
  int64_t dim = getDims()[index], splitDim = getSplitDims()[index];
  Axes axes = axesOf(*this, getMeshAttr(), getAxes());
  if (!hasDim(from, dim) || !hasDim(from, splitDim) || dim == splitDim ||
      !removeSuffix(from.dims[dim], axes))
    return refuse(message, "needs dim " + Twine(dim) +
                               " sharded by its axes, most minor");
  return shardFurther(std::move(from), splitDim, axes, message);
}

FailureOr<Placement> PermuteOp::inferPlacement(unsigned, Placement from,
                                               std::string &message) {
  FailureOr<Placement> to =
      permuted(std::move(from), axesOf(*this, getMeshAttr(), getAxes()),
               axesOf(*this, getMeshAttr(), getToAxes()));
  if (failed(to))
    return refuse(message,
                  "needs a value whose axes are cut where its own are");
  return to;
}

FailureOr<Placement> WaitOp::inferPlacement(unsigned, Placement from,
                                            std::string &) {
  return from;
}

FailureOr<Placement> SliceOp::inferPlacement(unsigned, Placement from,
                                             std::string &message) {
  if (!hasDim(from, getDim()))
    return refuse(message, "has no dim " + Twine(getDim()));
  return shardFurther(std::move(from), getDim(),
                      axesOf(*this, getMeshAttr(), getAxes()), message);
}

FailureOr<Placement> ResizeOp::inferPlacement(unsigned, Placement from,
                                              std::string &message) {
  if (!hasDim(from, getDim()))
    return refuse(message, "has no dim " + Twine(getDim()));
  if (!from.dims[getDim()].empty())
    return refuse(message, "needs dim " + Twine(getDim()) + " whole");
  from.pads[getDim()] = tensorOf(getType()).getDimSize(getDim());
  return from;
}

FailureOr<Placement> MakePartialOp::inferPlacement(unsigned, Placement from,
                                                   std::string &message) {
  Axes axes = axesOf(*this, getMeshAttr(), getAxes());
  if (overlap(axes, from.usedAxes()))
    return refuse(message, "the value already uses these axes");
  if (!from.partial.empty() && from.partialKind != getKind())
    return refuse(message, "the value is partial of another kind");
  from.partialKind = getKind();
  append(from.partial, axes);
  llvm::sort(from.partial);
  from.partial = normalised(from.partial);
  return from;
}

//===----------------------------------------------------------------------===//
// Bytes, under ring algorithms
//===----------------------------------------------------------------------===//

int64_t tp::bytesOf(Type type) {
  RankedTensorType tensor = tensorOf(type);
  if (!tensor || !tensor.hasStaticShape())
    return 0;
  Type element = tensor.getElementType();
  int64_t bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
  return tensor.getNumElements() * int64_t(llvm::divideCeil(bits, 8));
}

static int64_t bytesOfAll(TypeRange types) {
  int64_t bytes = 0;
  for (Type type : types)
    bytes += bytesOf(type);
  return bytes;
}

/// ceil(factor * bytes * (n - 1) / n) without overflow for any real tensor.
static int64_t ringBytes(int64_t factor, int64_t bytes, int64_t n) {
  __int128 numerator = __int128(factor) * bytes * (n - 1);
  return int64_t((numerator + n - 1) / n);
}

int64_t AllReduceOp::getBytesSent() {
  return ringBytes(2, bytesOfAll(getInputs().getTypes()), getGroupSize());
}
int64_t AllGatherOp::getBytesSent() {
  return ringBytes(1, bytesOfAll(getResultTypes()), getGroupSize());
}
int64_t ReduceScatterOp::getBytesSent() {
  return ringBytes(1, bytesOfAll(getInputs().getTypes()), getGroupSize());
}
int64_t AllToAllOp::getBytesSent() {
  return ringBytes(1, bytesOfAll(getInputs().getTypes()), getGroupSize());
}
int64_t PermuteOp::getBytesSent() { return bytesOfAll(getInputs().getTypes()); }

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// The axes exist, divide and do not overlap; the group's size goes to `size`.
static LogicalResult verifyGroup(Operation *op, FlatSymbolRefAttr meshName,
                                 ArrayAttr axes, int64_t &size) {
  MeshAttr mesh = lookupMesh(op, meshName);
  if (!mesh)
    return op->emitOpError("refers to an unknown mesh ") << meshName;
  SmallVector<AxisRefAttr> refs;
  for (Attribute axis : axes) {
    auto ref = dyn_cast<AxisRefAttr>(axis);
    if (!ref)
      return op->emitOpError("expects #tp.axis attributes, got ") << axis;
    refs.push_back(ref);
  }
  auto asPartial =
      ShardingAttr::get(op->getContext(), meshName, {}, ReduceKind::Sum, refs);
  if (failed(verifySharding(asPartial, mesh, {},
                            [&] { return op->emitOpError(); })))
    return failure();
  size = sizeOf(toAxes(axes, mesh));
  return success();
}

/// A collective that is only started is waited for, once, in its block.
static LogicalResult verifyHalves(Operation *op) {
  bool starts = isStart(op);
  for (OpResult result : op->getResults()) {
    if (isa<PendingType>(result.getType()) != starts)
      return op->emitOpError("has results of which some are pending and some "
                             "are not");
    if (!starts)
      continue;
    bool isAwaited = result.hasOneUse() && isa<WaitOp>(*result.user_begin()) &&
                     result.user_begin()->getBlock() == op->getBlock();
    if (!isAwaited)
      return op->emitOpError("is started, so result ")
             << result.getResultNumber()
             << " needs one use, a tp.wait in the same block";
  }
  return success();
}

/// Result i has the shape of input i with dim grow[i] times `size` and dim
/// shrink[i] divided by it; an empty list leaves the dims alone.
static LogicalResult verifyShapes(Operation *op, int64_t size,
                                  ArrayRef<int64_t> grow,
                                  ArrayRef<int64_t> shrink) {
  size_t count = op->getNumOperands();
  if (count == 0 || op->getNumResults() != count)
    return op->emitOpError("needs as many results as inputs, at least one");
  if ((!grow.empty() && grow.size() != count) ||
      (!shrink.empty() && shrink.size() != count))
    return op->emitOpError("needs one dim for each input");
  for (size_t i = 0; i < count; ++i) {
    auto input = cast<RankedTensorType>(op->getOperand(i).getType());
    RankedTensorType result = tensorOf(op->getResult(i).getType());
    SmallVector<int64_t> shape(input.getShape());
    for (int64_t dim :
         {grow.empty() ? 0 : grow[i], shrink.empty() ? 0 : shrink[i]})
      if (dim < 0 ||
          (dim >= input.getRank() && !(grow.empty() && shrink.empty())))
        return op->emitOpError("input ") << i << " has no dim " << dim;
    if (!grow.empty())
      shape[grow[i]] *= size;
    if (!shrink.empty()) {
      if (shape[shrink[i]] % size)
        return op->emitOpError("dim ")
               << shrink[i] << " of extent " << shape[shrink[i]]
               << " is not a multiple of the group's size " << size;
      shape[shrink[i]] /= size;
    }
    if (result.getShape() != ArrayRef<int64_t>(shape) ||
        result.getElementType() != input.getElementType())
      return op->emitOpError("result ")
             << i << " must be "
             << RankedTensorType::get(shape, input.getElementType());
  }
  return verifyHalves(op);
}

/// Bits are of integers.
static LogicalResult verifyKind(Operation *op, ReduceKind kind) {
  if (kind != ReduceKind::And && kind != ReduceKind::Or)
    return success();
  for (Type type : op->getOperandTypes())
    if (Type element = getElementTypeOrSelf(type); !element.isInteger())
      return op->emitOpError("reduces bits (")
             << stringifyReduceKind(kind) << "), but its elements are "
             << element;
  return success();
}

LogicalResult AllReduceOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)) ||
      failed(verifyKind(*this, getKind())))
    return failure();
  return verifyShapes(*this, size, {}, {});
}

LogicalResult AllGatherOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)))
    return failure();
  return verifyShapes(*this, size, getDims(), {});
}

LogicalResult ReduceScatterOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)) ||
      failed(verifyKind(*this, getKind())))
    return failure();
  return verifyShapes(*this, size, {}, getDims());
}

LogicalResult AllToAllOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)))
    return failure();
  return verifyShapes(*this, size, getDims(), getSplitDims());
}

/// The parts of a list of axes, however it is ordered and cut.
static Axes partsOf(Axes axes) {
  llvm::sort(axes);
  return normalised(axes);
}

LogicalResult PermuteOp::verify() {
  int64_t size;
  MeshAttr mesh = lookupMesh(*this, getMeshAttr());
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)) ||
      failed(verifyGroup(*this, getMeshAttr(), getToAxes(), size)))
    return failure();
  if (partsOf(toAxes(getAxes(), mesh)) != partsOf(toAxes(getToAxes(), mesh)))
    return emitOpError("needs the same axes twice, in two orders");
  return verifyShapes(*this, size, {}, {});
}

LogicalResult WaitOp::verify() {
  if (!getPending().getDefiningOp<CollectiveOpInterface>())
    return emitOpError("waits for something that no collective started");
  return success();
}

LogicalResult SliceOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)))
    return failure();
  return verifyShapes(*this, size, {}, {int64_t(getDim())});
}

LogicalResult ResizeOp::verify() {
  RankedTensorType from = tensorOf(getInput().getType()), to = getType();
  int64_t dim = getDim();
  bool isSame = from.getElementType() == to.getElementType() &&
                from.getRank() == to.getRank() && dim >= 0 &&
                dim < from.getRank();
  for (int64_t i = 0; isSame && i < from.getRank(); ++i)
    isSame = i == dim || from.getDimSize(i) == to.getDimSize(i);
  if (!isSame)
    return emitOpError("may change the extent of dim ")
           << dim << " and no more, from " << from << " to " << to;
  return success();
}

LogicalResult MakePartialOp::verify() {
  int64_t size;
  if (failed(verifyGroup(*this, getMeshAttr(), getAxes(), size)))
    return failure();
  return verifyKind(*this, getKind());
}
