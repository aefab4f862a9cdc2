//===- PrintText.cpp - reports as tables for a terminal -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Summary.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;
using llvm::left_justify;
using llvm::right_justify;

/// No line is longer.
static constexpr size_t kWidth = 100;

/// The end of a long name says most.
static std::string shortened(const std::string &name, size_t width) {
  if (name.size() <= width)
    return name;
  return ".." + name.substr(name.size() - (width - 2));
}

/// "4.2 %"
static std::string formatShare(double part, double whole) {
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format("%.1f %%", whole > 0 ? 100 * part / whole : 0.0);
  return text;
}

static std::string formatShare(const ReportAmount &amount) {
  return formatShare(double(amount.padding), double(amount.total));
}

static ReportAmount storedBytes(const ReportAmounts &amounts) {
  ReportAmount stored = amounts.parameterBytes;
  stored += amounts.stateBytes;
  return stored;
}

namespace {

class TextPrinter {
public:
  TextPrinter(const Report &report, llvm::raw_ostream &os, bool inColour)
      : report(report), os(os), inColour(inColour), summary(sumUp(report)) {}

  void print() {
    printMachine();
    printCollectives();
    printPhases();
    printTimes();
    printRemarks();
    printReasons();
    printModules();
    printMemory();
    printPadding();
  }

private:
  enum class Look { Heading, Strong, Warning };

  void colour(Look look) {
    if (!inColour)
      return;
    switch (look) {
    case Look::Heading:
      os << "\x1b[2m";
      break;
    case Look::Strong:
      os << "\x1b[1m";
      break;
    case Look::Warning:
      os << "\x1b[33m";
      break;
    }
  }
  void plain() {
    if (inColour)
      os << "\x1b[0m";
  }
  void heading(StringRef title, StringRef columns) {
    if (!title.empty()) {
      os << "\n";
      colour(Look::Strong);
      os << title;
      plain();
      os << "\n";
    }
    colour(Look::Heading);
    os << columns;
    plain();
    os << "\n";
  }

  /// Words in lines, the first after `column`, the others indented.
  void wrapped(StringRef text, size_t column, size_t indent) {
    bool isFirst = true;
    SmallVector<StringRef> words;
    text.split(words, ' ', -1, /*KeepEmpty=*/false);
    for (StringRef word : words) {
      if (!isFirst && column + 1 + word.size() > kWidth) {
        os << "\n";
        os.indent(indent);
        column = indent;
      } else if (!isFirst) {
        os << " ";
        ++column;
      }
      os << word;
      column += word.size();
      isFirst = false;
    }
    os << "\n";
  }

  void printMachine();
  void printCollectives();
  void printPhases();
  void printTimes();
  void printModules();
  void printMemory();
  void printPadding();
  void printReasons();
  void printRemarks();

  const Report &report;
  llvm::raw_ostream &os;
  bool inColour;
  Summary summary;
};

} // namespace

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

void TextPrinter::printMachine() {
  os << "mesh ";
  for (auto [i, axis] : llvm::enumerate(report.axes))
    os << (i ? "," : "") << axis.first << "=" << axis.second;
  os << "; machine " << shortened(report.machine.name, 60) << "\n\n";
}

void TextPrinter::printCollectives() {
  std::vector<FoldedCollective> rows = foldCollectives(report);
  if (rows.empty()) {
    os << "no collectives\n";
    return;
  }
  heading("", "phase   collective     axes   group  tensor            count "
              "sent each    time  module");
  bool anyHidden = false;
  for (const FoldedCollective &row : rows) {
    const ReportCollective &collective = *row.first;
    bool isHidden = collective.hidden > 0;
    anyHidden |= isHidden;
    os << left_justify(shortened(collective.phase, 7), 8)
       << left_justify(collective.kind, 15)
       << left_justify(shortened(llvm::join(collective.axes, ","), 6), 7)
       << right_justify(std::to_string(collective.groupSize), 5) << "  "
       << left_justify(shortened(shapesOf(collective), 17), 17)
       << right_justify("x" + std::to_string(row.count), 6)
       << right_justify(formatBytes(collective.bytesSent), 10)
       << right_justify(formatTime(collective.microseconds), 8)
       << (isHidden ? "* " : "  ") << shortened(row.module, 20) << "\n";
  }
  if (anyHidden)
    os << "* runs beside computing, in part or as a whole\n";
}

static std::string countText(int64_t collectives) {
  return std::to_string(collectives) +
         (collectives == 1 ? " collective" : " collectives");
}

void TextPrinter::printPhases() {
  os << "\n";
  for (const SummaryRow &row : summary.phases) {
    if (!row.collectives)
      continue;
    os << row.phase << ": " << countText(row.collectives) << ", "
       << formatBytes(row.bytesSent)
       << " sent by each device in one execution\n";
    for (const SummaryRow &axes : summary.axes)
      if (axes.phase == row.phase && axes.collectives != row.collectives)
        os << "  over " << axes.name << ": " << countText(axes.collectives)
           << ", " << formatBytes(axes.bytesSent) << ", "
           << formatTime(axes.communication) << "\n";
  }
}

//===----------------------------------------------------------------------===//
// Times
//===----------------------------------------------------------------------===//

static std::string speedUp(double without, double time) {
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format("%.2fx", time > 0 ? without / time : 1.0);
  return text;
}

void TextPrinter::printTimes() {
  heading("predicted time of one execution",
          "phase    predicted  computing   sending    hidden  one device  "
          "speed-up  of which by axis");
  for (const ReportPhase &phase : report.phases) {
    std::string axes;
    for (auto [axis, without] : llvm::zip(report.axes, phase.withoutAxis))
      if (axis.second > 1)
        axes += (axes.empty() ? "" : ", ") + axis.first + " " +
                speedUp(without, phase.time.total);
    os << left_justify(shortened(phase.phase, 8), 9)
       << right_justify(formatTime(phase.time.total), 9)
       << right_justify(formatTime(phase.time.compute), 11)
       << right_justify(formatTime(phase.time.communication), 10)
       << right_justify(formatTime(phase.time.hidden), 10)
       << right_justify(formatTime(phase.oneDevice), 12)
       << right_justify(speedUp(phase.oneDevice, phase.time.total), 10) << "  "
       << shortened(axes, 27) << "\n";
  }
}

void TextPrinter::printModules() {
  bool hasRows = llvm::any_of(summary.modules, [](const SummaryRow &row) {
    return row.collectives || row.multiplyAdds;
  });
  if (!hasRows)
    return;
  heading("by module, in one execution",
          "phase    layers  mul-adds  computing  collectives      sent  "
          "sending    module");
  for (const SummaryRow &row : summary.modules) {
    if (!row.collectives && !row.multiplyAdds)
      continue;
    os << left_justify(shortened(row.phase, 8), 9)
       << right_justify("x" + std::to_string(row.layers), 6)
       << right_justify(formatCount(row.multiplyAdds), 10)
       << right_justify(formatTime(row.compute), 11)
       << right_justify(std::to_string(row.collectives), 13)
       << right_justify(formatBytes(row.bytesSent), 10)
       << right_justify(formatTime(row.communication), 9) << "    "
       << shortened(row.name.empty() ? "(none)" : row.name, 28) << "\n";
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void TextPrinter::printMemory() {
  os << "\nmemory of a device: parameters "
     << formatBytes(report.memory.parameters) << ", state "
     << formatBytes(report.memory.state) << ", activations "
     << formatBytes(report.memory.activationsPeak) << ", peak "
     << formatBytes(report.memory.peak) << "\n";
  constexpr size_t kMostRows = 6;
  for (const ReportPhaseMemory &row : report.memory.phases) {
    os << row.phase << ": inputs " << formatBytes(row.inputs) << ", outputs "
       << formatBytes(row.outputs) << ", arena " << formatBytes(row.arena)
       << ", collectives fill at most " << formatBytes(row.communication)
       << "\n";
    if (row.alive.empty())
      continue;
    os << "  at the peak, in "
       << shortened(row.peakModule.empty() ? "(no module)" : row.peakModule, 50)
       << ", " << formatBytes(row.live) << " are alive:\n";
    for (const ReportLive &live : ArrayRef(row.alive).take_front(kMostRows))
      os << "  " << right_justify(formatBytes(live.bytes), 10) << "  "
         << left_justify(live.kind, 14)
         << left_justify(shortened(live.type, 22), 23)
         << right_justify("x" + std::to_string(live.count), 5) << "  "
         << shortened(live.module, 42) << "\n";
    if (row.alive.size() > kMostRows)
      os << "  and " << row.alive.size() - kMostRows << " smaller ones\n";
  }
}

void TextPrinter::printPadding() {
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
  heading("padding on a device, on average",
          "phase    dim             axes        share    stored  computed  "
          "mul-adds  module");
  for (const ReportPadding &row : rows) {
    ReportAmount share{row.padded, row.padded - row.size};
    os << left_justify(shortened(row.phase, 8), 9)
       << left_justify(std::to_string(row.size) + " -> " +
                           std::to_string(row.padded),
                       16)
       << left_justify(shortened(llvm::join(row.axes, ","), 9), 10)
       << right_justify(formatShare(share), 7)
       << right_justify(formatBytes(storedBytes(row.amounts).padding), 10)
       << right_justify(formatBytes(row.amounts.activationBytes.padding), 10)
       << right_justify(formatCount(row.amounts.multiplyAdds.padding), 10)
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

//===----------------------------------------------------------------------===//
// Reasons
//===----------------------------------------------------------------------===//

static std::string describe(const ReportAlternative &alternative) {
  std::string text = "instead: " + alternative.what + ": ";
  text += alternative.bytesSent ? formatBytes(alternative.bytesSent) + " sent"
                                : std::string("nothing sent");
  if (alternative.memory)
    text += ", " + formatBytes(alternative.memory) + " more memory";
  if (alternative.microseconds > 0)
    text += ", " + formatTime(alternative.microseconds);
  return text;
}

void TextPrinter::printReasons() {
  std::vector<FoldedCollective> rows = foldCollectives(report);
  if (rows.empty())
    return;
  heading("why they are there, and what else it would have cost, each",
          "the first of each row above");
  for (const FoldedCollective &row : rows) {
    const ReportCollective &collective = *row.first;
    wrapped(collective.phase + ", " + collective.kind + " x" +
                std::to_string(row.count) + " (" +
                formatBytes(collective.bytesSent) + ", " +
                formatTime(collective.microseconds) + "): " + collective.why,
            0, 2);
    if (collective.alternative) {
      os << "  ";
      wrapped(describe(*collective.alternative), 2, 4);
    }
  }
}

void TextPrinter::printRemarks() {
  if (!report.remarks.empty())
    os << "\n";
  for (const std::string &remark : report.remarks) {
    colour(Look::Warning);
    os << "remark: ";
    plain();
    wrapped(remark, 8, 2);
  }
}

void tp::printText(const Report &report, llvm::raw_ostream &os, bool inColour) {
  TextPrinter(report, os, inColour).print();
}
