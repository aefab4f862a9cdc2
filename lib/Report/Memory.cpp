//===- Memory.cpp - the memory of a device over the program ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Reads what tp-plan-memory wrote: each value's place says whether it begins a
// buffer or lives in an operand's, and its last use says how long. What is
// alive is so exactly what the runtime's arena holds.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Dialect/RT/IR/RT.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace {

struct Buffer {
  std::string kind, module, type;
  int64_t bytes = 0;
  size_t first = 0, last = 0; ///< numbers of ops
  bool isArena = false;
};

class MemoryReader {
public:
  explicit MemoryReader(func::FuncOp function)
      : block(function.getBody().front()) {
    row.phase = function.getName().str();
  }

  ReportPhaseMemory run() {
    for (BlockArgument argument : block.getArguments())
      numbers[argument] = addBuffer(argument, "input", 0, false);
    for (Operation &op : block) {
      modules.push_back(tp::moduleOf(op.getLoc()).str());
      ops[&op] = modules.size() - 1;
      for (auto [i, result] : llvm::enumerate(op.getResults()))
        place(&op, result, i);
      for (Value operand : op.getOperands())
        use(operand, modules.size() - 1);
    }
    keepPending();
    addPoints();
    addAlive();
    return std::move(row);
  }

private:
  size_t addBuffer(Value value, StringRef kind, size_t time, bool isArena) {
    Buffer buffer;
    RankedTensorType type = tensorOf(value.getType());
    buffer.kind = kind.str();
    buffer.type = type ? typeText(type) : "";
    buffer.bytes = llvm::alignTo(bytesOf(value.getType()), kBufferAlignment);
    buffer.first = buffer.last = time;
    buffer.isArena = isArena;
    if (Operation *op = value.getDefiningOp())
      buffer.module = tp::moduleOf(op->getLoc()).str();
    buffers.push_back(std::move(buffer));
    return buffers.size() - 1;
  }

  static std::string typeText(RankedTensorType type) {
    std::string text;
    for (int64_t size : type.getShape())
      text += std::to_string(size) + "x";
    return text + textOf(type.getElementType());
  }

  void place(Operation *op, Value result, size_t index) {
    auto places = op->getAttrOfType<ArrayAttr>(rt::kPlacesName);
    if (!places || index >= places.size())
      return;
    auto place = cast<rt::PlaceAttr>(places[index]);
    bool sends = isa<CollectiveOpInterface>(op);
    if (place.getKind() == rt::PlaceKind::Operand) {
      auto it = numbers.find(op->getOperand(place.getIndex()));
      if (it == numbers.end())
        return;
      const size_t number = it->second; // the map may grow
      numbers[result] = number;
      if (sends)
        buffers[number].kind = "communication";
      return;
    }
    numbers[result] =
        addBuffer(result, sends ? "communication" : "activation", ops[op],
                  place.getKind() == rt::PlaceKind::Arena);
  }

  void use(Value value, size_t time) {
    auto it = numbers.find(value);
    if (it != numbers.end())
      buffers[it->second].last = std::max(buffers[it->second].last, time);
  }

  /// What a collective reads that is only started stays until it is done.
  void keepPending() {
    for (Operation &op : block)
      if (isa<CollectiveOpInterface>(op) && isStart(&op))
        for (Operation *wait : op.getUsers())
          for (Value operand : op.getOperands())
            use(operand, ops.lookup(wait));
  }

  //===--------------------------------------------------------------------===//
  // Over the program
  //===--------------------------------------------------------------------===//

  void addPoints() {
    std::vector<int64_t> change(modules.size() + 1), sent(modules.size() + 1);
    for (const Buffer &buffer : buffers) {
      if (!buffer.isArena)
        continue;
      std::vector<int64_t> *lists[] = {&change, &sent};
      for (size_t i = 0; i < (buffer.kind == "communication" ? 2 : 1); ++i) {
        (*lists[i])[buffer.first] += buffer.bytes;
        (*lists[i])[buffer.last + 1] -= buffer.bytes;
      }
    }
    int64_t live = 0, communication = 0;
    for (size_t time = 0; time < modules.size(); ++time) {
      live += change[time];
      communication += sent[time];
      if (live > row.live) {
        row.live = live;
        row.peakModule = modules[time];
        peakTime = time;
      }
      row.communication = std::max(row.communication, communication);
      if (row.points.empty() || row.points.back().module != modules[time])
        row.points.push_back({modules[time], 0, 0});
      ReportMemoryPoint &point = row.points.back();
      point.bytes = std::max(point.bytes, live);
      point.communication = std::max(point.communication, communication);
    }
  }

  void addAlive() {
    std::map<std::tuple<std::string, std::string, std::string>, ReportLive>
        rows;
    for (const Buffer &buffer : buffers) {
      bool isAlive = buffer.isArena && buffer.bytes &&
                     buffer.first <= peakTime && peakTime <= buffer.last;
      if (!isAlive)
        continue;
      auto [it, inserted] = rows.try_emplace(
          std::make_tuple(buffer.kind, buffer.module, buffer.type));
      ReportLive &live = it->second;
      if (inserted)
        live = {buffer.kind, buffer.module, buffer.type, 0, 0};
      live.bytes += buffer.bytes;
      ++live.count;
    }
    // By size; the map's order where that says nothing.
    SmallVector<const ReportLive *> order;
    for (auto &[key, live] : rows)
      order.push_back(&live);
    llvm::sort(order, [](const ReportLive *a, const ReportLive *b) {
      return std::make_tuple(-a->bytes, a->kind, a->module, a->type) <
             std::make_tuple(-b->bytes, b->kind, b->module, b->type);
    });
    for (const ReportLive *live : order)
      row.alive.push_back(*live);
  }

  Block &block;
  ReportPhaseMemory row;
  std::vector<std::string> modules; ///< of each op
  std::vector<Buffer> buffers;
  DenseMap<Value, size_t> numbers;
  DenseMap<Operation *, size_t> ops;
  size_t peakTime = 0;
};

} // namespace

LogicalResult tp::addMemory(ModuleOp module, Report &report) {
  FailureOr<MemorySummary> summary = summarise(module);
  if (failed(summary))
    return failure();
  report.memory.parameters = summary->parameters;
  report.memory.state = summary->state;
  report.memory.activationsPeak = summary->activationsPeak();
  report.memory.peak = summary->peak();
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration() || !function->hasAttr(rt::kArenaBytesName))
      continue;
    FailureOr<MemorySummary> one = summarise(function);
    if (failed(one))
      return failure();
    ReportPhaseMemory row = MemoryReader(function).run();
    row.inputs = one->inputs;
    row.outputs = one->outputs;
    row.arena = one->arena;
    report.memory.phases.push_back(std::move(row));
  }
  return success();
}
