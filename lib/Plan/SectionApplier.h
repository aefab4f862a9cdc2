//===- SectionApplier.h - one plan's requests along one axis ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_SECTIONAPPLIER_H
#define TP_LIB_PLAN_SECTIONAPPLIER_H

#include "Request.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::tp {

/// A parameter of some function, under one of its names.
struct NamedParameter {
  func::FuncOp function;
  unsigned argument;
  StringRef leaf; ///< "weight", "bias"
  bool isAlias;

  nn::ParameterAttr attribute() const {
    func::FuncOp owner = function;
    return owner.getArgAttrOfType<nn::ParameterAttr>(argument,
                                                     nn::kParameterName);
  }
};

/// What belongs to a module, in all functions.
struct NamedModule {
  SmallVector<NamedParameter> parameters;
  SmallVector<nn::BoundaryOp> boundaries;
};

/// Modules by name, from boundaries and parameters; the whole model is "".
using NamedModules = llvm::MapVector<StringRef, NamedModule>;

/// Puts the requests of one section on parameters and boundaries.
class SectionApplier {
public:
  SectionApplier(const PlanFile &file, const PlanSection &section,
                 StringRef axis, NamedModules &modules, MLIRContext *context)
      : file(file), section(section), axis(axis), modules(modules),
        context(context) {}

  /// Errors: an entry matches nothing; two that match one module ask for
  /// different styles; a module has not what a style speaks of; a tied
  /// parameter is asked for in two ways.
  LogicalResult run();

private:
  InFlightDiagnostic emit();
  /// An error, or where the plan allows it a remark, one for an entry, that
  /// `instead` is done; success means that the caller does it.
  LogicalResult unmet(const PlanEntry &entry, const Twine &text,
                      StringRef instead);

  void indexPatterns();
  void findAnchored();
  bool speaksOf(unsigned number, StringRef name);
  SmallVector<unsigned> findEntries(StringRef name);
  LogicalResult choose(StringRef name, ArrayRef<unsigned> found,
                       const PlanEntry *&chosen);
  LogicalResult matchParameters();
  LogicalResult checkNamed(StringRef full, const NamedParameter &parameter,
                           const PlanEntry &entry);
  LogicalResult matchBelow();
  LogicalResult unmatched(const PlanEntry &entry);

  LogicalResult request(StringRef name, NamedModule &module,
                        const PlanEntry &entry);
  LogicalResult checkAsked(StringRef name, const NamedModule &module,
                           const PlanEntry &entry, const Style &style);
  LogicalResult requestParameter(StringRef name, const NamedModule &module,
                                 const NamedParameter &parameter,
                                 const PlanEntry &entry, const Style &style);
  LogicalResult addRequest(const NamedParameter &parameter, Request request);
  LogicalResult requestBoundaries(StringRef name, NamedModule &module,
                                  const PlanEntry &entry, const Style &style);
  LogicalResult checkLayouts(StringRef name, const NamedModule &module,
                             const PlanEntry &entry, StringRef direction,
                             const Layouts &layouts, bool isNeeded);
  LogicalResult withoutIds(nn::BoundaryOp op, const PlanEntry &entry,
                           const Style &style, bool isTable, Layout &from,
                           Layout &to);
  LogicalResult addLayout(nn::BoundaryOp op, const Layout &layout,
                          int64_t stage, const PlanEntry &entry,
                          const Style &style);

  const PlanFile &file;
  const PlanSection &section;
  StringRef axis;
  NamedModules &modules;
  MLIRContext *context;

  llvm::StringMap<SmallVector<unsigned, 1>> exact; ///< entries by pattern
  /// Entries with wildcards, by the last part of the pattern; "" if that has
  /// one.
  llvm::StringMap<SmallVector<unsigned, 4>> wild;
  SmallVector<unsigned> storing; ///< entries that speak of all modules below
  /// Entries that name something from the root.
  llvm::SmallBitVector anchored;
  SmallVector<unsigned> matches;
  llvm::StringSet<> said; ///< remarks on entries
};

} // namespace mlir::tp

#endif // TP_LIB_PLAN_SECTIONAPPLIER_H
