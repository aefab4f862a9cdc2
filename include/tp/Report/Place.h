//===- Place.h - how one tensor lies on the mesh ----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_PLACE_H
#define TP_REPORT_PLACE_H

#include "tp/Report/Report.h"

namespace mlir::tp {

/// The tensor called `name`; a printed error that lists the nearest names if
/// there is none.
const ReportPlacement *findTensor(const Report &report, StringRef name);

/// A picture for a terminal: which devices hold which block. Large meshes are
/// cut short; nothing enumerates devices.
void printPlaceText(const Report &report, const ReportPlacement &tensor,
                    llvm::raw_ostream &os);
/// The same for programs: docs/report.md.
void printPlaceJson(const Report &report, const ReportPlacement &tensor,
                    llvm::raw_ostream &os);

} // namespace mlir::tp

#endif // TP_REPORT_PLACE_H
