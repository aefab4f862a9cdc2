//===- Summary.cpp - sums over a report, layers folded --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Summary.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

/// Three digits, in the largest unit of which there is one.
static std::string scaled(double value, double step,
                          ArrayRef<const char *> units) {
  size_t unit = 0;
  // What would be rounded up to the next unit is written in it.
  while (value >= step - 0.5 && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(
      unit == 0 || value >= 99.95 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return text;
}

std::string tp::formatBytes(int64_t bytes) {
  return scaled(double(bytes), 1024,
                {" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string tp::formatCount(int64_t count) {
  return scaled(double(count), 1000, {"", "k", "M", "G", "T", "P", "E"});
}

std::string tp::formatTime(double microseconds) {
  double seconds = microseconds * 1e-6;
  std::string text;
  llvm::raw_string_ostream os(text);
  if (microseconds >= 999.5e3)
    os << llvm::format(seconds >= 99.95 ? "%.0f s" : "%.2f s", seconds);
  else if (microseconds >= 999.5)
    os << llvm::format(microseconds >= 99.95e3 ? "%.0f ms" : "%.1f ms",
                       microseconds / 1000);
  else
    os << llvm::format(microseconds >= 99.95 ? "%.0f us" : "%.1f us",
                       microseconds);
  return text;
}

std::string tp::foldLayers(StringRef name) {
  SmallVector<StringRef> parts;
  name.split(parts, '.');
  std::string folded;
  for (StringRef part : parts) {
    bool isNumber = !part.empty() && llvm::all_of(part, llvm::isDigit);
    folded += (folded.empty() ? "" : ".") + (isNumber ? "*" : part.str());
  }
  return folded;
}

std::string tp::shapesOf(const ReportCollective &collective) {
  std::string text;
  for (const ReportTensor &tensor : collective.tensors) {
    text += text.empty() ? "" : "+";
    for (int64_t size : tensor.shape)
      text += std::to_string(size) + "x";
    text += tensor.dtype;
  }
  return text;
}

std::string tp::dtypesOf(const ReportCollective &collective) {
  return llvm::join(
      llvm::map_range(collective.tensors,
                      [](const ReportTensor &tensor) { return tensor.dtype; }),
      ",");
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void SummaryRow::add(const ReportCollective &collective) {
  collectives += collective.count;
  bytesSent += collective.count * collective.bytesSent;
  communication += double(collective.count) * collective.microseconds;
  hidden += double(collective.count) * collective.hidden;
}

namespace {
/// Rows by phase and name, in order of first use.
class Rows {
public:
  SummaryRow &at(const std::string &phase, const std::string &name) {
    auto [it, inserted] = numbers.try_emplace({phase, name}, rows.size());
    if (inserted) {
      SummaryRow row;
      row.phase = phase;
      row.name = name;
      rows.push_back(std::move(row));
    }
    return rows[it->second];
  }
  std::vector<SummaryRow> rows;

private:
  std::map<std::pair<std::string, std::string>, size_t> numbers;
};
} // namespace

Summary tp::sumUp(const Report &report) {
  Rows phases, axes, modules;
  std::set<std::pair<std::string, std::string>> seen;
  for (const ReportPhase &phase : report.phases)
    phases.at(phase.phase, "").compute = phase.time.compute;
  for (const ReportModule &module : report.modules) {
    SummaryRow &row = modules.at(module.phase, foldLayers(module.module));
    row.multiplyAdds += module.multiplyAdds;
    row.compute += module.compute;
    ++row.layers;
    seen.insert({module.phase, module.module});
    phases.at(module.phase, "").multiplyAdds += module.multiplyAdds;
  }
  for (const ReportCollective &collective : report.collectives) {
    phases.at(collective.phase, "").add(collective);
    axes.at(collective.phase, llvm::join(collective.axes, ",")).add(collective);
    SummaryRow &row =
        modules.at(collective.phase, foldLayers(collective.module));
    row.add(collective);
    if (seen.insert({collective.phase, collective.module}).second)
      ++row.layers;
  }
  return {std::move(phases.rows), std::move(axes.rows),
          std::move(modules.rows)};
}

std::vector<FoldedCollective> tp::foldCollectives(const Report &report) {
  std::vector<FoldedCollective> rows;
  std::map<std::pair<std::string, std::string>, size_t> numbers;
  for (const ReportCollective &collective : report.collectives) {
    std::string key = collective.phase + " " + collective.kind + " " +
                      llvm::join(collective.axes, ",") + " " +
                      shapesOf(collective) + " " +
                      std::to_string(collective.bytesSent);
    std::string module = foldLayers(collective.module);
    auto [it, inserted] = numbers.try_emplace({key, module}, rows.size());
    if (inserted)
      rows.push_back({&collective, module, 0});
    rows[it->second].count += collective.count;
  }
  return rows;
}
