//===- Diff.cpp - two reports side by side --------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Diff.h"
#include "tp/Report/Report.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <array>
#include <cmath>
#include <map>

using namespace mlir;
using namespace mlir::tp;
namespace json = llvm::json;
using llvm::left_justify;
using llvm::right_justify;
using Unit = DiffAmount::Unit;

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

static std::string textAt(const json::Object &object, StringRef key) {
  return object.getString(key).value_or("").str();
}

static int64_t countAt(const json::Object &object, StringRef key) {
  return object.getInteger(key).value_or(0);
}

static void forEachObject(const json::Object &report, StringRef key,
                          function_ref<void(const json::Object &)> visit) {
  if (const json::Array *list = report.getArray(key))
    for (const json::Value &value : *list)
      if (const json::Object *object = value.getAsObject())
        visit(*object);
}

/// "[dp: Replicate, tp: Shard(0)]" is "[tp: Shard(0)]" on a mesh without dp.
static std::string withoutReplicated(StringRef placement) {
  SmallVector<StringRef> axes, kept;
  placement.trim("[]").split(axes, ", ", -1, /*KeepEmpty=*/false);
  for (StringRef axis : axes)
    if (!axis.ends_with(": Replicate"))
      kept.push_back(axis);
  return kept.empty() ? "[Replicate]" : "[" + llvm::join(kept, ", ") + "]";
}

namespace {

class Differ {
public:
  Differ(const json::Object &before, const json::Object &after)
      : sides{&before, &after} {}

  ReportDiff run() {
    addMesh();
    addTotals();
    addMemory();
    addTimes();
    addCollectives();
    addPlacements();
    return std::move(diff);
  }

private:
  void add(StringRef name, Unit unit, double before, double after) {
    diff.amounts.push_back({name.str(), unit, before, after});
  }

  int64_t devicesOf(const json::Object &report) {
    int64_t devices = 1;
    if (const json::Object *mesh = report.getObject("mesh"))
      forEachObject(*mesh, "axes", [&](const json::Object &axis) {
        devices *= std::max<int64_t>(1, countAt(axis, "size"));
      });
    return devices;
  }

  void addMesh() {
    add("devices", Unit::Count, double(devicesOf(*sides[0])),
        double(devicesOf(*sides[1])));
  }

  void addTotals() {
    int64_t counts[2] = {}, bytes[2] = {};
    for (int side = 0; side < 2; ++side)
      forEachObject(*sides[side], "collectives", [&](const json::Object &c) {
        counts[side] += countAt(c, "count");
        bytes[side] += countAt(c, "count") * countAt(c, "bytes_sent");
      });
    add("collectives", Unit::Count, double(counts[0]), double(counts[1]));
    add("bytes sent", Unit::Bytes, double(bytes[0]), double(bytes[1]));
    diff.sendsMore = bytes[1] > bytes[0];
  }

  void addMemory() {
    const json::Object *before = sides[0]->getObject("memory");
    const json::Object *after = sides[1]->getObject("memory");
    if (!before || !after)
      return;
    static const std::pair<StringRef, StringRef> parts[] = {
        {"parameters", "parameters"},
        {"state", "state"},
        {"activations_peak", "activations"},
        {"peak", "peak memory"}};
    for (auto [key, name] : parts)
      add(name, Unit::Bytes, double(countAt(*before, key)),
          double(countAt(*after, key)));
    diff.holdsMore = countAt(*after, "peak") > countAt(*before, "peak");
  }

  void addTimes() {
    std::map<std::string, std::array<double, 2>> times;
    std::vector<std::string> order;
    for (int side = 0; side < 2; ++side)
      forEachObject(*sides[side], "time", [&](const json::Object &time) {
        std::string phase = textAt(time, "phase");
        if (times.try_emplace(phase).second)
          order.push_back(phase);
        times[phase][side] = time.getNumber("microseconds").value_or(0);
      });
    for (const std::string &phase : order)
      add("predicted " + phase, Unit::Microseconds, times[phase][0],
          times[phase][1]);
  }

  void addCollectives() {
    std::map<std::tuple<std::string, std::string, std::string>, size_t> numbers;
    std::vector<DiffCollectives> rows;
    for (int side = 0; side < 2; ++side)
      forEachObject(*sides[side], "collectives", [&](const json::Object &c) {
        DiffCollectives row;
        row.phase = textAt(c, "phase");
        row.module = foldLayers(textAt(c, "module"));
        row.kind = textAt(c, "kind");
        auto [it, inserted] = numbers.try_emplace(
            std::make_tuple(row.phase, row.module, row.kind), rows.size());
        if (inserted)
          rows.push_back(row);
        DiffCollectives &known = rows[it->second];
        int64_t count = countAt(c, "count");
        int64_t bytes = count * countAt(c, "bytes_sent");
        (side ? known.countAfter : known.countBefore) += count;
        (side ? known.bytesAfter : known.bytesBefore) += bytes;
      });
    for (DiffCollectives &row : rows)
      if (row.countBefore != row.countAfter ||
          row.bytesBefore != row.bytesAfter)
        diff.collectives.push_back(std::move(row));
  }

  void addPlacements() {
    std::map<std::string, std::array<std::string, 2>> tensors;
    std::vector<std::string> order;
    bool isKnown[2] = {};
    for (int side = 0; side < 2; ++side)
      forEachObject(*sides[side], "tensors", [&](const json::Object &tensor) {
        isKnown[side] = true;
        std::string name = textAt(tensor, "name");
        if (tensors.try_emplace(name).second)
          order.push_back(name);
        tensors[name][side] = withoutReplicated(textAt(tensor, "placement"));
      });
    if (!isKnown[0] || !isKnown[1])
      return;
    std::map<std::tuple<std::string, std::string, std::string>, size_t> numbers;
    for (const std::string &name : order) {
      auto &[before, after] = tensors[name];
      if (before == after)
        continue;
      auto [it, inserted] =
          numbers.try_emplace(std::make_tuple(foldLayers(name), before, after),
                              diff.placements.size());
      if (inserted)
        diff.placements.push_back({foldLayers(name), before, after, 0});
      ++diff.placements[it->second].count;
    }
  }

  const json::Object *sides[2];
  ReportDiff diff;
};

} // namespace

ReportDiff tp::diffReports(const json::Object &before,
                           const json::Object &after) {
  return Differ(before, after).run();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static std::string amountText(Unit unit, double amount) {
  switch (unit) {
  case Unit::Bytes:
    return formatBytes(int64_t(amount));
  case Unit::Microseconds:
    return formatTime(amount);
  case Unit::Count:
    break;
  }
  return std::to_string(int64_t(amount));
}

static std::string changeText(double before, double after) {
  if (before == after)
    return "same";
  if (before == 0)
    return "new";
  if (after == 0)
    return "gone";
  std::string text;
  llvm::raw_string_ostream os(text);
  double change = 100 * (after / before - 1);
  if (after >= 10 * before)
    os << llvm::format("x%.1f", after / before);
  else
    os << llvm::format("%+.1f %%", change);
  return text;
}

static StringRef verdictOf(const DiffCollectives &row) {
  if (!row.countBefore)
    return "appeared";
  if (!row.countAfter)
    return "vanished";
  if (row.bytesAfter != row.bytesBefore)
    return row.bytesAfter > row.bytesBefore ? "grew" : "shrank";
  return row.countAfter > row.countBefore ? "more" : "fewer";
}

static std::string endOf(const std::string &name, size_t width) {
  return name.size() <= width ? name
                              : ".." + name.substr(name.size() - width + 2);
}

void tp::printDiffText(const ReportDiff &diff, llvm::raw_ostream &os) {
  os << "a device, one execution      before       after      change\n";
  for (const DiffAmount &amount : diff.amounts)
    os << left_justify(endOf(amount.name, 23), 24)
       << right_justify(amountText(amount.unit, amount.before), 11) << " "
       << right_justify(amountText(amount.unit, amount.after), 11) << " "
       << right_justify(changeText(amount.before, amount.after), 11) << "\n";
  if (!diff.collectives.empty())
    os << "\ncollectives   phase    kind             count          "
          "sent in all        module\n";
  for (const DiffCollectives &row : diff.collectives)
    os << left_justify(verdictOf(row), 10) << "    "
       << left_justify(endOf(row.phase, 8), 9) << left_justify(row.kind, 15)
       << right_justify(std::to_string(row.countBefore), 5) << " -> "
       << left_justify(std::to_string(row.countAfter), 5)
       << right_justify(formatBytes(row.bytesBefore), 9) << " -> "
       << left_justify(formatBytes(row.bytesAfter), 10) << endOf(row.module, 23)
       << "\n";
  if (!diff.placements.empty())
    os << "\nplacements\n";
  for (const DiffPlacement &row : diff.placements) {
    os << endOf(row.name, 90);
    if (row.count > 1)
      os << " x" << row.count;
    os << "\n    " << (row.before.empty() ? "not there" : row.before)
       << "\n -> " << (row.after.empty() ? "not there" : row.after) << "\n";
  }
  os << "\n";
  if (!diff.sendsMore && !diff.holdsMore)
    os << "neither bytes sent nor peak memory rose\n";
  if (diff.sendsMore)
    os << "bytes sent rose\n";
  if (diff.holdsMore)
    os << "peak memory rose\n";
}

void tp::printDiffJson(const ReportDiff &diff, llvm::raw_ostream &os) {
  json::OStream out(os, /*IndentSize=*/2);
  auto number = [&](StringRef key, double value) {
    out.attributeBegin(key);
    out.rawValue([&](llvm::raw_ostream &stream) {
      stream << llvm::format(value == std::floor(value) ? "%.0f" : "%.3f",
                             value);
    });
    out.attributeEnd();
  };
  out.object([&] {
    out.attribute("schema", 1);
    out.attributeObject("amounts", [&] {
      for (const DiffAmount &amount : diff.amounts)
        out.attributeObject(amount.name, [&] {
          out.attribute("unit", amount.unit == Unit::Bytes          ? "B"
                                : amount.unit == Unit::Microseconds ? "us"
                                                                    : "");
          number("before", amount.before);
          number("after", amount.after);
        });
    });
    out.attributeArray("collectives", [&] {
      for (const DiffCollectives &row : diff.collectives)
        out.object([&] {
          out.attribute("change", verdictOf(row));
          out.attribute("phase", row.phase);
          out.attribute("module", row.module);
          out.attribute("kind", row.kind);
          out.attribute("count_before", row.countBefore);
          out.attribute("count_after", row.countAfter);
          out.attribute("bytes_before", row.bytesBefore);
          out.attribute("bytes_after", row.bytesAfter);
        });
    });
    out.attributeArray("placements", [&] {
      for (const DiffPlacement &row : diff.placements)
        out.object([&] {
          out.attribute("name", row.name);
          out.attribute("count", row.count);
          out.attribute("before", row.before);
          out.attribute("after", row.after);
        });
    });
    out.attribute("bytes_sent_rose", diff.sendsMore);
    out.attribute("peak_memory_rose", diff.holdsMore);
  });
  os << "\n";
}
