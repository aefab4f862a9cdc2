//===- CollectiveSource.cpp - collectives as calls of NCCL ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Collectives run on a stream of their own, which waits for the kernels before
// it by an event; the kernels after it wait for another one, at once, or at the
// rt.wait of a collective that is started. NCCL gathers and scatters whole
// buffers: where the dim is not the first one, a copy through the scratch
// buffer puts the blocks in their places. All of it is in the order of the
// program, which is the same on every rank.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "tp/Cuda/SourcePrinter.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

static StringRef ncclTypeOf(Type element) {
  if (element.isF32())
    return "ncclFloat32";
  if (element.isF64())
    return "ncclFloat64";
  if (element.isBF16())
    return "ncclBfloat16";
  if (element.isF16())
    return "ncclFloat16";
  if (element.isSignlessInteger(32))
    return "ncclInt32";
  return element.isSignlessInteger(64) ? "ncclInt64" : "";
}

static StringRef ncclReductionOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return "ncclSum";
  case ReduceKind::Product:
    return "ncclProd";
  case ReduceKind::Max:
    return "ncclMax";
  case ReduceKind::Min:
    return "ncclMin";
  default:
    return "";
  }
}

namespace {

/// One buffer of a collective: what NCCL moves, and the copies around it.
struct Transfer {
  std::string send, receive; ///< pointers
  int64_t count = 0;         ///< elements that NCCL is told of
  StringRef type;
  std::string packing, unpacking; ///< statements; empty where there are none
};

class CollectiveWriter {
public:
  CollectiveWriter(rt::CollectiveOp op, SourcePrinter &printer)
      : op(op), printer(printer), group(int64_t(op.getGroup())),
        members(printer.tables.groupSizes[group]) {}

  LogicalResult write();

private:
  LogicalResult plan(unsigned index);
  std::string copyBlocks(StringRef from, StringRef to, Type element,
                         int64_t outer, int64_t inner, bool gathered) const;
  std::string reserveScratch(int64_t bytes, StringRef elementType);
  std::string callOf(const Transfer &transfer);

  rt::CollectiveOp op;
  SourcePrinter &printer;
  int64_t group, members;
  int64_t scratchBytes = 0;
  SmallVector<Transfer> transfers;
};

} // namespace

/// [members, outer, inner] to [outer, members, inner] if `gathered`, else back;
/// inner is all of a member's part of a row.
std::string CollectiveWriter::copyBlocks(StringRef from, StringRef to,
                                         Type element, int64_t outer,
                                         int64_t inner, bool gathered) const {
  int64_t apart[] = {outer * inner, inner},
          together[] = {inner, members * inner};
  int64_t *source = gathered ? apart : together;
  int64_t *target = gathered ? together : apart;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "TPRT_TRY(tprt_cuda::copy(rank, tprt_copy_desc{"
     << rt::getElementBytes(element) << ", 3, 0, 0, {" << members << ", "
     << outer << ", " << inner << "}, {" << source[0] << ", " << source[1]
     << ", 1}, {" << target[0] << ", " << target[1] << ", 1}}, " << from << ", "
     << to << "));";
  return text;
}

std::string CollectiveWriter::reserveScratch(int64_t bytes,
                                             StringRef elementType) {
  std::string pointer =
      ("at<" + elementType + ">(rank->scratch, " + Twine(scratchBytes) + ")")
          .str();
  scratchBytes += int64_t(llvm::alignTo(bytes, 256));
  printer.tables.scratchBytes =
      std::max(printer.tables.scratchBytes, scratchBytes);
  return pointer;
}

LogicalResult CollectiveWriter::plan(unsigned index) {
  Value input = op.getInputs()[index], output = op.getOutputs()[index];
  auto type = cast<MemRefType>(input.getType());
  auto outType = cast<MemRefType>(output.getType());
  Type element = type.getElementType();
  FailureOr<std::string> name = printer.typeOf(element, op);
  if (failed(name))
    return failure();
  Transfer transfer{printer.nameOf(input),
                    printer.nameOf(output),
                    type.getNumElements(),
                    ncclTypeOf(element),
                    "",
                    ""};
  if (transfer.type.empty())
    return op.emitOpError(
               "cannot be written as CUDA source: NCCL does not send ")
           << element;
  bool scatters = op.getKind() == rt::CollectiveKind::ReduceScatter;
  if (scatters)
    transfer.count = outType.getNumElements();
  if (op.getKind() != rt::CollectiveKind::AllReduce) {
    ArrayRef<int64_t> block = scatters ? outType.getShape() : type.getShape();
    int64_t dim = (*op.getDims())[index];
    int64_t outer = llvm::product_of(block.take_front(dim));
    int64_t inner = llvm::product_of(block.drop_front(dim));
    int64_t bytes = members * rt::getBytes(scatters ? outType : type);
    if (outer != 1) {
      std::string scratch = reserveScratch(bytes, *name);
      if (scatters) {
        transfer.packing = copyBlocks(transfer.send, scratch, element, outer,
                                      inner, /*gathered=*/false);
        transfer.send = scratch;
      } else {
        transfer.unpacking = copyBlocks(scratch, transfer.receive, element,
                                        outer, inner, /*gathered=*/true);
        transfer.receive = scratch;
      }
    }
  }
  transfers.push_back(std::move(transfer));
  return success();
}

std::string CollectiveWriter::callOf(const Transfer &transfer) {
  StringRef function =
      op.getKind() == rt::CollectiveKind::AllReduce   ? "ncclAllReduce"
      : op.getKind() == rt::CollectiveKind::AllGather ? "ncclAllGather"
                                                      : "ncclReduceScatter";
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "TPRT_NCCL(rank, " << function << "(" << transfer.send << ", "
     << transfer.receive << ", " << transfer.count << ", " << transfer.type
     << ", ";
  if (op.getKind() != rt::CollectiveKind::AllGather)
    os << ncclReductionOf(op.getReduction()) << ", ";
  os << "rank->groups[" << group << "].communicator, rank->communicate));";
  return text;
}

LogicalResult CollectiveWriter::write() {
  bool reduces = op.getKind() == rt::CollectiveKind::AllReduce ||
                 op.getKind() == rt::CollectiveKind::ReduceScatter;
  if (!reduces && op.getKind() != rt::CollectiveKind::AllGather)
    return op.emitOpError("cannot be written as CUDA source: there is no ")
           << rt::stringifyCollectiveKind(op.getKind()) << " there yet";
  if (reduces && ncclReductionOf(op.getReduction()).empty())
    return op.emitOpError(
               "cannot be written as CUDA source: NCCL has no reduction by ")
           << stringifyReduceKind(op.getReduction());
  for (unsigned i = 0; i < op.getInputs().size(); ++i)
    if (failed(plan(i)))
      return failure();
  // The scratch buffer is one for all: whoever uses it is waited for at once.
  bool waits = !op.getStarted() || scratchBytes;
  if (op.getStarted())
    printer.tables.started[int64_t(op.getId())] = !waits;

  std::string what = rt::stringifyCollectiveKind(op.getKind()).str();
  if (reduces)
    what += " of " + stringifyReduceKind(op.getReduction()).str();
  what += " over " + printer.tables.groupNames[group];
  if (!op.getName().empty())
    what += ": " + op.getName().str();
  printer.comment(what);
  for (const Transfer &transfer : transfers)
    if (!transfer.packing.empty())
      printer.line(transfer.packing);
  printer.line("TPRT_CUDA(rank, cudaEventRecord(rank->computed, "
               "rank->compute));");
  printer.line("TPRT_CUDA(rank, cudaStreamWaitEvent(rank->communicate, "
               "rank->computed));");
  if (transfers.size() > 1)
    printer.line("TPRT_NCCL(rank, ncclGroupStart());");
  for (const Transfer &transfer : transfers)
    printer.line(callOf(transfer));
  if (transfers.size() > 1)
    printer.line("TPRT_NCCL(rank, ncclGroupEnd());");
  if (!waits) {
    int64_t id = int64_t(op.getId());
    printer.tables.events = std::max(printer.tables.events, id + 1);
    printer.line("TPRT_CUDA(rank, cudaEventRecord(rank->events[" + Twine(id) +
                 "], rank->communicate));");
    return success();
  }
  printer.line("TPRT_CUDA(rank, cudaEventRecord(rank->communicated, "
               "rank->communicate));");
  printer.line("TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, "
               "rank->communicated));");
  for (const Transfer &transfer : transfers)
    if (!transfer.unpacking.empty())
      printer.line(transfer.unpacking);
  return success();
}

namespace {

struct CollectiveSource
    : SourceOpInterface::ExternalModel<CollectiveSource, rt::CollectiveOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    return CollectiveWriter(cast<rt::CollectiveOp>(op), printer).write();
  }
};

struct WaitSource : SourceOpInterface::ExternalModel<WaitSource, rt::WaitOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    int64_t id = int64_t(cast<rt::WaitOp>(op).getId());
    auto started = printer.tables.started.find(id);
    if (started == printer.tables.started.end())
      return op->emitOpError("waits for collective ")
             << id << ", which is not started before it";
    if (!started->second)
      return success();
    printer.line("TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, "
                 "rank->events[" +
                 Twine(id) + "]));");
    return success();
  }
};

} // namespace

void tp::registerCollectiveSource(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, rt::RTDialect *) {
    rt::CollectiveOp::attachInterface<CollectiveSource>(*context);
    rt::WaitOp::attachInterface<WaitSource>(*context);
  });
}
