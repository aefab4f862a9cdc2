//===- tp-bench.cpp - what a machine and a program take -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include <unistd.h>

using namespace mlir;
using namespace mlir::tp;
namespace cl = llvm::cl;

static cl::SubCommand machine("machine",
                              "measure this machine and describe it for "
                              "tp-report --machine");
static cl::SubCommand steps("steps",
                            "time the entries of a program of tp-compile");

static cl::opt<int64_t> ranks("ranks", cl::sub(machine), cl::init(1),
                              cl::desc("how many ranks, as threads, are at "
                                       "work together"));
static cl::opt<std::string> name("name", cl::sub(machine),
                                 cl::desc("what reports call the machine"));
static cl::opt<std::string> output("o", cl::sub(machine), cl::init("-"),
                                   cl::value_desc("file"),
                                   cl::desc("output file"));

static cl::opt<bool>
    onProcessor("processor-time", cl::sub(machine),
                cl::desc("count only the time that a rank is running, not what "
                         "others on this machine take"));

static cl::opt<std::string> program(cl::Positional, cl::Required,
                                    cl::sub(steps), cl::desc("<program>"));
static cl::opt<std::string> entry("entry", cl::sub(steps),
                                  cl::desc("time this entry alone"));
static cl::list<std::string>
    inputs("input", cl::sub(steps), cl::value_desc("NAME=NUMBER"),
           cl::desc("what all elements of an integer input are; 0 else"));
static cl::opt<int64_t> repetitions("repetitions", cl::sub(steps), cl::init(10),
                                    cl::desc("runs of each entry"));

static int runMachine() {
  constexpr int64_t most = 1024;
  if (ranks < 1 || ranks > most) {
    printError("--ranks is " + Twine(ranks) + ", expected 1 to " + Twine(most));
    return 1;
  }
  bench::MachineOptions options;
  options.ranks = ranks;
  options.name = name;
  if (name.empty()) {
    char host[256] = "this machine";
    gethostname(host, sizeof host - 1);
    options.name = (Twine(host) + ", " + Twine(ranks) +
                    (ranks == 1 ? " rank" : " ranks together"))
                       .str();
  }
  options.output = output;
  options.onProcessor = onProcessor;
  return bench::runMachine(options);
}

static int runSteps() {
  bench::StepOptions options;
  options.program = program;
  options.entry = entry;
  options.repetitions = repetitions;
  if (repetitions < 1) {
    printError("--repetitions must be positive");
    return 1;
  }
  for (StringRef text : inputs) {
    auto [input, value] = text.split('=');
    int64_t number = 0;
    if (input.empty() || value.getAsInteger(10, number)) {
      printError("--input=" + text + " must be NAME=NUMBER");
      return 1;
    }
    options.inputs.emplace_back(input.str(), number);
  }
  return bench::runSteps(options);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // Outside of the commands there are only the options of libraries.
  cl::HideUnrelatedOptions(ArrayRef<const cl::OptionCategory *>());
  if (!parseCommandLine(argc, argv,
                        "measures machines and compiled programs\n"))
    return 1;
  if (machine)
    return runMachine();
  if (steps)
    return runSteps();
  printError("say what to do: tp-bench machine or tp-bench steps; see --help");
  return 1;
}
