//===- Differentiate.cpp - reverse-mode gradients of a function -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

namespace mlir::nn {
#define GEN_PASS_DEF_NNDIFFERENTIATE
#include "tp/Dialect/NN/Transforms/Passes.h.inc"
} // namespace mlir::nn

namespace {

bool isDifferentiable(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

class Differentiator {
public:
  Differentiator(func::FuncOp function, func::FuncOp gradient)
      : function(function), gradient(gradient),
        builder(OpBuilder::atBlockBegin(gradient.addEntryBlock())) {}

  LogicalResult run() {
    Block &from = function.getBody().front(), &to = gradient.getBody().front();
    IRMapping mapping;
    for (auto [i, argument] : llvm::enumerate(from.getArguments()))
      mapping.map(argument, to.getArgument(i));
    SmallVector<Operation *> ops;
    for (Operation &op : from.without_terminator())
      ops.push_back(builder.clone(op, mapping));

    // What flows in: one argument for each result that has a gradient.
    unsigned next = from.getNumArguments();
    for (Value result : from.getTerminator()->getOperands())
      if (isDifferentiable(result.getType()))
        accumulate(mapping.lookup(result), to.getArgument(next++));
    for (Operation *op : llvm::reverse(ops))
      if (failed(visit(op)))
        return failure();

    SmallVector<Value> results;
    for (unsigned i = 0; i < from.getNumArguments(); ++i)
      if (isDifferentiable(to.getArgument(i).getType()))
        results.push_back(gradientOf(to.getArgument(i)));
    func::ReturnOp::create(builder, function.getLoc(), results);
    return success();
  }

private:
  LogicalResult visit(Operation *op) {
    bool reaches = llvm::any_of(op->getResults(), [&](Value result) {
      return gradients.count(result);
    });
    bool matters = llvm::any_of(op->getOperandTypes(), isDifferentiable);
    if (!reaches || !matters)
      return success();
    auto derivative = dyn_cast<DerivativeOpInterface>(op);
    if (!derivative)
      return op->emitError("'")
             << op->getName() << "' has no derivative; it must "
             << "implement DerivativeOpInterface";
    SmallVector<Value> incoming;
    for (Value result : op->getResults())
      incoming.push_back(gradientOf(result));
    SmallVector<Value> outgoing = derivative.buildDerivative(builder, incoming);
    if (outgoing.size() != op->getNumOperands())
      return op->emitError("'")
             << op->getName() << "' has no derivative with these attributes";
    for (auto [operand, value] : llvm::zip(op->getOperands(), outgoing))
      if (value)
        accumulate(operand, value);
    return success();
  }

  void accumulate(Value value, Value more) {
    Value &sum = gradients[value];
    sum = sum ? arith::AddFOp::create(builder, more.getLoc(), sum, more)
                    .getResult()
              : more;
  }

  /// Zeros where nothing flowed.
  Value gradientOf(Value value) {
    if (Value known = gradients.lookup(value))
      return known;
    auto type = cast<RankedTensorType>(value.getType());
    return arith::ConstantOp::create(builder, value.getLoc(),
                                     builder.getZeroAttr(type));
  }

  func::FuncOp function, gradient;
  OpBuilder builder;
  DenseMap<Value, Value> gradients;
};

struct Differentiate : nn::impl::NNDifferentiateBase<Differentiate> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if (!function.isExternal() && failed(visit(function)))
        return signalPassFailure();
  }

  LogicalResult visit(func::FuncOp function) {
    if (!function.getBody().hasOneBlock())
      return function.emitError("a function to differentiate has one block");
    if (failed(checkStatic(function)))
      return failure();
    std::string name = (function.getName() + "_gradient").str();
    if (getOperation().lookupSymbol(name))
      return function.emitError("there is a function \"")
             << name << "\" already";
    SmallVector<Type> arguments(function.getArgumentTypes()), results;
    for (Type type : function.getArgumentTypes())
      if (isDifferentiable(type))
        results.push_back(type);
    for (Type type : function.getResultTypes())
      if (isDifferentiable(type))
        arguments.push_back(type);
    OpBuilder builder(function);
    builder.setInsertionPointAfter(function);
    auto gradient =
        func::FuncOp::create(builder, function.getLoc(), name,
                             builder.getFunctionType(arguments, results));
    nameSlots(function, gradient);
    return Differentiator(function, gradient).run();
  }

  /// Gradients start from zeros, whose extents must be known.
  static LogicalResult checkStatic(func::FuncOp function) {
    auto check = [&](Location loc, Type type) -> LogicalResult {
      if (!isDifferentiable(type) || cast<ShapedType>(type).hasStaticShape())
        return success();
      return emitError(loc) << "only tensors of static shape can be "
                            << "differentiated, got " << type;
    };
    for (Type type : function.getArgumentTypes())
      if (failed(check(function.getLoc(), type)))
        return failure();
    for (Operation &op : function.getBody().front())
      for (Type type : op.getResultTypes())
        if (failed(check(op.getLoc(), type)))
          return failure();
    return success();
  }

  /// Arguments keep their attributes; gradients are called "<name>.gradient".
  static void nameSlots(func::FuncOp function, func::FuncOp gradient) {
    Builder builder(function.getContext());
    unsigned next = 0;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      if (DictionaryAttr attributes = function.getArgAttrDict(i))
        gradient.setArgAttrs(i, attributes);
      if (!isDifferentiable(function.getArgumentTypes()[i]))
        continue;
      auto parameter =
          function.getArgAttrOfType<ParameterAttr>(i, kParameterName);
      auto input = function.getArgAttrOfType<StringAttr>(i, kInputName);
      if (StringAttr name = parameter ? parameter.getName() : input)
        gradient.setResultAttr(
            next, kOutputName,
            builder.getStringAttr(name.getValue() + ".gradient"));
      ++next;
    }
    next = function.getNumArguments();
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      if (!isDifferentiable(function.getResultTypes()[i]))
        continue;
      if (auto name = function.getResultAttrOfType<StringAttr>(i, kOutputName))
        gradient.setArgAttr(
            next, kInputName,
            builder.getStringAttr(name.getValue() + ".gradient"));
      ++next;
    }
  }
};

} // namespace
