//===- Print.cpp - reports as JSON and text -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Report.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace {
struct Total {
  int64_t count = 0, bytes = 0;
};

std::map<std::string, Total> totalsOf(const Report &report) {
  std::map<std::string, Total> totals;
  for (const ReportCollective &collective : report.collectives) {
    Total &total = totals[collective.kind];
    total.count += collective.count;
    total.bytes += collective.count * collective.bytesSent;
  }
  return totals;
}

std::string dtypes(const ReportCollective &collective) {
  return llvm::join(
      llvm::map_range(collective.tensors,
                      [](const ReportTensor &tensor) { return tensor.dtype; }),
      ",");
}
} // namespace

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static void printCollective(llvm::json::OStream &json,
                            const ReportCollective &collective) {
  json.object([&] {
    json.attribute("kind", collective.kind);
    json.attributeArray("axes", [&] {
      for (const std::string &axis : collective.axes)
        json.value(axis);
    });
    json.attribute("group_size", collective.groupSize);
    if (collective.reduction.empty())
      json.attribute("reduction", nullptr);
    else
      json.attribute("reduction", collective.reduction);
    json.attribute("dtype", dtypes(collective));
    json.attributeArray("shape", [&] {
      if (!collective.tensors.empty())
        for (int64_t size : collective.tensors.front().shape)
          json.value(size);
    });
    json.attributeArray("tensors", [&] {
      for (const ReportTensor &tensor : collective.tensors)
        json.object([&] {
          json.attribute("dtype", tensor.dtype);
          json.attributeArray("shape", [&] {
            for (int64_t size : tensor.shape)
              json.value(size);
          });
        });
    });
    json.attribute("bytes_sent", collective.bytesSent);
    json.attribute("count", collective.count);
    if (collective.executions)
      json.attribute("executions", *collective.executions);
    json.attribute("phase", collective.phase);
    json.attribute("module", collective.module);
    json.attribute("reason", collective.reason);
    json.attribute("location", collective.location);
  });
}

static void printAmounts(llvm::json::OStream &json,
                         const ReportAmounts &amounts) {
  auto print = [&](StringRef name, const ReportAmount &elements,
                   const ReportAmount &bytes) {
    json.attributeObject(name, [&] {
      json.attribute("elements", elements.total);
      json.attribute("padding_elements", elements.padding);
      json.attribute("bytes", bytes.total);
      json.attribute("padding_bytes", bytes.padding);
    });
  };
  print("parameters", amounts.parameterElements, amounts.parameterBytes);
  print("state", amounts.stateElements, amounts.stateBytes);
  print("activations", amounts.activationElements, amounts.activationBytes);
  json.attributeObject("multiply_adds", [&] {
    json.attribute("total", amounts.multiplyAdds.total);
    json.attribute("padding", amounts.multiplyAdds.padding);
  });
}

static void printPadding(llvm::json::OStream &json, const Report &report) {
  json.attributeArray("dims", [&] {
    for (const ReportPadding &row : report.padding)
      json.object([&] {
        json.attribute("phase", row.phase);
        json.attribute("module", row.module);
        json.attribute("size", row.size);
        json.attribute("padded", row.padded);
        json.attributeArray("axes", [&] {
          for (const std::string &axis : row.axes)
            json.value(axis);
        });
        printAmounts(json, row.amounts);
      });
  });
  json.attributeObject("phases", [&] {
    for (const ReportPhase &phase : report.phases)
      json.attributeObject(phase.phase,
                           [&] { printAmounts(json, phase.amounts); });
  });
}

void tp::printJson(const Report &report, llvm::raw_ostream &os) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("schema", 1);
    json.attributeObject("mesh", [&] {
      json.attributeArray("axes", [&] {
        for (auto &[name, size] : report.axes)
          json.object([&, axisName = name, axisSize = size] {
            json.attribute("name", axisName);
            json.attribute("size", axisSize);
          });
      });
    });
    json.attributeArray("collectives", [&] {
      for (const ReportCollective &collective : report.collectives)
        printCollective(json, collective);
    });
    json.attributeObject("totals", [&] {
      int64_t bytes = 0;
      for (auto &entry : totalsOf(report)) {
        json.attributeObject(entry.first, [&] {
          json.attribute("count", entry.second.count);
          json.attribute("bytes_sent", entry.second.bytes);
        });
        bytes += entry.second.bytes;
      }
      json.attribute("bytes_sent", bytes);
    });
    json.attributeObject("memory", [&] {
      json.attribute("parameters", report.memory.parameters);
      json.attribute("state", report.memory.state);
      json.attribute("activations_peak", report.memory.activationsPeak);
      json.attribute("peak", report.memory.peak);
    });
    json.attributeObject("padding", [&] { printPadding(json, report); });
  });
  os << "\n";
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string tp::formatBytes(int64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = double(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format(unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
                     units[unit]);
  return text;
}

/// "model.layers.7.mlp" becomes "model.layers.*.mlp".
static std::string foldLayers(StringRef name) {
  SmallVector<StringRef> parts;
  name.split(parts, '.');
  std::string folded;
  for (StringRef part : parts) {
    bool isNumber = !part.empty() && llvm::all_of(part, llvm::isDigit);
    folded += (folded.empty() ? "" : ".") + (isNumber ? "*" : part.str());
  }
  return folded;
}

static std::string shapes(const ReportCollective &collective) {
  std::string text;
  for (const ReportTensor &tensor : collective.tensors) {
    text += text.empty() ? "" : "+";
    for (int64_t size : tensor.shape)
      text += std::to_string(size) + "x";
    text += tensor.dtype;
  }
  return text;
}

/// The end of a long name says most.
static std::string shortened(const std::string &name, size_t width) {
  if (name.size() <= width)
    return name;
  return ".." + name.substr(name.size() - (width - 2));
}

/// "37.7M"
static std::string formatCount(int64_t count) {
  static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
  double value = double(count);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(
      unit == 0 || value >= 100 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return text;
}

/// "4.2 %"
static std::string formatShare(const ReportAmount &amount) {
  double share =
      amount.total ? 100 * double(amount.padding) / double(amount.total) : 0;
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f %%", share);
  return text;
}

static ReportAmount storedBytes(const ReportAmounts &amounts) {
  ReportAmount stored = amounts.parameterBytes;
  stored += amounts.stateBytes;
  return stored;
}

static void printPadding(const Report &report, llvm::raw_ostream &os) {
  if (report.padding.empty())
    return;
  // Layers that are padded alike are one row.
  std::vector<ReportPadding> rows;
  std::map<std::string, size_t> numbers;
  for (const ReportPadding &padding : report.padding) {
    ReportPadding row = padding;
    row.module = foldLayers(row.module);
    std::string key =
        row.phase + " " + row.module + " " + std::to_string(row.size) + " " +
        std::to_string(row.padded) + " " + llvm::join(row.axes, ",");
    auto [it, inserted] = numbers.try_emplace(key, rows.size());
    if (inserted)
      rows.push_back(std::move(row));
    else
      rows[it->second].amounts += row.amounts;
  }
  os << "\npadding on a device, on average\n"
     << "phase    dim             axes        share    stored  computed  "
        "mul-adds  module\n";
  for (const ReportPadding &row : rows) {
    ReportAmount share{row.padded, row.padded - row.size};
    os << llvm::left_justify(shortened(row.phase, 8), 9)
       << llvm::left_justify(std::to_string(row.size) + " -> " +
                                 std::to_string(row.padded),
                             16)
       << llvm::left_justify(llvm::join(row.axes, ","), 10)
       << llvm::right_justify(formatShare(share), 7)
       << llvm::right_justify(formatBytes(storedBytes(row.amounts).padding), 10)
       << llvm::right_justify(formatBytes(row.amounts.activationBytes.padding),
                              10)
       << llvm::right_justify(formatCount(row.amounts.multiplyAdds.padding), 10)
       << "  " << shortened(row.module, 26) << "\n";
  }
  os << "\n";
  for (const ReportPhase &phase : report.phases) {
    ReportAmount stored = storedBytes(phase.amounts);
    if (!stored.padding && !phase.amounts.activationElements.padding)
      continue;
    os << phase.phase << ": padding is " << formatShare(stored)
       << " of stored bytes, " << formatShare(phase.amounts.activationBytes)
       << " of computed bytes, " << formatShare(phase.amounts.multiplyAdds)
       << " of multiply-adds\n";
  }
}

void tp::printText(const Report &report, llvm::raw_ostream &os) {
  os << "mesh ";
  llvm::interleave(
      report.axes, os,
      [&](const auto &axis) { os << axis.first << "=" << axis.second; }, ",");
  os << "\n\n";

  // Layers that do the same are one row.
  struct Row {
    const ReportCollective *first;
    std::string module;
    int64_t count = 0;
  };
  std::vector<Row> rows;
  std::map<std::pair<std::string, std::string>, size_t> numbers;
  for (const ReportCollective &collective : report.collectives) {
    std::string key = collective.phase + " " + collective.kind + " " +
                      llvm::join(collective.axes, ",") + " " +
                      shapes(collective) + " " +
                      std::to_string(collective.bytesSent);
    std::string module = foldLayers(collective.module);
    auto [it, inserted] = numbers.try_emplace({key, module}, rows.size());
    if (inserted)
      rows.push_back({&collective, module, 0});
    rows[it->second].count += collective.count;
  }
  if (rows.empty())
    os << "no collectives\n";
  else
    os << "phase    collective      axes      group  tensor                "
          "count  "
          "sent each  module\n";
  for (const Row &row : rows) {
    const ReportCollective &collective = *row.first;
    os << llvm::left_justify(shortened(collective.phase, 8), 9)
       << llvm::left_justify(collective.kind, 16)
       << llvm::left_justify(llvm::join(collective.axes, ","), 10)
       << llvm::right_justify(std::to_string(collective.groupSize), 5) << "  "
       << llvm::left_justify(shapes(collective), 22)
       << llvm::right_justify("x" + std::to_string(row.count), 5) << "  "
       << llvm::right_justify(formatBytes(collective.bytesSent), 9) << "  ";
    os << shortened(row.module, 18) << "\n";
  }

  os << "\n";
  std::map<std::string, Total> perPhase;
  for (const ReportCollective &collective : report.collectives) {
    Total &total = perPhase[collective.phase];
    total.count += collective.count;
    total.bytes += collective.count * collective.bytesSent;
  }
  for (auto &entry : perPhase)
    os << entry.first << ": " << entry.second.count << " collectives, "
       << formatBytes(entry.second.bytes)
       << " sent by each device in one execution\n";
  os << "memory of a device: parameters "
     << formatBytes(report.memory.parameters) << ", state "
     << formatBytes(report.memory.state) << ", activations "
     << formatBytes(report.memory.activationsPeak) << ", peak "
     << formatBytes(report.memory.peak) << "\n";
  printPadding(report, os);
}
