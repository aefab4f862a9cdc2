//===- Import.cpp - checkpoints to nn graphs ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Import/Import.h"

#include "Family.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/MathExtras.h"

#include <filesystem>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

static constexpr Family kFamilies[] = {
    {"llama", "LlamaForCausalLM", "llama", importLlama},
};

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static LogicalResult checkOptions(const ImportOptions &options,
                                  MLIRContext *context) {
  auto fail = [&]() { return emitError(UnknownLoc::get(context)); };
  if (options.entry != "forward" && options.entry != "generate")
    return fail() << "--entry is " << quote(options.entry)
                  << ", expected forward or generate";
  if (!llvm::is_contained({"auto", "f64", "f32", "bf16"}, options.dtype))
    return fail() << "--dtype is " << quote(options.dtype)
                  << ", expected auto, f64, f32 or bf16";
  struct {
    StringRef name;
    int64_t value, low;
  } sizes[] = {{"--batch", options.batch, 1},
               {"--seq", options.sequence, 0},
               {"--max-seq", options.maxSequence, 0},
               {"--top-k", options.topK, 1}};
  for (auto [name, value, low] : sizes)
    if (value < low || value > kMaxExtent)
      return fail() << name << " is " << value << ", expected " << low << " to "
                    << kMaxExtent;
  return success();
}

//===----------------------------------------------------------------------===//
// Types and sizes
//===----------------------------------------------------------------------===//

/// The type of a configuration without tensors, as config.json says it.
static FailureOr<FloatType> getConfiguredType(const Source &source) {
  Builder builder(source.getContext());
  KeyReader config = source.readConfig();
  StringRef key = config.has("dtype") ? "dtype" : "torch_dtype";
  std::string name = config.getString(key, StringRef("float32"));
  if (config.failed())
    return failure();
  if (name == "bfloat16")
    return cast<FloatType>(builder.getBF16Type());
  if (name == "float64")
    return cast<FloatType>(builder.getF64Type());
  if (name == "float16")
    source.emitRemark() << "float16 is computed in f32";
  else if (name != "float32") {
    config.fail(key, "is " + quote(name) +
                         ", expected float64, float32, float16 or bfloat16");
    return failure();
  }
  return cast<FloatType>(builder.getF32Type());
}

/// The type that the matrices are stored in; f32 where they are quantised,
/// half-precision or of several types.
static FailureOr<FloatType> getStoredType(const Source &source) {
  Builder builder(source.getContext());
  std::optional<tprt::StoredType> common;
  bool mixed = false;
  for (const tprt::TensorInfo &tensor : source.getCheckpoint().tensors()) {
    tprt::StoredKind kind = tprt::storedTypeInfo(tensor.type).kind;
    if (tensor.shape.size() < 2 || kind == tprt::StoredKind::Integer)
      continue;
    mixed |= common && *common != tensor.type;
    common = tensor.type;
  }
  if (!common)
    return getConfiguredType(source);
  if (!mixed && *common == tprt::StoredType::BF16)
    return cast<FloatType>(builder.getBF16Type());
  if (!mixed && *common == tprt::StoredType::F64)
    return cast<FloatType>(builder.getF64Type());
  if (!mixed && *common == tprt::StoredType::F16)
    source.emitRemark() << "F16 tensors are computed in f32";
  return cast<FloatType>(builder.getF32Type());
}

static FailureOr<FloatType> resolveType(const ImportJob &job) {
  Builder builder(job.source.getContext());
  if (job.options.dtype == "f64")
    return cast<FloatType>(builder.getF64Type());
  if (job.options.dtype == "f32")
    return cast<FloatType>(builder.getF32Type());
  if (job.options.dtype == "bf16")
    return cast<FloatType>(builder.getBF16Type());
  return getStoredType(job.source);
}

FailureOr<Shapes> importer::resolveShapes(const ImportJob &job,
                                          int64_t contextLength,
                                          int64_t vocabulary) {
  // What is reasonable where nobody asked: short programs of modest memory.
  constexpr int64_t defaultCache = 2048, defaultForward = 128,
                    defaultChunk = 64;
  const ImportOptions &options = job.options;
  Shapes shapes;
  shapes.generate = options.entry == "generate";
  shapes.batch = options.batch;
  shapes.topK = options.topK;
  shapes.cache = options.maxSequence ? options.maxSequence
                 : shapes.generate   ? std::min(contextLength, defaultCache)
                                     : contextLength;
  shapes.sequence =
      options.sequence
          ? options.sequence
          : std::min(shapes.cache,
                     shapes.generate ? defaultChunk : defaultForward);
  bool bounded = shapes.generate || options.maxSequence;
  if (bounded && shapes.sequence > shapes.cache)
    return job.source.emitError() << "--seq is " << shapes.sequence
                                  << ", but --max-seq is " << shapes.cache;
  if (shapes.topK > vocabulary)
    return job.source.emitError()
           << "--top-k is " << shapes.topK << ", but the vocabulary has "
           << vocabulary << " tokens";
  if (int64_t most = shapes.generate ? shapes.cache : shapes.sequence;
      most > contextLength)
    job.source.emitWarning()
        << "sequences of " << most << " tokens exceed the model's context of "
        << contextLength;
  FailureOr<FloatType> element = resolveType(job);
  if (failed(element))
    return failure();
  shapes.element = *element;
  return shapes;
}

LogicalResult importer::checkSize(const Source &source, StringRef what,
                                  ArrayRef<int64_t> shape) {
  constexpr int64_t limit = int64_t(1) << 40;
  int64_t elements = 1;
  for (int64_t size : shape)
    if (llvm::MulOverflow(elements, size, elements) || elements > limit)
      return source.emitError() << what << " would have more than 2^40 "
                                << "elements";
  return success();
}

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

static const Family *findFamily(const Source &source) {
  KeyReader config = source.readConfig();
  std::string key, name;
  auto select = [&](StringRef keyToTry, std::string value) {
    if (name.empty() && !value.empty()) {
      key = keyToTry.str();
      name = std::move(value);
    }
  };
  if (source.isGguf()) {
    select("general.architecture", config.getString("general.architecture"));
  } else {
    select("architectures", config.getFirstString("architectures"));
    select("model_type", config.getString("model_type", StringRef("")));
  }
  if (config.failed())
    return nullptr;
  std::string supported;
  for (const Family &family : kFamilies) {
    StringRef known = source.isGguf()          ? family.ggufArchitecture
                      : key == "architectures" ? family.architecture
                                               : family.modelType;
    if (known == name)
      return &family;
    supported += (supported.empty() ? "" : ", ") + known.str();
  }
  if (name.empty())
    config.fail("model_type", "is missing, supported is " + Twine(supported));
  else
    config.fail(key, "is " + quote(name) + ", supported is " + supported);
  return nullptr;
}

/// Links of parents are resolved, since `..` would not undo them; the last name
/// is kept, since a link's target may be a nameless blob.
std::string tp::getRelativePath(StringRef path, StringRef base) {
  namespace fs = std::filesystem;
  std::error_code ec;
  fs::path file = fs::absolute(path.str(), ec).lexically_normal();
  if (!file.has_filename())
    file = file.parent_path();
  fs::path parent = fs::weakly_canonical(file.parent_path(), ec);
  fs::path from = fs::weakly_canonical(
      base.empty() ? fs::path(".") : fs::path(base.str()), ec);
  fs::path relative = (parent / file.filename()).lexically_relative(from);
  return ec || relative.empty() ? path.str() : relative.string();
}

FailureOr<OwningOpRef<ModuleOp>> tp::importModel(StringRef path,
                                                 const ImportOptions &options,
                                                 MLIRContext *context) {
  if (failed(checkOptions(options, context)))
    return failure();
  FailureOr<std::unique_ptr<Source>> source = Source::open(path, context);
  if (failed(source))
    return failure();
  const Family *family = findFamily(**source);
  if (!family)
    return failure();

  context->loadDialect<arith::ArithDialect, func::FuncDialect,
                       math::MathDialect, nn::NNDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  // A configuration alone has no weights to come back for.
  if ((*source)->hasTensors()) {
    Builder builder(context);
    (*module)->setAttr(
        nn::kCheckpointName,
        builder.getStringAttr(getRelativePath(path, options.baseDirectory)));
    (*module)->setAttr(
        nn::kChecksumName,
        builder.getStringAttr((*source)->getCheckpoint().checksum()));
  }
  if (failed(family->import({**source, options, *module})) ||
      failed(verify(*module)))
    return failure();
  return module;
}
