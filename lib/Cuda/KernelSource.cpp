//===- KernelSource.cpp - the ops of kernels as source --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Scalars and vectors are written alike: tprt/cuda/Vector.h gives vectors the
// operators and functions of scalars.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "tp/Cuda/SourcePrinter.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Literals
//===----------------------------------------------------------------------===//

/// A number such that reading it back gives the same bits.
static std::string literalOf(const APFloat &value, Type type) {
  std::string text;
  if (value.isNaN()) {
    text = "NAN";
  } else if (value.isInfinity()) {
    text = value.isNegative() ? "-INFINITY" : "INFINITY";
  } else {
    SmallString<32> digits;
    value.toString(digits);
    text = std::string(digits);
    if (StringRef(text).find_first_of(".eE") == StringRef::npos)
      text += ".0";
    if (!type.isF64())
      text += "f";
  }
  if (type.isBF16())
    return "cast<__nv_bfloat16>(" + text + ")";
  return type.isF16() ? "cast<__half>(" + text + ")" : text;
}

static std::string literalOf(Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return literalOf(number.getValue(), number.getType());
  auto integer = cast<IntegerAttr>(value);
  if (integer.getType().isInteger(1))
    return integer.getValue().isZero() ? "false" : "true";
  // The least number has no literal: its digits do not fit without the sign.
  int64_t number = integer.getValue().getSExtValue();
  if (number == std::numeric_limits<int64_t>::min())
    return "INT64_MIN";
  return number < 0 ? "(" + std::to_string(number) + ")"
                    : std::to_string(number);
}

static std::string listOf(DenseElementsAttr elements) {
  std::string list;
  for (Attribute element : elements.getValues<Attribute>())
    list += (list.empty() ? "" : ", ") + literalOf(element);
  return "{" + list + "}";
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

namespace {

template <typename Model, typename Op>
using Base = SourceOpInterface::ExternalModel<Model, Op>;

/// The operands' names, separated by commas.
std::string argumentsOf(Operation *op, const SourcePrinter &printer) {
  std::string list;
  for (Value operand : op->getOperands())
    list += (list.empty() ? "" : ", ") + printer.nameOf(operand);
  return list;
}

struct ConstantSource : Base<ConstantSource, arith::ConstantOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto constant = cast<arith::ConstantOp>(op);
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    FailureOr<std::string> type = printer.typeOf(constant.getType(), op);
    if (failed(type))
      return failure();
    if (!elements)
      printer.setName(constant, literalOf(constant.getValue()));
    else if (elements.isSplat())
      printer.setName(constant, "splat<" + Twine(elements.getNumElements()) +
                                    ">(" + typed(elements, op, printer) + ")");
    else
      printer.setName(constant, *type + "{" + listOf(elements) + "}");
    return success();
  }

private:
  /// Integers of one literal may have several types.
  static std::string typed(DenseElementsAttr elements, Operation *op,
                           const SourcePrinter &printer) {
    std::string text = literalOf(elements.getSplatValue<Attribute>());
    Type element = elements.getElementType();
    if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() >= 32)
      return text;
    return *printer.typeOf(element, op) + "(" + text + ")";
  }
};

/// `a op b`.
template <typename Op, const char *spelling>
struct InfixSource : Base<InfixSource<Op, spelling>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    return printer.define(op->getResult(0),
                          printer.nameOf(op->getOperand(0)) + " " + spelling +
                              " " + printer.nameOf(op->getOperand(1)));
  }
};

/// Literals have no type of their own: a function of integers is told which.
std::string templateOf(Operation *op, const SourcePrinter &printer) {
  Type type = op->getResult(0).getType();
  return type.isIntOrIndex() ? "<" + *printer.typeOf(type, op) + ">" : "";
}

/// `name(a, b)`: Vector.h names functions as the dialects do.
template <typename Op> struct FunctionSource : Base<FunctionSource<Op>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    if (failed(printer.typeOf(op->getResult(0).getType(), op)))
      return failure();
    return printer.define(op->getResult(0),
                          "tprt_cuda::" + op->getName().stripDialect() +
                              templateOf(op, printer) + "(" +
                              argumentsOf(op, printer) + ")");
  }
};

struct NegateSource : Base<NegateSource, arith::NegFOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    return printer.define(op->getResult(0),
                          "-" + printer.nameOf(op->getOperand(0)));
  }
};

struct SelectSource : Base<SelectSource, arith::SelectOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    if (failed(printer.typeOf(op->getResult(0).getType(), op)))
      return failure();
    return printer.define(op->getResult(0), "select" + templateOf(op, printer) +
                                                "(" + argumentsOf(op, printer) +
                                                ")");
  }
};

/// A conversion of values, not of bits.
template <typename Op> struct CastSource : Base<CastSource<Op>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    Type to = getElementTypeOrSelf(op->getResult(0).getType());
    Type from = getElementTypeOrSelf(op->getOperand(0).getType());
    bool isSigned = !isa<arith::ExtUIOp, arith::UIToFPOp>(op);
    // A boolean is 0 or 1 here, and -1 if it is read with its sign.
    if (from.isInteger(1) ? isa<arith::ExtSIOp, arith::SIToFPOp>(op)
                          : !isSigned)
      return op->emitOpError("cannot be written as CUDA source: it reads ")
             << from << (isSigned ? " with" : " without") << " a sign";
    FailureOr<std::string> type = printer.typeOf(to, op);
    if (failed(type))
      return failure();
    std::string operand = printer.nameOf(op->getOperand(0));
    // The lowest bit, and not whether there is any.
    if (isa<arith::TruncIOp>(op) && to.isInteger(1)) {
      FailureOr<std::string> source = printer.typeOf(from, op);
      if (failed(source))
        return failure();
      std::string one = *source + "(1)";
      if (auto vector = dyn_cast<VectorType>(op->getOperand(0).getType()))
        one = ("splat<" + Twine(vector.getNumElements()) + ">(" + one + ")")
                  .str();
      operand = operand + " & " + one;
    }
    return printer.define(op->getResult(0),
                          "cast<" + *type + ">(" + operand + ")");
  }
};

struct CompareFloatSource : Base<CompareFloatSource, arith::CmpFOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    std::string a = printer.nameOf(op->getOperand(0)),
                b = printer.nameOf(op->getOperand(1));
    auto is = [&](const char *spelling) {
      return a + " " + spelling + " " + b;
    };
    auto isNot = [&](const char *spelling) {
      return "!(" + is(spelling) + ")";
    };
    return printer.define(op->getResult(0), [&]() -> std::string {
      using P = arith::CmpFPredicate;
      switch (cast<arith::CmpFOp>(op).getPredicate()) {
      case P::OEQ:
        return is("==");
      case P::OGT:
        return is(">");
      case P::OGE:
        return is(">=");
      case P::OLT:
        return is("<");
      case P::OLE:
        return is("<=");
      case P::UNE:
        return is("!=");
      case P::UGT:
        return isNot("<=");
      case P::UGE:
        return isNot("<");
      case P::ULT:
        return isNot(">=");
      case P::ULE:
        return isNot(">");
      case P::ONE:
        return "(" + is("<") + ") | (" + is(">") + ")";
      case P::UEQ:
        return "!((" + is("<") + ") | (" + is(">") + "))";
      case P::ORD:
        return "(" + a + " == " + a + ") & (" + b + " == " + b + ")";
      case P::UNO:
        return "(" + a + " != " + a + ") | (" + b + " != " + b + ")";
      case P::AlwaysTrue:
        return "(" + is("==") + ") | (" + is("!=") + ")";
      case P::AlwaysFalse:
        break;
      }
      return "(" + is("==") + ") & (" + is("!=") + ")";
    }());
  }
};

struct CompareIntegerSource : Base<CompareIntegerSource, arith::CmpIOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    StringRef spelling = spell(cast<arith::CmpIOp>(op).getPredicate());
    if (spelling.empty())
      return op->emitOpError(
          "cannot be written as CUDA source: integers have signs there");
    return printer.define(op->getResult(0),
                          printer.nameOf(op->getOperand(0)) + " " + spelling +
                              " " + printer.nameOf(op->getOperand(1)));
  }

private:
  static StringRef spell(arith::CmpIPredicate predicate) {
    using P = arith::CmpIPredicate;
    switch (predicate) {
    case P::eq:
      return "==";
    case P::ne:
      return "!=";
    case P::slt:
      return "<";
    case P::sle:
      return "<=";
    case P::sgt:
      return ">";
    case P::sge:
      return ">=";
    default:
      return "";
    }
  }
};

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The same elements under another type.
struct FlattenSource : Base<FlattenSource, memref::ReinterpretCastOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    printer.setName(op->getResult(0), printer.nameOf(op->getOperand(0)));
    return success();
  }
};

struct GetGlobalSource : Base<GetGlobalSource, memref::GetGlobalOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    printer.setName(op->getResult(0), cast<memref::GetGlobalOp>(op).getName());
    return success();
  }
};

struct GlobalSource : Base<GlobalSource, memref::GlobalOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto global = cast<memref::GlobalOp>(op);
    auto elements =
        dyn_cast_or_null<DenseElementsAttr>(global.getInitialValueAttr());
    if (!elements)
      return op->emitOpError("cannot be written as CUDA source without data");
    FailureOr<std::string> type = printer.typeOf(elements.getElementType(), op);
    if (failed(type))
      return failure();
    printer.line("alignas(16) __device__ const " + *type + " " +
                 global.getSymName() + "[" + Twine(elements.getNumElements()) +
                 "] = " + listOf(elements) + ";");
    return success();
  }
};

/// `buffer[index]`, or a vector that begins there.
template <typename Op> struct LoadSource : Base<LoadSource<Op>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    std::string buffer = printer.nameOf(op->getOperand(0));
    std::string index =
        op->getNumOperands() > 1 ? printer.nameOf(op->getOperand(1)) : "0";
    auto vector = dyn_cast<VectorType>(op->getResult(0).getType());
    if (!vector)
      return printer.define(op->getResult(0), buffer + "[" + index + "]");
    return printer.define(op->getResult(0),
                          "load<" + Twine(vector.getNumElements()) + ">(" +
                              buffer + " + " + index + ")");
  }
};

template <typename Op> struct StoreSource : Base<StoreSource<Op>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    std::string value = printer.nameOf(op->getOperand(0));
    std::string buffer = printer.nameOf(op->getOperand(1));
    std::string index =
        op->getNumOperands() > 2 ? printer.nameOf(op->getOperand(2)) : "0";
    if (isa<VectorType>(op->getOperand(0).getType()))
      printer.line("store(" + buffer + " + " + index + ", " + value + ");");
    else
      printer.line(buffer + "[" + index + "] = " + value + ";");
    return success();
  }
};

struct BroadcastSource : Base<BroadcastSource, vector::BroadcastOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto type = cast<VectorType>(op->getResult(0).getType());
    if (isa<VectorType>(op->getOperand(0).getType()))
      return op->emitOpError("cannot be written as CUDA source: only scalars "
                             "are spread over vectors there");
    return printer.define(op->getResult(0),
                          "splat<" + Twine(type.getNumElements()) + ">(" +
                              printer.nameOf(op->getOperand(0)) + ")");
  }
};

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The name of a combination in Reduce.h; empty if it has none.
StringRef reductionName(StringRef combination) {
  return llvm::StringSwitch<StringRef>(combination)
      .Case("add", "Sum")
      .Case("mul", "Product")
      .Case("maximumf", "Maximum")
      .Case("minimumf", "Minimum")
      .Case("and", "And")
      .Case("or", "Or")
      .Default("");
}

LogicalResult printReduction(Operation *op, SourcePrinter &printer,
                             StringRef over, StringRef combination) {
  StringRef name = reductionName(combination);
  if (name.empty())
    return op->emitOpError("cannot be written as CUDA source: there is no "
                           "reduction by ")
           << combination;
  return printer.define(op->getResult(0),
                        over + "<" + name + ">(" +
                            printer.nameOf(op->getOperand(0)) + ")");
}

struct ReduceLanesSource : Base<ReduceLanesSource, vector::ReductionOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto reduction = cast<vector::ReductionOp>(op);
    if (reduction.getAcc())
      return op->emitOpError(
          "cannot be written as CUDA source with an accumulator");
    return printReduction(op, printer, "reduceLanes",
                          vector::stringifyCombiningKind(reduction.getKind()));
  }
};

struct ReduceBlockSource : Base<ReduceBlockSource, gpu::AllReduceOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto operation = cast<gpu::AllReduceOp>(op).getOp();
    return printReduction(
        op, printer, "reduceBlock",
        operation ? gpu::stringifyAllReduceOperation(*operation) : "a region");
  }
};

//===----------------------------------------------------------------------===//
// Control flow and threads
//===----------------------------------------------------------------------===//

struct ForSource : Base<ForSource, scf::ForOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto loop = cast<scf::ForOp>(op);
    for (auto [initial, carried, result] : llvm::zip(
             loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
      if (failed(printer.define(result, printer.nameOf(initial),
                                /*isConstant=*/false)))
        return failure();
      printer.setName(carried, printer.nameOf(result));
    }
    std::string i = printer.freshName("i");
    printer.setName(loop.getInductionVar(), i);
    return printer.braces(
        "for (int64_t " + i + " = " + printer.nameOf(loop.getLowerBound()) +
            "; " + i + " < " + printer.nameOf(loop.getUpperBound()) + "; " + i +
            " += " + printer.nameOf(loop.getStep()) + ")",
        [&] { return printBody(loop, printer); });
  }

private:
  static LogicalResult printBody(scf::ForOp loop, SourcePrinter &printer) {
    if (failed(printer.printOps(*loop.getBody())))
      return failure();
    OperandRange next = loop.getBody()->getTerminator()->getOperands();
    // A value carried on in the place of another one is read before it is set.
    for (auto [i, value] : llvm::enumerate(next))
      for (Value carried : loop.getRegionIterArgs().take_front(i))
        if (value == carried)
          return loop.emitOpError("cannot be written as CUDA source: it "
                                  "exchanges carried values");
    for (auto [value, result] : llvm::zip(next, loop.getResults()))
      printer.line(printer.nameOf(result) + " = " + printer.nameOf(value) +
                   ";");
    return success();
  }
};

struct IfSource : Base<IfSource, scf::IfOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto branch = cast<scf::IfOp>(op);
    if (branch.getNumResults() || branch.elseBlock())
      return op->emitOpError(
          "cannot be written as CUDA source with results or an alternative");
    return printer.braces(
        "if (" + printer.nameOf(branch.getCondition()) + ")",
        [&] { return printer.printOps(*branch.thenBlock()); });
  }
};

template <typename Op, const char *spelling>
struct ThreadSource : Base<ThreadSource<Op, spelling>, Op> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    printer.setName(op->getResult(0),
                    Twine("int64_t(") + spelling + "." +
                        gpu::stringifyDimension(cast<Op>(op).getDimension()) +
                        ")");
    return success();
  }
};

struct BarrierSource : Base<BarrierSource, gpu::BarrierOp> {
  LogicalResult printSource(Operation *, SourcePrinter &printer) const {
    printer.line("__syncthreads();");
    return success();
  }
};

constexpr char plus[] = "+", minus[] = "-", times[] = "*", over[] = "/",
               modulo[] = "%", bitAnd[] = "&", bitOr[] = "|", bitXor[] = "^",
               shiftLeft[] = "<<", shiftRight[] = ">>";
constexpr char threadIdx[] = "threadIdx", blockIdx[] = "blockIdx",
               blockDim[] = "blockDim", gridDim[] = "gridDim";

template <typename Op, const char *spelling>
void attachInfix(MLIRContext *context) {
  Op::template attachInterface<InfixSource<Op, spelling>>(*context);
}
template <typename... Ops> void attachFunctions(MLIRContext *context) {
  (Ops::template attachInterface<FunctionSource<Ops>>(*context), ...);
}
template <typename... Ops> void attachCasts(MLIRContext *context) {
  (Ops::template attachInterface<CastSource<Ops>>(*context), ...);
}

void attachArith(MLIRContext *context, arith::ArithDialect *) {
  using namespace arith;
  arith::ConstantOp::attachInterface<ConstantSource>(*context);
  attachInfix<AddFOp, plus>(context);
  attachInfix<SubFOp, minus>(context);
  attachInfix<MulFOp, times>(context);
  attachInfix<DivFOp, over>(context);
  attachInfix<AddIOp, plus>(context);
  attachInfix<SubIOp, minus>(context);
  attachInfix<MulIOp, times>(context);
  attachInfix<DivSIOp, over>(context);
  attachInfix<RemSIOp, modulo>(context);
  attachInfix<AndIOp, bitAnd>(context);
  attachInfix<OrIOp, bitOr>(context);
  attachInfix<XOrIOp, bitXor>(context);
  attachInfix<ShLIOp, shiftLeft>(context);
  attachInfix<ShRSIOp, shiftRight>(context);
  attachFunctions<MaximumFOp, MinimumFOp, MaxNumFOp, MinNumFOp, MaxSIOp,
                  MinSIOp>(context);
  attachCasts<ExtFOp, TruncFOp, SIToFPOp, UIToFPOp, FPToSIOp, ExtSIOp, ExtUIOp,
              TruncIOp, IndexCastOp>(context);
  NegFOp::attachInterface<NegateSource>(*context);
  SelectOp::attachInterface<SelectSource>(*context);
  CmpFOp::attachInterface<CompareFloatSource>(*context);
  CmpIOp::attachInterface<CompareIntegerSource>(*context);
}

void attachMath(MLIRContext *context, math::MathDialect *) {
  using namespace math;
  attachFunctions<AbsFOp, AbsIOp, AtanOp, CeilOp, CopySignOp, CosOp, ErfOp,
                  ExpOp, Exp2Op, ExpM1Op, FloorOp, LogOp, Log1pOp, Log2Op,
                  PowFOp, RoundEvenOp, RsqrtOp, SinOp, SqrtOp, TanOp, TanhOp,
                  TruncOp>(context);
}

} // namespace

void tp::registerKernelSource(DialectRegistry &registry) {
  registry.addExtension(attachArith);
  registry.addExtension(attachMath);
  registry.addExtension(+[](MLIRContext *context, memref::MemRefDialect *) {
    memref::ReinterpretCastOp::attachInterface<FlattenSource>(*context);
    memref::GetGlobalOp::attachInterface<GetGlobalSource>(*context);
    memref::GlobalOp::attachInterface<GlobalSource>(*context);
    memref::LoadOp::attachInterface<LoadSource<memref::LoadOp>>(*context);
    memref::StoreOp::attachInterface<StoreSource<memref::StoreOp>>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, vector::VectorDialect *) {
    vector::LoadOp::attachInterface<LoadSource<vector::LoadOp>>(*context);
    vector::StoreOp::attachInterface<StoreSource<vector::StoreOp>>(*context);
    vector::BroadcastOp::attachInterface<BroadcastSource>(*context);
    vector::ReductionOp::attachInterface<ReduceLanesSource>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, scf::SCFDialect *) {
    scf::ForOp::attachInterface<ForSource>(*context);
    scf::IfOp::attachInterface<IfSource>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, gpu::GPUDialect *) {
    gpu::ThreadIdOp::attachInterface<ThreadSource<gpu::ThreadIdOp, threadIdx>>(
        *context);
    gpu::BlockIdOp::attachInterface<ThreadSource<gpu::BlockIdOp, blockIdx>>(
        *context);
    gpu::BlockDimOp::attachInterface<ThreadSource<gpu::BlockDimOp, blockDim>>(
        *context);
    gpu::GridDimOp::attachInterface<ThreadSource<gpu::GridDimOp, gridDim>>(
        *context);
    gpu::BarrierOp::attachInterface<BarrierSource>(*context);
    gpu::AllReduceOp::attachInterface<ReduceBlockSource>(*context);
  });
}
