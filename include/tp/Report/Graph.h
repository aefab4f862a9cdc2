//===- Graph.h - one layer as a graph ---------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_GRAPH_H
#define TP_REPORT_GRAPH_H

#include "tp/Report/Report.h"

namespace mlir::tp {

/// The graphs of a report, one for each phase, in the language of Graphviz.
/// Collectives are bold edges that say their kind, axes and bytes.
void printDot(const Report &report, llvm::raw_ostream &os);

} // namespace mlir::tp

#endif // TP_REPORT_GRAPH_H
