//===- StyleReader.cpp - expressions and definitions as styles ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/Style.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::tp;

using EmitError = function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// What stands in quotes inside a dictionary or in JSON is read again.
static FailureOr<Expression> unquote(const Expression &expression,
                                     EmitError emitError) {
  if (expression.kind == Expression::String)
    return parseExpression(expression.text, emitError);
  return expression;
}

static FailureOr<Layout> readShard(const Expression &call,
                                   EmitError emitError) {
  const Expression *dim = nullptr;
  if (call.arguments.size() == 1 && call.keywords.empty())
    dim = &call.arguments.front();
  else if (call.arguments.empty() && call.keywords.size() == 1 &&
           call.keywords.front().name == "dim")
    dim = &call.keywords.front().value;
  if (!dim || dim->kind != Expression::Integer)
    return emitError() << "Shard needs one dim, such as Shard(1) or "
                       << "Shard(dim=-1), got " << call.str() << call.where();
  return Layout::shard(dim->integer);
}

/// The reduction that `Partial("max")` names; empty if it names none, null if
/// it has other arguments.
static const Expression *reductionOf(const Expression &partial) {
  static const Expression none;
  if (partial.arguments.empty() && partial.keywords.empty())
    return &none;
  if (partial.arguments.size() == 1 && partial.keywords.empty())
    return &partial.arguments.front();
  bool isKeyword = partial.arguments.empty() && partial.keywords.size() == 1 &&
                   partial.keywords.front().name == "reduce_op";
  return isKeyword ? &partial.keywords.front().value : nullptr;
}

/// How a partial value is reduced follows from the ops that made it: a
/// reduction that no op leaves behind is a mistake.
static FailureOr<Layout> readPartial(const Expression &partial,
                                     EmitError emitError) {
  const Expression *reduction = reductionOf(partial);
  bool isNamed =
      reduction && (reduction->kind == Expression::None ||
                    llvm::is_contained({"sum", "max", "min"}, reduction->text));
  if (isNamed)
    return Layout::partial();
  InFlightDiagnostic error = emitError();
  error << partial.str() << " is no layout; Partial takes \"sum\", \"max\" or "
        << "\"min\"";
  if (reduction && reduction->text == "avg")
    error << ", and a mean is a sum that the graph divides: Partial() works";
  return error << partial.where();
}

/// What must be told of layouts: a reduction other than the sum, which the plan
/// cannot choose.
static void noteReductions(const Expression &expression,
                           std::vector<std::string> &remarks) {
  const Expression *reduction = StringRef(expression.text).ends_with("Partial")
                                    ? reductionOf(expression)
                                    : nullptr;
  bool isOther = reduction && reduction->kind != Expression::None &&
                 reduction->text != "sum";
  std::string remark = expression.str() +
                       " is taken as Partial(): the ops that leave a value "
                       "partial say how it is reduced";
  if (isOther && !llvm::is_contained(remarks, remark))
    remarks.push_back(remark);
  for (const Expression &part : expression.arguments)
    noteReductions(part, remarks);
  for (const Expression::Keyword &keyword : expression.keywords)
    noteReductions(keyword.value, remarks);
}

/// Shard(1), Replicate(), Partial(), None, with or without parentheses.
static FailureOr<Layout> readLayout(const Expression &written,
                                    EmitError emitError) {
  FailureOr<Expression> expression = unquote(written, emitError);
  if (failed(expression))
    return failure();
  if (expression->kind == Expression::None)
    return Layout();
  StringRef name = expression->text;
  bool isCall = expression->kind == Expression::Call;
  if (isCall && name == "Shard")
    return readShard(*expression, emitError);
  bool isNamed = isCall || expression->kind == Expression::Name;
  bool isEmpty = expression->arguments.empty() && expression->keywords.empty();
  if (isNamed && name == "Replicate" && isEmpty)
    return Layout::replicate();
  // Older versions of PyTorch call it _Partial.
  if (isNamed && (name == "Partial" || name == "_Partial"))
    return readPartial(*expression, emitError);
  InFlightDiagnostic error = emitError();
  error << expression->str() << " is no layout";
  StringRef nearest =
      isNamed ? nearestName(name, {"Shard", "Replicate", "Partial"}) : "";
  if (!nearest.empty() && nearest != name)
    error << "; did you mean " << nearest << "?";
  else
    error << "; there are Shard(dim), Replicate(), Partial() and None";
  return error << expression->where();
}

/// One layout, a tuple of them, or in JSON a dictionary by keyword. They take
/// the place of the style's own; what else was given stays.
static LogicalResult readLayouts(const Expression &written, Layouts &layouts,
                                 EmitError emitError) {
  FailureOr<Expression> expression = unquote(written, emitError);
  if (failed(expression))
    return failure();
  if (!layouts.isGiven)
    layouts = {};
  layouts.isGiven = true;
  if (expression->kind == Expression::Sequence) {
    for (const Expression &part : expression->arguments) {
      FailureOr<Layout> layout = readLayout(part, emitError);
      if (failed(layout))
        return failure();
      layouts.positional.push_back(*layout);
    }
    return success();
  }
  if (expression->kind == Expression::Dictionary) {
    for (const Expression::Keyword &keyword : expression->keywords) {
      FailureOr<Layout> layout = readLayout(keyword.value, emitError);
      if (failed(layout))
        return failure();
      if (llvm::any_of(layouts.keyword, [&](const auto &other) {
            return other.first == keyword.name;
          }))
        return emitError() << "\"" << keyword.name << "\" is given twice";
      layouts.keyword.push_back({keyword.name, *layout});
    }
    return success();
  }
  FailureOr<Layout> layout = readLayout(*expression, emitError);
  if (failed(layout))
    return failure();
  if (expression->kind != Expression::None)
    layouts.positional.push_back(*layout);
  return success();
}

/// A value can only be made whole or sharded.
static LogicalResult checkDesired(const Layouts &layouts, StringRef what,
                                  EmitError emitError) {
  auto check = [&](const Layout &layout) -> LogicalResult {
    if (layout.kind == Layout::Partial)
      return emitError() << "Partial() cannot be asked for as " << what
                         << "; a value is left partial where nothing (None) is "
                            "asked";
    return success();
  };
  for (const Layout &layout : layouts.positional)
    if (failed(check(layout)))
      return failure();
  for (const auto &entry : layouts.keyword)
    if (failed(check(entry.second)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

namespace {

/// A style with arguments, such as ColwiseParallel(output_layouts=Shard(1)).
class CallReader {
public:
  CallReader(Style style, EmitError emitError)
      : style(std::move(style)), emitError(emitError) {}

  FailureOr<Style> run(const Expression &call) {
    if (call.arguments.size() > style.arguments.size())
      return emitError() << style.name << " takes " << signature() << ", got "
                         << call.arguments.size() << " arguments"
                         << call.where();
    SmallVector<bool> isSet(style.arguments.size(), false);
    for (auto [i, value] : llvm::enumerate(call.arguments)) {
      isSet[i] = true;
      if (failed(set(style.arguments[i], value)))
        return failure();
    }
    for (const Expression::Keyword &keyword : call.keywords) {
      auto it = llvm::find_if(style.arguments, [&](const Style::Argument &a) {
        return a.name == keyword.name;
      });
      if (it == style.arguments.end())
        return unknown(keyword.name, call);
      if (isSet[it - style.arguments.begin()])
        return emitError() << style.name << ": " << keyword.name
                           << " is given twice" << call.where();
      if (failed(set(*it, keyword.value)))
        return failure();
    }
    if (failed(finish()))
      return failure();
    noteReductions(call, style.remarks);
    style.name = call.str();
    return style;
  }

private:
  std::string signature() {
    if (style.arguments.empty())
      return "no arguments";
    return llvm::join(llvm::map_range(style.arguments,
                                      [](const Style::Argument &argument) {
                                        return StringRef(argument.name);
                                      }),
                      ", ");
  }

  LogicalResult unknown(StringRef name, const Expression &call) {
    SmallVector<StringRef> names;
    for (const Style::Argument &argument : style.arguments)
      names.push_back(argument.name);
    InFlightDiagnostic error = emitError();
    error << style.name << " has no argument \"" << name << "\"";
    if (StringRef nearest = nearestName(name, names); !nearest.empty())
      error << "; did you mean \"" << nearest << "\"?";
    else
      error << "; it takes " << signature();
    return error << call.where();
  }

  LogicalResult set(const Style::Argument &argument, const Expression &value) {
    auto emitHere = [&] {
      return emitError() << style.name << ": " << argument.name << ": ";
    };
    // None is the default: what the style has.
    bool isNone = value.kind == Expression::None;
    switch (argument.target) {
    case Style::Input:
      return isNone ? success() : readLayouts(value, style.input, emitHere);
    case Style::DesiredInput:
      return isNone ? success()
                    : readLayouts(value, style.desiredInput, emitHere);
    case Style::Output:
      return isNone ? success() : readLayouts(value, style.output, emitHere);
    case Style::DesiredOutput:
      if (isNone)
        return success();
      if (failed(readLayouts(value, style.desiredOutput, emitHere)))
        return failure();
      style.isLazy &= style.desiredOutput.positional ==
                      std::vector<Layout>{Layout::replicate()};
      return success();
    case Style::InputKeywords:
      return readKeywords(value, style.input, emitHere);
    case Style::DesiredInputKeywords:
      return readKeywords(value, style.desiredInput, emitHere);
    case Style::SequenceDim:
      if (value.kind != Expression::Integer)
        return emitHere() << "expected a dim, such as 1, got " << value.str()
                          << value.where();
      for (Layouts *layouts : {&style.desiredInput, &style.desiredOutput})
        for (Layout &layout : layouts->positional)
          layout = Layout::shard(value.integer);
      return success();
    case Style::UseLocal:
      if (value.kind != Expression::Boolean)
        return emitHere() << "expected True or False, got " << value.str()
                          << value.where();
      style.remarks.push_back(argument.name +
                              " means nothing here: the graph has global "
                              "tensors only");
      return success();
    }
    return success();
  }

  LogicalResult readKeywords(const Expression &value, Layouts &layouts,
                             EmitError emitHere) {
    if (value.kind == Expression::None)
      return success();
    FailureOr<Expression> expression = unquote(value, emitHere);
    if (failed(expression))
      return failure();
    if (expression->kind != Expression::Dictionary)
      return emitHere() << "expected layouts by name, such as "
                        << "{\"hidden_states\": Shard(1)}, got " << value.str()
                        << value.where();
    return readLayouts(*expression, layouts, emitHere);
  }

  /// What must go together.
  LogicalResult finish() {
    if (failed(
            checkDesired(style.desiredInput, "the desired input", emitError)))
      return failure();
    if (llvm::is_contained(style.desiredOutput.positional, Layout::partial()))
      style.remarks.push_back("an output that is Partial() is reduced where it "
                              "is first needed whole");
    bool hasDesiredInput = takes(Style::DesiredInput);
    if (hasDesiredInput &&
        style.input.positional.size() != style.desiredInput.positional.size())
      return emitError() << style.name << ": input_layouts has "
                         << style.input.positional.size()
                         << " layouts and desired_input_layouts has "
                         << style.desiredInput.positional.size();
    if (hasDesiredInput &&
        (failed(checkKeywords("input", style.input, style.desiredInput)) ||
         failed(
             checkKeywords("desired input", style.desiredInput, style.input))))
      return failure();
    bool hasOutput = takes(Style::Output);
    if (hasOutput &&
        style.output.positional.size() != style.desiredOutput.positional.size())
      return emitError() << style.name << ": output_layouts has "
                         << style.output.positional.size()
                         << " layouts and desired_output_layouts has "
                         << style.desiredOutput.positional.size();
    return success();
  }

  /// As by position, both are said of an input by keyword; None leaves it
  /// alone.
  LogicalResult checkKeywords(StringRef what, const Layouts &layouts,
                              const Layouts &others) {
    for (const auto &[name, layout] : layouts.keyword)
      if (llvm::none_of(others.keyword,
                        [name = StringRef(name)](const auto &other) {
                          return other.first == name;
                        }))
        return emitError() << style.name << ": \"" << name << "\" has the "
                           << what << " layout " << layout.str() << " and no "
                           << (what == "input" ? "desired input" : "input")
                           << " layout; give both, or None for one";
    return success();
  }

  bool takes(Style::Target target) {
    return llvm::any_of(style.arguments, [&](const Style::Argument &argument) {
      return argument.target == target;
    });
  }

  Style style;
  EmitError emitError;
};

} // namespace

FailureOr<Style> tp::readStyle(const Expression &written,
                               const StyleSet &styles, EmitError emitError) {
  FailureOr<Expression> expression = unquote(written, emitError);
  if (failed(expression))
    return failure();
  if (expression->kind == Expression::None) {
    Style nothing;
    nothing.name = "None";
    return nothing;
  }
  bool isCall = expression->kind == Expression::Call;
  if (!isCall && expression->kind != Expression::Name)
    return emitError() << expression->str() << " is no style; a style is a "
                       << "name or a call, such as ColwiseParallel()"
                       << expression->where();
  const Style *style = styles.find(expression->text);
  if (!style)
    return emitError() << "unknown style \"" << expression->text << "\""
                       << styles.suggest(expression->text);
  return isCall ? CallReader(*style, emitError).run(*expression)
                : FailureOr<Style>(*style);
}

//===----------------------------------------------------------------------===//
// Definitions
//===----------------------------------------------------------------------===//

static LogicalResult readFlag(const Expression &value, bool &flag,
                              EmitError emitError) {
  if (value.kind != Expression::Boolean)
    return emitError() << "expected true or false, got " << value.str();
  flag = value.integer != 0;
  return success();
}

FailureOr<Style> tp::readDefinition(StringRef name,
                                    const Expression &definition,
                                    EmitError emitError) {
  Style style;
  style.name = name.str();
  style.origin = "the plan file";
  if (definition.kind != Expression::Dictionary)
    return emitError() << "a style is written out as an object of \"weight\", "
                       << "\"bias\", \"input\" and so on, got "
                       << definition.str();
  for (const Expression::Keyword &field : definition.keywords) {
    auto emitHere = [&] { return emitError() << "\"" << field.name << "\": "; };
    auto readParameter = [&](Layout &layout) -> LogicalResult {
      FailureOr<Layout> read = readLayout(field.value, emitHere);
      if (failed(read))
        return failure();
      if (read->kind == Layout::Partial)
        return emitHere() << "a parameter cannot be Partial()";
      layout = *read;
      return success();
    };
    LogicalResult result = success();
    StringRef key = field.name;
    if (key == "weight")
      result = readParameter(style.weight);
    else if (key == "bias")
      result = readParameter(style.bias);
    else if (key == "embedding")
      result = readParameter(style.embedding);
    else if (key == "input")
      result = readLayouts(field.value, style.input, emitHere);
    else if (key == "desired_input")
      result = readLayouts(field.value, style.desiredInput, emitHere);
    else if (key == "output")
      result = readLayouts(field.value, style.output, emitHere);
    else if (key == "desired_output")
      result = readLayouts(field.value, style.desiredOutput, emitHere);
    else if (key == "lazy")
      result = readFlag(field.value, style.isLazy, emitHere);
    else if (key == "packed")
      result = readFlag(field.value, style.isPacked, emitHere);
    else if (key == "storage")
      result = readFlag(field.value, style.isStorage, emitHere);
    else if (key == "summary" && field.value.kind == Expression::String)
      style.summary = field.value.text;
    else {
      constexpr StringRef known[] = {
          "weight", "bias",   "embedding", "input",   "desired_input", "output",
          "lazy",   "packed", "storage",   "summary", "desired_output"};
      StringRef nearest = nearestName(key, known);
      return emitError() << "unknown field \"" << key << "\""
                         << (nearest.empty()
                                 ? std::string("; there are ") +
                                       llvm::join(ArrayRef<StringRef>(known),
                                                  ", ")
                                 : "; did you mean \"" + nearest.str() + "\"?");
    }
    if (failed(result))
      return failure();
  }
  if (failed(checkDesired(style.desiredInput, "the desired input", emitError)))
    return failure();
  noteReductions(definition, style.remarks);
  return style;
}
