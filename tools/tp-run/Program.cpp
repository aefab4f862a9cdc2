//===- Program.cpp - a model, compiled and loaded on its ranks ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Support/Json.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

/// The name and global type of an input or output; nothing for the others.
static LogicalResult addSlot(func::FuncOp function, const Twine &what,
                             StringAttr name, Type type, TypeAttr global,
                             std::vector<Slot> &slots) {
  if (!name)
    return success();
  auto tensor = dyn_cast<RankedTensorType>(global ? global.getValue() : type);
  std::optional<int64_t> dtype =
      tensor ? rt::getDTypeCode(rt::getBufferType(tensor).getElementType())
             : std::nullopt;
  if (!dtype) {
    printError("@" + function.getName() + ": " + what + " \"" +
               name.getValue() + "\" has a type that cannot be exchanged");
    return failure();
  }
  slots.push_back({name.getValue().str(), tprt_dtype(*dtype),
                   SmallVector<int64_t>(tensor.getShape())});
  return success();
}

static LogicalResult collectEntries(ModuleOp module,
                                    std::map<std::string, Entry> &entries) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    Entry &entry = entries[function.getName().str()];
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (failed(
              addSlot(function, "input",
                      function.getArgAttrOfType<StringAttr>(i, nn::kInputName),
                      function.getArgumentTypes()[i],
                      function.getArgAttrOfType<TypeAttr>(i, kGlobalName),
                      entry.inputs)))
        return failure();
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (failed(addSlot(
              function, "output",
              function.getResultAttrOfType<StringAttr>(i, nn::kOutputName),
              function.getResultTypes()[i],
              function.getResultAttrOfType<TypeAttr>(i, kGlobalName),
              entry.outputs)))
        return failure();
  }
  if (entries.empty()) {
    printError("the module has no function to run");
    return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

Program::~Program() {
  tprt_session_destroy(session);
  tprt_program_close(file);
}

/// What the manifest does not tell of a program: its code.
static uint64_t fingerprintOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  // Not the module's own attributes: they say where the weights are.
  for (Operation &op : *module.getBody())
    op.print(os);
  return llvm::xxh3_64bits(text);
}

static tprt_entry lookupEntry(const char *symbol, void *context) {
  return reinterpret_cast<tprt_entry>(
      static_cast<JitProgram *>(context)->lookup(symbol));
}

std::unique_ptr<Program> Program::create(OwningOpRef<ModuleOp> module,
                                         const Source &source, StringRef mesh,
                                         const ProgramOptions &options,
                                         CacheSlot *slot) {
  auto program = std::make_unique<Program>();
  program->isFirst = tprt_world_rank(options.world) == 0;
  if (failed(shardSource(*module, source, mesh, options.plan)))
    return nullptr;
  if (failed(collectEntries(*module, program->entryPoints)))
    return nullptr;
  printPlan(options);
  if (!module->getOps<MeshOp>().empty()) {
    FailureOr<Report> report = buildReport(*module);
    if (failed(report))
      return nullptr;
    program->fromIR = *report;
    if (program->isFirst)
      printStart(report->axes, options.world, /*isCached=*/false);
  }
  progress("compiling");
  uint64_t fingerprint = slot || options.world ? fingerprintOf(*module) : 0;
  FailureOr<CachedProgram> made = failure();
  if (slot)
    made = slot->compile(*module, fingerprint);
  std::string manifest;
  bool started = false;
  if (succeeded(made) && program->map(std::move(*made))) {
    manifest = tprt_program_manifest(program->file);
    started = program->start(manifest.c_str(), tprt_program_lookup,
                             program->file, fingerprint, options);
  } else {
    JitOptions jit;
    jit.marks = options.hasTimeline ? Marks::EveryOp : Marks::None;
    FailureOr<std::unique_ptr<JitProgram>> code =
        JitProgram::compile(*module, jit);
    if (failed(code))
      return nullptr;
    program->code = std::move(*code);
    manifest = program->code->manifest();
    started = program->start(manifest.c_str(), lookupEntry, program->code.get(),
                             fingerprint, options);
  }
  if (!started || !program->load(options.weights.empty() ? source.checkpoint
                                                         : options.weights,
                                 manifest, options))
    return nullptr;
  return program;
}

bool Program::map(CachedProgram cached) {
  tprt_error error = {};
  if (tprt_program_open(cached.path().c_str(), &file, &error) != TPRT_OK)
    return false;
  cached.file.release();
  return true;
}

bool Program::start(const char *manifest, tprt_lookup lookup, void *context,
                    uint64_t fingerprint, const ProgramOptions &options) {
  tprt_error error = {};
  tprt_options runtime = {};
  runtime.timeout_seconds = options.timeout;
  runtime.world = options.world;
  runtime.fingerprint = options.world ? fingerprint : 0;
  runtime.collectives = options.collectives.c_str();
  if (tprt_session_create(manifest, lookup, context, &runtime, &session,
                          &error) == TPRT_OK &&
      (!options.hasTimeline ||
       tprt_session_start_timeline(session, &error) == TPRT_OK))
    return true;
  printError(error.message);
  return false;
}

/// The elements of a list; none if there is no such list.
static ArrayRef<llvm::json::Value> list(const llvm::json::Value &value,
                                        StringRef key) {
  const llvm::json::Object *object = value.getAsObject();
  const llvm::json::Array *array = object ? object->getArray(key) : nullptr;
  return array ? ArrayRef(array->data(), array->size())
               : ArrayRef<llvm::json::Value>();
}

/// Visits the arguments of that kind. False if the manifest cannot be read: the
/// session says what is wrong with it.
static bool
forEachArgument(StringRef manifest, StringRef kind,
                function_ref<void(const llvm::json::Value &argument)> body) {
  llvm::Expected<llvm::json::Value> json = parseJson(manifest);
  if (!json) {
    llvm::consumeError(json.takeError());
    return false;
  }
  for (const llvm::json::Value &entry : list(*json, "entries"))
    for (const llvm::json::Value &argument : list(entry, "arguments"))
      if (const llvm::json::Object *object = argument.getAsObject();
          object && object->getString("kind") == kind)
        body(argument);
  return true;
}

/// Whether an entry of the program takes parameters.
static bool hasParameters(StringRef manifest) {
  bool found = false;
  return !forEachArgument(manifest, "parameter",
                          [&](const llvm::json::Value &) { found = true; }) ||
         found;
}

int64_t Program::cacheRows() const {
  int64_t rows = std::numeric_limits<int64_t>::max();
  // A cache is state, [batch, rows, heads, head size].
  forEachArgument(code ? StringRef(code->manifest())
                       : tprt_program_manifest(file),
                  "state", [&](const llvm::json::Value &argument) {
                    ArrayRef<llvm::json::Value> dims = list(argument, "dims");
                    const llvm::json::Object *dim =
                        dims.size() == 4 ? dims[1].getAsObject() : nullptr;
                    if (std::optional<int64_t> size =
                            dim ? dim->getInteger("size") : std::nullopt)
                      rows = std::min(rows, *size);
                  });
  return rows;
}

bool Program::load(StringRef checkpoint, StringRef manifest,
                   const ProgramOptions &options) {
  bool isRandom = options.randomWeights.has_value();
  if (checkpoint.empty() && !isRandom)
    isRandom = !hasParameters(manifest);
  if (checkpoint.empty() && !isRandom) {
    printError("the model has no weights: name them with --weights=PATH, or "
               "use --random-weights=SEED");
    return false;
  }
  progress("loading weights");
  tprt_error error = {};
  std::string path = checkpoint.str();
  if (tprt_session_load(session, isRandom ? nullptr : path.c_str(),
                        options.randomWeights.value_or(0), &error) != TPRT_OK) {
    printError(error.message);
    return false;
  }
  progressDone();
  return true;
}

static tprt_buffer bufferOf(const std::string &name, const Array &array) {
  tprt_buffer buffer = {};
  buffer.name = name.c_str();
  buffer.dtype = array.dtype;
  buffer.rank = int64_t(array.shape.size());
  for (size_t i = 0; i < array.shape.size() && i < TPRT_MAX_RANK; ++i)
    buffer.shape[i] = array.shape[i];
  buffer.data = const_cast<char *>(array.data.data());
  return buffer;
}

bool Program::run(StringRef entry, const Arrays &inputs, Arrays &outputs) {
  auto it = entryPoints.find(entry.str());
  if (it == entryPoints.end()) {
    printError("the module has no function \"" + entry + "\"");
    return false;
  }
  std::vector<tprt_buffer> in, out;
  for (auto &input : inputs)
    in.push_back(bufferOf(input.first, input.second));
  for (const Slot &slot : it->second.outputs) {
    Array &array = outputs[slot.name];
    if (isFirst) {
      array.reset(slot.dtype, slot.shape);
    } else {
      array.dtype = slot.dtype;
      array.shape = slot.shape;
    }
    out.push_back(bufferOf(slot.name, array));
  }
  tprt_error error = {};
  if (tprt_session_run(session, it->first.c_str(), in.data(), in.size(),
                       out.data(), out.size(), &error) != TPRT_OK) {
    printError(error.message);
    return false;
  }
  return true;
}

/// Puts what the runtime counted in place of what the compiler said.
static bool readCounters(StringRef text, Report &report) {
  llvm::Expected<llvm::json::Value> json = parseJson(text);
  if (!json) {
    llvm::consumeError(json.takeError());
    return false;
  }
  std::map<std::string, std::vector<ReportCollective *>> phases;
  for (ReportCollective &collective : report.collectives)
    phases[collective.phase].push_back(&collective);
  const llvm::json::Object *root = json->getAsObject();
  const llvm::json::Array *entries = root ? root->getArray("entries") : nullptr;
  if (!entries)
    return false;
  for (const llvm::json::Value &value : *entries) {
    const llvm::json::Object *entry = value.getAsObject();
    std::optional<StringRef> name =
        entry ? entry->getString("name") : std::nullopt;
    const llvm::json::Array *counted =
        entry ? entry->getArray("collectives") : nullptr;
    if (!name || !counted)
      return false;
    std::vector<ReportCollective *> &known = phases[name->str()];
    if (counted->size() != known.size())
      return false;
    for (auto [collective, counter] : llvm::zip(known, *counted)) {
      const llvm::json::Object *object = counter.getAsObject();
      if (!object)
        return false;
      int64_t executions = object->getInteger("executions").value_or(0);
      // What never ran has sent nothing that could be counted.
      if (executions)
        collective->bytesSent = object->getInteger("bytes_sent").value_or(-1);
      collective->executions = executions;
    }
  }
  if (const llvm::json::Object *memory = root->getObject("memory")) {
    report.memory.parameters =
        memory->getInteger("parameters").value_or(report.memory.parameters);
    report.memory.state =
        memory->getInteger("state").value_or(report.memory.state);
  }
  return true;
}

FailureOr<Report> Program::report() {
  Report report = fromIR.value_or(Report());
  char *json = nullptr;
  tprt_error error = {};
  if (tprt_session_counters(session, &json, &error) != TPRT_OK) {
    printError(error.message);
    return failure();
  }
  bool ok = readCounters(json, report);
  tprt_free(json);
  if (!ok) {
    printError("the runtime's counters do not fit the program");
    return failure();
  }
  return report;
}

FailureOr<std::string> Program::timeline() {
  char *json = nullptr;
  int64_t leftOut = 0;
  tprt_error error = {};
  if (tprt_session_timeline(session, &json, &leftOut, &error) != TPRT_OK) {
    printError(error.message);
    return failure();
  }
  std::string text = json ? json : "";
  tprt_free(json);
  if (leftOut && isFirst)
    llvm::errs() << "remark: the timeline has no room for the last " << leftOut
                 << " runs\n";
  return text;
}

//===----------------------------------------------------------------------===//
// The start line
//===----------------------------------------------------------------------===//

std::string tp::textOf(ArrayRef<MeshAxis> axes) {
  std::string text;
  for (auto &[name, size] : axes)
    text += (text.empty() ? "" : ",") + name + "=" + std::to_string(size);
  return text;
}

void tp::printPlan(const ProgramOptions &options) {
  if (!options.mesh.empty() && tprt_world_rank(options.world) == 0)
    llvm::errs() << "plan: " << options.plan << "\n";
}

void tp::printStart(ArrayRef<MeshAxis> axes, tprt_world *world, bool isCached) {
  if (axes.empty())
    return;
  constexpr int64_t most = 16;
  int64_t ranks = 1;
  std::string names;
  for (auto &[name, size] : axes) {
    ranks *= size;
    names += (names.empty() ? "" : ",") + name;
  }
  llvm::raw_ostream &os = llvm::errs();
  os << "start: runtime " << TPRT_VERSION << ", LLVM " << LLVM_VERSION_STRING
     << ", " << tprt_world_description(world)
     << (isCached ? ", program from the cache" : "") << "; mesh "
     << textOf(axes) << ", " << ranks << (world ? " processes" : " threads")
     << "; (" << names << ") of ranks:";
  for (int64_t rank = 0; rank < ranks; ++rank) {
    if (ranks > most && rank == most - 1) {
      os << " ...";
      rank = ranks - 1;
    }
    std::string coordinates;
    int64_t rest = rank;
    for (auto &axis : llvm::reverse(axes)) {
      coordinates.insert(0, std::to_string(rest % axis.second) +
                                (coordinates.empty() ? "" : ","));
      rest /= axis.second;
    }
    os << " " << rank << " (" << coordinates << ")";
  }
  os << "\n";
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

double tp::toleranceOf(tprt_dtype dtype) {
  switch (dtype) {
  case TPRT_F64:
    return 1e-10;
  case TPRT_BF16:
    return 5e-2;
  case TPRT_F16:
    return 1e-2;
  case TPRT_I32:
  case TPRT_I64:
  case TPRT_I8:
    return 0;
  case TPRT_F32:
    break;
  }
  return 1e-4;
}

bool tp::compare(const Arrays &got, const Arrays &wanted) {
  bool within = true;
  for (auto &[name, reference] : wanted) {
    const Array &array = got.at(name);
    double difference = 0, scale = 0;
    bool comparable = array.shape == reference.shape;
    for (int64_t i = 0; comparable && i < reference.size(); ++i) {
      double a = array.at(i), b = reference.at(i);
      if (std::isnan(a) != std::isnan(b))
        difference = std::numeric_limits<double>::infinity();
      else if (a != b && !std::isnan(a))
        difference = std::max(difference, std::abs(a - b));
      if (std::isfinite(b))
        scale = std::max(scale, std::abs(b));
    }
    double ratio = difference == 0 ? 0 : difference / (scale == 0 ? 1 : scale);
    double tolerance = toleranceOf(reference.dtype);
    bool good = comparable && ratio <= tolerance;
    within &= good;
    llvm::errs() << "check: " << name
                 << ": max|a-b| / max|b| = " << llvm::format("%.3g", ratio)
                 << " (tolerance " << llvm::format("%.3g", tolerance) << ")"
                 << (good ? "" : " FAILED") << "\n";
  }
  return within;
}
