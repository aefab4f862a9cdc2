//===- CallSource.cpp - buffers, launches and runtime calls as source -----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Cuda/SourcePrinter.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

template <typename Model, typename Op>
using Base = SourceOpInterface::ExternalModel<Model, Op>;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// `float *v3 = at<float>(arena, 4096);`
LogicalResult printBuffer(Operation *op, SourcePrinter &printer,
                          const Twine &base, int64_t offset) {
  Value buffer = op->getResult(0);
  FailureOr<std::string> element =
      printer.typeOf(cast<MemRefType>(buffer.getType()).getElementType(), op);
  if (failed(element))
    return failure();
  return printer.define(buffer, "at<" + *element + ">(" + base + ", " +
                                    Twine(offset) + ")");
}

struct BufferSource : Base<BufferSource, rt::BufferOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    return printBuffer(op, printer, "arena",
                       int64_t(cast<rt::BufferOp>(op).getOffset()));
  }
};

struct ArgumentSource : Base<ArgumentSource, rt::ArgumentOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto function = op->getParentOfType<func::FuncOp>();
    int64_t index = int64_t(cast<rt::ArgumentOp>(op).getIndex());
    printer.setName(op->getResult(0),
                    printer.nameOf(function.getArgument(unsigned(index))));
    return success();
  }
};

struct ResultSource : Base<ResultSource, rt::ResultOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    return printBuffer(
        op, printer,
        "results[" + Twine(int64_t(cast<rt::ResultOp>(op).getIndex())) + "]",
        0);
  }
};

struct ViewSource : Base<ViewSource, rt::ViewOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto view = cast<rt::ViewOp>(op);
    std::string source = printer.nameOf(view.getSource());
    if (Value start = view.getStart())
      return printer.define(view, source + " + " + printer.nameOf(start));
    printer.setName(view, source);
    return success();
  }
};

struct CoordinateSource : Base<CoordinateSource, rt::CoordinateOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    int64_t group = int64_t(cast<rt::CoordinateOp>(op).getGroup());
    return printer.define(op->getResult(0),
                          "rank->coordinates[" + Twine(group) + "]");
  }
};

//===----------------------------------------------------------------------===//
// Kernels and calls
//===----------------------------------------------------------------------===//

struct LaunchSource : Base<LaunchSource, rt::LaunchOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto launch = cast<rt::LaunchOp>(op);
    std::string call = printer.tables.launches.lookup(launch.getKernel());
    if (call.empty())
      return op->emitOpError("launches a kernel that is not for threads");
    std::string arguments;
    for (Value operand : op->getOperands())
      arguments += (arguments.empty() ? "" : ", ") + printer.nameOf(operand);
    printer.line(call + "(" + arguments + ");");
    printer.line("TPRT_LAUNCHED(rank);");
    return success();
  }
};

/// `callee<calls::callee_0>(rank, operands...)`: the functions of
/// tprt/cuda/Kernels.h have the names, without their prefix, and the
/// descriptors of tprt.h, which are constants here.
template <typename Op> struct CallSource : Base<CallSource<Op>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto call = cast<rt::RuntimeCallOpInterface>(op);
    StringRef callee = call.getCallee().drop_front(strlen("tprt_"));
    SmallVector<int64_t> words = call.getDescriptor();
    while (!words.empty() && words.back() == 0)
      words.pop_back();
    std::string list, text;
    llvm::raw_string_ostream listOs(list), os(text);
    llvm::interleaveComma(words, listOs);
    os << "TPRT_TRY(tprt_cuda::" << callee << "<"
       << printer.tables.addCall(callee, list,
                                 alignmentOf(call.getCallOperands()), op)
       << ">(rank";
    for (Value operand : call.getCallOperands())
      os << ", " << (operand ? printer.nameOf(operand) : "nullptr");
    os << "));";
    printer.line(text);
    return success();
  }
};

template <typename... Ops> void attachCalls(MLIRContext *context) {
  (Ops::template attachInterface<CallSource<Ops>>(*context), ...);
}

} // namespace

void tp::registerCallSource(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, rt::RTDialect *) {
    rt::BufferOp::attachInterface<BufferSource>(*context);
    rt::ArgumentOp::attachInterface<ArgumentSource>(*context);
    rt::ResultOp::attachInterface<ResultSource>(*context);
    rt::ViewOp::attachInterface<ViewSource>(*context);
    rt::CoordinateOp::attachInterface<CoordinateSource>(*context);
    rt::LaunchOp::attachInterface<LaunchSource>(*context);
    attachCalls<rt::AttentionOp, rt::RotaryOp, rt::EmbeddingOp,
                rt::EmbeddingGradientOp, rt::TopKOp, rt::CacheUpdateOp,
                rt::TakeOp, rt::CopyOp, rt::MaskOp, rt::MakePartialOp>(context);
  });
}
