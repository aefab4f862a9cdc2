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
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
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

/// The optimised LLVM module, or null after a diagnostic.
static std::unique_ptr<llvm::Module> translate(ModuleOp module,
                                               llvm::LLVMContext &context,
                                               llvm::TargetMachine &machine,
                                               unsigned optimisation) {
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context);
  if (!code) {
    module.emitError("has no translation to LLVM IR");
    return nullptr;
  }
  code->setDataLayout(machine.createDataLayout());
  code->setTargetTriple(machine.getTargetTriple());
  auto optimise = makeOptimizingTransformer(optimisation, /*sizeLevel=*/0, &machine);
  if (report(module, optimise(code.get())))
    return nullptr;
  return code;
}

/// Names that compiled code may refer to: those given, the runtime's, and the C
/// library's, which are the process's own.
static llvm::Error defineSymbols(orc::LLJIT &jit, const JitOptions &options) {
  orc::SymbolMap symbols;
  auto add = [&](StringRef name, void *address) {
    symbols.try_emplace(jit.mangleAndIntern(name),
                        orc::ExecutorSymbolDef(orc::ExecutorAddr::fromPtr(address),
                                               llvm::JITSymbolFlags::Exported));
  };
  for (const auto &entry : options.symbols)
    add(entry.getKey(), entry.getValue());
  for (auto [name, address] : getRuntimeSymbols())
    add(name, address);
  orc::JITDylib &library = jit.getMainJITDylib();
  if (llvm::Error error = library.define(orc::absoluteSymbols(std::move(symbols))))
    return error;
  auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      jit.getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  return llvm::Error::success();
}

static llvm::Expected<std::unique_ptr<orc::LLJIT>>
makeJit(orc::JITTargetMachineBuilder builder, const JitOptions &options) {
  auto jit =
      orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(builder)).create();
  if (!jit)
    return jit.takeError();
  if (llvm::Error error = defineSymbols(**jit, options))
    return std::move(error);
  return jit;
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
  SmallVector<func::FuncOp> entries = entriesOf(*copy);
  bool planned = llvm::all_of(entries, [](func::FuncOp entry) {
    return llvm::none_of(entry.getArgumentTypes(), llvm::IsaPred<TensorType>) &&
           llvm::none_of(entry.getResultTypes(), llvm::IsaPred<TensorType>);
  });
  if (!planned && failed(runPipeline(*copy, buildRuntimePipeline)))
    return failure();
  FailureOr<std::string> manifest = buildManifest(*copy);
  if (failed(manifest))
    return failure();
  program->manifestText = std::move(*manifest);
  SmallVector<std::string> names;
  for (func::FuncOp entry : entriesOf(*copy))
    names.push_back(entry.getName().str());
  if (failed(runPipeline(*copy, buildCodePipeline)))
    return failure();

  auto builder = orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return report(module, builder.takeError()), failure();
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return report(module, machine.takeError()), failure();
  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> code =
      translate(*copy, *context, **machine, std::min(options.optimisation, 3u));
  if (!code)
    return failure();
  auto jit = makeJit(std::move(*builder), options);
  if (!jit)
    return report(module, jit.takeError()), failure();
  program->jit = std::move(*jit);
  if (report(module, program->jit->addIRModule(orc::ThreadSafeModule(
                         std::move(code), std::move(context)))))
    return failure();
  // Looking entries up compiles everything, here and not in the first run.
  for (const std::string &name : names) {
    auto address = program->jit->lookup(name);
    if (!address)
      return report(module, address.takeError()), failure();
    program->entries[name] = address->toPtr<void *>();
  }
  return program;
}

void *JitProgram::lookup(StringRef symbol) const { return entries.lookup(symbol); }
