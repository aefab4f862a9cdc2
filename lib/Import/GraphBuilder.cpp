//===- GraphBuilder.cpp - building a model's function ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

GraphBuilder::GraphBuilder(ModuleOp module, StringRef name, FloatType element)
    : builder(module.getContext()), element(element) {
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, builder.getUnknownLoc(), name,
                                  builder.getFunctionType({}, {}));
  body = function.addEntryBlock();
  builder.setInsertionPointToEnd(body);
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

/// Marks what an argument or a result is, and names its dims.
static DictionaryAttr describe(OpBuilder &builder, StringRef kind,
                               Attribute value, ArrayRef<StringRef> dims) {
  NamedAttrList attrs;
  attrs.append(kind, value);
  if (!dims.empty())
    attrs.append(nn::kDimsName, builder.getStrArrayAttr(dims));
  return attrs.getDictionary(builder.getContext());
}

Value GraphBuilder::addArgument(RankedTensorType type, StringRef kind,
                                Attribute value, ArrayRef<StringRef> dims,
                                StringRef module) {
  argumentAttrs.push_back(describe(builder, kind, value, dims));
  return body->addArgument(type, module.empty() ? builder.getUnknownLoc()
                                                : at(module));
}

void GraphBuilder::addParameter(nn::ParameterAttr parameter) {
  StringRef name = parameter.getName();
  // "model.norm.weight" belongs to the module "model.norm".
  parameters[name] =
      addArgument(getType(parameter.getShape()), nn::kParameterName, parameter,
                  {}, name.rsplit('.').first);
}

Value GraphBuilder::addInput(StringRef name, ArrayRef<int64_t> shape, Type type,
                             ArrayRef<StringRef> dims) {
  return addArgument(getType(shape, type), nn::kInputName,
                     builder.getStringAttr(name), dims);
}

Value GraphBuilder::addState(StringRef name, ArrayRef<int64_t> shape,
                             ArrayRef<StringRef> dims) {
  return addArgument(getType(shape), nn::kStateName,
                     builder.getStringAttr(name), dims);
}

void GraphBuilder::addResult(StringRef kind, StringRef name, Value value,
                             ArrayRef<StringRef> dims) {
  results.push_back(value);
  resultAttrs.push_back(
      describe(builder, kind, builder.getStringAttr(name), dims));
}

void GraphBuilder::addOutput(StringRef name, Value value,
                             ArrayRef<StringRef> dims) {
  addResult(nn::kOutputName, name, value, dims);
}

void GraphBuilder::addStateResult(StringRef name, Value value,
                                  ArrayRef<StringRef> dims) {
  addResult(nn::kStateName, name, value, dims);
}

void GraphBuilder::finish() {
  func::ReturnOp::create(builder, builder.getUnknownLoc(), results);
  function.setFunctionType(builder.getFunctionType(
      body->getArgumentTypes(), ValueRange(results).getTypes()));
  function.setAllArgAttrs(argumentAttrs);
  function.setAllResultAttrs(resultAttrs);
}

//===----------------------------------------------------------------------===//
// Types and locations
//===----------------------------------------------------------------------===//

FloatType GraphBuilder::getWideType() {
  return element.getWidth() < 32 ? mlir::cast<FloatType>(builder.getF32Type())
                                 : element;
}

RankedTensorType GraphBuilder::getType(ArrayRef<int64_t> shape,
                                       Type type) const {
  return RankedTensorType::get(shape, type ? type : Type(element));
}

Location GraphBuilder::at(StringRef module) {
  return NameLoc::get(builder.getStringAttr(module));
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Value GraphBuilder::boundary(StringRef module, Value value, StringRef direction,
                             StringRef name) {
  return nn::BoundaryOp::create(builder, at(module), value.getType(), value,
                                direction, name, module,
                                /*origin_dims=*/DenseI64ArrayAttr());
}

Value GraphBuilder::enter(StringRef module, Value value, StringRef name) {
  return boundary(module, value, "input", name);
}

Value GraphBuilder::leave(StringRef module, Value value) {
  return boundary(module, value, "output", "0");
}

Value GraphBuilder::linear(StringRef module, Value input) {
  Location loc = at(module);
  Value weight = getParameter((module + ".weight").str());
  Value bias = getParameter((module + ".bias").str());
  input = enter(module, input);
  SmallVector<int64_t> shape(shapeOf(input));
  shape.back() = shapeOf(weight).front();
  Value result = nn::ContractOp::create(builder, loc, getType(shape), input,
                                        weight, "bsk,nk->bsn");
  if (bias)
    result = arith::AddFOp::create(
        builder, loc, result,
        broadcast(loc, bias, shape, {static_cast<int64_t>(shape.size()) - 1}));
  return leave(module, result);
}

Value GraphBuilder::embedding(StringRef module, Value ids) {
  Value table = getParameter((module + ".weight").str());
  ids = enter(module, ids);
  SmallVector<int64_t> shape(shapeOf(ids));
  shape.push_back(shapeOf(table).back());
  return leave(module, nn::EmbeddingOp::create(
                           builder, at(module), getType(shape), ids, table,
                           /*start=*/Value(), /*vocabulary=*/IntegerAttr()));
}

Value GraphBuilder::rmsNorm(StringRef module, Value input, double epsilon) {
  Value weight = getParameter((module + ".weight").str());
  input = enter(module, input);
  return leave(module, nn::RMSNormOp::create(builder, at(module),
                                             input.getType(), input, weight,
                                             builder.getF64FloatAttr(epsilon)));
}

//===----------------------------------------------------------------------===//
// Idioms
//===----------------------------------------------------------------------===//

Value GraphBuilder::reshape(Location loc, Value value,
                            ArrayRef<int64_t> shape) {
  auto type = mlir::cast<RankedTensorType>(value.getType()).clone(shape);
  return nn::ReshapeOp::create(builder, loc, type, value);
}

Value GraphBuilder::broadcast(Location loc, Value value,
                              ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  auto type = mlir::cast<RankedTensorType>(value.getType()).clone(shape);
  return nn::BroadcastOp::create(builder, loc, type, value, dims);
}

Value GraphBuilder::cast(Location loc, Value value, FloatType type) {
  auto from = mlir::cast<RankedTensorType>(value.getType());
  unsigned width = from.getElementTypeBitWidth();
  if (width < type.getWidth())
    return arith::ExtFOp::create(builder, loc, from.clone(type), value);
  if (width > type.getWidth())
    return arith::TruncFOp::create(builder, loc, from.clone(type), value);
  return value;
}

Value GraphBuilder::splat(Location loc, RankedTensorType type, double value) {
  Type element = type.getElementType();
  Attribute attr =
      isa<FloatType>(element)
          ? Attribute(builder.getFloatAttr(element, value))
          : builder.getIntegerAttr(element, static_cast<int64_t>(value));
  return arith::ConstantOp::create(builder, loc, type,
                                   DenseElementsAttr::get(type, attr));
}

Value GraphBuilder::constant(Location loc, FloatType type,
                             ArrayRef<double> values) {
  SmallVector<Attribute> attrs;
  for (double value : values)
    attrs.push_back(builder.getFloatAttr(type, value));
  auto tensor = getType({static_cast<int64_t>(values.size())}, type);
  return arith::ConstantOp::create(builder, loc, tensor,
                                   DenseElementsAttr::get(tensor, attrs));
}

Value GraphBuilder::silu(Location loc, Value value) {
  Value x = cast(loc, value, getWideType());
  auto type = mlir::cast<RankedTensorType>(x.getType());
  Value decay =
      math::ExpOp::create(builder, loc, arith::NegFOp::create(builder, loc, x));
  Value divisor =
      arith::AddFOp::create(builder, loc, decay, splat(loc, type, 1));
  return cast(loc, arith::DivFOp::create(builder, loc, x, divisor), element);
}
