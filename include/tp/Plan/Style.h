//===- Style.h - what a plan may ask of a module ----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A style says how a module's parameters, inputs and outputs lie along one mesh
// axis. The built-in ones have the names and the meaning that Hugging Face and
// PyTorch gave them; a plan file defines more, and so does a plugin, by
// registerStyle.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_STYLE_H
#define TP_PLAN_STYLE_H

#include "tp/Plan/Expression.h"

namespace mlir::tp {

/// How one tensor lies along one mesh axis.
struct Layout {
  enum Kind {
    Any,       ///< nothing is asked: `None`
    Replicate, ///< whole on every device
    Shard,     ///< of dim `dim`, negative counts from the last
    Partial    ///< not sharded; summed where it is first needed whole
  } kind = Any;
  int64_t dim = 0;

  bool operator==(const Layout &other) const {
    return kind == other.kind && (kind != Shard || dim == other.dim);
  }
  bool operator!=(const Layout &other) const { return !(*this == other); }
  explicit operator bool() const { return kind != Any; }
  /// "Shard(1)", "Replicate()", "Partial()", "None"
  std::string str() const;

  static Layout replicate() { return {Replicate, 0}; }
  static Layout partial() { return {Partial, 0}; }
  static Layout shard(int64_t dim) { return {Shard, dim}; }
};

/// Layouts of a module's inputs or outputs.
struct Layouts {
  std::vector<Layout> positional;
  std::vector<std::pair<std::string, Layout>> keyword;
  /// Written in the plan; otherwise the style's own.
  bool isGiven = false;

  bool empty() const { return positional.empty() && keyword.empty(); }
  /// "Shard(1)", "(Shard(1), None)", "{"x": Shard(1)}"
  std::string str() const;
};

struct Style {
  /// What sets which part of a style when it is written as a call.
  enum Target {
    Input,
    DesiredInput,
    InputKeywords,
    DesiredInputKeywords,
    Output,
    DesiredOutput,
    SequenceDim,
    UseLocal ///< accepted: a global program has no local tensors
  };
  struct Argument {
    std::string name;
    Target target;
  };

  std::string name;
  std::string origin;  ///< "Hugging Face", "PyTorch", or who defined it
  std::string summary; ///< what it is for, in a line

  /// Of parameters, in the stored tensor's dims: a weight, a bias, and a weight
  /// that is looked up instead of contracted.
  Layout weight, bias, embedding;
  /// What an input is taken to be, what it is made to be; the same of outputs.
  Layouts input, desiredInput, output, desiredOutput;
  /// Reduced outputs may stay partial through ops that are linear, such as the
  /// addition of two branches.
  bool isLazy = false;
  /// The weight is several matrices in one; each of them is sharded.
  bool isPacked = false;
  /// Of all parameters in and below the module, where they are stored; they are
  /// gathered for use (FSDP).
  bool isStorage = false;

  /// What is asked of a module without parameters, if it is something else: one
  /// style or none.
  std::vector<Style> otherwise;

  /// In order; a style without any is used by its name alone.
  std::vector<Argument> arguments;
  /// What to tell the user: what is accepted and means nothing.
  std::vector<std::string> remarks;

  bool asksOfParameters() const { return weight || bias || embedding; }
  /// "weight Shard(-2), bias Shard(-1), output Replicate()"
  std::string describe() const;
};

/// Styles by name.
class StyleSet {
public:
  /// Those built in and those of plugins.
  static StyleSet &registered();

  /// Errors: no name; the name is taken and `override` is not set; it is set
  /// and there is nothing to override.
  LogicalResult add(Style style, bool override,
                    function_ref<InFlightDiagnostic()> emitError);
  /// Null if there is none.
  const Style *find(StringRef name) const;
  ArrayRef<Style> all() const { return styles; }
  /// "; did you mean "colwise"? There are colwise, ...", for messages.
  std::string suggest(StringRef name) const;

private:
  std::vector<Style> styles;
};

/// For plugins: adds a style that every plan can name. False if the name is
/// taken and `override` is not set. Not to be called while a plan is read.
bool registerStyle(Style style, bool override = false);

/// A style as an expression writes it: `colwise`, `"colwise"`,
/// `ColwiseParallel(output_layouts=Shard(1))`, or None, which asks nothing.
FailureOr<Style> readStyle(const Expression &expression, const StyleSet &styles,
                           function_ref<InFlightDiagnostic()> emitError);

/// A style written out, as a dictionary of "weight", "bias", "embedding",
/// "input", "desired_input", "output", "desired_output", "summary", "lazy",
/// "packed" and "storage".
FailureOr<Style> readDefinition(StringRef name, const Expression &definition,
                                function_ref<InFlightDiagnostic()> emitError);

/// The one of `names` that is nearest to `name`; empty if none is near.
StringRef nearestName(StringRef name, ArrayRef<StringRef> names);

} // namespace mlir::tp

#endif // TP_PLAN_STYLE_H
