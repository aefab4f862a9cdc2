//===- RTToLLVM.cpp - runtime-level programs become LLVM IR ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Entries and kernels take different roads. An entry is straight-line code
// whose buffers are addresses: it is converted here, one pattern for every
// runtime call. A kernel is ordinary code on memrefs, for the upstream
// conversions, with bare pointers for arguments.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/IRMapping.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::tp {
#define GEN_PASS_DEF_RTTOLLVM
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Which kernel arguments alias
//===----------------------------------------------------------------------===//

namespace {
/// The memory that a buffer is in: a root and a range of bytes of it.
struct Extent {
  unsigned root = 0;
  int64_t index = 0, begin = 0, end = 0;

  bool overlaps(const Extent &other) const {
    return root == other.root && index == other.index && begin < other.end &&
           other.begin < end;
  }
};
} // namespace

static Extent extentOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<rt::ViewOp>())
    buffer = view.getSource();
  int64_t bytes = rt::getBytes(cast<MemRefType>(buffer.getType()));
  if (auto argument = dyn_cast<BlockArgument>(buffer))
    return {1, argument.getArgNumber(), 0, bytes};
  if (auto argument = buffer.getDefiningOp<rt::ArgumentOp>())
    return {1, int64_t(argument.getIndex()), 0, bytes};
  if (auto result = buffer.getDefiningOp<rt::ResultOp>())
    return {2, int64_t(result.getIndex()), 0, bytes};
  if (auto arena = buffer.getDefiningOp<rt::BufferOp>()) {
    int64_t offset = arena.getOffset();
    return {3, 0, offset, offset + bytes};
  }
  // Another origin: overlaps nothing but itself is all that can be said.
  return {4, int64_t(hash_value(buffer)), 0, bytes};
}

/// Clears `distinct[i]` for each operand that shares memory with another one,
/// if one of the two is written.
static void findAliases(rt::LaunchOp launch, SmallVector<bool> &distinct) {
  SmallVector<Extent> extents;
  for (Value operand : launch.getOperands())
    extents.push_back(isa<MemRefType>(operand.getType()) ? extentOf(operand)
                                                         : Extent());
  size_t numInputs = launch.getInputs().size();
  for (size_t output = numInputs; output < extents.size(); ++output)
    for (size_t other = 0; other < extents.size(); ++other)
      if (other != output && extents[other].overlaps(extents[output]))
        distinct[other] = distinct[output] = false;
}

/// Marks the pointers that share no memory in any launch.
static void markDistinctArguments(ModuleOp module) {
  llvm::MapVector<StringAttr, SmallVector<bool>> distinct;
  module.walk([&](rt::LaunchOp launch) {
    auto &flags = distinct[launch.getKernelAttr().getAttr()];
    flags.resize(launch.getNumOperands(), true);
    findAliases(launch, flags);
  });
  SymbolTable symbols(module);
  for (auto &[name, flags] : distinct) {
    auto kernel = symbols.lookup<func::FuncOp>(name);
    for (unsigned i = 0; i < flags.size() && i < kernel.getNumArguments(); ++i)
      if (flags[i] && isa<MemRefType>(kernel.getArgumentTypes()[i]))
        kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                          UnitAttr::get(module.getContext()));
  }
}

//===----------------------------------------------------------------------===//
// What entries refer to
//===----------------------------------------------------------------------===//

namespace {

/// The arguments of an entry, in order.
enum EntryArgument { kRank, kArena, kArguments, kResults };

/// Descriptors and functions of the runtime, made before ops are converted, so
/// that patterns only look them up.
class RuntimeSymbols {
public:
  explicit RuntimeSymbols(ModuleOp module)
      : module(module), builder(module.getBodyRegion()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

  void add(rt::RuntimeCallOpInterface call);
  void addFunction(StringRef name, Type result, ArrayRef<Type> arguments);
  /// Marks are numbered as the manifest lists them.
  void addMarks(func::FuncOp entry);
  StringAttr getDescriptor(Operation *call) const {
    return descriptors.lookup(call);
  }
  int64_t getNumber(rt::MarkOp mark) const { return marks.lookup(mark); }

private:
  ModuleOp module;
  OpBuilder builder;
  Type pointer;
  DenseMap<Operation *, StringAttr> descriptors;
  DenseMap<Operation *, int64_t> marks;
  DenseMap<Attribute, StringAttr> byContent;
  llvm::StringSet<> functions;
};

} // namespace

void RuntimeSymbols::addFunction(StringRef name, Type result,
                                 ArrayRef<Type> arguments) {
  if (!functions.insert(name).second)
    return;
  LLVM::LLVMFuncOp::create(builder, module.getLoc(), name,
                           LLVM::LLVMFunctionType::get(result, arguments));
}

void RuntimeSymbols::addMarks(func::FuncOp entry) {
  int64_t number = 0;
  for (auto mark : entry.getOps<rt::MarkOp>())
    marks[mark] = number++;
  if (number)
    addFunction("tprt_mark", LLVM::LLVMVoidType::get(module.getContext()),
                {pointer, builder.getI64Type()});
}

void RuntimeSymbols::add(rt::RuntimeCallOpInterface call) {
  SmallVector<int64_t> words = call.getDescriptor();
  auto content = builder.getI64TensorAttr(words);
  StringAttr &name = byContent[content];
  if (!name) {
    name =
        builder.getStringAttr("rt_descriptor_" + Twine(byContent.size() - 1));
    auto type = LLVM::LLVMArrayType::get(builder.getI64Type(), words.size());
    LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/true,
                           LLVM::Linkage::Internal, name, content);
  }
  descriptors[call] = name;
  SmallVector<Type> types{pointer, pointer};
  if (isa<rt::CollectiveOp>(*call))
    types.append(2, pointer);
  else
    for (Value operand : call.getCallOperands())
      types.push_back(operand && operand.getType().isIndex()
                          ? builder.getI64Type()
                          : pointer);
  addFunction(call.getCallee(), LLVM::LLVMVoidType::get(module.getContext()),
              types);
}

//===----------------------------------------------------------------------===//
// Patterns for entries
//===----------------------------------------------------------------------===//

static Type pointerType(Operation *op) {
  return LLVM::LLVMPointerType::get(op->getContext());
}

static Value entryArgument(Operation *op, EntryArgument which) {
  return op->getParentOfType<LLVM::LLVMFuncOp>().getArgument(which);
}

/// `offset` bytes from `base`, which may be more than a GEP's constants can
/// hold.
static Value addressOfByte(OpBuilder &builder, Location loc, Value base,
                           int64_t offset) {
  if (offset == 0)
    return base;
  Value distance = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(),
                                            builder.getI64IntegerAttr(offset));
  return LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(),
                             base, ValueRange(distance));
}

namespace {

struct LowerBuffer : OpConversionPattern<rt::BufferOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(rt::BufferOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, addressOfByte(rewriter, op.getLoc(),
                                         entryArgument(op, kArena),
                                         op.getOffset()));
    return success();
  }
};

/// An argument's or a result's buffer: loaded from the entry's array of
/// pointers.
template <typename Op, EntryArgument which>
struct LowerSlot : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value slot = addressOfByte(rewriter, op.getLoc(), entryArgument(op, which),
                               8 * int64_t(op.getIndex()));
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, pointerType(op), slot);
    return success();
  }
};

struct LowerView : OpConversionPattern<rt::ViewOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(rt::ViewOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value result = adaptor.getSource();
    if (Value start = adaptor.getStart()) {
      int64_t bytes = rt::getElementBytes(op.getType().getElementType());
      Value size =
          LLVM::ConstantOp::create(rewriter, op.getLoc(), rewriter.getI64Type(),
                                   rewriter.getI64IntegerAttr(bytes));
      Value distance = LLVM::MulOp::create(rewriter, op.getLoc(), start, size);
      result = LLVM::GEPOp::create(rewriter, op.getLoc(), pointerType(op),
                                   rewriter.getI8Type(), result,
                                   ValueRange(distance));
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerCoordinate : OpConversionPattern<rt::CoordinateOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(rt::CoordinateOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type i64 = rewriter.getI64Type();
    Value group = LLVM::ConstantOp::create(
        rewriter, op.getLoc(), i64, rewriter.getI64IntegerAttr(op.getGroup()));
    rewriter.replaceOpWithNewOp<LLVM::CallOp>(
        op, TypeRange(i64), "tprt_coordinate",
        ValueRange{entryArgument(op, kRank), group});
    return success();
  }
};

struct LowerLaunch : OpConversionPattern<rt::LaunchOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(rt::LaunchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    LLVM::CallOp::create(rewriter, op.getLoc(), TypeRange(), op.getKernel(),
                         adaptor.getOperands());
    rewriter.eraseOp(op);
    return success();
  }
};

/// tprt_collective has returned when its result is there.
struct LowerWait : OpConversionPattern<rt::WaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(rt::WaitOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.eraseOp(op);
    return success();
  }
};

/// tprt_mark(rank, number).
struct LowerMark : OpConversionPattern<rt::MarkOp> {
  LowerMark(const TypeConverter &converter, MLIRContext *context,
            const RuntimeSymbols &symbols)
      : OpConversionPattern(converter, context), symbols(symbols) {}

  LogicalResult
  matchAndRewrite(rt::MarkOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value number = LLVM::ConstantOp::create(
        rewriter, op.getLoc(), rewriter.getI64Type(),
        rewriter.getI64IntegerAttr(symbols.getNumber(op)));
    LLVM::CallOp::create(rewriter, op.getLoc(), TypeRange(), "tprt_mark",
                         ValueRange{entryArgument(op, kRank), number});
    rewriter.eraseOp(op);
    return success();
  }

private:
  const RuntimeSymbols &symbols;
};

/// callee(rank, descriptor, operands...).
struct LowerCall : OpInterfaceConversionPattern<rt::RuntimeCallOpInterface> {
  LowerCall(const TypeConverter &converter, MLIRContext *context,
            const RuntimeSymbols &symbols)
      : OpInterfaceConversionPattern(converter, context), symbols(symbols) {}

  LogicalResult
  matchAndRewrite(rt::RuntimeCallOpInterface op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    IRMapping mapping;
    mapping.map(op->getOperands(), ValueRange(operands));
    Value descriptor = LLVM::AddressOfOp::create(
        rewriter, loc, pointerType(op), symbols.getDescriptor(op).getValue());
    SmallVector<Value> arguments{entryArgument(op, kRank), descriptor};
    if (auto collective = dyn_cast<rt::CollectiveOp>(*op)) {
      size_t count = collective.getInputs().size();
      arguments.push_back(makeArray(op, operands.take_front(count), rewriter));
      arguments.push_back(makeArray(op, operands.drop_front(count), rewriter));
    } else {
      for (Value operand : op.getCallOperands())
        arguments.push_back(
            operand ? mapping.lookup(operand)
                    : LLVM::ZeroOp::create(rewriter, loc, pointerType(op)));
    }
    LLVM::CallOp::create(rewriter, loc, TypeRange(), op.getCallee(), arguments);
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// The addresses as an array on the stack.
  Value makeArray(Operation *op, ArrayRef<Value> addresses,
                  ConversionPatternRewriter &rewriter) const {
    Location loc = op->getLoc();
    Value array;
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(op->getBlock());
      Value size = LLVM::ConstantOp::create(
          rewriter, loc, rewriter.getI64Type(),
          rewriter.getI64IntegerAttr(int64_t(addresses.size())));
      array = LLVM::AllocaOp::create(rewriter, loc, pointerType(op),
                                     pointerType(op), size);
    }
    for (auto [i, value] : llvm::enumerate(addresses))
      LLVM::StoreOp::create(
          rewriter, loc, value,
          addressOfByte(rewriter, loc, array, 8 * int64_t(i)));
    return array;
  }

  const RuntimeSymbols &symbols;
};

} // namespace

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

/// The buffer once more, right before its user; arguments become rt.argument.
static Value recompute(Value buffer, OpBuilder &builder) {
  if (auto argument = dyn_cast<BlockArgument>(buffer))
    return rt::ArgumentOp::create(builder, argument.getLoc(),
                                  argument.getType(), argument.getArgNumber());
  Operation *op = buffer.getDefiningOp();
  if (!isa<rt::BufferOp, rt::ArgumentOp, rt::ResultOp, rt::ViewOp>(op))
    return buffer;
  IRMapping mapping;
  for (Value operand : op->getOperands())
    if (isa<MemRefType>(operand.getType()))
      mapping.map(operand, recompute(operand, builder));
  return builder.clone(*op, mapping)->getResult(0);
}

/// Gives every op addresses of its own, next to it. One address for all users
/// would stay alive over thousands of calls, and register allocation takes
/// quadratic time in such ranges.
static void sinkAddresses(Block &body) {
  SmallVector<Operation *> ops;
  for (Operation &op : body)
    ops.push_back(&op);
  for (Operation *op : ops) {
    if (isa<rt::ViewOp>(op) || op->hasTrait<OpTrait::IsTerminator>())
      continue;
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands())
      if (isa<MemRefType>(operand.get().getType()))
        operand.set(recompute(operand.get(), builder));
  }
}

/// The shell of an entry with the interface of tprt_entry; the body is moved
/// into it, where every op has its own addresses.
static LLVM::LLVMFuncOp makeEntry(func::FuncOp function) {
  OpBuilder builder(function);
  Block &body = function.getBody().front();
  sinkAddresses(body);
  builder.setInsertionPoint(body.getTerminator());
  LLVM::ReturnOp::create(builder, body.getTerminator()->getLoc(), ValueRange());
  body.getTerminator()->erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (op.use_empty() &&
        isa<rt::BufferOp, rt::ArgumentOp, rt::ResultOp, rt::ViewOp>(op))
      op.erase();
  body.eraseArguments(0, body.getNumArguments());
  builder.setInsertionPoint(function);
  Type pointer = LLVM::LLVMPointerType::get(function.getContext());
  SmallVector<Type> types(4, pointer);
  auto entry = LLVM::LLVMFuncOp::create(
      builder, function.getLoc(), function.getName(),
      LLVM::LLVMFunctionType::get(
          LLVM::LLVMVoidType::get(function.getContext()), types));
  // Long straight-line code that only calls: not worth the optimiser's time.
  entry.setPassthroughAttr(builder.getStrArrayAttr({"noinline", "optnone"}));
  entry.getBody().takeBody(function.getBody());
  entry.getBody().front().addArguments(
      types, SmallVector<Location>(4, function.getLoc()));
  function.erase();
  return entry;
}

static LogicalResult convertEntry(LLVM::LLVMFuncOp entry,
                                  const RuntimeSymbols &symbols) {
  MLIRContext *context = entry.getContext();
  LLVMTypeConverter converter(context);
  Type pointer = LLVM::LLVMPointerType::get(context);
  converter.addConversion([=](MemRefType) { return pointer; });
  RewritePatternSet patterns(context);
  patterns.add<LowerBuffer, LowerSlot<rt::ArgumentOp, kArguments>,
               LowerSlot<rt::ResultOp, kResults>, LowerView, LowerCoordinate,
               LowerLaunch, LowerWait>(converter, context);
  patterns.add<LowerCall, LowerMark>(converter, context, symbols);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  LLVMConversionTarget target(*context);
  return applyFullConversion(entry, target, std::move(patterns));
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static LogicalResult convertKernels(ModuleOp module) {
  MLIRContext *context = module.getContext();
  LowerToLLVMOptions options(context);
  options.useBarePtrCallConv = true;
  LLVMTypeConverter converter(context, options);
  RewritePatternSet patterns(context);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns,
                                         /*reassociateFPReductions=*/true);
  LLVMConversionTarget target(*context);
  target.addLegalOp<ModuleOp, MeshOp>();
  return applyFullConversion(module, target, std::move(patterns));
}

namespace {

struct RTToLLVMPass : public tp::impl::RTToLLVMBase<RTToLLVMPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    markDistinctArguments(module);
    RuntimeSymbols symbols(module);
    SmallVector<func::FuncOp> entries;
    for (auto function : module.getOps<func::FuncOp>()) {
      if (function->hasAttr(rt::kKernelName))
        markKernel(function);
      else if (!function.isDeclaration())
        entries.push_back(function);
    }
    for (func::FuncOp function : entries) {
      symbols.addMarks(function);
      function.walk(
          [&](rt::RuntimeCallOpInterface call) { symbols.add(call); });
      function.walk([&](rt::CoordinateOp op) {
        Type i64 = IntegerType::get(&getContext(), 64);
        symbols.addFunction("tprt_coordinate", i64, {pointerType(op), i64});
      });
    }
    for (func::FuncOp function : entries) {
      if (failed(checkBuffers(function)) || failed(checkHalves(function)) ||
          failed(checkMarks(function)) || failed(checkBiases(function)) ||
          failed(convertEntry(makeEntry(function), symbols)))
        return signalPassFailure();
    }
    if (failed(convertKernels(module)))
      return signalPassFailure();
    // Meshes and groups have gone into the manifest.
    for (auto mesh : llvm::make_early_inc_range(module.getOps<MeshOp>()))
      mesh.erase();
    module->removeAttr(rt::kGroupsName);
  }

  /// A kernel stays a function: entries are not worth optimising into.
  static void markKernel(func::FuncOp kernel) {
    kernel->setAttr("passthrough",
                    Builder(kernel).getStrArrayAttr({"noinline"}));
    kernel->removeAttr(rt::kKernelName);
  }

  static LogicalResult checkBiases(func::FuncOp function) {
    for (auto contract : function.getOps<rt::ContractOp>())
      if (contract.getBias())
        return contract.emitOpError("adds a bias, which only programs for GPUs "
                                    "do; leave out rt-fold-bias");
    return success();
  }

  /// What is started is waited for, later and by nothing else.
  static LogicalResult checkHalves(func::FuncOp function) {
    llvm::MapVector<int64_t, rt::CollectiveOp> started;
    llvm::SmallDenseSet<int64_t> awaited;
    for (Operation &op : function.getBody().front()) {
      auto collective = dyn_cast<rt::CollectiveOp>(op);
      if (collective && collective.getStarted())
        started[collective.getId()] = collective;
      auto wait = dyn_cast<rt::WaitOp>(op);
      if (wait && !started.count(wait.getId()))
        return wait.emitOpError("waits for collective ")
               << wait.getId() << ", which is not started before it";
      if (wait)
        awaited.insert(wait.getId());
    }
    for (auto &[id, collective] : started)
      if (!awaited.contains(id))
        return collective.emitOpError("is started and never waited for");
    return success();
  }

  /// Marks of collectives name one of the function's.
  static LogicalResult checkMarks(func::FuncOp function) {
    llvm::SmallDenseSet<int64_t> ids;
    for (auto collective : function.getOps<rt::CollectiveOp>())
      ids.insert(collective.getId());
    for (auto mark : function.getOps<rt::MarkOp>())
      if (std::optional<int64_t> id = mark.getCollective())
        if (!ids.contains(*id))
          return mark.emitOpError("is of collective ")
                 << *id << ", which the function does not have";
    return success();
  }

  /// An entry must be at the runtime level already.
  static LogicalResult checkBuffers(func::FuncOp function) {
    if (!function.getBody().hasOneBlock())
      return function.emitError("an entry must be straight-line code");
    for (TypeRange types : {TypeRange(function.getArgumentTypes()),
                            TypeRange(function.getResultTypes())})
      for (Type type : types)
        if (!isa<MemRefType>(type))
          return function.emitError("an entry must work on buffers, got ")
                 << type << "; run tp-lower-to-runtime first";
    return success();
  }
};

} // namespace
