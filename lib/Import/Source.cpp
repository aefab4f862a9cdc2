//===- Source.cpp - what is imported --------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Source.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

/// Tensors named in one message; a file of another family has thousands.
static constexpr size_t kMaxListed = 100;

//===----------------------------------------------------------------------===//
// Source
//===----------------------------------------------------------------------===//

InFlightDiagnostic Source::emitError() const {
  return mlir::emitError(UnknownLoc::get(context)) << path << ": ";
}
InFlightDiagnostic Source::emitWarning() const {
  return mlir::emitWarning(UnknownLoc::get(context)) << path << ": ";
}
InFlightDiagnostic Source::emitRemark() const {
  return mlir::emitRemark(UnknownLoc::get(context)) << path << ": ";
}

FailureOr<std::unique_ptr<Source>> Source::open(StringRef path,
                                                MLIRContext *context) {
  auto source = std::make_unique<Source>();
  source->context = context;
  source->path = source->configFile = path.str();
  tprt::Status status = tprt::Checkpoint::open(path.str(), source->checkpoint);
  if (!status.ok()) {
    mlir::emitError(UnknownLoc::get(context)) << status.message;
    return failure();
  }
  const tprt::Checkpoint &checkpoint = *source->checkpoint;
  switch (checkpoint.format()) {
  case tprt::Checkpoint::Format::GGUF:
    source->config = toObject(checkpoint.metadata());
    return source;
  case tprt::Checkpoint::Format::SafeTensors:
    return source->emitError()
           << "does not say what model it is: import the directory that holds "
              "it together with its config.json";
  case tprt::Checkpoint::Format::HuggingFace:
    break;
  }
  // The reader has bounded the size and the nesting of this text.
  source->configFile = (path.rtrim('/') + "/config.json").str();
  llvm::Expected<llvm::json::Value> config =
      llvm::json::parse(checkpoint.configText());
  if (!config) {
    mlir::emitError(UnknownLoc::get(context))
        << source->configFile << ": " << llvm::toString(config.takeError());
    return failure();
  }
  if (llvm::json::Object *object = config->getAsObject())
    source->config = std::move(*object);
  return source;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

static std::string spellShape(ArrayRef<int64_t> shape) {
  std::string result;
  llvm::raw_string_ostream os(result);
  os << '[';
  llvm::interleaveComma(shape, os);
  os << ']';
  return result;
}

bool Weights::contains(StringRef name) const {
  return source.getCheckpoint().find(storedName(name)) != nullptr;
}

/// Null if there are no tensors at all.
FailureOr<const tprt::TensorInfo *>
Weights::findTensor(StringRef stored, ArrayRef<int64_t> shape) {
  if (!source.hasTensors())
    return nullptr;
  const tprt::TensorInfo *tensor = source.getCheckpoint().find(stored.str());
  if (!tensor)
    return source.emitError()
           << "tensor " << quote(stored) << " is missing, expected shape "
           << spellShape(shape);
  taken.insert(stored);
  if (ArrayRef<int64_t>(tensor->shape) != shape)
    return source.emitError()
           << "tensor " << quote(stored) << " has shape "
           << spellShape(tensor->shape) << ", expected " << spellShape(shape);
  const tprt::StoredTypeInfo &type = tprt::storedTypeInfo(tensor->type);
  if (type.kind == tprt::StoredKind::Integer)
    return source.emitError()
           << "tensor " << quote(stored) << " has elements of type "
           << type.name << ", expected a floating-point or quantised type";
  return tensor;
}

FailureOr<nn::ParameterAttr> Weights::take(StringRef name,
                                           ArrayRef<int64_t> shape,
                                           StringRef initialisation,
                                           ArrayRef<StringRef> aliases) {
  std::string stored = source.hasTensors() ? storedName(name) : name.str();
  FailureOr<const tprt::TensorInfo *> tensor = findTensor(stored, shape);
  if (failed(tensor))
    return failure();
  MLIRContext *context = source.getContext();
  StringAttr type;
  if (*tensor && (*tensor)->type != tprt::StoredType::F32)
    type = StringAttr::get(context, tprt::storedTypeInfo((*tensor)->type).name);
  ArrayAttr aliasAttr;
  if (!aliases.empty())
    aliasAttr = Builder(context).getStrArrayAttr(aliases);
  return nn::ParameterAttr::getWhole(context, name, stored, shape,
                                     initialisation, aliasAttr, type);
}

FailureOr<SmallVector<double>> Weights::readVector(StringRef stored,
                                                   int64_t size) {
  FailureOr<const tprt::TensorInfo *> tensor = findTensor(stored, {size});
  if (failed(tensor) || !*tensor)
    return failure();
  SmallVector<double> values(size);
  tprt::Status status = source.getCheckpoint().read(
      **tensor, {{/*dim=*/0, /*stride=*/1, size, /*start=*/0, size}}, {0},
      TPRT_F64, values.data());
  if (status.ok())
    return values;
  mlir::emitError(UnknownLoc::get(source.getContext())) << status.message;
  return failure();
}

LogicalResult Weights::finish(function_ref<bool(StringRef)> wouldMatter) const {
  SmallVector<StringRef> unused;
  for (const tprt::TensorInfo &tensor : source.getCheckpoint().tensors()) {
    if (taken.contains(tensor.name))
      continue;
    if (wouldMatter(tensor.name))
      return source.emitError()
             << "tensor " << quote(tensor.name)
             << " is not understood and would change the model's results";
    unused.push_back(tensor.name);
  }
  if (unused.empty())
    return success();
  InFlightDiagnostic warning = source.emitWarning()
                               << unused.size() << " unused tensor"
                               << (unused.size() == 1 ? "" : "s") << ": ";
  llvm::interleaveComma(ArrayRef(unused).take_front(kMaxListed), warning,
                        [&](StringRef name) { warning << quote(name); });
  if (unused.size() > kMaxListed)
    warning << " and " << unused.size() - kMaxListed << " more";
  return success();
}
