//===- Html.h - a report as one page for a browser --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_HTML_H
#define TP_REPORT_HTML_H

#include "tp/Report/Report.h"

namespace mlir::tp {

/// One file that asks for nothing outside: style, script and data are in it.
/// The report should have graphs.
void printHtml(const Report &report, llvm::raw_ostream &os);

} // namespace mlir::tp

#endif // TP_REPORT_HTML_H
