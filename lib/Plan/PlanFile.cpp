//===- PlanFile.cpp - plans as people write them --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/PlanFile.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Support/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::tp;

StringRef tp::stringifyRole(AxisRole role) {
  return role == AxisRole::DataParallel ? kDataParallel : kTensorParallel;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

/// A key that an object has twice, of which llvm::json would keep the last; the
/// text is JSON.
static std::optional<std::string> findRepeatedKey(StringRef text) {
  // One set for each open object; a list has an empty one.
  std::vector<llvm::StringSet<>> open;
  StringRef last; // The string that was read last.
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      size_t begin = ++i;
      while (i < text.size() && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
      last = text.slice(begin, i);
    } else if (c == '{' || c == '[') {
      open.emplace_back();
    } else if ((c == '}' || c == ']') && !open.empty()) {
      open.pop_back();
    } else if (c == ':' && !open.empty() && !open.back().insert(last).second) {
      return last.str();
    }
  }
  return std::nullopt;
}

/// The keys of an object in a fixed order: the object itself has none.
static SmallVector<StringRef> keysOf(const llvm::json::Object &object) {
  SmallVector<StringRef> keys;
  for (const auto &field : object)
    keys.push_back(field.first);
  llvm::sort(keys);
  return keys;
}

/// A value of JSON as it would be in Python; its strings are read later.
static Expression toExpression(const llvm::json::Value &value) {
  Expression expression;
  if (std::optional<bool> flag = value.getAsBoolean()) {
    expression.kind = Expression::Boolean;
    expression.integer = *flag;
  } else if (std::optional<int64_t> number = value.getAsInteger()) {
    expression.kind = Expression::Integer;
    expression.integer = *number;
  } else if (std::optional<double> number = value.getAsNumber()) {
    expression.kind = Expression::Name; // Of no style and no layout.
    expression.text = std::to_string(*number);
  } else if (std::optional<StringRef> text = value.getAsString()) {
    expression.kind = Expression::String;
    expression.text = text->str();
  } else if (const llvm::json::Array *array = value.getAsArray()) {
    expression.kind = Expression::Sequence;
    for (const llvm::json::Value &part : *array)
      expression.arguments.push_back(toExpression(part));
  } else if (const llvm::json::Object *object = value.getAsObject()) {
    expression.kind = Expression::Dictionary;
    for (StringRef key : keysOf(*object))
      expression.keywords.push_back(
          {key.str(), toExpression(*object->get(key))});
  }
  return expression;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

class PlanReader {
public:
  PlanReader(PlanFile &plan, function_ref<InFlightDiagnostic()> emitError)
      : plan(plan), emitError(emitError), styles(StyleSet::registered()) {}

  LogicalResult run(const llvm::json::Value &value) {
    if (const llvm::json::Array *sections = value.getAsArray())
      return readSections(*sections);
    const llvm::json::Object *object = value.getAsObject();
    if (!object)
      return fail() << "a plan must be a JSON object";
    bool isWhole = llvm::any_of(kFields, [&](StringRef field) {
      return object->get(field) != nullptr;
    });
    if (!isWhole)
      return readSection(*object, {}, {});
    return readWhole(*object);
  }

private:
  static constexpr StringRef kFields[] = {
      "plan",   "plans", "mesh", "roles",      "data_parallel",
      "styles", "axis",  "root", "when_unmet", "tp_plan"};
  static constexpr StringRef kSectionFields[] = {"plan", "axis", "root",
                                                 "tp_plan"};

  InFlightDiagnostic fail() { return emitError() << plan.name << ": "; }

  LogicalResult checkFields(const llvm::json::Object &object,
                            ArrayRef<StringRef> known) {
    for (StringRef key : keysOf(object)) {
      if (llvm::is_contained(known, key))
        continue;
      InFlightDiagnostic error = fail() << "unknown field \"" << key << "\"";
      if (StringRef nearest = nearestName(key, known); !nearest.empty())
        error << "; did you mean \"" << nearest << "\"?";
      else
        error << "; there are \"" << llvm::join(known, "\", \"") << "\"";
      return error;
    }
    return success();
  }

  LogicalResult readWhole(const llvm::json::Object &object) {
    if (failed(checkFields(object, kFields)))
      return failure();
    if (const llvm::json::Value *value = object.get("mesh"))
      if (failed(readMesh(*value)))
        return failure();
    if (failed(readRoles(object)) || failed(readUnmet(object)) ||
        failed(readStyles(object)))
      return failure();
    const llvm::json::Value *several = object.get("plans");
    bool isOne = object.get("plan") || object.get("tp_plan");
    if (several && (isOne || object.get("axis") || object.get("root")))
      return fail() << "\"plans\" has the place of \"plan\", \"axis\" and "
                    << "\"root\"; give them in its elements";
    if (several) {
      if (const llvm::json::Array *sections = several->getAsArray())
        return readSections(*sections);
      return fail() << "\"plans\" must be a list of objects, each with a "
                    << "\"plan\"";
    }
    if (isOne)
      return readOne(object);
    if (object.get("axis") || object.get("root"))
      return fail() << "\"axis\" and \"root\" need a \"plan\"";
    plan.isAutomatic = true;
    return success();
  }

  LogicalResult readMesh(const llvm::json::Value &value) {
    if (std::optional<StringRef> text = value.getAsString()) {
      plan.mesh = text->str();
      return success();
    }
    const llvm::json::Object *axes = value.getAsObject();
    if (!axes)
      return fail() << "\"mesh\" must be an object of axis sizes, or a text "
                    << "such as \"dp=2,tp=4\"";
    // An object's order is not kept: dp is major, then as they are named.
    SmallVector<StringRef> names = keysOf(*axes);
    llvm::sort(names, [](StringRef a, StringRef b) {
      return std::make_pair(a != "dp", a) < std::make_pair(b != "dp", b);
    });
    std::string text;
    for (StringRef name : names) {
      std::optional<int64_t> size = axes->getInteger(name);
      if (!size)
        return fail() << "size of mesh axis \"" << name
                      << "\" must be a whole number";
      text +=
          (text.empty() ? "" : ",") + name.str() + "=" + std::to_string(*size);
    }
    plan.mesh = text;
    return success();
  }

  LogicalResult readRoles(const llvm::json::Object &object) {
    if (const llvm::json::Value *value = object.get("data_parallel")) {
      std::optional<StringRef> axis = value->getAsString();
      if (!axis)
        return fail() << "\"data_parallel\" must be the name of a mesh axis";
      plan.roles.push_back({axis->str(), AxisRole::DataParallel});
    }
    const llvm::json::Value *value = object.get("roles");
    if (!value)
      return success();
    const llvm::json::Object *roles = value->getAsObject();
    if (!roles)
      return fail() << "\"roles\" must be an object, such as {\"x\": "
                    << "\"data_parallel\", \"y\": \"tensor_parallel\"}";
    for (StringRef axis : keysOf(*roles)) {
      StringRef role = roles->getString(axis).value_or("");
      if (role != kDataParallel && role != kTensorParallel)
        return fail() << "the role of mesh axis \"" << axis
                      << "\" must be \"data_parallel\" or "
                      << "\"tensor_parallel\"";
      plan.roles.push_back({axis.str(), role == kDataParallel
                                            ? AxisRole::DataParallel
                                            : AxisRole::TensorParallel});
    }
    llvm::sort(plan.roles);
    plan.roles.erase(llvm::unique(plan.roles), plan.roles.end());
    for (size_t i = 1; i < plan.roles.size(); ++i)
      if (plan.roles[i].first == plan.roles[i - 1].first)
        return fail() << "mesh axis \"" << plan.roles[i].first
                      << "\" has two roles";
    return success();
  }

  LogicalResult readUnmet(const llvm::json::Object &object) {
    const llvm::json::Value *value = object.get("when_unmet");
    if (!value)
      return success();
    StringRef text = value->getAsString().value_or("");
    if (text != "error" && text != "remark")
      return fail() << "\"when_unmet\" must be \"error\" or \"remark\"";
    plan.mayWeaken = text == "remark";
    return success();
  }

  LogicalResult readStyles(const llvm::json::Object &object) {
    const llvm::json::Value *value = object.get("styles");
    if (!value)
      return success();
    const llvm::json::Object *definitions = value->getAsObject();
    if (!definitions)
      return fail() << "\"styles\" must be an object of styles";
    // A style may begin with another of the file, which comes first then.
    SmallVector<StringRef> left = keysOf(*definitions);
    while (!left.empty()) {
      auto next = llvm::find_if(left, [&](StringRef name) {
        StringRef base = baseOf(*definitions->get(name));
        return base == name || !llvm::is_contained(left, base);
      });
      if (next == left.end())
        return fail() << "styles \"" << llvm::join(left, "\", \"")
                      << "\" begin with one another: one of them must begin "
                      << "with another style, or be written out";
      if (failed(readNamedStyle(*next, *definitions->get(*next))))
        return failure();
      left.erase(next);
    }
    return success();
  }

  /// The style that a definition begins with; empty if it is written out.
  static StringRef baseOf(const llvm::json::Value &definition) {
    const llvm::json::Object *object = definition.getAsObject();
    return object ? object->getString("style").value_or("") : "";
  }

  LogicalResult readNamedStyle(StringRef name, const llvm::json::Value &value) {
    auto emitHere = [&] { return fail() << "style \"" << name << "\": "; };
    Expression definition = toExpression(value);
    FailureOr<bool> override = takeOverride(definition, emitHere);
    if (failed(override))
      return failure();
    FailureOr<Style> style = readObject(name, definition, emitHere);
    if (failed(style))
      return failure();
    style->name = name.str();
    style->origin = "the plan file";
    return styles.add(*style, *override, [&] { return fail(); });
  }

  FailureOr<bool> takeOverride(Expression &definition,
                               function_ref<InFlightDiagnostic()> emitHere) {
    for (auto it = definition.keywords.begin(); it != definition.keywords.end();
         ++it) {
      if (it->name != "override")
        continue;
      if (it->value.kind != Expression::Boolean)
        return emitHere() << "\"override\" must be true or false";
      bool override = it->value.integer != 0;
      definition.keywords.erase(it);
      return override;
    }
    return false;
  }

  LogicalResult readSections(const llvm::json::Array &sections) {
    if (sections.empty())
      return fail() << "a list of plans needs at least one, an object with a "
                    << "\"plan\"";
    for (const llvm::json::Value &value : sections) {
      const llvm::json::Object *section = value.getAsObject();
      if (!section)
        return fail() << "each of several plans must be an object with a "
                      << "\"plan\"";
      if (failed(checkFields(*section, kSectionFields)))
        return failure();
      if (!section->get("plan") && !section->get("tp_plan"))
        return fail() << "one of several plans has no \"plan\"";
      if (failed(readOne(*section)))
        return failure();
    }
    if (!plan.isAutomatic)
      return success();
    for (const PlanSection &section : plan.sections) {
      for (const PlanEntry &entry : section.entries)
        if (!entry.style.isStorage)
          return fail() << "\"" << entry.pattern << "\": beside the automatic "
                        << "plan there can be fully_shard only, not "
                        << entry.style.name;
      // What is only stored over an axis is gathered for the work: that axis
      // has the batch.
      if (section.axis && *section.axis != "dp" && *section.axis != "tp" &&
          !hasRole(*section.axis))
        plan.roles.push_back({*section.axis, AxisRole::DataParallel});
    }
    llvm::sort(plan.roles);
    return success();
  }

  bool hasRole(StringRef axis) const {
    return llvm::any_of(plan.roles,
                        [&](const auto &entry) { return entry.first == axis; });
  }

  /// An object with "plan", and perhaps "axis" and "root".
  LogicalResult readOne(const llvm::json::Object &object) {
    if (object.get("plan") && object.get("tp_plan"))
      return fail() << "\"tp_plan\" is another name of \"plan\"; give one";
    std::optional<std::string> axis;
    std::string root;
    if (const llvm::json::Value *value = object.get("axis")) {
      if (!value->getAsString())
        return fail() << "\"axis\" must be the name of a mesh axis";
      axis = value->getAsString()->str();
    }
    if (const llvm::json::Value *value = object.get("root")) {
      if (!value->getAsString())
        return fail() << "\"root\" must be the name of a module";
      root = value->getAsString()->str();
    }
    const llvm::json::Value *value = object.get("plan");
    if (!value)
      value = object.get("tp_plan");
    if (const llvm::json::Object *entries = value->getAsObject())
      return readSection(*entries, axis, root);
    std::optional<StringRef> text = value->getAsString();
    if (!text)
      return fail() << "\"plan\" must be an object of styles, or a style for "
                    << "the root itself";
    if (*text == "auto")
      return readAutomatic(axis, root);
    llvm::json::Object entries;
    entries[""] = *text;
    return readSection(entries, axis, root);
  }

  /// The automatic plan has an axis by its role: one that is named takes it.
  LogicalResult readAutomatic(const std::optional<std::string> &axis,
                              StringRef root) {
    if (!root.empty())
      return fail() << "\"root\": \"" << root << "\": the automatic plan is "
                    << "for the whole model; leave the root out";
    if (plan.isAutomatic)
      return fail() << "\"auto\" is given twice; it is for the whole model, "
                    << "over the axes that \"roles\" name";
    plan.isAutomatic = true;
    if (!axis)
      return success();
    if (*axis == "dp" && !hasRole("dp"))
      return fail() << "the automatic plan shards parameters over another axis "
                    << "than \"dp\", which has the batch; leave \"axis\" out, "
                    << "or give \"roles\": {\"dp\": \"tensor_parallel\"}";
    auto it = llvm::find_if(
        plan.roles, [&](const auto &entry) { return entry.first == *axis; });
    if (it != plan.roles.end() && it->second != AxisRole::TensorParallel)
      return fail() << "the automatic plan shards parameters over \"" << *axis
                    << "\", which has the role \"" << stringifyRole(it->second)
                    << "\"; name another axis, or "
                    << "leave \"axis\" out and give \"roles\" alone";
    if (it == plan.roles.end())
      plan.roles.push_back({*axis, AxisRole::TensorParallel});
    llvm::sort(plan.roles);
    return success();
  }

  LogicalResult readSection(const llvm::json::Object &entries,
                            std::optional<std::string> axis, StringRef root) {
    PlanSection section;
    section.axis = std::move(axis);
    for (StringRef key : keysOf(entries)) {
      FailureOr<Style> style = readEntry(key, *entries.get(key));
      if (failed(style))
        return failure();
      std::string pattern = root.str();
      if (!pattern.empty() && !key.empty())
        pattern += ".";
      section.entries.push_back({key.str(), pattern + key.str(), *style});
    }
    plan.sections.push_back(std::move(section));
    return success();
  }

  FailureOr<Style> readEntry(StringRef key, const llvm::json::Value &value) {
    auto emitHere = [&] { return fail() << "\"" << key << "\": "; };
    Expression expression = toExpression(value);
    if (expression.kind == Expression::String &&
        (expression.text == "auto" || expression.text == "none") &&
        !styles.find(expression.text))
      return emitHere() << "\"" << expression.text << "\" is the plan of a "
                        << "whole model and no style of a module; "
                        << (expression.text == "auto"
                                ? "\"plan\": \"auto\" works, and so does plan="
                                : "\"replicate\" works, and so does plan=")
                        << expression.text << " on the command line";
    if (expression.kind != Expression::Dictionary)
      return readStyle(expression, styles, emitHere);
    return readObject("a style of its own", expression, emitHere);
  }

  /// The fields of an object with a "style" are the arguments of that one; any
  /// other is a style written out.
  FailureOr<Style> readObject(StringRef name, Expression &expression,
                              function_ref<InFlightDiagnostic()> emitHere) {
    auto it = llvm::find_if(
        expression.keywords,
        [](const Expression::Keyword &field) { return field.name == "style"; });
    if (it == expression.keywords.end())
      return readDefinition(name, expression, emitHere);
    if (it->value.kind != Expression::String)
      return emitHere() << "\"style\" must be the name of a style";
    expression.kind = Expression::Call;
    expression.text = std::move(it->value.text);
    expression.keywords.erase(it);
    return readStyle(expression, styles, emitHere);
  }

  PlanFile &plan;
  function_ref<InFlightDiagnostic()> emitError;
  StyleSet styles;
};

} // namespace

FailureOr<PlanFile> tp::readPlan(StringRef path,
                                 function_ref<InFlightDiagnostic()> emitError) {
  PlanFile plan;
  plan.name = llvm::sys::path::filename(path).str();
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return emitError() << "cannot read plan \"" << path
                       << "\": " << buffer.getError().message();
  StringRef text = (*buffer)->getBuffer();
  text.consume_front("\xef\xbb\xbf"); // The mark that some editors begin with.
  if (isNestedTooDeep(text))
    return emitError() << plan.name << ": nested too deeply for a plan";
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(text);
  if (!json) {
    std::string why = llvm::toString(json.takeError());
    return emitError() << plan.name << ": not JSON: " << why;
  }
  if (std::optional<std::string> key = findRepeatedKey(text))
    return emitError() << plan.name << ": \"" << *key << "\" is given twice";
  if (failed(PlanReader(plan, emitError).run(*json)))
    return failure();
  return plan;
}

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

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
