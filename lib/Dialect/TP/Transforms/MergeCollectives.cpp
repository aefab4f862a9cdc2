//===- MergeCollectives.cpp - packs small collectives ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPMERGECOLLECTIVES
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// The runtime packs at most this many tensors in one message.
constexpr size_t kMostInputs = 4;

/// Attributes that belong to each tensor of a collective, one number each.
constexpr StringLiteral kListNames[] = {"dims", "split_dims"};

/// Collectives that could be one: the first, and others that need nothing that
/// comes after it.
using Run = SmallVector<CollectiveOpInterface>;

struct MergeCollectives : tp::impl::TPMergeCollectivesBase<MergeCollectives> {
  using TPMergeCollectivesBase::TPMergeCollectivesBase;

  void runOnOperation() override {
    if (getOperation().isExternal() || isEmbedded(getOperation()))
      return;
    // The last run of each kind of collective; there are few kinds.
    std::vector<std::pair<DictionaryAttr, Run>> open;
    std::vector<Run> complete;
    for (auto op :
         getOperation().getBody().front().getOps<CollectiveOpInterface>()) {
      DictionaryAttr kind = kindOf(op);
      auto it = llvm::find_if(
          open, [&](const auto &entry) { return entry.first == kind; });
      if (it == open.end())
        it = open.insert(it, {kind, {}});
      if (!joins(it->second, op))
        complete.push_back(std::exchange(it->second, {}));
      it->second.push_back(op);
    }
    for (auto &[kind, run] : open)
      complete.push_back(std::move(run));
    for (const Run &run : complete)
      if (run.size() > 1)
        merge(run);
  }

  /// What collectives of one message must have in common: all attributes but
  /// those of each tensor and those that say why it is there, and the name.
  static DictionaryAttr kindOf(CollectiveOpInterface op) {
    NamedAttrList attributes(op->getAttrDictionary());
    for (StringRef name : kListNames)
      attributes.erase(name);
    for (StringRef name : {"reason", "module"})
      attributes.erase(name);
    attributes.erase(kShardingsName);
    attributes.set("op", op->getName().getIdentifier());
    return attributes.getDictionary(op->getContext());
  }

  bool joins(ArrayRef<CollectiveOpInterface> run, CollectiveOpInterface next) {
    if (run.empty())
      return true;
    size_t inputs = next->getNumOperands();
    int64_t total = next.getBytesSent();
    for (CollectiveOpInterface op : run) {
      inputs += op->getNumOperands();
      total += op.getBytesSent();
    }
    Operation *first = run.front();
    return inputs <= kMostInputs && total <= bytes &&
           llvm::all_of(next->getOperands(), [&](Value input) {
             Operation *producer = input.getDefiningOp();
             return !producer || producer->isBeforeInBlock(first);
           });
  }

  static StringAttr join(StringAttr a, StringAttr b) {
    if (!a || !b || a == b)
      return a ? a : b;
    return StringAttr::get(a.getContext(),
                           a.getValue() + "; also: " + b.getValue());
  }

  /// One op in the place of the first.
  void merge(ArrayRef<CollectiveOpInterface> run) {
    CollectiveOpInterface first = run.front();
    Builder builder(first->getContext());
    OperationState state(first->getLoc(), first->getName());
    NamedAttrList attributes(first->getAttrDictionary());
    SmallVector<Location> locations;
    StringAttr reason, module;
    for (CollectiveOpInterface op : run) {
      state.addOperands(op->getOperands());
      state.addTypes(op->getResultTypes());
      locations.push_back(op->getLoc());
      reason = join(reason, op.getReasonText());
      module = module ? module : op.getModuleName();
    }
    for (StringRef name : kListNames)
      if (attributes.get(name))
        attributes.set(name, concatenate(run, name));
    if (reason)
      attributes.set("reason", reason);
    if (module)
      attributes.set("module", module);
    attributes.erase(kShardingsName);
    state.addAttributes(attributes);
    state.location = builder.getFusedLoc(locations);
    Operation *merged = OpBuilder(first).create(state);
    size_t position = 0;
    for (CollectiveOpInterface op : run) {
      for (Value result : op->getResults())
        result.replaceAllUsesWith(merged->getResult(position++));
      op->erase();
    }
  }

  static Attribute concatenate(ArrayRef<CollectiveOpInterface> run,
                               StringRef name) {
    SmallVector<int64_t> all;
    for (CollectiveOpInterface op : run)
      llvm::append_range(
          all, op->getAttrOfType<DenseI64ArrayAttr>(name).asArrayRef());
    return DenseI64ArrayAttr::get(run.front()->getContext(), all);
  }
};

} // namespace
