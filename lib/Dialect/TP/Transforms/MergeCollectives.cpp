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

struct MergeCollectives : tp::impl::TPMergeCollectivesBase<MergeCollectives> {
  using TPMergeCollectivesBase::TPMergeCollectivesBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    SmallVector<AllGatherOp> run;
    for (Operation &op :
         llvm::make_early_inc_range(getOperation().getBody().front())) {
      auto gather = dyn_cast<AllGatherOp>(op);
      if (gather && joins(run, gather)) {
        run.push_back(gather);
        continue;
      }
      if (gather || !isa<ShardStartOp>(op)) {
        merge(run);
        run.clear();
      }
      if (gather)
        run.push_back(gather);
    }
    merge(run);
  }

  bool joins(ArrayRef<AllGatherOp> run, AllGatherOp next) {
    if (run.empty())
      return false;
    size_t inputs = next.getInputs().size();
    int64_t total = next.getBytesSent();
    for (AllGatherOp op : run) {
      inputs += op.getInputs().size();
      total += op.getBytesSent();
      for (Value input : next.getInputs())
        if (input.getDefiningOp() == op)
          return false;
    }
    AllGatherOp first = run.front();
    return first.getAxes() == next.getAxes() &&
           first.getMesh() == next.getMesh() && inputs <= kMostInputs &&
           total <= bytes;
  }

  static StringAttr join(StringAttr a, StringAttr b) {
    if (!a || !b || a == b)
      return a ? a : b;
    return StringAttr::get(a.getContext(),
                           a.getValue() + "; also: " + b.getValue());
  }

  void merge(ArrayRef<AllGatherOp> run) {
    if (run.size() < 2)
      return;
    SmallVector<Value> inputs;
    SmallVector<Type> types;
    SmallVector<int64_t> dims;
    SmallVector<Location> locations;
    StringAttr reason, module;
    for (AllGatherOp op : run) {
      llvm::append_range(inputs, op.getInputs());
      llvm::append_range(types, op.getResultTypes());
      llvm::append_range(dims, op.getDims());
      locations.push_back(op.getLoc());
      reason = join(reason, op.getReasonAttr());
      module = module ? module : op.getModuleAttr();
    }
    AllGatherOp last = run.back();
    OpBuilder builder(last);
    auto merged =
        AllGatherOp::create(builder, builder.getFusedLoc(locations), types,
                            inputs, last.getMeshAttr(), last.getAxes(),
                            builder.getDenseI64ArrayAttr(dims), reason, module);
    size_t position = 0;
    for (AllGatherOp op : run) {
      for (Value result : op.getResults())
        result.replaceAllUsesWith(merged.getResult(position++));
      op.erase();
    }
  }
};

} // namespace
