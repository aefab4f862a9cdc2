//===- CrossEntropy.cpp - the cross-entropy of classes and targets --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// With x the logits of a row, q its targets, smoothed, and w the weights of the
// classes, the shares p = w q of the classes in the loss give
//   loss = sum(p) log(sum(exp(x))) - sum(p x).
// Where classes are sharded these sums are all that travels.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"
#include <limits>

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Definition
//===----------------------------------------------------------------------===//

bool CrossEntropyOp::hasIds() {
  return getTargets().getType().getElementType().isInteger();
}

LogicalResult CrossEntropyOp::verify() {
  RankedTensorType logits = getLogits().getType();
  RankedTensorType targets = getTargets().getType();
  if (logits.getRank() < 1 || logits.getShape().back() < 1)
    return emitOpError("needs logits [..., classes], got ") << logits;
  ArrayRef<int64_t> rows = logits.getShape().drop_back();
  if (hasIds() && targets.getShape() != rows)
    return emitOpError("needs a target for each row of ")
           << logits << ", got " << targets;
  if (!hasIds() && targets.getShape() != logits.getShape())
    return emitOpError("needs a probability for each class of each row of ")
           << logits << ", got " << targets;
  if (getWeights() && getWeights().getType().getShape() !=
                          ArrayRef<int64_t>(logits.getShape().back()))
    return emitOpError("needs a weight for each of ")
           << logits.getShape().back() << " classes, got "
           << getWeights().getType();
  StringRef reduction = getReduction();
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return emitOpError("reduction is none, sum or mean, got ") << reduction;
  auto wanted =
      RankedTensorType::get(reduction == "none" ? rows : ArrayRef<int64_t>(),
                            accumulatorOf(logits.getElementType()));
  if (getType() != wanted)
    return emitOpError("result must be ") << wanted;
  if (getIgnoreIndex() && !hasIds())
    return emitOpError("has an ignore_index, but its targets are "
                       "probabilities; give an ignored row zeros");
  if (getIgnoreIndex() && !llvm::isInt<32>(int64_t(*getIgnoreIndex())))
    return emitOpError("needs an ignore_index of 32 bits");
  if (getLabelSmoothing()) {
    // Not a number is refused, too.
    double smoothing = getLabelSmoothing()->convertToDouble();
    if (!(smoothing >= 0 && smoothing <= 1))
      return emitOpError("needs a label_smoothing from 0 to 1");
  }
  return success();
}

ShardingRule CrossEntropyOp::getShardingRule() {
  StringRef tensors =
      hasIds() ? "([...,v],[...],[v])" : "([...,v],[...,v],[v])";
  // What divides a mean is known only when all rows are, and padding would
  // count: rows, too, are sharded as sums that are written out.
  StringRef result = getReduction() == "none" ? "->([...]); decompose{v}"
                                              : "->([]); decompose{v,...}";
  return ruleOf(*this, (tensors + result).str());
}

//===----------------------------------------------------------------------===//
// Written out
//===----------------------------------------------------------------------===//

namespace {

/// Writes the parts of the loss of `op`, in its accumulator's type.
class LossWriter {
public:
  LossWriter(CrossEntropyOp op, OpBuilder &builder)
      : op(op), write(builder, op.getLoc()),
        accumulator(op.getType().getElementType()),
        x(write.convert(op.getLogits(), accumulator)),
        type(cast<RankedTensorType>(x.getType())), classDim(type.getRank() - 1),
        classes(type.getDimSize(classDim)),
        rows(type.clone(type.getShape().drop_back())),
        smoothing(op.getLabelSmoothing()
                      ? op.getLabelSmoothing()->convertToDouble()
                      : 0) {}

  Value loss();
  SmallVector<Value> gradients(Value g);

private:
  /// The targets of each class, smoothed, less their weights.
  Value targets();
  /// `x` times the targets. An id without smoothing picks: a logit that has no
  /// share adds nothing, even if it is infinite.
  Value timesTargets(Value x);
  Value timesWeights(Value x);
  double numberOfRows() {
    return double(std::max<int64_t>(rows.getNumElements(), 1));
  }
  Value sumOverClasses(Value x) { return write.sum(x, {classDim}); }
  Value alongClasses(Value row) {
    return write.broadcast(row, type, leadingDims(type));
  }
  /// Sum over all rows.
  Value sumOverRows(Value row) {
    return classDim ? write.sum(row, leadingDims(type)) : row;
  }
  /// Which class of each row is its id.
  Value isTarget();
  /// `row` where the id is a class, 0 where it is to be ignored, not a number
  /// elsewhere: an id out of range must not pass for a loss.
  Value keepClasses(Value row);
  /// sum(p) of each row, null if it is 1.
  Value shareOfRows();
  /// What each row with an id counts in a mean; `share` is shareOfRows().
  Value countOfRows(Value share);
  /// What a mean is divided by: 1 for nothing at all.
  Value divisor(Value count, Value &isNothing);
  /// What the gradient of each row's loss is.
  Value gradientOfRows(Value g, Value share);

  CrossEntropyOp op;
  Writer write;
  Type accumulator;
  Value x;
  RankedTensorType type;
  int64_t classDim, classes;
  RankedTensorType rows;
  double smoothing;
};

} // namespace

Value LossWriter::isTarget() {
  return write.compare(arith::CmpIPredicate::eq, write.iota(x, classDim),
                       alongClasses(op.getTargets()));
}

Value LossWriter::targets() {
  double other = smoothing / double(classes);
  if (op.hasIds())
    return write.select(isTarget(), write.splat(x, 1 - smoothing + other),
                        write.splat(x, other));
  Value given = write.convert(op.getTargets(), accumulator);
  if (smoothing == 0)
    return given;
  return write.add(write.mul(given, write.splat(x, 1 - smoothing)),
                   write.splat(x, other));
}

Value LossWriter::timesTargets(Value value) {
  if (op.hasIds() && smoothing == 0)
    return write.select(isTarget(), value, write.splat(value, 0));
  return write.mul(value, targets());
}

Value LossWriter::timesWeights(Value value) {
  if (!op.getWeights())
    return value;
  Value weights = write.convert(op.getWeights(), accumulator);
  return write.mul(value, write.broadcast(weights, type, {classDim}));
}

Value LossWriter::keepClasses(Value row) {
  if (!op.hasIds())
    return row;
  Value ids = op.getTargets();
  // Of fewer than 2^31 classes; unsigned, so that negative ones are too large.
  Value isClass = write.compare(
      arith::CmpIPredicate::ult, ids,
      write.splatInteger(ids, std::min<int64_t>(classes, INT32_MAX)));
  double notANumber = std::numeric_limits<double>::quiet_NaN();
  row = write.select(isClass, row, write.splat(row, notANumber));
  if (!op.getIgnoreIndex())
    return row;
  Value isIgnored =
      write.compare(arith::CmpIPredicate::eq, ids,
                    write.splatInteger(ids, *op.getIgnoreIndex()));
  return write.select(isIgnored, write.splat(row, 0), row);
}

Value LossWriter::shareOfRows() {
  if (op.hasIds() && !op.getWeights())
    return {};
  return sumOverClasses(timesWeights(targets()));
}

Value LossWriter::countOfRows(Value share) {
  if (!op.getWeights())
    return write.splat(rows, 1);
  if (smoothing == 0)
    return share;
  return sumOverClasses(write.select(
      isTarget(), timesWeights(write.splat(x, 1)), write.splat(x, 0)));
}

Value LossWriter::divisor(Value count, Value &isNothing) {
  Value all = sumOverRows(keepClasses(count));
  isNothing =
      write.compare(arith::CmpFPredicate::OEQ, all, write.splat(all, 0));
  return write.select(isNothing, write.splat(all, 1), all);
}

/// All sums over classes are written before one is used, and so are those over
/// rows, so that they can travel together.
Value LossWriter::loss() {
  Value shifted = write.shiftByMaximum(x, classDim);
  Value sum = sumOverClasses(write.exp(shifted));
  Value expected = sumOverClasses(timesWeights(timesTargets(shifted)));
  Value share = shareOfRows();
  bool isMean = op.getReduction() == "mean";
  Value count;
  if (isMean && op.hasIds())
    count = countOfRows(share);
  Value logarithm = write.log(sum);
  if (share)
    logarithm = write.mul(share, logarithm);
  Value lossOfRows = keepClasses(write.sub(logarithm, expected));
  if (op.getReduction() == "none")
    return lossOfRows;
  Value total = sumOverRows(lossOfRows);
  if (!isMean)
    return total;
  if (!op.hasIds())
    return write.mul(total, write.splat(total, 1 / numberOfRows()));
  Value isNothing, by = divisor(count, isNothing);
  return write.div(write.select(isNothing, write.splat(total, 0), total), by);
}

Value LossWriter::gradientOfRows(Value g, Value share) {
  if (op.getReduction() == "none")
    return keepClasses(g);
  if (op.getReduction() == "mean") {
    if (op.hasIds()) {
      Value isNothing, by = divisor(countOfRows(share), isNothing);
      g = write.select(isNothing, write.splat(g, 0), write.div(g, by));
    } else {
      g = write.mul(g, write.splat(g, 1 / numberOfRows()));
    }
  }
  return keepClasses(classDim ? write.broadcast(g, rows, {}) : g);
}

/// With r the gradient of each row's loss and n = log(sum(exp(x))) - x:
///   dx = r * (sum(p) softmax(x) - p),  dq = r * w * n, before smoothing,
///   dw = sum over rows of r * q * n, less r * loss in the place of the id if
///   the weights are what the mean is divided by.
SmallVector<Value> LossWriter::gradients(Value g) {
  Value share = shareOfRows();
  Value r = alongClasses(gradientOfRows(g, share));
  Value probability = write.softmax(x, classDim);
  if (share)
    probability = write.mul(alongClasses(share), probability);
  Value dx = write.mul(r, write.sub(probability, timesWeights(targets())));
  SmallVector<Value> all(op->getNumOperands());
  all[0] = write.convert(dx, op.getLogits().getType().getElementType());
  if (op.hasIds() && !op.getWeights())
    return all;

  Value shifted = write.shiftByMaximum(x, classDim);
  Value sum = sumOverClasses(write.exp(shifted));
  Value negative = write.sub(alongClasses(write.log(sum)), shifted);
  if (!op.hasIds()) {
    Value dq = write.mul(write.mul(r, timesWeights(negative)),
                         write.splat(x, 1 - smoothing));
    all[1] = write.convert(dq, op.getTargets().getType().getElementType());
  }
  if (!op.getWeights())
    return all;
  Value each = timesTargets(negative);
  if (op.hasIds() && op.getReduction() == "mean") {
    Value loss = write.broadcast(op.getResult(), type, {});
    each = write.sub(each, write.select(isTarget(), loss, write.splat(x, 0)));
  }
  Value dw = write.mul(r, each);
  if (classDim)
    dw = write.sum(dw, leadingDims(type));
  all[2] = write.convert(dw, op.getWeights().getType().getElementType());
  return all;
}

SmallVector<Value> CrossEntropyOp::decompose(OpBuilder &builder, unsigned,
                                             int64_t, int64_t) {
  return {LossWriter(*this, builder).loss()};
}

SmallVector<Value> CrossEntropyOp::buildDerivative(OpBuilder &builder,
                                                   ValueRange gradients) {
  return LossWriter(*this, builder).gradients(gradients[0]);
}
