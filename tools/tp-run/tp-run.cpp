//===- tp-run.cpp - compiles a model just in time and runs it -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "tp/InitAll.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace mlir;
using namespace mlir::tp;
namespace cl = llvm::cl;

static cl::SubCommand forward("forward", "run @forward on NumPy files");
static cl::SubCommand generate("generate", "continue a prompt of token ids");

// Common to both commands.
#define BOTH cl::sub(forward), cl::sub(generate)
static cl::opt<std::string> model(cl::Positional, cl::Required,
                                  cl::desc("<module, checkpoint or program>"),
                                  BOTH);
static cl::opt<std::string> mesh("mesh", BOTH, cl::value_desc("tp=3"),
                                 cl::desc("mesh axes and sizes"));
static cl::opt<std::string> plan("plan", BOTH, cl::init("auto"),
                                 cl::value_desc("auto|none|FILE"),
                                 cl::desc("parallel plan"));
static cl::opt<std::string> weights("weights", BOTH, cl::value_desc("PATH"),
                                    cl::desc("weights to use instead"));
static cl::opt<std::string>
    randomWeights("random-weights", BOTH, cl::value_desc("SEED"),
                  cl::desc("random weights, the same on every mesh"));
static cl::opt<bool> dequantise(
    "dequantise", BOTH,
    cl::desc("widen weights when they are loaded, instead of keeping them as "
             "their file stores them"));
static cl::opt<bool> check(
    "check", BOTH,
    cl::desc("compare with the unsharded program, and fail if they differ"));
static cl::opt<std::string>
    report("report", BOTH, cl::value_desc("FILE"),
           cl::desc("write the runtime's own report (JSON, schema 1)"));
static cl::opt<std::string>
    profile("profile", BOTH, cl::value_desc("FILE"),
            cl::desc("write when each op of each rank ran, as a Chrome trace; "
                     "a program must have been compiled with it too"));
static cl::opt<std::string>
    cache("cache", BOTH, cl::init("auto"), cl::value_desc("auto|off|DIR"),
          cl::desc("where compiled programs are kept for the next start; auto: "
                   "$XDG_CACHE_HOME/tp-mlir or ~/.cache/tp-mlir"));
static cl::opt<uint64_t>
    cacheLimit("cache-limit", BOTH, cl::init(ProgramCache::defaultLimit >> 20),
               cl::value_desc("MiB"),
               cl::desc("size of the cache; what was unused for longest goes"));
static cl::opt<double> timeout("timeout", BOTH, cl::init(60),
                               cl::value_desc("SECONDS"),
                               cl::desc("longest wait for another rank"));
static cl::opt<std::string>
    ranks("ranks", BOTH, cl::init("auto"),
          cl::value_desc("auto|threads|mpi|tcp"),
          cl::desc("what a rank is; auto: a process under mpirun, srun "
                   "or torchrun, a "
                   "thread otherwise"));
static cl::opt<std::string>
    backend("backend", BOTH, cl::init("auto"), cl::value_desc("auto|cpu|cuda"),
            cl::desc("what a program of tp-compile was compiled for; modules "
                     "and checkpoints run on CPUs"));
static cl::opt<std::string> collectives(
    "collectives", BOTH, cl::init("auto"), cl::value_desc("auto|nccl|loopback"),
    cl::desc("how ranks on GPUs communicate; auto: NCCL if each has a GPU, "
             "loopback if the ranks of one process share one"));
static cl::opt<int64_t> batch("batch", BOTH, cl::init(1),
                              cl::desc("sequences at a time (checkpoints)"));
static cl::opt<int64_t>
    sequence("seq", BOTH, cl::init(0),
             cl::desc("tokens of a sequence or a prefill chunk (checkpoints)"));
static cl::opt<int64_t>
    maxSequence("max-seq", BOTH, cl::init(0),
                cl::desc("tokens that the cache holds (checkpoints)"));
static cl::opt<std::string> dtype("dtype", BOTH, cl::init("auto"),
                                  cl::value_desc("auto|f64|f32|bf16"),
                                  cl::desc("type to compute in (checkpoints)"));

static cl::opt<std::string> entry("entry", cl::sub(forward),
                                  cl::init("forward"),
                                  cl::desc("the function to run"));
static cl::list<std::string> inputs("input", cl::sub(forward),
                                    cl::value_desc("NAME=FILE.npy"),
                                    cl::desc("an input"));
static cl::list<std::string> outputs("output", cl::sub(forward),
                                     cl::value_desc("NAME=FILE.npy"),
                                     cl::desc("an output to write"));

static cl::list<int64_t> prompt("prompt-ids", cl::CommaSeparated,
                                cl::sub(generate), cl::value_desc("1,2,3"),
                                cl::desc("the prompt's token ids"));
static cl::opt<int64_t> tokens("tokens", cl::sub(generate), cl::init(128),
                               cl::desc("how many tokens to generate at most"));
static cl::list<int64_t> endOfSequence("eos-ids", cl::CommaSeparated,
                                       cl::sub(generate), cl::value_desc("2"),
                                       cl::desc("ids that end the sequence"));
static cl::opt<double> temperature("temperature", cl::sub(generate),
                                   cl::init(0),
                                   cl::desc("0 (the default) is greedy"));
static cl::opt<int64_t> topK("top-k", cl::sub(generate), cl::init(0),
                             cl::desc("draw among the k best"));
static cl::opt<double>
    topP("top-p", cl::sub(generate), cl::init(1),
         cl::desc("draw among the fewest that hold this share of the mass"));
static cl::opt<uint64_t> seed("seed", cl::sub(generate), cl::init(0),
                              cl::desc("of the draws"));

static bool readFiles(const cl::list<std::string> &texts, StringRef option,
                      std::vector<NamedFile> &files) {
  for (StringRef text : texts) {
    auto [name, path] = text.split('=');
    if (name.empty() || path.empty()) {
      printError("--" + option + "=" + text + " must be NAME=FILE.npy");
      return false;
    }
    files.push_back({name.str(), path.str()});
  }
  return true;
}

/// Fills in a '*' for the processes that there are.
static bool readMesh(RunOptions &run) {
  char text[1024];
  tprt_error error = {};
  if (tprt_resolve_mesh(run.program.world, mesh.c_str(), text, sizeof(text),
                        &error) != TPRT_OK) {
    printError(error.message);
    return false;
  }
  run.program.mesh = text;
  return true;
}

static bool readOptions(RunOptions &run) {
  run.program.model = model;
  run.program.plan = plan;
  run.program.weights = weights;
  // Random weights have no file to be as.
  run.program.dequantise = dequantise || randomWeights.getNumOccurrences();
  run.program.timeout = timeout;
  run.program.backend = backend;
  run.program.collectives = collectives;
  run.program.import.batch = batch;
  run.program.import.sequence = sequence;
  run.program.import.maxSequence = maxSequence;
  run.program.import.dtype = dtype;
  run.program.checksWeights =
      weights.empty() && !randomWeights.getNumOccurrences();
  run.check = check;
  run.report = report;
  run.profile = profile;
  run.program.hasTimeline = !run.profile.empty();
  run.cache = cache;
  run.cacheLimit = std::min<uint64_t>(cacheLimit, UINT64_MAX >> 20) << 20;
  if (randomWeights.getNumOccurrences()) {
    uint64_t value;
    if (StringRef(randomWeights).getAsInteger(10, value)) {
      printError("--random-weights=" + randomWeights +
                 " must be a whole number");
      return false;
    }
    run.program.randomWeights = value;
  }
  return readMesh(run);
}

static int runCommand(MLIRContext &context, tprt_world *world) {
  RunOptions run;
  run.program.world = world;
  if (!readOptions(run))
    return 1;
  if (forward) {
    ForwardOptions options;
    options.entry = entry;
    if (!readFiles(inputs, "input", options.inputs) ||
        !readFiles(outputs, "output", options.outputs))
      return 1;
    return runForward(run, options, &context);
  }
  GenerateOptions options;
  options.prompt.assign(prompt.begin(), prompt.end());
  options.endOfSequence.assign(endOfSequence.begin(), endOfSequence.end());
  options.tokens = tokens;
  options.sampling = {temperature, topK, topP, seed};
  if (tokens < 0 || topK < 0 || temperature < 0 || !(topP > 0 && topP <= 1)) {
    printError("--tokens, --top-k and --temperature must not be negative, and "
               "--top-p must be in (0, 1]");
    return 1;
  }
  return runGenerate(run, options, &context);
}

static bool readCommandLine(int argc, char **argv) {
  // Outside of the commands there are only the options of libraries.
  cl::HideUnrelatedOptions(ArrayRef<const cl::OptionCategory *>());
  if (!parseCommandLine(
          argc, argv,
          "compiles a model just in time, or takes what tp-compile made of it, "
          "and runs it on CPU ranks, or on GPUs if it was compiled for them\n"))
    return false;
  if (!forward && !generate) {
    printError("say what to do: tp-run forward or tp-run generate; see --help");
    return false;
  }
  if (backend != "auto" && backend != "cpu" && backend != "cuda") {
    printError("--backend=" + backend + " is unknown: there are cpu and cuda");
    return false;
  }
  if (backend == "cuda" && !isProgramFile(model)) {
    printError("--backend=cuda takes a program: make one with tp-compile "
               "--backend=cuda");
    return false;
  }
  if (cache.empty()) {
    printError("--cache must be auto, off or a directory");
    return false;
  }
  if (!(timeout > 0)) {
    printError("--timeout must be positive");
    return false;
  }
  return true;
}

/// Leaves the other processes; `errors` is what this one has to say, without
/// its first "error: ". One process prints what all fail of.
static int leave(tprt_world *world, bool good, StringRef errors) {
  tprt_error error = {};
  tprt_status status =
      good ? tprt_world_close(world, 0, &error)
           : tprt_world_fail(world, errors.str().c_str(), &error);
  if (status == TPRT_OK)
    return 0;
  if (status != TPRT_ELSEWHERE)
    llvm::errs() << "error: " << error.message << "\n";
  tprt_world_close(world, 1, &error);
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // Nothing is said before it is known who says it.
  std::string text;
  llvm::raw_string_ostream errors(text);
  setErrorStream(errors);
  bool good = readCommandLine(argc, argv);
  tprt_world *world = nullptr;
  tprt_options options = {};
  options.timeout_seconds = good ? double(timeout) : 0;
  tprt_error error = {};
  tprt_status opened =
      tprt_world_open(good ? ranks.c_str() : "auto", &options, &world, &error);
  if (opened != TPRT_OK && !world) {
    if (opened != TPRT_ELSEWHERE)
      llvm::errs() << (good ? "error: " + Twine(error.message) + "\n"
                            : Twine(text));
    return 1;
  }
  good = good && opened == TPRT_OK;
  if (!world) {
    llvm::errs() << text;
    setErrorStream(llvm::errs());
  }
  if (good) {
    DialectRegistry registry;
    tp::registerAllDialects(registry);
    MLIRContext context(registry);
    context.getDiagEngine().registerHandler(printDiagnostic);
    good = runCommand(context, world) == 0;
  }
  if (!world)
    return good ? 0 : 1;
  StringRef said = StringRef(text).trim();
  said.consume_front("error: ");
  return leave(world, good, said);
}
