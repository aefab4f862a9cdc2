//===- ComparePlans.cpp - says what a plan costs above the automatic one --===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "PlanCost.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Plan/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANCOMPARE
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

/// Layer numbers as "*", so that layers are said once.
static std::string folded(StringRef name) {
  SmallVector<StringRef> parts;
  name.split(parts, '.');
  for (StringRef &part : parts)
    if (!part.empty() && llvm::all_of(part, llvm::isDigit))
      part = "*";
  return llvm::join(parts, ".");
}

static std::string times(double factor) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3f", factor) << " times";
  return text;
}

namespace {

struct ComparePlans : tp::impl::PlanCompareBase<ComparePlans> {
  void runOnOperation() override {
    auto automatic =
        PlanCost::read(getOperation()->getAttr(kAutomaticCostName));
    getOperation()->removeAttr(kAutomaticCostName);
    if (!automatic)
      return;
    PlanCost own = costOf(getOperation());
    // What rounding gives is no difference.
    if (own.bytes > automatic->bytes || own.work > automatic->work * 1.01)
      report(own, *automatic);
  }

  void report(const PlanCost &own, const PlanCost &automatic) {
    auto remark = emitRemark(UnknownLoc::get(&getContext()));
    double traffic =
        automatic.bytes ? double(own.bytes) / double(automatic.bytes) : 1;
    double work = automatic.work > 0 ? own.work / automatic.work : 1;
    // The headline names what there is more of.
    if (own.bytes > automatic.bytes) {
      remark << "the plan costs more than the automatic one: a device sends "
             << own.describe() << "; by the automatic plan it would send "
             << automatic.describe();
      if (traffic != 1)
        remark << "; that is " << times(traffic) << " the traffic";
      if (work < 0.99 || work > 1.01)
        remark << (traffic != 1 ? " and " : "; that is ") << times(work)
               << " the multiply-adds";
    } else {
      remark << "the plan computes more than the automatic one: a device does "
             << times(work) << " the multiply-adds; it sends " << own.describe()
             << ", and by the automatic plan it would send "
             << automatic.describe();
    }
    // What the automatic plan does otherwise, layers folded.
    constexpr size_t most = 8;
    std::map<std::string, std::string> notes;
    auto compare = [&](const std::string &name) {
      auto text = [&](const PlanCost &cost) {
        auto it = cost.parameters.find(name);
        return it == cost.parameters.end() ? std::string("whole") : it->second;
      };
      if (text(own) != text(automatic))
        notes[folded(name)] = text(automatic) + " instead of " + text(own);
    };
    for (const auto &entry : own.parameters)
      compare(entry.first);
    for (const auto &entry : automatic.parameters)
      compare(entry.first);
    size_t count = 0;
    for (const auto &[name, text] : notes) {
      if (++count > most)
        break;
      remark.attachNote() << "the automatic plan has \"" << name << "\" "
                          << text;
    }
    if (notes.size() > most)
      remark.attachNote() << "and " << (notes.size() - most)
                          << " more otherwise";
    if (notes.empty())
      remark.attachNote() << "the automatic plan shards the same parameters; "
                          << "what differs is asked of inputs and outputs";
  }
};

} // namespace
