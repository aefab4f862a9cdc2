//===- Read.cpp - reports from IR and from JSON ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Read.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "tp/Support/Json.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::tp;

static std::string nameOf(StringRef path) {
  return path == "-" ? "standard input" : "'" + path.str() + "'";
}

static bool isJson(StringRef text) { return text.ltrim().starts_with("{"); }

/// Parses; of what is wrong, the first thing is told.
static OwningOpRef<ModuleOp> parse(StringRef path, llvm::SourceMgr &sources,
                                   MLIRContext &context) {
  std::string first;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (first.empty() &&
        diagnostic.getSeverity() == DiagnosticSeverity::Error) {
      if (auto at = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
        first = "line " + std::to_string(at.getLine()) + ", column " +
                std::to_string(at.getColumn()) + ": ";
      first += diagnostic.str();
    }
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    printError(nameOf(path) + " is not IR that tp-report can read: " + first);
  return module;
}

static FailureOr<Report> readModule(StringRef path,
                                    std::unique_ptr<llvm::MemoryBuffer> buffer,
                                    const ReadOptions &options,
                                    MLIRContext &context) {
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parse(path, sources, context);
  if (!module)
    return failure();
  SourceMgrDiagnosticHandler handler(sources, &context);
  ReportOptions wanted;
  wanted.withEvents = options.withEvents;
  wanted.withGraphs = options.withGraphs;
  wanted.layer = options.layer;
  FailureOr<Machine> machine = Machine::read(options.machine, *module);
  if (failed(machine))
    return failure();
  wanted.machine = *machine;
  if (options.deviceMemory)
    wanted.machine.deviceMemory = options.deviceMemory;
  return buildReport(*module, wanted);
}

static std::unique_ptr<llvm::MemoryBuffer> open(StringRef path) {
  std::string message;
  auto buffer = openInputFile(path, &message);
  if (!buffer)
    printError(message);
  return buffer;
}

FailureOr<Report> tp::readReport(StringRef path, const ReadOptions &options,
                                 MLIRContext &context) {
  auto buffer = open(path);
  if (!buffer)
    return failure();
  if (isJson(buffer->getBuffer())) {
    printError(nameOf(path) +
               " is JSON, and tp-report reads IR; of reports as JSON it only "
               "compares two, with tp-report diff");
    return failure();
  }
  return readModule(path, std::move(buffer), options, context);
}

/// What is wrong with the numbers that a comparison goes by; empty if nothing.
static std::string findFault(const llvm::json::Object &report) {
  auto isAmount = [](const llvm::json::Object *object, StringRef key) {
    return object && object->getInteger(key).value_or(-1) >= 0;
  };
  for (auto [i, value] : llvm::enumerate(*report.getArray("collectives")))
    for (StringRef key : {"count", "bytes_sent"})
      if (!isAmount(value.getAsObject(), key))
        return "collective " + std::to_string(i) + " has no \"" + key.str() +
               "\" that is a whole number";
  if (!isAmount(report.getObject("memory"), "peak"))
    return "\"memory\" has no \"peak\" that is a whole number";
  return "";
}

FailureOr<llvm::json::Object> tp::readReportJson(StringRef path,
                                                 const ReadOptions &options,
                                                 MLIRContext &context) {
  auto buffer = open(path);
  if (!buffer)
    return failure();
  std::string text;
  if (isJson(buffer->getBuffer())) {
    text = buffer->getBuffer().str();
  } else {
    FailureOr<Report> report =
        readModule(path, std::move(buffer), options, context);
    if (failed(report))
      return failure();
    llvm::raw_string_ostream os(text);
    printJson(*report, os);
  }
  llvm::Expected<llvm::json::Value> value = parseJson(text);
  if (!value) {
    printError("'" + path +
               "' is no JSON: " + llvm::toString(value.takeError()));
    return failure();
  }
  llvm::json::Object *object = value->getAsObject();
  std::optional<int64_t> schema =
      object ? object->getInteger("schema") : std::nullopt;
  if (schema != 1 || !object->getArray("collectives")) {
    printError(nameOf(path) + " is " +
               (schema && schema != 1
                    ? "a report of schema " + std::to_string(*schema) +
                          ", and this tp-report reads schema 1"
                    : std::string("JSON, but no report: it has no "
                                  "\"schema\": 1 and \"collectives\"")));
    return failure();
  }
  if (std::string fault = findFault(*object); !fault.empty()) {
    printError(nameOf(path) + " is damaged: " + fault);
    return failure();
  }
  return std::move(*object);
}
