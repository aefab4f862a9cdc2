//===- PlanFile.cpp - plans as people write them --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/PlanFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Styles
//===----------------------------------------------------------------------===//

static constexpr Ask shard(int64_t dim) { return {Ask::Sharded, dim}; }
static constexpr Ask kWhole{Ask::Replicated, 0}, kNothing{Ask::Nothing, 0};

/// Dims of a linear's weight are [out, in], of a table [rows, width].
static constexpr Style kStyles[] = {
    // name, weight, bias, table, input, output
    {"colwise", shard(0), shard(0), shard(1), kWhole, shard(-1)},
    {"colwise_rep", shard(0), shard(0), shard(1), kWhole, kWhole},
    {"colwise_gather_output", shard(0), shard(0), shard(1), kWhole, kWhole},
    {"rowwise", shard(1), kWhole, shard(0), shard(-1), kWhole},
    {"rowwise_rep", shard(1), kWhole, shard(0), kWhole, kWhole},
    {"rowwise_split_input", shard(1), kWhole, shard(0), kWhole, kWhole},
    {"replicate", kWhole, kWhole, kWhole, kNothing, kNothing},
};

const Style *tp::findStyle(StringRef name) {
  for (const Style &style : kStyles)
    if (style.name == name)
      return &style;
  return nullptr;
}

std::string tp::styleNames() {
  return llvm::join(
      llvm::map_range(kStyles, [](const Style &style) { return style.name; }),
      ", ");
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// llvm::json recurses; refuse what is nested deeper than any plan.
static bool isTooDeep(StringRef text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 64)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

static FailureOr<std::string>
readMesh(const PlanFile &plan, const llvm::json::Value &value,
         function_ref<InFlightDiagnostic()> emitError) {
  const llvm::json::Object *axes = value.getAsObject();
  std::string text;
  if (!axes)
    return emitError() << plan.name
                       << ": \"mesh\" must be an object of axis sizes";
  // An object's order is not kept: dp is major, then as they are named.
  SmallVector<StringRef> names;
  for (const auto &axis : *axes)
    names.push_back(axis.first);
  llvm::sort(names, [](StringRef a, StringRef b) {
    return std::make_pair(a != "dp", a) < std::make_pair(b != "dp", b);
  });
  for (StringRef name : names) {
    std::optional<int64_t> size = axes->getInteger(name);
    if (!size)
      return emitError() << plan.name << ": size of mesh axis \"" << name
                         << "\" must be a whole number";
    text +=
        (text.empty() ? "" : ",") + name.str() + "=" + std::to_string(*size);
  }
  return text;
}

static LogicalResult readEntries(PlanFile &plan,
                                 const llvm::json::Object &entries,
                                 function_ref<InFlightDiagnostic()> emitError) {
  std::map<std::string, StringRef> sorted;
  for (const auto &entry : entries) {
    std::optional<StringRef> name = entry.second.getAsString();
    if (!name)
      return emitError() << plan.name << ": the style of \""
                         << StringRef(entry.first) << "\" must be a string";
    sorted[StringRef(entry.first).str()] = *name;
  }
  for (auto &[pattern, name] : sorted) {
    const Style *style = findStyle(name);
    if (!style)
      return emitError() << plan.name << ": unknown style \"" << name
                         << "\" for \"" << pattern << "\"; there are "
                         << styleNames();
    plan.entries.push_back({pattern, style});
  }
  return success();
}

FailureOr<PlanFile> tp::readPlan(StringRef path,
                                 function_ref<InFlightDiagnostic()> emitError) {
  PlanFile plan;
  plan.name = llvm::sys::path::filename(path).str();
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return emitError() << "cannot read plan \"" << path
                       << "\": " << buffer.getError().message();
  StringRef text = (*buffer)->getBuffer();
  if (isTooDeep(text))
    return emitError() << plan.name << ": nested too deeply for a plan";
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(text);
  if (!json) {
    std::string why = llvm::toString(json.takeError());
    return emitError() << plan.name << ": not JSON: " << why;
  }
  const llvm::json::Object *object = json->getAsObject();
  if (!object)
    return emitError() << plan.name << ": a plan must be a JSON object";
  const llvm::json::Object *entries = object;
  if (const llvm::json::Value *value = object->get("plan")) {
    entries = value->getAsObject();
    if (!entries)
      return emitError() << plan.name
                         << ": \"plan\" must be an object of styles";
    for (const auto &field : *object)
      if (StringRef(field.first) != "plan" && StringRef(field.first) != "mesh")
        return emitError() << plan.name << ": unknown field \""
                           << StringRef(field.first)
                           << "\"; there are \"mesh\" and \"plan\"";
    if (const llvm::json::Value *value = object->get("mesh")) {
      FailureOr<std::string> mesh = readMesh(plan, *value, emitError);
      if (failed(mesh))
        return failure();
      plan.mesh = *mesh;
    }
  }
  if (failed(readEntries(plan, *entries, emitError)))
    return failure();
  return plan;
}

FailureOr<std::vector<std::pair<std::string, int64_t>>>
tp::parseMesh(StringRef text, function_ref<InFlightDiagnostic()> emitError) {
  std::vector<std::pair<std::string, int64_t>> axes;
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  for (StringRef part : parts) {
    auto [name, size] = part.split('=');
    name = name.trim();
    size = size.trim();
    int64_t number;
    if (name.empty() || !part.contains('='))
      return emitError() << "mesh \"" << text
                         << "\" must be a list of axis=size, such as dp=2,tp=4";
    if (size.getAsInteger(10, number))
      return emitError() << "size of mesh axis \"" << name
                         << "\" must be a number, got \"" << size << "\"";
    if (number <= 0)
      return emitError() << "size of mesh axis \"" << name
                         << "\" must be positive, got " << number;
    for (auto &axis : axes)
      if (axis.first == name)
        return emitError() << "mesh axis \"" << name << "\" occurs twice";
    axes.push_back({name.str(), number});
  }
  return axes;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// Shell wildcards * and ? within one component.
static bool matchesComponent(StringRef pattern, StringRef text) {
  // Greedy with one backtracking point: linear in practice, quadratic at worst.
  size_t p = 0, t = 0, star = StringRef::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != StringRef::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.drop_front(p).find_first_not_of('*') == StringRef::npos;
}

bool tp::matchesModule(StringRef pattern, StringRef module) {
  SmallVector<StringRef> wanted, have;
  pattern.split(wanted, '.');
  module.split(have, '.');
  if (pattern.empty() || wanted.size() > have.size())
    return false;
  for (auto [a, b] : llvm::zip(llvm::reverse(wanted), llvm::reverse(have)))
    if (!matchesComponent(a, b))
      return false;
  return true;
}

std::optional<std::pair<std::string, unsigned>>
tp::nearestModule(StringRef pattern, ArrayRef<StringRef> modules) {
  size_t count = pattern.count('.') + 1;
  std::map<std::string, unsigned> candidates;
  for (StringRef module : modules) {
    SmallVector<StringRef> parts;
    module.split(parts, '.');
    if (parts.size() < count)
      continue;
    std::string name;
    for (StringRef part : ArrayRef<StringRef>(parts).take_back(count)) {
      bool isNumber = llvm::all_of(part, llvm::isDigit);
      name += (name.empty() ? "" : ".") + (isNumber ? "*" : part.str());
    }
    ++candidates[name];
  }
  std::optional<std::pair<std::string, unsigned>> best;
  unsigned bestDistance = std::max<size_t>(3, pattern.size() / 3);
  for (auto &[name, number] : candidates) {
    unsigned distance = pattern.edit_distance(name, true, bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = {name, number};
    }
  }
  return best;
}
