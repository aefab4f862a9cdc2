//===- Expression.h - styles as they are written in Python ------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The part of Python's expressions that parallel plans are written in:
//
//   RowwiseParallel(output_layouts=Shard(1))
//   PrepareModuleInput(input_layouts=(Shard(1), None), use_local_output=False)
//   PrepareModuleInput(input_kwarg_layouts={"x": Replicate()})
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_EXPRESSION_H
#define TP_PLAN_EXPRESSION_H

#include "mlir/IR/Diagnostics.h"
#include <string>
#include <vector>

namespace mlir::tp {

struct Expression {
  enum Kind {
    None,
    Boolean,
    Integer,
    String,
    Name,     ///< without parentheses: `Replicate`
    Call,     ///< `Shard(1)`; a dotted name keeps its last part
    Sequence, ///< a tuple or a list
    Dictionary
  };
  struct Keyword;

  Kind kind = None;
  /// What was parsed, and where in it this begins; both for messages. Empty
  /// where the plan file says it in JSON.
  std::string source;
  size_t position = 0;
  std::string text;                  ///< of String, Name and Call
  int64_t integer = 0;               ///< of Integer and Boolean
  std::vector<Expression> arguments; ///< of Call and Sequence
  std::vector<Keyword> keywords;     ///< of Call and Dictionary

  /// As it would be written.
  std::string str() const;
  /// " at 'dim' (column 12 of "Shard(dim)")"; empty without a source.
  std::string where() const;
};

struct Expression::Keyword {
  std::string name;
  Expression value;
};

/// Parses one expression, all of `text`. Errors: what was expected, at which
/// column; nested deeper than 16; longer than 4096 characters.
FailureOr<Expression>
parseExpression(StringRef text, function_ref<InFlightDiagnostic()> emitError);

} // namespace mlir::tp

#endif // TP_PLAN_EXPRESSION_H
