//===- Support.h - expressions and styles for tests -------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PLAN_SUPPORT_H
#define TP_UNITTESTS_PLAN_SUPPORT_H

#include "mlir/IR/MLIRContext.h"
#include "tp/Plan/Style.h"

namespace mlir::tp::test {

/// Reads expressions and styles, and keeps what was said.
class Reader {
public:
  Reader()
      : handler(&context, [&](Diagnostic &diagnostic) {
          message = diagnostic.str();
          return success();
        }) {}

  FailureOr<Expression> parse(StringRef text) {
    message.clear();
    return parseExpression(text, [&] { return emit(); });
  }

  FailureOr<Style> style(StringRef text) {
    FailureOr<Expression> expression = parse(text);
    if (failed(expression))
      return failure();
    return readStyle(*expression, StyleSet::registered(),
                     [&] { return emit(); });
  }

  std::string message; ///< the last diagnostic

private:
  InFlightDiagnostic emit() { return emitError(UnknownLoc::get(&context)); }

  MLIRContext context;
  ScopedDiagnosticHandler handler;
};

} // namespace mlir::tp::test

#endif // TP_UNITTESTS_PLAN_SUPPORT_H
