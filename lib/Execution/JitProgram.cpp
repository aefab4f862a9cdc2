//===- JitProgram.cpp - a program compiled in this process ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/JitProgram.h"
#include "RuntimeSymbols.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "tp/Conversion/Manifest.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace mlir;
using namespace mlir::tp;
namespace orc = llvm::orc;

JitProgram::JitProgram() = default;
JitProgram::~JitProgram() = default;

/// Reports what LLVM has against the module; false if there is nothing.
static bool report(ModuleOp module, llvm::Error error) {
  if (!error)
    return false;
  module.emitError() << "cannot compile for this machine: "
                     << llvm::toString(std::move(error));
  return true;
}

static SmallVector<func::FuncOp> entriesOf(ModuleOp module) {
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isDeclaration() && !function->hasAttr(rt::kKernelName))
      entries.push_back(function);
  return entries;
}

static LogicalResult runPipeline(ModuleOp module,
                                 function_ref<void(OpPassManager &)> build) {
  PassManager manager(module.getContext());
  build(manager);
  return manager.run(module);
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {

/// One half of a program and the context that owns it.
struct Code {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

/// What compiles one half: a JIT, and the names that it defines.
struct Half {
  std::unique_ptr<orc::LLJIT> jit;
  llvm::StringMap<void *> symbols;
};

} // namespace

/// Translates the functions that are entries, or those that are not. Entries
/// are thousands of calls in a row, on which optimisation and register
/// allocation would take quadratic time for nothing; kernels are small and hot.
static Code translate(ModuleOp module, const llvm::StringSet<> &entries,
                      bool wantEntries) {
  Code code;
  code.context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> whole =
      translateModuleToLLVMIR(module, *code.context);
  if (!whole) {
    module.emitError("has no translation to LLVM IR");
    return code;
  }
  llvm::ValueToValueMapTy mapping;
  code.module =
      llvm::CloneModule(*whole, mapping, [&](const llvm::GlobalValue *value) {
        // Data goes with the code that uses it: to both.
        return !isa<llvm::Function>(value) ||
               entries.contains(value->getName()) == wantEntries;
      });
  return code;
}

/// Names that compiled code may refer to: those given, the runtime's, and the C
/// library's, which are the process's own.
static llvm::Error defineSymbols(orc::LLJIT &jit,
                                 const llvm::StringMap<void *> &given) {
  orc::SymbolMap symbols;
  auto add = [&](StringRef name, void *address) {
    symbols.try_emplace(
        jit.mangleAndIntern(name),
        orc::ExecutorSymbolDef(orc::ExecutorAddr::fromPtr(address),
                               llvm::JITSymbolFlags::Exported));
  };
  for (const auto &entry : given)
    add(entry.getKey(), entry.getValue());
  for (auto [name, address] : getRuntimeSymbols())
    add(name, address);
  orc::JITDylib &library = jit.getMainJITDylib();
  if (llvm::Error error =
          library.define(orc::absoluteSymbols(std::move(symbols))))
    return error;
  auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      jit.getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  return llvm::Error::success();
}

/// Machine code of one half, all of it: looking a name up compiles it here and
/// not in the first run.
static llvm::Expected<Half> compileHalf(Code code, unsigned optimisation,
                                        const llvm::StringMap<void *> &given) {
  auto builder = orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  builder->setCodeGenOptLevel(optimisation ? llvm::CodeGenOptLevel::Default
                                           : llvm::CodeGenOptLevel::None);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  code.module->setDataLayout((*machine)->createDataLayout());
  code.module->setTargetTriple((*machine)->getTargetTriple());
  if (optimisation) {
    auto optimise = makeOptimizingTransformer(optimisation, /*sizeLevel=*/0,
                                              machine->get());
    if (llvm::Error error = optimise(code.module.get()))
      return std::move(error);
  }
  SmallVector<std::string> names;
  for (llvm::Function &function : *code.module)
    if (!function.isDeclaration() && !function.hasLocalLinkage())
      names.push_back(function.getName().str());
  auto jit = orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*builder))
                 .create();
  if (!jit)
    return jit.takeError();
  if (llvm::Error error = defineSymbols(**jit, given))
    return std::move(error);
  if (llvm::Error error = (*jit)->addIRModule(orc::ThreadSafeModule(
          std::move(code.module), std::move(code.context))))
    return std::move(error);
  Half half;
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(name);
    if (!address)
      return address.takeError();
    half.symbols[name] = address->toPtr<void *>();
  }
  half.jit = std::move(*jit);
  return half;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

/// At the runtime level, or made so; its manifest goes to `manifest`.
static LogicalResult prepare(ModuleOp module, std::string &manifest) {
  auto onTensors = [](func::FuncOp entry) {
    return llvm::any_of(entry.getArgumentTypes(), llvm::IsaPred<TensorType>) ||
           llvm::any_of(entry.getResultTypes(), llvm::IsaPred<TensorType>);
  };
  if (llvm::any_of(entriesOf(module), onTensors) &&
      failed(runPipeline(module, buildRuntimePipeline)))
    return failure();
  FailureOr<std::string> text = buildManifest(module);
  if (succeeded(text))
    manifest = std::move(*text);
  return text;
}

FailureOr<std::unique_ptr<JitProgram>>
JitProgram::compile(ModuleOp module, const JitOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  std::unique_ptr<JitProgram> program(new JitProgram);
  OwningOpRef<ModuleOp> copy(module.clone());
  if (failed(prepare(*copy, program->manifestText)))
    return failure();
  llvm::StringSet<> names;
  for (func::FuncOp entry : entriesOf(*copy))
    names.insert(entry.getName());
  if (failed(runPipeline(*copy, buildCodePipeline)))
    return failure();

  Code kernelCode = translate(*copy, names, /*wantEntries=*/false);
  Code entryCode = translate(*copy, names, /*wantEntries=*/true);
  if (!kernelCode.module || !entryCode.module)
    return failure();
  auto kernels =
      compileHalf(std::move(kernelCode), std::min(options.optimisation, 3u),
                  options.symbols);
  if (!kernels)
    return report(module, kernels.takeError()), failure();
  llvm::StringMap<void *> known = options.symbols;
  for (const auto &kernel : kernels->symbols)
    known[kernel.getKey()] = kernel.getValue();
  auto entries = compileHalf(std::move(entryCode), 0, known);
  if (!entries)
    return report(module, entries.takeError()), failure();
  program->kernelJit = std::move(kernels->jit);
  program->entryJit = std::move(entries->jit);
  program->entries = std::move(entries->symbols);
  return program;
}

void *JitProgram::lookup(StringRef symbol) const {
  return entries.lookup(symbol);
}
