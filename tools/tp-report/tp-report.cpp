//===- tp-report.cpp - what a sharded program sends, holds and takes ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fit.h"
#include "Read.h"
#include "tp/InitAll.h"
#include "tp/Report/Diff.h"
#include "tp/Report/Graph.h"
#include "tp/Report/Html.h"
#include "tp/Report/Place.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Process.h"

using namespace mlir;
using namespace mlir::tp;
namespace cl = llvm::cl;

static cl::SubCommand diff("diff",
                           "compare two programs or reports: exit "
                           "status 1 if the second sends or holds more");
static cl::SubCommand place("place", "show which device holds which part of a "
                                     "parameter, state, input or output");

namespace {
enum class Format { Text, Json, Html, Dot };
} // namespace

#define ALL                                                                    \
  cl::sub(cl::SubCommand::getTopLevel()), cl::sub(diff), cl::sub(place)

static cl::opt<std::string> output("o", cl::desc("output file"), ALL,
                                   cl::value_desc("file"), cl::init("-"));
static cl::opt<std::string> machine(
    "machine", ALL, cl::value_desc("file"),
    cl::desc("a machine description (docs/machines.md), or numbers of the "
             "default such as link=100,compute=300"));
static cl::opt<Format> format(
    "format", ALL, cl::desc("output format"),
    cl::values(clEnumValN(Format::Text, "text", "tables for a terminal"),
               clEnumValN(Format::Json, "json", "JSON, schema 1"),
               clEnumValN(Format::Html, "html", "one page for a browser"),
               clEnumValN(Format::Dot, "dot", "the graph of one layer")),
    cl::init(Format::Text));

static cl::opt<std::string> input(cl::Positional,
                                  cl::desc("<sharded module, or model>"),
                                  cl::init("-"));
static cl::opt<std::string> deviceMemory(
    "device-memory", cl::value_desc("80GB"),
    cl::desc("answer, of a model, which batch fits and which tensor-parallel "
             "size; of a sharded module, whether it fits"));
static cl::list<std::string>
    meshes("mesh", cl::value_desc("tp=4"),
           cl::desc("with --device-memory: a mesh to try, as often as wanted"));
static cl::opt<std::string> plan("plan", cl::init("auto"),
                                 cl::value_desc("auto|none|FILE"),
                                 cl::desc("with --device-memory: the plan"));
static cl::opt<std::string>
    entry("entry", cl::init("forward"), cl::value_desc("forward|generate"),
          cl::desc("with --device-memory: what the model is to do"));
static cl::opt<int64_t> batch("batch", cl::init(1),
                              cl::desc("with --device-memory: sequences"));
static cl::opt<int64_t>
    sequence("seq", cl::init(0),
             cl::desc("with --device-memory: tokens of a sequence, or of a "
                      "prefill chunk"));
static cl::opt<int64_t>
    maxSequence("max-seq", cl::init(0),
                cl::desc("with --device-memory: tokens that the cache holds"));
static cl::opt<std::string> dtype("dtype", cl::init("auto"),
                                  cl::value_desc("auto|f64|f32|bf16"),
                                  cl::desc("with --device-memory: type"));
static cl::opt<std::string>
    timeline("timeline", cl::value_desc("file"),
             cl::desc("write the predicted run too, as a Chrome trace"));
static cl::opt<int64_t>
    layer("layer", cl::init(-1),
          cl::desc("the layer that graphs show; -1 chooses one"));

static cl::opt<std::string> before(cl::Positional, cl::Required, cl::sub(diff),
                                   cl::desc("<before>"));
static cl::opt<std::string> after(cl::Positional, cl::Required, cl::sub(diff),
                                  cl::desc("<after>"));

static cl::opt<std::string> tensorName(cl::Positional, cl::Required,
                                       cl::sub(place), cl::desc("<name>"));
static cl::opt<std::string> placeInput(cl::Positional, cl::sub(place),
                                       cl::desc("<sharded module>"),
                                       cl::init("-"));

static bool checkFormat(StringRef command) {
  if (format == Format::Text || format == Format::Json)
    return true;
  printError("tp-report " + command + " has --format=text and json");
  return false;
}

/// 0 if nothing that matters rose, 1 if it did, 2 if there is no answer.
static int runDiff(MLIRContext &context) {
  if (!checkFormat("diff"))
    return 2;
  ReadOptions options;
  options.machine = machine;
  FailureOr<llvm::json::Object> a = readReportJson(before, options, context);
  if (failed(a))
    return 2;
  FailureOr<llvm::json::Object> b = readReportJson(after, options, context);
  if (failed(b))
    return 2;
  ReportDiff found = diffReports(*a, *b);
  bool written = writeOutput(output, [&](raw_ostream &os) {
    format == Format::Json ? printDiffJson(found, os)
                           : printDiffText(found, os);
  });
  if (!written)
    return 2;
  return found.sendsMore || found.holdsMore ? 1 : 0;
}

static int runPlace(MLIRContext &context) {
  if (!checkFormat("place"))
    return 1;
  FailureOr<Report> report = readReport(placeInput, ReadOptions(), context);
  if (failed(report))
    return 1;
  const ReportPlacement *tensor = findTensor(*report, tensorName);
  if (!tensor)
    return 1;
  bool written = writeOutput(output, [&](raw_ostream &os) {
    format == Format::Json ? printPlaceJson(*report, *tensor, os)
                           : printPlaceText(*report, *tensor, os);
  });
  return written ? 0 : 1;
}

static void print(const Report &report, raw_ostream &os) {
  switch (format.getValue()) {
  case Format::Text: {
    bool inColour = output == "-" &&
                    llvm::sys::Process::StandardOutHasColors() &&
                    !llvm::sys::Process::GetEnv("NO_COLOR");
    return printText(report, os, inColour);
  }
  case Format::Json:
    return printJson(report, os);
  case Format::Html:
    return printHtml(report, os);
  case Format::Dot:
    return printDot(report, os);
  }
}

static int runFit(MLIRContext &context, int64_t bytes) {
  if (!checkFormat("--device-memory"))
    return 1;
  // Of a module these are what it was imported with.
  for (const cl::Option *option : std::initializer_list<const cl::Option *>{
           &batch, &sequence, &maxSequence, &dtype, &entry})
    if (!isModel(input) && option->getNumOccurrences() > 0) {
      printError("--" + option->ArgStr +
                 " is for models; a module has what it was imported with");
      return 1;
    }
  if (batch < 1) {
    printError("--batch must be at least 1, got " + Twine(batch));
    return 1;
  }
  FitOptions options;
  options.model = input;
  options.plan = plan;
  options.deviceMemory = bytes;
  options.meshes.assign(meshes.begin(), meshes.end());
  options.import.entry = entry;
  options.import.batch = batch;
  options.import.sequence = sequence;
  options.import.maxSequence = maxSequence;
  options.import.dtype = dtype;
  FailureOr<FitAnswer> answer = findFit(options, context);
  if (failed(answer))
    return 1;
  bool written = writeOutput(output, [&](raw_ostream &os) {
    format == Format::Json ? printFitJson(options, *answer, os)
                           : printFitText(options, *answer, os);
  });
  return written ? 0 : 1;
}

static int runReport(MLIRContext &context) {
  std::optional<int64_t> memory;
  if (!deviceMemory.empty()) {
    memory = parseBytes(deviceMemory);
    if (!memory) {
      printError("--device-memory must be an amount such as 80GB or 80GiB, "
                 "got '" +
                 deviceMemory + "'");
      return 1;
    }
    if (isModel(input) || !meshes.empty() || isUnsharded(input, context))
      return runFit(context, *memory);
  }
  if (isModel(input) || !meshes.empty()) {
    printError("of a model, tp-report only says what fits in "
               "--device-memory; shard it with tp-opt --tp-shard for more");
    return 1;
  }
  if (layer < -1) {
    printError("--layer must be the number of a layer, or -1, got " +
               Twine(layer));
    return 1;
  }
  ReadOptions options;
  options.deviceMemory = memory.value_or(0);
  options.machine = machine;
  options.withEvents = !timeline.empty();
  options.withGraphs = format == Format::Html || format == Format::Dot;
  options.layer = layer;
  FailureOr<Report> report = readReport(input, options, context);
  if (failed(report))
    return 1;
  if (!timeline.empty() && !writeOutput(timeline, [&](raw_ostream &os) {
        printTimeline(*report, os);
      }))
    return 1;
  bool written =
      writeOutput(output, [&](raw_ostream &os) { print(*report, os); });
  return written ? 0 : 1;
}

/// Of the options that --help shows, those of the libraries are none.
static void hideOthers() {
  static cl::OptionCategory category("tp-report options");
  for (cl::Option *option : std::initializer_list<cl::Option *>{
           &output, &machine, &format, &deviceMemory, std::addressof(meshes),
           &plan, &entry, &batch, &sequence, &maxSequence, &dtype, &timeline,
           &layer})
    option->addCategory(category);
  for (cl::SubCommand *command :
       {&cl::SubCommand::getTopLevel(), &diff, &place})
    cl::HideUnrelatedOptions(category, *command);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  hideOthers();
  if (!parseCommandLine(argc, argv,
                        "what a sharded program sends, holds and takes, and "
                        "why\n"))
    return diff ? 2 : 1;
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  if (diff)
    return runDiff(context);
  if (place)
    return runPlace(context);
  return runReport(context);
}
