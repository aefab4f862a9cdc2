//===- Style.cpp - what a plan may ask of a module ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/Style.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string Layout::str() const {
  switch (kind) {
  case Any:
    return "None";
  case Replicate:
    return "Replicate()";
  case Shard:
    return "Shard(" + std::to_string(dim) + ")";
  case Partial:
    return "Partial()";
  }
  return {};
}

std::string Layouts::str() const {
  std::string text;
  for (const Layout &layout : positional)
    text += (text.empty() ? "" : ", ") + layout.str();
  if (positional.size() > 1)
    text = "(" + text + ")";
  std::string named;
  for (const auto &[name, layout] : keyword)
    named += (named.empty() ? "" : ", ") + name + "=" + layout.str();
  if (!text.empty() && !named.empty())
    text += ", ";
  return text + named;
}

std::string Style::describe() const {
  std::string text;
  auto add = [&](StringRef what, const std::string &layout) {
    text += (text.empty() ? "" : ", ") + what.str() + " " + layout;
  };
  auto addParameter = [&](StringRef what, const Layout &layout) {
    if (layout)
      add(what, layout.str());
  };
  addParameter("weight", weight);
  addParameter("bias", bias);
  addParameter("embedding", embedding);
  auto addFlow = [&](StringRef what, const Layouts &from, const Layouts &to) {
    if (from.empty() && to.empty())
      return;
    std::string first = from.str(), second = to.str();
    if (from.empty() || first == second)
      add(what, second);
    else if (to.empty())
      add(what, first);
    else
      add(what, first + " to " + second);
  };
  addFlow("input", input, desiredInput);
  addFlow("output", output, desiredOutput);
  if (isStorage)
    text += ", of every parameter below, gathered for use";
  for (const Style &other : otherwise)
    text += "; without parameters " + other.describe();
  if (isPacked)
    text += ", each matrix of a packed weight";
  return text.empty() ? "nothing" : text;
}

StringRef tp::nearestName(StringRef name, ArrayRef<StringRef> names) {
  StringRef best;
  unsigned bestDistance = std::max<size_t>(3, name.size() / 3) + 1;
  for (StringRef other : names) {
    unsigned distance =
        name.edit_distance_insensitive(other, true, bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = other;
    }
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Sets
//===----------------------------------------------------------------------===//

LogicalResult StyleSet::add(Style style, bool override,
                            function_ref<InFlightDiagnostic()> emitError) {
  if (style.name.empty())
    return emitError() << "a style needs a name";
  auto it = llvm::find_if(
      styles, [&](const Style &other) { return other.name == style.name; });
  if (it == styles.end()) {
    if (override)
      return emitError() << "style \"" << style.name
                         << "\" has nothing to override" << suggest(style.name);
    styles.push_back(std::move(style));
    return success();
  }
  if (!override)
    return emitError() << "style \"" << style.name << "\" is there already ("
                       << it->origin << "); say \"override\": true to replace "
                       << "it";
  *it = std::move(style);
  return success();
}

const Style *StyleSet::find(StringRef name) const {
  auto it = llvm::find_if(
      styles, [&](const Style &style) { return style.name == name; });
  return it == styles.end() ? nullptr : &*it;
}

std::string StyleSet::suggest(StringRef name) const {
  SmallVector<StringRef> names;
  for (const Style &style : styles)
    names.push_back(style.name);
  std::string text;
  if (StringRef nearest = nearestName(name, names); !nearest.empty())
    text = "; did you mean \"" + nearest.str() + "\"?";
  return text + (text.empty() ? "; there are " : " There are ") +
         llvm::join(names, ", ");
}

//===----------------------------------------------------------------------===//
// Built-in styles
//===----------------------------------------------------------------------===//

namespace {

Layouts one(Layout layout) { return {{layout}, {}, false}; }

/// The matrices of a linear are [out, in], a bias is [out], a table is [rows,
/// width]; those of experts are [expert, in, out], where Hugging Face's names
/// stand for the same dims, counted from the last.
Style colwise(StringRef name, StringRef origin, Layout output) {
  Style style;
  style.name = name.str();
  style.origin = origin.str();
  style.summary = "a linear's outputs are shared out";
  style.weight = Layout::shard(-2);
  style.bias = style.embedding = Layout::shard(-1);
  style.input = style.desiredInput = one(Layout::replicate());
  style.desiredOutput = one(output);
  return style;
}

Style rowwise(StringRef name, StringRef origin, Layout input) {
  Style style;
  style.name = name.str();
  style.origin = origin.str();
  style.summary = "a linear's inputs, or a table's rows, are shared out; the "
                  "output is reduced";
  style.weight = Layout::shard(-1);
  style.bias = Layout::replicate();
  style.embedding = Layout::shard(-2);
  style.input = one(input);
  style.desiredInput = one(Layout::shard(-1));
  style.output = one(Layout::partial());
  style.desiredOutput = one(Layout::replicate());
  style.isLazy = true;
  return style;
}

Style plain(StringRef name, StringRef origin, StringRef summary) {
  Style style;
  style.name = name.str();
  style.origin = origin.str();
  style.summary = summary.str();
  return style;
}

/// The same without what is said of inputs and outputs.
Style local(Style style, StringRef name) {
  style.name = name.str();
  style.summary += "; nothing is said of input and output";
  style.input = style.desiredInput = style.output = style.desiredOutput = {};
  return style;
}

Style packed(Style style) {
  style.isPacked = true;
  return style;
}

constexpr StringLiteral kHugging = "Hugging Face", kTorch = "PyTorch";

void addHuggingFace(std::vector<Style> &styles) {
  Layout whole = Layout::replicate(), last = Layout::shard(-1);
  styles.push_back(colwise("colwise", kHugging, last));
  for (StringRef name : {"colwise_rep", "colwise_gather_output"}) {
    styles.push_back(colwise(name, kHugging, whole));
    styles.back().summary += " and gathered";
  }
  styles.push_back(rowwise("rowwise", kHugging, last));
  for (StringRef name : {"rowwise_rep", "rowwise_split_input"}) {
    styles.push_back(rowwise(name, kHugging, whole));
    styles.back().summary += "; the input is whole";
  }
  styles.push_back(packed(colwise("packed_colwise", kHugging, last)));
  styles.push_back(packed(rowwise("packed_rowwise", kHugging, last)));
  styles.push_back(packed(local(rowwise("packed_rowwise", kHugging, last),
                                "local_packed_rowwise")));
  styles.push_back(local(colwise("colwise", kHugging, last), "local_colwise"));
  styles.push_back(local(rowwise("rowwise", kHugging, last), "local_rowwise"));
  styles.push_back(plain("local", kHugging, "nothing is asked"));
  styles.push_back(plain("gather", kHugging, "the output is reduced"));
  styles.back().desiredOutput = one(whole);
  styles.back().isLazy = true;
  styles.push_back(
      plain("sequence_parallel", kHugging, "works on a shard of the sequence"));
  styles.back().weight = styles.back().bias = styles.back().embedding = whole;
  styles.back().desiredInput = styles.back().desiredOutput =
      one(Layout::shard(1));
  styles.push_back(plain("replicate", kHugging, "parameters are whole"));
  styles.back().weight = styles.back().bias = styles.back().embedding = whole;
  styles.push_back(
      plain("embedding_rowwise", kHugging, "a table's rows are shared out"));
  styles.back().embedding = Layout::shard(-2);
  styles.back().desiredOutput = one(whole);
  styles.back().isLazy = true;
}

void addExperts(std::vector<Style> &styles) {
  Layout whole = Layout::replicate(), first = Layout::shard(0);
  styles.push_back(plain("moe_tp_experts", kHugging,
                         "the sum over experts is reduced once"));
  styles.back().desiredOutput = one(whole);
  styles.back().isLazy = true;
  styles.push_back(plain("grouped_gemm", kHugging, "experts are shared out"));
  styles.back().weight = styles.back().bias = first;
  styles.push_back(
      plain("ep_router", kHugging, "every device routes every token"));
  styles.back().weight = styles.back().bias = whole;
  styles.push_back(plain("ep_dispatch_experts", kHugging,
                         "experts are shared out, their sum is reduced"));
  styles.back().weight = styles.back().bias = first;
  styles.back().desiredOutput = one(whole);
  styles.back().isLazy = true;
}

void addTorch(std::vector<Style> &styles) {
  Layout last = Layout::shard(-1);
  styles.push_back(colwise("ColwiseParallel", kTorch, last));
  styles.back().arguments = {{"input_layouts", Style::Input},
                             {"output_layouts", Style::DesiredOutput},
                             {"use_local_output", Style::UseLocal}};
  styles.push_back(rowwise("RowwiseParallel", kTorch, last));
  styles.back().arguments = {{"input_layouts", Style::Input},
                             {"output_layouts", Style::DesiredOutput},
                             {"use_local_output", Style::UseLocal}};
  styles.push_back(
      plain("SequenceParallel", kTorch, "works on a shard of the sequence"));
  styles.back().weight = styles.back().bias = styles.back().embedding =
      Layout::replicate();
  styles.back().desiredInput = styles.back().desiredOutput =
      one(Layout::shard(1));
  styles.back().arguments = {{"sequence_dim", Style::SequenceDim},
                             {"use_local_output", Style::UseLocal}};
  std::vector<Style::Argument> inputs = {
      {"input_layouts", Style::Input},
      {"desired_input_layouts", Style::DesiredInput},
      {"input_kwarg_layouts", Style::InputKeywords},
      {"desired_input_kwarg_layouts", Style::DesiredInputKeywords}};
  std::vector<Style::Argument> outputs = {
      {"output_layouts", Style::Output},
      {"desired_output_layouts", Style::DesiredOutput}};
  Style::Argument useLocalOutput = {"use_local_output", Style::UseLocal};
  styles.push_back(
      plain("PrepareModuleInput", kTorch, "inputs are redistributed"));
  styles.back().arguments = inputs;
  styles.back().arguments.push_back(useLocalOutput);
  styles.push_back(
      plain("PrepareModuleOutput", kTorch, "outputs are redistributed"));
  styles.back().arguments = outputs;
  styles.back().arguments.push_back(useLocalOutput);
  styles.push_back(plain("PrepareModuleInputOutput", kTorch,
                         "inputs and outputs are redistributed"));
  styles.back().arguments = inputs;
  styles.back().arguments.push_back({"use_local_input", Style::UseLocal});
  llvm::append_range(styles.back().arguments, outputs);
  styles.back().arguments.push_back(useLocalOutput);
  // Of a head, or of the loss itself.
  Style loss = plain("loss_parallel", kTorch, "");
  loss.input = one(last);
  loss.desiredInput = one(last);
  loss.desiredOutput = one(Layout::replicate());
  styles.push_back(colwise("loss_parallel", kTorch, last));
  styles.back().otherwise.push_back(loss);
  styles.back().summary = "logits stay sharded on classes, and the loss "
                          "reduces a few numbers for each token";
  styles.push_back(
      plain("fully_shard", kTorch, "parameters are stored in shards (FSDP)"));
  styles.back().weight = styles.back().bias = styles.back().embedding =
      Layout::shard(0);
  styles.back().isStorage = true;
}

} // namespace

StyleSet &StyleSet::registered() {
  static StyleSet set = [] {
    StyleSet made;
    addHuggingFace(made.styles);
    addExperts(made.styles);
    addTorch(made.styles);
    return made;
  }();
  return set;
}

bool tp::registerStyle(Style style, bool override) {
  StyleSet &set = StyleSet::registered();
  bool isFree = !style.name.empty() && (override || !set.find(style.name));
  if (!isFree)
    return false;
  if (style.origin.empty())
    style.origin = "a plugin";
  // No diagnostic can come: a plugin may override what is not there.
  auto never = [] { return InFlightDiagnostic(); };
  return succeeded(
      set.add(style, override && set.find(style.name) != nullptr, never));
}
