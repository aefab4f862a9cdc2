//===- ProgramSource.cpp - programs as CUDA source ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tp/Conversion/Passes.h"
#include "tp/Cuda/Cuda.h"
#include "tp/Cuda/SourcePrinter.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/IR/Placement.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Making it ready
//===----------------------------------------------------------------------===//

static bool isKernel(func::FuncOp function) {
  return function->hasAttr(rt::kKernelName);
}

static SmallVector<func::FuncOp> entriesOf(ModuleOp module) {
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isDeclaration() && !isKernel(function))
      entries.push_back(function);
  return entries;
}

/// To the runtime level if it is not there, and kernels to threads.
static LogicalResult prepare(ModuleOp module) {
  // Kernels for GPUs read what they compute with.
  nn::forgetStored(module);
  if (failed(lowerToRuntimeLevel(module)))
    return failure();
  PassManager manager(module.getContext());
  manager.addPass(createRTFoldBias());
  RTEmitKernelsOptions kernels;
  kernels.threads = true;
  manager.addPass(createRTEmitKernels(kernels));
  RTExpandMathOptions math;
  math.keepFunctions = true;
  manager.addPass(createRTExpandMath(math));
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  return manager.run(module);
}

static LogicalResult checkEntry(func::FuncOp entry) {
  for (Type type : entry.getArgumentTypes())
    if (auto buffer = dyn_cast<MemRefType>(type);
        buffer && rt::getStoredCode(buffer))
      return entry.emitError("keeps weights as they are stored, ")
             << type << ", which is for CPUs: emit from the sharded module";
  if (!entry.getBody().hasOneBlock())
    return entry.emitError("an entry must be straight-line code");
  for (TypeRange types :
       {TypeRange(entry.getArgumentTypes()), TypeRange(entry.getResultTypes())})
    for (Type type : types)
      if (!isa<MemRefType>(type))
        return entry.emitError("an entry must work on buffers, got ") << type;
  return success();
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

namespace {

class ProgramWriter {
public:
  explicit ProgramWriter(ModuleOp module) : module(module), os(text) {}

  LogicalResult write(raw_ostream &to);

private:
  LogicalResult findMesh();
  void findGroups();
  void countLaunches();
  void title(StringRef text);
  void writeHead();
  LogicalResult writeKernel(func::FuncOp kernel);
  LogicalResult writeEntry(func::FuncOp entry);
  LogicalResult writeArguments(func::FuncOp entry, SourcePrinter &printer);
  LogicalResult writeBody(func::FuncOp entry, SourcePrinter &printer);
  std::string placementOf(DictionaryAttr slot, MemRefType local) const;
  void writeCalls();
  void writeTable();

  ModuleOp module;
  std::string text;
  llvm::raw_string_ostream os;
  MeshAttr mesh;
  SourceTables tables;
  SmallVector<Axes> groups;
  /// The C++ names of the entries.
  llvm::StringMap<std::string> functions;
  llvm::StringSet<> functionNames;
  /// How often a kernel is launched, and the module that does it first.
  llvm::StringMap<std::pair<unsigned, std::string>> launches;
};

} // namespace

/// A C++ identifier like `name`.
static std::string identifierOf(StringRef name) {
  std::string result;
  for (char c : name)
    result += llvm::isAlnum(c) ? c : '_';
  if (result.empty() || llvm::isDigit(result.front()))
    result.insert(0, "_");
  return result;
}

/// Names that a variable of an entry cannot have: those of the function and of
/// C++ itself.
static constexpr StringLiteral kReserved[] = {
    "rank",     "arena",       "arguments", "results",   "at",
    "multiply", "communicate", "alignas",   "alignof",   "and",
    "asm",      "auto",        "bitand",    "bitor",     "bool",
    "break",    "case",        "catch",     "char",      "class",
    "compl",    "const",       "continue",  "decltype",  "default",
    "delete",   "do",          "double",    "else",      "enum",
    "explicit", "export",      "extern",    "false",     "float",
    "for",      "friend",      "goto",      "if",        "inline",
    "int",      "long",        "mutable",   "namespace", "new",
    "noexcept", "not",         "nullptr",   "operator",  "or",
    "private",  "protected",   "public",    "register",  "return",
    "short",    "signed",      "sizeof",    "static",    "struct",
    "switch",   "template",    "this",      "throw",     "true",
    "try",      "typedef",     "typeid",    "typename",  "union",
    "unsigned", "using",       "virtual",   "void",      "volatile",
    "while",    "xor",         "NULL",      "Matmul",    "int32_t",
    "int64_t",  "int8_t",      "int16_t",   "__half",    "__nv_bfloat16"};

/// "1x16x576 f32".
static std::string describe(ShapedType type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(type.getShape(), os, "x");
  os << (type.getRank() ? " " : "") << type.getElementType();
  return text;
}

LogicalResult ProgramWriter::findMesh() {
  for (auto op : module.getOps<MeshOp>()) {
    if (mesh)
      return op.emitOpError("is a second mesh: a program runs on one");
    mesh = op.getMesh();
  }
  return success();
}

void ProgramWriter::findGroups() {
  auto list = module->getAttrOfType<ArrayAttr>(rt::kGroupsName);
  if (!list || !mesh)
    return;
  for (ArrayAttr group : list.getAsRange<ArrayAttr>()) {
    groups.push_back(toAxes(group, mesh));
    std::string name;
    for (const Axis &axis : groups.back())
      name += (name.empty() ? "" : " x ") + axis.name.str();
    tables.groupNames.push_back(name);
    tables.groupSizes.push_back(sizeOf(groups.back()));
  }
}

void ProgramWriter::countLaunches() {
  module.walk([&](rt::LaunchOp launch) {
    auto &[count, first] = launches[launch.getKernel()];
    if (count++ == 0)
      first = moduleOf(launch.getLoc()).str();
  });
}

void ProgramWriter::title(StringRef text) {
  std::string rule = "//===" + std::string(70, '-') + "===//\n";
  os << "\n" << rule << "// " << text << "\n" << rule;
}

void ProgramWriter::writeHead() {
  int64_t ranks = 1;
  std::string axes;
  if (mesh)
    for (MeshAxisAttr axis : mesh.getAxes()) {
      ranks *= axis.getSize();
      axes += (axes.empty() ? "" : ", ") + axis.getName().str() + "=" +
              std::to_string(axis.getSize());
    }
  os << "// Written by tp-opt --tp-emit-cuda; one of " << ranks << " rank"
     << (ranks == 1 ? "" : "s") << (axes.empty() ? "" : ", mesh " + axes)
     << ".\n// tp-compile --backend=cuda makes a program of it, which tp-run "
        "and "
        "every other host\n// of tprt.h runs.\n#include "
        "\"tprt/cuda.h\"\n\nusing namespace tprt_cuda;\n\n"
        "namespace program {\n";
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Whether anything is stored to the buffer.
static bool isWritten(Value buffer) {
  return llvm::any_of(buffer.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<memref::ReinterpretCastOp>(user))
      return isWritten(user->getResult(0));
    return isa<memref::StoreOp, vector::StoreOp>(user) &&
           use.getOperandNumber() == 1;
  });
}

LogicalResult ProgramWriter::writeKernel(func::FuncOp kernel) {
  auto grid = kernel->getAttrOfType<DenseI64ArrayAttr>(rt::kGridName);
  if (!grid || grid.size() != 2 || !kernel.getBody().hasOneBlock())
    return kernel.emitOpError("is not a kernel for threads");
  if (identifierOf(kernel.getName()) != kernel.getName())
    return kernel.emitOpError("cannot be written as CUDA source: its name is "
                              "no identifier there");
  tables.launches[kernel.getName()] =
      (kernel.getName() + "<<<" + Twine(grid[0]) + ", " + Twine(grid[1]) +
       ", 0, rank->compute>>>")
          .str();
  SourcePrinter printer(os, tables);
  std::string parameters;
  unsigned numInputs = 0, numOutputs = 0;
  int64_t bytes = 0;
  for (BlockArgument argument : kernel.getArguments()) {
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      bytes += bytesOf(
          RankedTensorType::get(type.getShape(), type.getElementType()));
    FailureOr<std::string> type = printer.typeOf(argument.getType(), kernel);
    if (failed(type))
      return failure();
    bool written = isWritten(argument);
    bool isPointer = StringRef(*type).ends_with("*");
    std::string name =
        printer.freshName(written ? "out" + std::to_string(numOutputs++)
                                  : "in" + std::to_string(numInputs++));
    parameters += (parameters.empty() ? "" : ", ") +
                  std::string(isPointer && !written ? "const " : "") + *type +
                  (isPointer ? "" : " ") + name;
    printer.setName(argument, name);
  }
  auto &[count, first] = launches[kernel.getName()];
  printer.line("");
  printer.comment(Twine(count) + " launch" + (count == 1 ? "" : "es") +
                  (first.empty() ? "" : ", the first for " + first) +
                  "; its buffers have " + Twine(bytes) +
                  (bytes == 1 ? " byte" : " bytes"));
  return printer.braces(
      // Else it may take more registers than so many threads have.
      "__global__ void __launch_bounds__(" + Twine(grid[1]) + ") " +
          kernel.getName() + "(" + parameters + ")",
      [&] { return printer.printOps(kernel.getBody().front()); });
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static StringRef nameOf(DictionaryAttr slot) {
  if (auto parameter = slot.getAs<nn::ParameterAttr>(nn::kParameterName))
    return parameter.getName().getValue();
  for (StringRef key : {nn::kInputName, nn::kStateName, nn::kOutputName})
    if (auto name = slot.getAs<StringAttr>(key))
      return name.getValue();
  return "";
}

/// ", of 9x64x576 [tp: Shard(0)]"; nothing on one device.
std::string ProgramWriter::placementOf(DictionaryAttr slot,
                                       MemRefType local) const {
  auto sharding = slot.getAs<ShardingAttr>(kShardingName);
  auto global = slot.getAs<TypeAttr>(kGlobalName);
  auto tensor =
      global ? dyn_cast<RankedTensorType>(global.getValue()) : nullptr;
  if (!sharding || !tensor || !mesh ||
      int64_t(sharding.getDims().size()) != tensor.getRank())
    return "";
  Placement placement = toPlacement(sharding, mesh, tensor.getShape());
  std::string text;
  llvm::raw_string_ostream os(text);
  if (tensor.getShape() != local.getShape())
    os << ", of " << describe(tensor);
  os << ", " << tp::describe(placement, mesh);
  return text;
}

/// Pointers for the arguments that are used, under their published names.
LogicalResult ProgramWriter::writeArguments(func::FuncOp entry,
                                            SourcePrinter &printer) {
  llvm::SmallDenseSet<unsigned> named;
  entry.walk([&](rt::ArgumentOp op) { named.insert(op.getIndex()); });
  for (BlockArgument argument : entry.getArguments()) {
    unsigned index = argument.getArgNumber();
    bool returnedOnly = llvm::all_of(argument.getUsers(), [](Operation *user) {
      return user->hasTrait<OpTrait::IsTerminator>();
    });
    if (returnedOnly && !named.contains(index))
      continue;
    auto type = cast<MemRefType>(argument.getType());
    FailureOr<std::string> element =
        printer.typeOf(type.getElementType(), entry);
    if (failed(element))
      return failure();
    auto slot = entry.getArgAttrOfType<DictionaryAttr>(index, rt::kSlotName);
    StringRef published = slot ? ::nameOf(slot) : "";
    std::string name = printer.freshName(
        published.empty() ? "argument_" + std::to_string(index)
                          : identifierOf(published));
    printer.comment(describe(type) + (slot ? placementOf(slot, type) : ""));
    printer.line(*element + " *" + name + " = at<" + *element + ">(arguments[" +
                 Twine(index) + "], 0);");
    printer.setName(argument, name);
  }
  return success();
}

LogicalResult ProgramWriter::writeBody(func::FuncOp entry,
                                       SourcePrinter &printer) {
  std::string current;
  for (Operation &op : entry.getBody().front()) {
    if (op.hasTrait<OpTrait::IsTerminator>())
      continue;
    StringRef owner = moduleOf(op.getLoc());
    bool says = !op.hasTrait<OpTrait::ConstantLike>() &&
                !isa<rt::BufferOp, rt::ViewOp>(op);
    if (says && !owner.empty() && owner != current) {
      current = owner.str();
      printer.line("");
      printer.comment("-- " + current);
    }
    if (failed(printer.printOp(op)))
      return failure();
  }
  return success();
}

LogicalResult ProgramWriter::writeEntry(func::FuncOp entry) {
  if (failed(checkEntry(entry)))
    return failure();
  std::string function = "run_" + identifierOf(entry.getName());
  while (!functionNames.insert(function).second)
    function += "_";
  functions[entry.getName()] = function;
  SourcePrinter printer(os, tables);
  tables.started.clear();
  for (StringRef name : kReserved)
    (void)printer.freshName(name);
  printer.line("");
  for (unsigned i = 0; i < entry.getNumResults(); ++i)
    if (auto slot = entry.getResultAttrOfType<DictionaryAttr>(i, rt::kSlotName))
      if (auto name = slot.getAs<StringAttr>(nn::kOutputName)) {
        auto type = cast<MemRefType>(entry.getResultTypes()[i]);
        printer.comment("results[" + Twine(i) + "]: " + name.getValue() + ", " +
                        describe(type) + placementOf(slot, type));
      }
  return printer.braces("tprt_status " + function +
                            "(Rank *rank, void *arena, void *const *arguments, "
                            "void *const *results)",
                        [&]() -> LogicalResult {
                          printer.line("TPRT_TRY(rank->status);");
                          if (failed(writeArguments(entry, printer)) ||
                              failed(writeBody(entry, printer)))
                            return failure();
                          printer.line("return TPRT_OK;");
                          return success();
                        });
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// What entries are written with.
void ProgramWriter::writeCalls() {
  os << "\nnamespace calls {\n";
  for (const SourceTables::Call &call : tables.calls) {
    SourcePrinter printer(os, tables);
    os << "\n";
    printer.comment(Twine(call.count) + " call" + (call.count == 1 ? "" : "s") +
                    (call.firstModule.empty()
                         ? ""
                         : ", the first for " + call.firstModule));
    os << "struct " << call.name << " {\n" << call.text << "};\n";
  }
  os << "\nconstexpr int64_t workspaceBytes = mostOf({";
  llvm::interleave(
      tables.calls, os,
      [&](const SourceTables::Call &call) {
        os << "\n    workspaceBytesOf(" << call.name << "::desc)";
      },
      ",");
  os << "});\n\n} // namespace calls\n";
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

void ProgramWriter::writeTable() {
  int64_t ranks = 1;
  llvm::StringMap<std::pair<int64_t, int64_t>> strides; // and sizes
  if (mesh)
    for (MeshAxisAttr axis : llvm::reverse(mesh.getAxes())) {
      strides[axis.getName()] = {ranks, axis.getSize()};
      ranks *= axis.getSize();
    }
  // C++ has no empty arrays.
  auto array = [&](StringRef type, StringRef name, size_t count,
                   function_ref<void(size_t)> element) {
    os << "\nconst " << type << " " << name << "[] = {";
    for (size_t i = 0; i < count; ++i) {
      os << "\n    ";
      element(i);
      os << ",";
    }
    os << (count ? "\n};\n" : "{}};\n");
  };
  array("Group", "groups", groups.size(), [&](size_t i) {
    os << "{" << groups[i].size() << ", {";
    llvm::interleaveComma(groups[i], os, [&](const Axis &axis) {
      auto [stride, size] = strides.lookup(axis.name);
      os << "{" << stride * (size / (axis.pre * axis.size)) << ", " << axis.size
         << "}";
    });
    os << "}} /* " << tables.groupNames[i] << " */";
  });
  array("MatmulShape", "matmuls", tables.matmuls.size(),
        [&](size_t i) { os << tables.matmuls[i]; });
  SmallVector<func::FuncOp> entries = entriesOf(module);
  array("Entry", "entries", entries.size(), [&](size_t i) {
    auto arena = entries[i]->getAttrOfType<IntegerAttr>(rt::kArenaBytesName);
    os << "{\"";
    os.write_escaped(entries[i].getName(), /*UseHexEscapes=*/false)
        << "\", " << functions[entries[i].getName()] << ", "
        << (arena ? arena.getInt() : 0) << ", " << entries[i].getNumArguments()
        << ", " << entries[i].getNumResults() << "}";
  });
  os << "\n} // namespace program\n\nusing namespace program;\nextern \"C\" "
        "{\nextern const Program "
        "tp_cuda_program;\nconst Program tp_cuda_program = {kVersion, "
     << ranks << ", " << tables.scratchBytes << ", calls::workspaceBytes, "
     << tables.events << ", " << groups.size() << ", " << tables.matmuls.size()
     << ", " << entries.size() << ", groups, matmuls, entries};\n}\n";
}

LogicalResult ProgramWriter::write(raw_ostream &to) {
  if (failed(findMesh()))
    return failure();
  findGroups();
  countLaunches();
  writeHead();
  title("Kernels");
  SourcePrinter globals(os, tables);
  os << "\n";
  for (auto global : module.getOps<memref::GlobalOp>())
    if (failed(globals.printOp(*global)))
      return failure();
  for (auto function : module.getOps<func::FuncOp>())
    if (isKernel(function) && failed(writeKernel(function)))
      return failure();
  std::string kernels = std::exchange(text, "");
  for (func::FuncOp entry : entriesOf(module))
    if (failed(writeEntry(entry)))
      return failure();
  std::string entries = std::exchange(text, "");
  title("Calls");
  writeCalls();
  title("Entries");
  os << entries;
  title("What the runtime is told");
  writeTable();
  to << kernels << text;
  return success();
}

LogicalResult tp::emitCuda(ModuleOp module, raw_ostream &os) {
  if (failed(prepare(module)))
    return failure();
  return ProgramWriter(module).write(os);
}

//===----------------------------------------------------------------------===//
// As a pass
//===----------------------------------------------------------------------===//

namespace {

struct EmitCudaPass : PassWrapper<EmitCudaPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(EmitCudaPass)

  explicit EmitCudaPass(raw_ostream &os) : os(os) {}
  StringRef getArgument() const override { return "tp-emit-cuda"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<gpu::GPUDialect>();
  }
  void runOnOperation() override {
    if (failed(emitCuda(getOperation(), os)))
      signalPassFailure();
  }
  raw_ostream &os;
};

} // namespace

std::unique_ptr<Pass> tp::createEmitCudaPass(raw_ostream &os) {
  return std::make_unique<EmitCudaPass>(os);
}

void tp::registerSourceModels(DialectRegistry &registry) {
  registerKernelSource(registry);
  registerCallSource(registry);
  registerContractSource(registry);
  registerCollectiveSource(registry);
}
