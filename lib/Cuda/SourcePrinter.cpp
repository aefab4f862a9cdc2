//===- SourcePrinter.cpp - writes ops as CUDA source ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Cuda/SourcePrinter.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Interfaces/ShardingRule.h"
#include "llvm/ADT/StringExtras.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;

#include "tp/Cuda/SourceOpInterface.cpp.inc"

std::string SourceTables::addCall(StringRef callee, StringRef words,
                                  int64_t alignment, Operation *op) {
  std::string text =
      ("  static constexpr tprt_" + callee + "_desc desc = {" + words +
       "};\n  static constexpr int64_t alignment = " + Twine(alignment) + ";\n")
          .str();
  auto [it, isNew] = callNumbers.try_emplace(text, unsigned(calls.size()));
  if (isNew)
    calls.push_back({(callee + "_" + Twine(calleeCounts[callee]++)).str(), text,
                     moduleOf(op->getLoc()).str()});
  Call &call = calls[it->second];
  ++call.count;
  return "calls::" + call.name;
}

int64_t tp::alignmentOf(ValueRange values) {
  int64_t alignment = kBufferAlignment;
  for (Value buffer : values) {
    while (auto view =
               buffer ? buffer.getDefiningOp<rt::ViewOp>() : rt::ViewOp()) {
      if (view.getStart())
        alignment = std::min<int64_t>(
            alignment,
            rt::getElementBytes(
                cast<MemRefType>(buffer.getType()).getElementType()));
      buffer = view.getSource();
    }
    // What tp-plan-memory plans is aligned; what is written by hand may not be.
    if (auto planned =
            buffer ? buffer.getDefiningOp<rt::BufferOp>() : rt::BufferOp())
      alignment = std::gcd(alignment, int64_t(planned.getOffset()));
  }
  return alignment;
}

void SourcePrinter::line(const Twine &text) {
  std::string whole = text.str();
  if (!whole.empty())
    os.indent(2 * depth) << whole;
  os << "\n";
}

void SourcePrinter::comment(const Twine &text) {
  std::string whole = "// " + text.str();
  // Neither may a comment end early nor go on: not even by a backslash.
  for (char &c : whole)
    if (!llvm::isPrint(c) || c == '\\')
      c = '?';
  line(whole);
}

LogicalResult SourcePrinter::braces(const Twine &head,
                                    function_ref<LogicalResult()> body) {
  std::string text = head.str();
  line(text + (text.empty() ? "{" : " {"));
  ++depth;
  LogicalResult result = body();
  --depth;
  line("}");
  return result;
}

std::string SourcePrinter::freshName(StringRef wanted) {
  std::string name = wanted.str();
  for (unsigned i = 1; !taken.insert(name).second; ++i)
    name = (wanted + "_" + Twine(i)).str();
  return name;
}

LogicalResult SourcePrinter::define(Value result, const Twine &expression,
                                    bool isConstant) {
  Operation *op = result.getDefiningOp();
  if (!op)
    op = result.getParentBlock()->getParentOp();
  FailureOr<std::string> type = typeOf(result.getType(), op);
  if (failed(type))
    return failure();
  std::string name = freshName(("v" + Twine(numVariables++)).str());
  bool isPointer = StringRef(*type).ends_with("*");
  line((isPointer || !isConstant ? "" : "const ") + *type +
       (isPointer ? "" : " ") + name + " = " + expression + ";");
  setName(result, name);
  return success();
}

static StringRef scalarName(Type type) {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  if (type.isBF16())
    return "__nv_bfloat16";
  if (type.isF16())
    return "__half";
  if (type.isSignlessInteger(1))
    return "bool";
  if (type.isSignlessInteger(8))
    return "int8_t";
  if (type.isSignlessInteger(16))
    return "int16_t";
  if (type.isSignlessInteger(32))
    return "int32_t";
  if (type.isSignlessInteger(64) || type.isIndex())
    return "int64_t";
  return "";
}

FailureOr<std::string> SourcePrinter::typeOf(Type type, Operation *op) const {
  StringRef name = scalarName(getElementTypeOrSelf(type));
  auto vector = dyn_cast<VectorType>(type);
  if (!name.empty() && isa<MemRefType>(type))
    return name.str() + " *";
  if (!name.empty() && vector && vector.getRank() == 1 && !vector.isScalable())
    return ("Vector<" + name + ", " + Twine(vector.getNumElements()) + ">")
        .str();
  if (!name.empty() && !isa<ShapedType>(type))
    return name.str();
  return op->emitOpError("has a value of type ")
         << type << ", which CUDA source has no type for";
}

LogicalResult SourcePrinter::printOp(Operation &op) {
  if (auto source = dyn_cast<SourceOpInterface>(op))
    return source.printSource(*this);
  return op.emitOpError("cannot be written as CUDA source");
}

LogicalResult SourcePrinter::printOps(Block &block) {
  for (Operation &op : block)
    if (!op.hasTrait<OpTrait::IsTerminator>() && failed(printOp(op)))
      return failure();
  return success();
}
