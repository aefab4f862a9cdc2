//===- ProgramCode.cpp - a program as LLVM IR -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ProgramCode.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "tp/Conversion/Manifest.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace mlir;
using namespace mlir::tp;

Code::Code() = default;
Code::Code(Code &&) = default;
Code::~Code() = default;

Code &Code::operator=(Code &&other) {
  // The old module goes before the context that owns it.
  module = std::move(other.module);
  context = std::move(other.context);
  return *this;
}

void tp::initialiseNativeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

bool tp::reportError(ModuleOp module, llvm::Error error) {
  if (!error)
    return false;
  // Of its location alone: a note with the whole module would bury the message.
  mlir::emitError(module.getLoc()) << "cannot compile for this machine: "
                                   << llvm::toString(std::move(error));
  return true;
}

//===----------------------------------------------------------------------===//
// To LLVM IR
//===----------------------------------------------------------------------===//

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

/// At the runtime level, or made so; its manifest goes to `manifest`.
static LogicalResult prepare(ModuleOp module, Marks marks,
                             std::string &manifest) {
  if (failed(lowerToRuntimeLevel(module, marks)))
    return failure();
  FailureOr<std::string> text = buildManifest(module);
  if (succeeded(text))
    manifest = std::move(*text);
  return text;
}

/// Translates the functions that are entries, or those that are not.
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
  for (llvm::GlobalVariable &data :
       llvm::make_early_inc_range(code.module->globals()))
    if (data.hasLocalLinkage() && data.use_empty())
      data.eraseFromParent();
  return code;
}

FailureOr<ProgramCode> tp::makeProgramCode(ModuleOp module, Marks marks) {
  ProgramCode program;
  OwningOpRef<ModuleOp> copy(module.clone());
  if (failed(prepare(*copy, marks, program.manifest)))
    return failure();
  llvm::StringSet<> names;
  for (func::FuncOp entry : entriesOf(*copy)) {
    names.insert(entry.getName());
    program.entries.push_back(entry.getName().str());
  }
  if (failed(runPipeline(*copy, buildCodePipeline)))
    return failure();
  program.kernelCode = translate(*copy, names, /*wantEntries=*/false);
  program.entryCode = translate(*copy, names, /*wantEntries=*/true);
  if (!program.kernelCode.module || !program.entryCode.module)
    return failure();
  return program;
}

llvm::Error tp::prepareForMachine(Code &code, llvm::TargetMachine &machine,
                                  unsigned optimisation) {
  code.module->setDataLayout(machine.createDataLayout());
  code.module->setTargetTriple(machine.getTargetTriple());
  if (!optimisation)
    return llvm::Error::success();
  auto optimise = makeOptimizingTransformer(std::min(optimisation, 3u),
                                            /*sizeLevel=*/0, &machine);
  return optimise(code.module.get());
}
