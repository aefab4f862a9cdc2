//===- TPPlanMemory.cpp - gives every tensor a buffer ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A *storage* is one buffer; several tensors may live in it one after the
// other: a value, its views, and what is computed from it in place. One walk
// forward assigns storages, taking over an operand's where the interface allows
// it and nothing reads it later. Storages that end up returned become the
// result's own buffer; the others get offsets in the arena from their live
// ranges.
//
//===----------------------------------------------------------------------===//

#include "PlannedMemory.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_TPPLANMEMORY
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;
using rt::PlaceAttr;
using rt::PlaceKind;

//===----------------------------------------------------------------------===//
// What can be planned
//===----------------------------------------------------------------------===//

/// A tensor of static shape that the runtime can address. Within a function it
/// may be pending; nothing pending comes in or goes out.
static LogicalResult checkTensor(Operation *op, Type type, const Twine &what) {
  RankedTensorType tensor =
      isa<func::FuncOp>(op) ? dyn_cast<RankedTensorType>(type) : tensorOf(type);
  if (!tensor || !tensor.hasStaticShape())
    return op->emitError() << what
                           << " must be a tensor of static shape to be "
                              "lowered, got "
                           << type;
  if (!tensor.getElementType().isIntOrIndexOrFloat())
    return op->emitError() << what << " has no lowering, its elements are "
                           << tensor.getElementType();
  if (tensor.getRank() > rt::kMaxRank)
    return op->emitError() << what << " of type " << type << " has more than "
                           << rt::kMaxRank << " dims";
  int64_t bytes = rt::getElementBytes(tensor.getElementType());
  for (int64_t size : tensor.getShape())
    if (llvm::MulOverflow(bytes, size, bytes) || bytes > (int64_t(1) << 56))
      return op->emitError()
             << what << " of type " << type << " is too large to be addressed";
  return success();
}

static LogicalResult checkOp(Operation *op) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  bool touchesTensors = llvm::any_of(op->getOperandTypes(), isTensor) ||
                        llvm::any_of(op->getResultTypes(), isTensor);
  if (!touchesTensors || op->hasTrait<OpTrait::IsTerminator>())
    return op->getNumRegions() == 0
               ? success()
               : op->emitOpError("has no lowering to the runtime");
  if (!isa<BufferOpInterface>(op))
    return op->emitOpError("has no lowering to the runtime");
  for (auto [i, type] : llvm::enumerate(op->getResultTypes()))
    if (failed(checkTensor(op, type, "result " + Twine(i))))
      return failure();
  return success();
}

static LogicalResult checkFunction(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError(
        "lowering needs straight-line code, one block a function");
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(checkTensor(function, type, "argument " + Twine(i))))
      return failure();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(checkTensor(function, type, "result " + Twine(i))))
      return failure();
  for (Operation &op : function.getBody().front())
    if (failed(checkOp(&op)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Storages
//===----------------------------------------------------------------------===//

namespace {

struct Storage {
  PlaceKind kind = PlaceKind::Arena;
  int64_t index = 0; ///< of the argument or result; the offset in the arena
  int64_t bytes = 0;
  bool writable = true;
  int64_t first = 0, last = 0;
};

class MemoryPlanner {
public:
  explicit MemoryPlanner(func::FuncOp function)
      : function(function), block(function.getBody().front()) {}

  void run();

private:
  /// Ops stand at even times, so that copies fit between them.
  int64_t timeOf(Operation *op) { return times.lookup(op); }
  Storage &storageOf(Value value) { return storages[numbers.lookup(value)]; }
  unsigned numberOf(Value value) { return numbers.lookup(value); }

  void findLastUses();
  void findHomes();
  void addArguments();
  void assign(Operation *op);
  bool canTakeOver(Operation *op, unsigned operand, Value result);
  void takeOver(Value value, unsigned number);
  void keepWhilePending(Operation *op);
  unsigned addStorage(Value value, int64_t time);
  Value insertClone(Value value, Operation *before, int64_t time);
  void placeResults();
  bool placeState(OpOperand &operand, int64_t argument);
  void copyResult(OpOperand &operand, PlaceKind kind, int64_t index);
  void saveStates();
  void placeInArena();
  void annotate();

  func::FuncOp function;
  Block &block;
  std::vector<Storage> storages;
  DenseMap<Value, unsigned> numbers;
  DenseMap<Operation *, int64_t> times;
  DenseMap<Value, int64_t> lastUses;
  /// The state argument in whose buffer a value is to end.
  DenseMap<Value, unsigned> homes;
  int64_t end = 0;
  int64_t arenaBytes = 0;
  /// State results that have to be copied at the end.
  SmallVector<std::pair<OpOperand *, int64_t>> pendingStates;
};

} // namespace

/// The last time at which a value or a view of it is read.
void MemoryPlanner::findLastUses() {
  for (Operation &op : block)
    times[&op] = 2 * int64_t(times.size() + 1);
  end = timeOf(block.getTerminator());
  auto visit = [&](Value value) {
    int64_t last = 0;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      last = std::max(last, timeOf(user));
      auto buffers = dyn_cast<BufferOpInterface>(user);
      if (!buffers)
        continue;
      for (OpResult result : user->getResults())
        if (buffers.getViewedOperand(result.getResultNumber()) ==
            use.getOperandNumber())
          last = std::max(last, lastUses.lookup(result));
    }
    lastUses[value] = last;
  };
  for (Operation &op : llvm::reverse(block))
    llvm::for_each(op.getResults(), visit);
  llvm::for_each(block.getArguments(), visit);
}

/// Values that are returned as state, and what they are views of.
void MemoryPlanner::findHomes() {
  for (OpOperand &operand : block.getTerminator()->getOpOperands()) {
    std::optional<unsigned> argument =
        findStateArgument(function, operand.getOperandNumber());
    Value value = operand.get();
    while (argument && homes.try_emplace(value, *argument).second) {
      auto result = dyn_cast<OpResult>(value);
      auto buffers =
          result ? dyn_cast<BufferOpInterface>(result.getOwner()) : nullptr;
      auto viewed = buffers ? buffers.getViewedOperand(result.getResultNumber())
                            : std::nullopt;
      if (!viewed)
        break;
      value = result.getOwner()->getOperand(*viewed);
    }
  }
}

void MemoryPlanner::addArguments() {
  for (BlockArgument argument : block.getArguments()) {
    unsigned number = addStorage(argument, 0);
    Storage &storage = storages[number];
    storage.kind = PlaceKind::Argument;
    storage.index = argument.getArgNumber();
    // State may be overwritten only if its new content comes back as a result.
    storage.writable =
        findStateResult(function, argument.getArgNumber()).has_value();
  }
}

unsigned MemoryPlanner::addStorage(Value value, int64_t time) {
  Storage storage;
  storage.bytes = rt::getBytes(tensorOf(value.getType()));
  storage.first = time;
  storage.last = std::max(time, lastUses.lookup(value));
  numbers[value] = storages.size();
  storages.push_back(storage);
  return storages.size() - 1;
}

void MemoryPlanner::takeOver(Value value, unsigned number) {
  numbers[value] = number;
  storages[number].last =
      std::max(storages[number].last, lastUses.lookup(value));
}

/// Nothing reads the operand's storage after the op, and the op reads it
/// through this operand alone.
bool MemoryPlanner::canTakeOver(Operation *op, unsigned operand, Value result) {
  Value value = op->getOperand(operand);
  const Storage &storage = storageOf(value);
  if (!storage.writable || storage.last > timeOf(op) ||
      value.getType() != tensorOf(result.getType()))
    return false;
  // What is to end in one state's buffer is not made in another's.
  auto home = homes.find(result);
  if (home != homes.end() && storage.kind == PlaceKind::Argument &&
      storage.index != home->second)
    return false;
  unsigned number = numberOf(value);
  return llvm::count_if(op->getOperands(), [&](Value other) {
           auto it = numbers.find(other);
           return it != numbers.end() && it->second == number;
         }) == 1;
}

/// What a collective reads that is only started stays until it is waited for.
/// Its results do so by themselves: the waits read them.
void MemoryPlanner::keepWhilePending(Operation *op) {
  if (!isStart(op))
    return;
  int64_t last = 0;
  for (Operation *wait : op->getUsers())
    last = std::max(last, timeOf(wait));
  for (Value operand : op->getOperands()) {
    Storage &storage = storageOf(operand);
    storage.last = std::max(storage.last, last);
  }
}

Value MemoryPlanner::insertClone(Value value, Operation *before, int64_t time) {
  OpBuilder builder(before);
  auto clone = rt::CloneOp::create(builder, before->getLoc(), value);
  times[clone] = time;
  lastUses[clone.getResult()] = timeOf(before);
  addStorage(clone.getResult(), time);
  return clone.getResult();
}

void MemoryPlanner::assign(Operation *op) {
  auto buffers = dyn_cast<BufferOpInterface>(op);
  if (!buffers)
    return;
  int64_t time = timeOf(op);
  SmallVector<unsigned> taken;
  for (OpResult result : op->getResults()) {
    unsigned number = result.getResultNumber();
    if (std::optional<unsigned> viewed = buffers.getViewedOperand(number)) {
      takeOver(result, numberOf(op->getOperand(*viewed)));
      continue;
    }
    SmallVector<unsigned> operands = buffers.getInPlaceOperands(number);
    llvm::erase_if(operands, [&](unsigned operand) {
      return llvm::is_contained(taken, operand) ||
             !canTakeOver(op, operand, result);
    });
    if (!operands.empty()) {
      // A state's own buffer first: then it need not be copied there.
      auto isHome = [&](unsigned operand) {
        return homes.count(result) &&
               storageOf(op->getOperand(operand)).kind == PlaceKind::Argument;
      };
      auto *best = llvm::find_if(operands, isHome);
      taken.push_back(best == operands.end() ? operands.front() : *best);
      takeOver(result, numberOf(op->getOperand(taken.back())));
      continue;
    }
    if (!buffers.mustUpdateInPlace(number)) {
      addStorage(result, time);
      continue;
    }
    unsigned updated = buffers.getInPlaceOperands(number).front();
    Value operand = op->getOperand(updated);
    Storage &source = storageOf(operand);
    if (source.kind == PlaceKind::Argument && source.writable)
      op->emitRemark()
          << "state \"" << getStateName(function, source.index)
          << "\" is copied: its old content is used after this update";
    op->setOperand(updated, insertClone(operand, op, time - 1));
    takeOver(result, numberOf(op->getOperand(updated)));
  }
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Makes the returned storage the buffer of its donated argument if it can be.
bool MemoryPlanner::placeState(OpOperand &operand, int64_t argument) {
  Storage &storage = storageOf(operand.get());
  if (storage.kind == PlaceKind::Argument && storage.index == argument)
    return true;
  Storage &old = storageOf(block.getArgument(argument));
  if (storage.kind != PlaceKind::Arena || storage.first <= old.last ||
      storage.bytes != old.bytes)
    return false;
  storage.kind = PlaceKind::Argument;
  storage.index = argument;
  // Two results cannot end in one buffer, and its first tenant is gone.
  old.last = end;
  return true;
}

/// Copies a returned value to where it has to be.
void MemoryPlanner::copyResult(OpOperand &operand, PlaceKind kind,
                               int64_t index) {
  Value clone = insertClone(operand.get(), block.getTerminator(), end - 1);
  storageOf(operand.get()).last = end;
  Storage &storage = storageOf(clone);
  storage.kind = kind;
  storage.index = index;
  operand.set(clone);
}

void MemoryPlanner::placeResults() {
  Operation *terminator = block.getTerminator();
  // States first: that a state stays where it is matters more.
  SmallVector<OpOperand *> outputs;
  for (OpOperand &operand : terminator->getOpOperands()) {
    std::optional<unsigned> argument =
        findStateArgument(function, operand.getOperandNumber());
    if (!argument)
      outputs.push_back(&operand);
    else if (!placeState(operand, *argument))
      pendingStates.push_back({&operand, *argument});
  }
  for (OpOperand *operand : outputs) {
    Storage &storage = storageOf(operand->get());
    int64_t index = operand->getOperandNumber();
    if (storage.kind == PlaceKind::Arena) {
      storage.kind = PlaceKind::Result;
      storage.index = index;
    } else {
      copyResult(*operand, PlaceKind::Result, index);
    }
  }
  saveStates();
}

/// Copies states whose new content could not be computed in their buffer. Those
/// that come from the buffer of another state leave it before any is
/// overwritten.
void MemoryPlanner::saveStates() {
  Operation *terminator = block.getTerminator();
  for (auto [operand, argument] : pendingStates) {
    emitRemark(operand->get().getLoc())
        << "state \"" << getStateName(function, argument)
        << "\" is copied: its new content could not be computed in place";
    if (storageOf(operand->get()).kind == PlaceKind::Argument) {
      Value source = operand->get();
      operand->set(insertClone(source, terminator, end - 1));
      storageOf(operand->get()).last = end;
    }
  }
  for (auto [operand, argument] : pendingStates)
    copyResult(*operand, PlaceKind::Argument, argument);
}

//===----------------------------------------------------------------------===//
// The arena
//===----------------------------------------------------------------------===//

void MemoryPlanner::placeInArena() {
  SmallVector<LiveBuffer> live;
  SmallVector<Storage *> inArena;
  for (Storage &storage : storages) {
    if (storage.kind != PlaceKind::Arena)
      continue;
    inArena.push_back(&storage);
    live.push_back({storage.bytes, storage.first, storage.last});
  }
  OffsetPlan plan = planOffsets(live);
  for (auto [storage, offset] : llvm::zip(inArena, plan.offsets))
    storage->index = offset;
  arenaBytes = plan.bytes;
}

/// The place of each result: its operand where it shares that one's storage.
void MemoryPlanner::annotate() {
  MLIRContext *context = function.getContext();
  for (Operation &op : block) {
    if (!isa<BufferOpInterface>(op))
      continue;
    SmallVector<Attribute> places;
    for (Value result : op.getResults()) {
      const Storage &storage = storageOf(result);
      auto place = PlaceAttr::get(context, storage.kind, storage.index);
      for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
        auto it = numbers.find(operand);
        if (it != numbers.end() && it->second == numberOf(result))
          place = PlaceAttr::get(context, PlaceKind::Operand, i);
      }
      places.push_back(place);
    }
    op.setAttr(rt::kPlacesName, ArrayAttr::get(context, places));
  }
  recordMemory(function, arenaBytes);
}

void MemoryPlanner::run() {
  findLastUses();
  findHomes();
  addArguments();
  for (Operation &op : llvm::make_early_inc_range(block)) {
    assign(&op);
    keepWhilePending(&op);
  }
  placeResults();
  placeInArena();
  annotate();
}

namespace {

struct TPPlanMemoryPass : public tp::impl::TPPlanMemoryBase<TPPlanMemoryPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration() || function->hasAttr(rt::kKernelName))
      return;
    if (failed(checkFunction(function)) || failed(checkStates(function)))
      return signalPassFailure();
    MemoryPlanner(function).run();
  }
};

} // namespace
