//===- CollectiveSource.cpp - collectives as calls of the host ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Collectives run on a stream of their own, which waits for the kernels before
// it by an event; the kernels after it wait for another one, at once, or at the
// rt.wait of a collective that is started. NCCL gathers, scatters and exchanges
// whole buffers: where the dim is not the first one, a copy through the scratch
// buffer puts the blocks in their places. All of it is in the order of the
// program, which is the same on every rank.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "tp/Cuda/SourcePrinter.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

/// An element type by its name in tprt.h; empty if the runtime has none.
static std::string typeNameOf(Type element) {
  StringRef name = rt::getDTypeName(element);
  return name.empty() ? "" : "TPRT_" + name.upper();
}

/// What NCCL reduces by; bits of integers it cannot. Those of booleans are the
/// least and the greatest by now, see tp-lower-to-runtime.
static StringRef reductionNameOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return "TPRT_SUM";
  case ReduceKind::Product:
    return "TPRT_PRODUCT";
  case ReduceKind::Max:
    return "TPRT_MAX";
  case ReduceKind::Min:
    return "TPRT_MIN";
  default:
    return "";
  }
}

static StringRef kindNameOf(rt::CollectiveKind kind) {
  switch (kind) {
  case rt::CollectiveKind::AllReduce:
    return "TPRT_ALL_REDUCE";
  case rt::CollectiveKind::AllGather:
    return "TPRT_ALL_GATHER";
  case rt::CollectiveKind::ReduceScatter:
    return "TPRT_REDUCE_SCATTER";
  case rt::CollectiveKind::AllToAll:
    return "TPRT_ALL_TO_ALL";
  case rt::CollectiveKind::Permute:
    return "TPRT_PERMUTE";
  }
  return "";
}

namespace {

/// One buffer of a collective: what is sent, and the copies around it.
struct Transfer {
  std::string send, receive;      ///< pointers
  int64_t count = 0;              ///< see tprt_cuda::Collective
  std::string type;               ///< "TPRT_F32"
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
                         int64_t outer, int64_t inner, bool gathered);
  std::string reserveScratch(int64_t bytes, StringRef elementType);
  void planScatter(Transfer &transfer, MemRefType type, StringRef name,
                   int64_t dim);
  void planGather(Transfer &transfer, MemRefType block, StringRef name,
                  int64_t dim);
  std::string callOf();

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
                                         int64_t inner, bool gathered) {
  int64_t apart[] = {outer * inner, inner},
          together[] = {inner, members * inner};
  int64_t *source = gathered ? apart : together;
  int64_t *target = gathered ? together : apart;
  std::string words;
  llvm::raw_string_ostream os(words);
  os << rt::getElementBytes(element) << ", 3, 0, 0, {" << members << ", "
     << outer << ", " << inner << "}, {" << source[0] << ", " << source[1]
     << ", 1}, {" << target[0] << ", " << target[1] << ", 1}";
  std::string call =
      printer.tables.addCall("copy", words, alignmentOf(op->getOperands()), op);
  return ("TPRT_TRY(tprt_cuda::copy<" + call + ">(rank, " + from + ", " + to +
          "));")
      .str();
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

/// Sends a tensor of this type in blocks along a dim.
void CollectiveWriter::planScatter(Transfer &transfer, MemRefType type,
                                   StringRef name, int64_t dim) {
  int64_t outer = llvm::product_of(type.getShape().take_front(dim));
  if (outer == 1)
    return;
  int64_t inner = llvm::product_of(type.getShape().drop_front(dim)) / members;
  std::string scratch = reserveScratch(rt::getBytes(type), name);
  transfer.packing = copyBlocks(transfer.send, scratch, type.getElementType(),
                                outer, inner, /*gathered=*/false);
  transfer.send = scratch;
}

/// Receives blocks of this type, which follow one another along a dim.
void CollectiveWriter::planGather(Transfer &transfer, MemRefType block,
                                  StringRef name, int64_t dim) {
  int64_t outer = llvm::product_of(block.getShape().take_front(dim));
  if (outer == 1)
    return;
  int64_t inner = llvm::product_of(block.getShape().drop_front(dim));
  std::string scratch = reserveScratch(members * rt::getBytes(block), name);
  transfer.unpacking =
      copyBlocks(scratch, transfer.receive, block.getElementType(), outer,
                 inner, /*gathered=*/true);
  transfer.receive = scratch;
}

LogicalResult CollectiveWriter::plan(unsigned index) {
  Value input = op.getInputs()[index], output = op.getOutputs()[index];
  auto type = cast<MemRefType>(input.getType());
  auto outType = cast<MemRefType>(output.getType());
  FailureOr<std::string> name = printer.typeOf(type.getElementType(), op);
  if (failed(name))
    return failure();
  Transfer transfer{printer.nameOf(input),
                    printer.nameOf(output),
                    type.getNumElements(),
                    typeNameOf(type.getElementType()),
                    "",
                    ""};
  if (transfer.type.empty())
    return op.emitOpError(
               "cannot be written as CUDA source: NCCL does not send ")
           << type.getElementType();
  switch (op.getKind()) {
  case rt::CollectiveKind::AllReduce:
  case rt::CollectiveKind::Permute:
    break;
  case rt::CollectiveKind::AllGather:
    planGather(transfer, type, *name, (*op.getDims())[index]);
    break;
  case rt::CollectiveKind::ReduceScatter:
    transfer.count = outType.getNumElements();
    planScatter(transfer, type, *name, (*op.getDims())[index]);
    break;
  case rt::CollectiveKind::AllToAll: {
    transfer.count /= members;
    int64_t split = (*op.getSplitDims())[index];
    planScatter(transfer, type, *name, split);
    SmallVector<int64_t> block(type.getShape());
    block[split] /= members;
    planGather(transfer, MemRefType::get(block, type.getElementType()), *name,
               (*op.getDims())[index]);
    break;
  }
  }
  transfers.push_back(std::move(transfer));
  return success();
}

/// The call, with the fields of a tprt_cuda::Collective.
std::string CollectiveWriter::callOf() {
  bool reduces = op.getKind() == rt::CollectiveKind::AllReduce ||
                 op.getKind() == rt::CollectiveKind::ReduceScatter;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "TPRT_TRY(communicate(rank, {" << kindNameOf(op.getKind()) << ", "
     << op.getId() << ", " << group << ", "
     << op.getSourceGroup().value_or(group) << ", "
     << (reduces ? reductionNameOf(op.getReduction()) : "TPRT_SUM") << ", "
     << transfers.size() << ", {";
  llvm::interleaveComma(transfers, os, [&](const Transfer &transfer) {
    os << "{" << transfer.send << ", " << transfer.receive << ", "
       << transfer.count << ", " << transfer.type << "}";
  });
  os << "}}));";
  return text;
}

LogicalResult CollectiveWriter::write() {
  bool reduces = op.getKind() == rt::CollectiveKind::AllReduce ||
                 op.getKind() == rt::CollectiveKind::ReduceScatter;
  if (reduces && reductionNameOf(op.getReduction()).empty())
    return op.emitOpError(
               "cannot be written as CUDA source: NCCL has no reduction by ")
           << stringifyReduceKind(op.getReduction()) << " of "
           << getElementTypeOrSelf(op.getInputs().front().getType())
           << ", only of booleans ('i1')";
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
  printer.line(callOf());
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
