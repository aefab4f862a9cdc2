//===- Fit.cpp - what fits in the memory of a device ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Nothing is estimated: each answer comes from a program that was sharded and
// whose memory was planned. Memory grows with the batch along a line, nearly,
// so that a few programs are enough to find the largest.
//
//===----------------------------------------------------------------------===//

#include "Fit.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Plan/Passes.h"
#include "tp/Report/Report.h"
#include "tp/Support/Tool.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;
using llvm::left_justify;
using llvm::right_justify;

/// Larger batches are not looked for.
static constexpr int64_t kLargestBatch = int64_t(1) << 20;

bool tp::isModel(StringRef path) {
  StringRef extension = llvm::sys::path::extension(path);
  return llvm::sys::fs::is_directory(path) || extension == ".gguf";
}

bool tp::isUnsharded(StringRef path, MLIRContext &context) {
  if (path == "-")
    return false;
  // What is wrong with it, reading it says.
  ScopedDiagnosticHandler silence(&context,
                                  [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, &context);
  return module && module->getOps<MeshOp>().empty();
}

namespace {

class Fitter {
public:
  Fitter(const FitOptions &options, MLIRContext &context)
      : options(options), context(context) {}

  FailureOr<FitAnswer> run() {
    FitAnswer answer;
    std::vector<std::string> meshes = options.meshes;
    if (meshes.empty())
      meshes = {"tp=1", "tp=2", "tp=4", "tp=8"};
    for (const std::string &mesh : meshes) {
      FailureOr<FitRow> row = findLargestBatch(mesh);
      if (failed(row))
        return failure();
      answer.rows.push_back(*row);
    }
    if (failed(findSmallest(answer)))
      return failure();
    return answer;
  }

private:
  FailureOr<MemorySummary> measure(const std::string &mesh, int64_t batch) {
    auto key = std::make_pair(mesh, batch);
    if (auto it = known.find(key); it != known.end())
      return it->second;
    progress("planning " + mesh + ", batch " + Twine(batch));
    ImportOptions import = options.import;
    import.batch = batch;
    FailureOr<OwningOpRef<ModuleOp>> module = read(import);
    if (failed(module))
      return failure();
    PassManager manager(&context);
    ShardOptions shard;
    shard.mesh = mesh;
    shard.plan = options.plan;
    buildShardPipeline(manager, shard);
    if (failed(manager.run(**module)))
      return failure();
    FailureOr<MemorySummary> memory = summarise(**module);
    progressDone();
    if (succeeded(memory))
      known[key] = *memory;
    return memory;
  }

  FailureOr<OwningOpRef<ModuleOp>> read(const ImportOptions &import) {
    if (isModel(options.model))
      return importModel(options.model, import, &context);
    OwningOpRef<ModuleOp> module =
        parseSourceFile<ModuleOp>(options.model, &context);
    if (!module)
      return failure();
    return module;
  }

  bool fits(const MemorySummary &memory) const {
    return memory.peak() <= options.deviceMemory;
  }

  FailureOr<FitRow> findLargestBatch(const std::string &mesh) {
    FitRow row;
    row.mesh = mesh;
    int64_t asked = options.import.batch;
    FailureOr<MemorySummary> memory = measure(mesh, asked);
    if (failed(memory))
      return failure();
    row.memory = *memory;
    if (!isModel(options.model))
      return row;                              // Its batch is what it is.
    int64_t low = 0, high = kLargestBatch + 1; // fits; does not
    int64_t batch = asked;
    std::map<int64_t, int64_t> peaks;
    while (high - low > 1) {
      memory = measure(mesh, batch);
      if (failed(memory) && !low)
        return failure();
      // What a smaller batch had no error in is too large to be a program.
      bool good = succeeded(memory) && fits(*memory);
      if (succeeded(memory))
        peaks[batch] = memory->peak();
      (good ? low : high) = batch;
      isQuiet = low > 0;
      batch = guess(peaks, low, high);
    }
    isQuiet = false;
    row.most = low;
    row.isMore = low == kLargestBatch;
    row.peak = low ? peaks[low] : 0;
    return row;
  }

  /// Where the line through the two nearest known peaks meets the memory; one
  /// more batch at first, and the middle where a line misleads.
  int64_t guess(const std::map<int64_t, int64_t> &peaks, int64_t low,
                int64_t high) const {
    if (high - low <= 1)
      return low;
    if (!low)
      return high / 2;
    int64_t next = peaks.size() == 1 ? low + 1 : low + (high - low) / 2;
    auto last = peaks.upper_bound(low);
    if (peaks.size() > 1 && peaks.size() < 12) {
      auto b = last == peaks.end() ? std::prev(last) : last;
      auto a = std::prev(b);
      double slope =
          double(b->second - a->second) / double(b->first - a->first);
      double more = double(options.deviceMemory - a->second) / slope;
      next = slope > 0 && more < double(kLargestBatch)
                 ? a->first + int64_t(more)
                 : 2 * low;
    }
    return std::clamp(next, low + 1, high - 1);
  }

  /// Tensor-parallel sizes are tried one after the other up to 8, then hosts of
  /// 8; those that cannot hold the parameters, even shared out evenly, are not.
  LogicalResult findSmallest(FitAnswer &answer) {
    FailureOr<MemorySummary> whole = measure("tp=1", options.import.batch);
    if (failed(whole))
      return failure();
    constexpr int64_t kMost = 64;
    for (int64_t size = 1; size <= kMost; size += size < 8 ? 1 : 8) {
      answer.largestTried = size;
      if (whole->parameters / size > options.deviceMemory)
        continue;
      FailureOr<MemorySummary> memory =
          measure("tp=" + std::to_string(size), options.import.batch);
      if (failed(memory))
        return failure();
      if (!fits(*memory))
        continue;
      answer.smallest = size;
      answer.smallestPeak = memory->peak();
      return success();
    }
    return success();
  }

  const FitOptions &options;
  MLIRContext &context;
  std::map<std::pair<std::string, int64_t>, MemorySummary> known;

public:
  bool isQuiet = false; ///< errors are answers
};

} // namespace

FailureOr<FitAnswer> tp::findFit(const FitOptions &options,
                                 MLIRContext &context) {
  // One remark is enough, whatever the number of programs.
  std::set<std::string> seen;
  Fitter fitter(options, context);
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (fitter.isQuiet ||
        diagnostic.getSeverity() == DiagnosticSeverity::Remark ||
        !seen.insert(diagnostic.str()).second)
      return success();
    return printDiagnostic(diagnostic);
  });
  return fitter.run();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static std::string batchText(const FitRow &row) {
  if (!row.most)
    return "-";
  return (row.isMore ? "over " : "") + std::to_string(*row.most);
}

void tp::printFitText(const FitOptions &options, const FitAnswer &answer,
                      raw_ostream &os) {
  // A module has its own.
  const bool hasBatch = isModel(options.model);
  const std::string batch = std::to_string(options.import.batch);
  os << "in " << formatBytes(options.deviceMemory) << " a device, "
     << options.import.entry;
  if (options.import.sequence)
    os << ", sequence " << options.import.sequence;
  os << "\n\n"
     << "mesh            "
     << left_justify(hasBatch ? "batch " + batch : "as it is", 12)
     << "parameters     state  activations      peak  largest batch  its "
        "peak\n";
  for (const FitRow &row : answer.rows) {
    bool fits = row.memory.peak() <= options.deviceMemory;
    os << left_justify(row.mesh, 16)
       << left_justify(fits ? "fits" : "does not", 10)
       << right_justify(formatBytes(row.memory.parameters), 12)
       << right_justify(formatBytes(row.memory.state), 10)
       << right_justify(formatBytes(row.memory.activationsPeak()), 13)
       << right_justify(formatBytes(row.memory.peak()), 10)
       << right_justify(batchText(row), 15)
       << right_justify(row.peak ? formatBytes(row.peak) : "-", 10) << "\n";
  }
  os << "\n";
  if (answer.smallest)
    os << "the smallest tensor-parallel size that fits"
       << (hasBatch ? " batch " + batch : "") << " is " << *answer.smallest
       << ", with " << formatBytes(answer.smallestPeak) << "\n";
  else
    os << "no tensor-parallel size up to " << answer.largestTried << " fits"
       << (hasBatch ? " batch " + batch : "") << "\n";
}

void tp::printFitJson(const FitOptions &options, const FitAnswer &answer,
                      raw_ostream &os) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  auto row = [&](const FitRow &row) {
    json.attribute("mesh", row.mesh);
    json.attribute("fits", row.memory.peak() <= options.deviceMemory);
    json.attribute("parameters", row.memory.parameters);
    json.attribute("state", row.memory.state);
    json.attribute("activations_peak", row.memory.activationsPeak());
    json.attribute("peak", row.memory.peak());
    if (row.most)
      json.attribute("largest_batch", *row.most);
    else
      json.attribute("largest_batch", nullptr);
    json.attribute("largest_batch_peak", row.peak);
  };
  json.object([&] {
    json.attribute("schema", 1);
    json.attribute("device_memory", options.deviceMemory);
    json.attribute("batch", options.import.batch);
    json.attribute("sequence", options.import.sequence);
    json.attributeArray("meshes", [&] {
      for (const FitRow &each : answer.rows)
        json.object([&] { row(each); });
    });
    if (answer.smallest)
      json.attribute("smallest_tensor_parallel", *answer.smallest);
    else
      json.attribute("smallest_tensor_parallel", nullptr);
  });
  os << "\n";
}
