//===- NNDialect.cpp - the nn dialect and its attributes ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Interfaces/ShardingDialectInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::nn;

#include "tp/Dialect/NN/IR/NNDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/NN/IR/NNAttributes.cpp.inc"

void NNDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tp/Dialect/NN/IR/NNAttributes.cpp.inc"
      >();
}

namespace {
struct NNShardingInterface : tp::ShardingDialectInterface {
  using ShardingDialectInterface::ShardingDialectInterface;

  /// A state's argument is donated to the result of its name.
  void findDonors(FunctionOpInterface function,
                  tp::Donors &donors) const override {
    DenseMap<StringAttr, unsigned> states;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto name = function.getArgAttrOfType<StringAttr>(i, kStateName))
        states[name] = i;
    for (auto [i, donor] : llvm::enumerate(donors))
      if (auto it = states.find(
              function.getResultAttrOfType<StringAttr>(i, kStateName));
          it != states.end())
        donor = it->second;
  }

  bool isParameter(FunctionOpInterface function,
                   unsigned argument) const override {
    return function.getArgAttr(argument, kParameterName) != nullptr;
  }

  std::optional<tp::StoredTensor> findStored(FunctionOpInterface function,
                                             unsigned argument) const override {
    if (auto parameter =
            function.getArgAttrOfType<ParameterAttr>(argument, kParameterName))
      return tp::StoredTensor{parameter.getName(), parameter};
    if (auto state =
            function.getArgAttrOfType<StringAttr>(argument, kStateName))
      return tp::StoredTensor{state, state};
    return std::nullopt;
  }

  /// Parameters are loaded with zeros as padding.
  bool isZeroPadded(FunctionOpInterface function,
                    unsigned argument) const override {
    return isParameter(function, argument);
  }
};
} // namespace

void NNDialect::initialize() {
  registerAttributes();
  addInterfaces<NNShardingInterface>();
  addOperations<
#define GET_OP_LIST
#include "tp/Dialect/NN/IR/NNOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult ParameterAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, StringAttr name,
    StringAttr tensor, DenseI64ArrayAttr shape, DenseI64ArrayAttr offset,
    DenseI64ArrayAttr dims, DenseI64ArrayAttr strides,
    StringAttr initialisation, ArrayAttr aliases, StringAttr) {
  if (!name || !tensor || !shape || !offset || !dims || !strides ||
      !initialisation)
    return emitError() << "#nn.parameter needs all of its fields";
  if (shape.size() != offset.size())
    return emitError() << "parameter " << name
                       << ": 'shape' and 'offset' differ in length";
  if (dims.size() != strides.size())
    return emitError() << "parameter " << name
                       << ": 'dims' and 'strides' differ in length";
  for (int64_t dim : dims.asArrayRef())
    if (dim < 0 || dim >= shape.size())
      return emitError() << "parameter " << name << ": no stored dim " << dim;
  for (int64_t size : shape.asArrayRef())
    if (size <= 0)
      return emitError() << "parameter " << name
                         << ": stored sizes must be positive, got " << size;
  if (initialisation != "normal" && initialisation != "ones")
    return emitError() << "parameter " << name
                       << ": initialisation is \"normal\" or \"ones\", got "
                       << initialisation;
  if (aliases && !llvm::all_of(aliases, llvm::IsaPred<StringAttr>))
    return emitError() << "parameter " << name << ": aliases are names";
  return success();
}

ParameterAttr ParameterAttr::getWhole(MLIRContext *context, StringRef name,
                                      StringRef tensor, ArrayRef<int64_t> shape,
                                      StringRef initialisation,
                                      ArrayAttr aliases, StringAttr stored) {
  SmallVector<int64_t> zeros(shape.size(), 0), ones(shape.size(), 1), dims;
  for (size_t i = 0; i < shape.size(); ++i)
    dims.push_back(i);
  return ParameterAttr::get(
      context, StringAttr::get(context, name), StringAttr::get(context, tensor),
      DenseI64ArrayAttr::get(context, shape),
      DenseI64ArrayAttr::get(context, zeros),
      DenseI64ArrayAttr::get(context, dims),
      DenseI64ArrayAttr::get(context, ones),
      StringAttr::get(context, initialisation), aliases, stored);
}

void nn::forgetStored(ModuleOp module) {
  for (auto function : module.getOps<FunctionOpInterface>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto parameter =
          function.getArgAttrOfType<ParameterAttr>(i, kParameterName);
      if (parameter && parameter.getStored())
        function.setArgAttr(
            i, kParameterName,
            ParameterAttr::get(module.getContext(), parameter.getName(),
                               parameter.getTensor(), parameter.getShape(),
                               parameter.getOffset(), parameter.getDims(),
                               parameter.getStrides(),
                               parameter.getInitialisation(),
                               parameter.getAliases(), StringAttr()));
    }
}

/// Every element of the parameter must lie inside the stored tensor.
static LogicalResult
verifyParameter(ParameterAttr parameter, Type type,
                function_ref<InFlightDiagnostic()> emitError) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape())
    return emitError() << "a parameter is a tensor of static shape";
  if (tensor.getRank() != parameter.getDims().size())
    return emitError() << "parameter " << parameter.getName() << " maps "
                       << parameter.getDims().size() << " dims, the tensor has "
                       << tensor.getRank();
  SmallVector<int64_t> low(parameter.getOffset().asArrayRef());
  SmallVector<int64_t> high = low;
  for (auto [size, dim, stride] :
       llvm::zip(tensor.getShape(), parameter.getDims().asArrayRef(),
                 parameter.getStrides().asArrayRef())) {
    int64_t reach;
    if (llvm::MulOverflow(size - 1, stride, reach) ||
        llvm::AddOverflow(stride < 0 ? low[dim] : high[dim], reach,
                          stride < 0 ? low[dim] : high[dim]))
      return emitError() << "parameter " << parameter.getName()
                         << ": strides overflow";
  }
  for (auto [dim, size] : llvm::enumerate(parameter.getShape().asArrayRef()))
    if (low[dim] < 0 || high[dim] >= size)
      return emitError() << "parameter " << parameter.getName()
                         << " reaches index "
                         << (low[dim] < 0 ? low[dim] : high[dim])
                         << " of stored dim " << dim << " of size " << size;
  return success();
}

LogicalResult NNDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                  unsigned index,
                                                  NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || index >= function.getNumArguments())
    return success();
  auto emitError = [&] {
    return op->emitError() << "argument " << index << ": '"
                           << attribute.getName().str() << "': ";
  };
  if (attribute.getName() == kParameterName) {
    auto parameter = dyn_cast<ParameterAttr>(attribute.getValue());
    if (!parameter)
      return emitError() << "expects #nn.parameter";
    // A local argument is checked by its global type.
    Type type = function.getArgumentTypes()[index];
    if (auto global = function.getArgAttrOfType<TypeAttr>(index, "tp.global"))
      type = global.getValue();
    return verifyParameter(parameter, type, emitError);
  }
  if ((attribute.getName() == kInputName ||
       attribute.getName() == kStateName) &&
      !isa<StringAttr>(attribute.getValue()))
    return emitError() << "expects a name";
  return success();
}

LogicalResult NNDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if ((attribute.getName() == kCheckpointName ||
       attribute.getName() == kChecksumName) &&
      !isa<StringAttr>(attribute.getValue()))
    return op->emitError() << "'" << attribute.getName().str()
                           << "' expects a string";
  return success();
}
