//===- RTDialect.cpp - the rt dialect, its buffers and kernels ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tprt/Dtype.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::rt;

#include "tp/Dialect/RT/IR/RTDialect.cpp.inc"
#include "tp/Dialect/RT/IR/RTEnums.cpp.inc"
#include "tp/Dialect/RT/IR/RTInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/RT/IR/RTAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "tp/Dialect/RT/IR/RTTypes.cpp.inc"
#define GET_OP_CLASSES
#include "tp/Dialect/RT/IR/RTOps.cpp.inc"

void RTDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "tp/Dialect/RT/IR/RTTypes.cpp.inc"
      >();
}

void RTDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tp/Dialect/RT/IR/RTAttributes.cpp.inc"
      >();
}

void RTDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "tp/Dialect/RT/IR/RTOps.cpp.inc"
      >();
}

LogicalResult PlaceAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                PlaceKind kind, int64_t index) {
  if (index < 0)
    return emitError() << "a place cannot be negative, got " << index;
  return success();
}

OriginAttr rt::findOrigin(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return findOrigin(name.getChildLoc());
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return findOrigin(call.getCallee());
  auto fused = dyn_cast<FusedLoc>(location);
  if (!fused)
    return {};
  if (auto origin = dyn_cast_or_null<OriginAttr>(fused.getMetadata()))
    return origin;
  for (Location part : fused.getLocations())
    if (OriginAttr origin = findOrigin(part))
      return origin;
  return {};
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

std::optional<int64_t> rt::getDTypeCode(Type type) {
  if (type.isF32())
    return 0;
  if (type.isF64())
    return 1;
  if (type.isBF16())
    return 2;
  if (type.isF16())
    return 3;
  if (type.isSignlessInteger(32))
    return 4;
  if (type.isSignlessInteger(64))
    return 5;
  if (type.isSignlessInteger(8))
    return 6;
  return std::nullopt;
}

StringRef rt::getDTypeName(Type type) {
  std::optional<int64_t> code = getDTypeCode(type);
  return code ? StringRef(tprt::kDtypes[*code].name) : StringRef();
}

int64_t rt::getElementBytes(Type type) {
  if (!type.isIntOrFloat())
    return 8;
  // An i0 takes a byte too: sizes and alignments are divided by.
  return llvm::divideCeil(std::max(type.getIntOrFloatBitWidth(), 1u), 8);
}

//===----------------------------------------------------------------------===//
// Stored types
//===----------------------------------------------------------------------===//

static int64_t codeOf(StringRef stored) {
  return tprt::storedByName({stored.data(), stored.size()});
}

LogicalResult StoredType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name, int64_t line) {
  const std::optional<int64_t> block = getBlockElements(name);
  if (!block)
    return emitError() << "the runtime keeps no weights as \"" << name << '"';
  if (line != 0 && !mayInterleave(name, line))
    return emitError() << "the runtime does not interleave lines of " << line
                       << " elements of \"" << name << "\", whose blocks are "
                       << *block;
  return success();
}

bool rt::mayInterleave(StringRef stored, int64_t line) {
  return tprt::mayInterleave(codeOf(stored), line);
}

std::optional<int64_t> rt::getBlockElements(StringRef stored) {
  int64_t code = codeOf(stored);
  if (!tprt::isStored(code))
    return std::nullopt;
  return tprt::storedInfo(code).elements;
}

static_assert(kInterleavedLines == tprt::interleavedLines,
              "the runtime's interface");

bool rt::isInGroupsOfLines(ArrayRef<int64_t> shape, int64_t line) {
  return tprt::isInGroupsOfLines(shape.data(), shape.size(), line);
}

int64_t rt::getStoredCode(MemRefType type) {
  auto stored = dyn_cast<StoredType>(type.getElementType());
  if (!stored)
    return TPRT_STORED_AS_DTYPE;
  return tprt::interleavedStored(codeOf(stored.getName()), stored.getLine());
}

int64_t rt::getBytes(ShapedType type) {
  if (auto memref = dyn_cast<MemRefType>(type))
    if (int64_t code = getStoredCode(memref))
      return tprt::storedBytes(code, type.getNumElements());
  return type.getNumElements() * getElementBytes(type.getElementType());
}

MemRefType rt::getBufferType(RankedTensorType type) {
  Type element = type.getElementType();
  if (element.isInteger(1))
    element = IntegerType::get(type.getContext(), 8);
  return MemRefType::get(type.getShape(), element);
}

//===----------------------------------------------------------------------===//
// Fused
//===----------------------------------------------------------------------===//

ParseResult FusedOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SMLoc loc = parser.getCurrentLocation();
  auto parseInput = [&]() -> ParseResult {
    OpAsmParser::Argument argument;
    OpAsmParser::UnresolvedOperand operand;
    if (parser.parseArgument(argument) || parser.parseEqual() ||
        parser.parseOperand(operand) || parser.parseColonType(argument.type))
      return failure();
    arguments.push_back(argument);
    operands.push_back(operand);
    return success();
  };
  SmallVector<Type> resultTypes;
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren,
                                     parseInput) ||
      parser.parseOptionalArrowTypeList(resultTypes) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  SmallVector<Type> operandTypes;
  for (OpAsmParser::Argument &argument : arguments)
    operandTypes.push_back(argument.type);
  Region *body = state.addRegion();
  if (parser.resolveOperands(operands, operandTypes, loc, state.operands) ||
      parser.parseRegion(*body, arguments))
    return failure();
  FusedOp::ensureTerminator(*body, parser.getBuilder(), state.location);
  state.addTypes(resultTypes);
  return success();
}

void FusedOp::print(OpAsmPrinter &printer) {
  printer << " (";
  llvm::interleaveComma(llvm::zip(getBlock().getArguments(), getInputs()),
                        printer, [&](auto pair) {
                          printer << std::get<0>(pair) << " = "
                                  << std::get<1>(pair) << " : "
                                  << std::get<1>(pair).getType();
                        });
  printer << ')';
  printer.printOptionalArrowTypeList(getResultTypes());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult FusedOp::verify() {
  if (TypeRange(getBlock().getArgumentTypes()) != TypeRange(getInputs()))
    return emitOpError("region arguments must have the types of the inputs");
  auto yield = dyn_cast<YieldOp>(getBlock().getTerminator());
  if (!yield || TypeRange(yield.getValues()) != getResultTypes())
    return emitOpError("must yield values of its results' types");
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

LogicalResult BufferOp::verify() {
  int64_t offset = getOffset();
  if (offset < 0 || offset % getElementBytes(getType().getElementType()))
    return emitOpError("offset ")
           << offset << " is not a multiple of the element's size";
  auto function = (*this)->getParentOfType<func::FuncOp>();
  auto arena = function ? function->getAttrOfType<IntegerAttr>(kArenaBytesName)
                        : IntegerAttr();
  if (arena && offset + getBytes(getType()) > arena.getInt())
    return emitOpError("ends beyond the arena of ")
           << arena.getInt() << " bytes";
  return success();
}

LogicalResult ArgumentOp::verify() {
  auto function = (*this)->getParentOfType<func::FuncOp>();
  int64_t index = getIndex();
  if (!function || index < 0 || index >= int64_t(function.getNumArguments()))
    return emitOpError("the function has no argument ") << index;
  auto type = dyn_cast<ShapedType>(function.getArgumentTypes()[index]);
  if (!type || !type.hasStaticShape() || getBytes(type) != getBytes(getType()))
    return emitOpError("argument ") << index << " is of another size, "
                                    << function.getArgumentTypes()[index];
  return success();
}

LogicalResult ResultOp::verify() {
  auto function = (*this)->getParentOfType<func::FuncOp>();
  int64_t index = getIndex();
  if (!function || index < 0 || index >= int64_t(function.getNumResults()))
    return emitOpError("the function has no result ") << index;
  auto type = dyn_cast<ShapedType>(function.getResultTypes()[index]);
  if (!type || !type.hasStaticShape() || getBytes(type) != getBytes(getType()))
    return emitOpError("result ") << index << " is of another size, "
                                  << function.getResultTypes()[index];
  return success();
}

LogicalResult ViewOp::verify() {
  auto source = getSource().getType();
  if (source.getElementType() != getType().getElementType())
    return emitOpError("needs elements of one type, got ")
           << source << " and " << getType();
  if (getStoredCode(source))
    return emitOpError("does not view weights as they are stored, ") << source;
  if (getStart() ? source.getNumElements() < getType().getNumElements()
                 : source.getNumElements() != getType().getNumElements())
    return emitOpError(getStart() ? "needs no more elements, got "
                                  : "needs as many elements, got ")
           << source << " and " << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

/// Whether a kernel may take `given` where it declares `declared`: the same
/// type, or the tensor that the buffer holds.
static bool matchesKernelType(Type declared, Type given) {
  if (auto tensor = dyn_cast<RankedTensorType>(declared))
    return getBufferType(tensor) == given;
  return declared == given;
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getKernelAttr());
  if (!kernel || !kernel->hasAttr(kKernelName))
    return emitOpError("refers to an unknown kernel ") << getKernelAttr();
  SmallVector<Type> declared(kernel.getArgumentTypes());
  llvm::append_range(declared, kernel.getResultTypes());
  if (declared.size() != getNumOperands())
    return emitOpError("passes ")
           << getNumOperands() << " buffers, the kernel takes "
           << declared.size();
  for (auto [i, pair] : llvm::enumerate(llvm::zip(declared, getOperandTypes())))
    if (!matchesKernelType(std::get<0>(pair), std::get<1>(pair)))
      return emitOpError("operand ")
             << i << " is " << std::get<1>(pair) << ", the kernel takes "
             << std::get<0>(pair);
  return success();
}
