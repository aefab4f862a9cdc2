//===- TPAttributes.cpp - meshes and shardings ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

LogicalResult MeshAxisAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef name, int64_t size) {
  if (name.empty())
    return emitError() << "a mesh axis needs a name";
  if (size <= 0)
    return emitError() << "mesh axis \"" << name
                       << "\" must have a positive size, got " << size;
  return success();
}

LogicalResult MeshAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<MeshAxisAttr> axes) {
  llvm::StringSet<> names;
  int64_t devices = 1;
  for (MeshAxisAttr axis : axes) {
    if (!names.insert(axis.getName()).second)
      return emitError() << "mesh axis \"" << axis.getName()
                         << "\" occurs twice";
    if (llvm::MulOverflow(devices, axis.getSize(), devices) ||
        devices > (int64_t(1) << 40))
      return emitError() << "a mesh has at most 2^40 devices";
  }
  return success();
}

int64_t MeshAttr::getAxisSize(StringRef name) const {
  for (MeshAxisAttr axis : getAxes())
    if (axis.getName() == name)
      return axis.getSize();
  return 0;
}

int64_t MeshAttr::getNumDevices() const {
  int64_t devices = 1;
  for (MeshAxisAttr axis : getAxes())
    devices *= axis.getSize();
  return devices;
}

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  SmallVector<MeshAxisAttr> axes;
  auto parseAxis = [&]() -> ParseResult {
    std::string name;
    int64_t size;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseString(&name) || parser.parseEqual() ||
        parser.parseInteger(size))
      return failure();
    auto axis = MeshAxisAttr::getChecked([&] { return parser.emitError(loc); },
                                         parser.getContext(), name, size);
    axes.push_back(axis);
    return success(axis != nullptr);
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseAxis) ||
      parser.parseGreater())
    return {};
  return MeshAttr::getChecked([&] { return parser.emitError(loc); },
                              parser.getContext(), axes);
}

void MeshAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getAxes(), printer, [&](MeshAxisAttr axis) {
    printer << '"' << axis.getName() << "\"=" << axis.getSize();
  });
  printer << "]>";
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

/// `"tp"` or `"tp":(2)4`.
static FailureOr<AxisRefAttr> parseAxisRef(AsmParser &parser) {
  std::string name;
  int64_t pre = 1, size = 0;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseString(&name))
    return failure();
  if (succeeded(parser.parseOptionalColon())) {
    if (parser.parseLParen() || parser.parseInteger(pre) ||
        parser.parseRParen() || parser.parseInteger(size))
      return failure();
    if (pre < 1 || size < 2)
      return parser.emitError(loc)
             << "sub-axis (m)k needs m of at least 1 and k of at least 2, got ("
             << pre << ")" << size;
  }
  return AxisRefAttr::get(parser.getContext(), name, pre, size);
}

static void printAxisRef(AsmPrinter &printer, AxisRefAttr axis) {
  printer << '"' << axis.getName() << '"';
  if (axis.getSize())
    printer << ":(" << axis.getPre() << ')' << axis.getSize();
}

Attribute AxisRefAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<AxisRefAttr> axis = parseAxisRef(parser);
  if (failed(axis) || parser.parseGreater())
    return {};
  return *axis;
}

void AxisRefAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printAxisRef(printer, *this);
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Shardings
//===----------------------------------------------------------------------===//

/// `{"dp", "tp":(1)2, ?}p1 pad 12`
static FailureOr<DimShardingAttr> parseDim(AsmParser &parser) {
  SmallVector<AxisRefAttr> axes;
  bool open = false;
  auto parseItem = [&]() -> ParseResult {
    if (open)
      return parser.emitError(parser.getCurrentLocation(),
                              "'?' must come last");
    if (succeeded(parser.parseOptionalQuestion())) {
      open = true;
      return success();
    }
    FailureOr<AxisRefAttr> axis = parseAxisRef(parser);
    if (succeeded(axis))
      axes.push_back(*axis);
    return success(succeeded(axis));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseItem))
    return failure();
  int64_t priority = -1, pad = 0;
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  while (succeeded(parser.parseOptionalKeyword(&keyword))) {
    if (keyword == "pad") {
      if (parser.parseInteger(pad))
        return failure();
      if (pad <= 0)
        return parser.emitError(loc, "a padded extent must be positive"),
               failure();
    } else if (!keyword.consume_front("p") ||
               keyword.getAsInteger(10, priority)) {
      return parser.emitError(loc, "expected 'pad' or a priority such as 'p1'"),
             failure();
    }
    loc = parser.getCurrentLocation();
  }
  return DimShardingAttr::get(parser.getContext(), axes, pad, open, priority);
}

static void printDim(AsmPrinter &printer, DimShardingAttr dim) {
  printer << '{';
  llvm::interleaveComma(dim.getAxes(), printer,
                        [&](AxisRefAttr axis) { printAxisRef(printer, axis); });
  if (dim.getOpen())
    printer << (dim.getAxes().empty() ? "?" : ", ?");
  printer << '}';
  if (dim.getPriority() >= 0)
    printer << 'p' << dim.getPriority();
  if (dim.getPad())
    printer << " pad " << dim.getPad();
}

Attribute DimShardingAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<DimShardingAttr> dim = parseDim(parser);
  if (failed(dim) || parser.parseGreater())
    return {};
  return *dim;
}

void DimShardingAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printDim(printer, *this);
  printer << '>';
}

/// `<@mesh, [{..}, ..], partial = sum{"x"}>`
Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  FlatSymbolRefAttr mesh;
  SmallVector<DimShardingAttr> dims;
  SmallVector<AxisRefAttr> partial;
  ReduceKind kind = ReduceKind::Sum;
  auto parseOneDim = [&]() -> ParseResult {
    FailureOr<DimShardingAttr> dim = parseDim(parser);
    if (succeeded(dim))
      dims.push_back(*dim);
    return success(succeeded(dim));
  };
  if (parser.parseLess() || parser.parseAttribute(mesh) ||
      parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOneDim))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    StringRef keyword;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword("partial") || parser.parseEqual() ||
        parser.parseKeyword(&keyword))
      return {};
    std::optional<ReduceKind> parsed = symbolizeReduceKind(keyword);
    if (!parsed) {
      parser.emitError(loc, "expected sum, max, min or product");
      return {};
    }
    kind = *parsed;
    auto parseAxis = [&]() -> ParseResult {
      FailureOr<AxisRefAttr> axis = parseAxisRef(parser);
      if (succeeded(axis))
        partial.push_back(*axis);
      return success(succeeded(axis));
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseAxis))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return ShardingAttr::get(parser.getContext(), mesh, dims, kind, partial);
}

void ShardingAttr::print(AsmPrinter &printer) const {
  printer << '<' << getMesh() << ", [";
  llvm::interleaveComma(getDims(), printer,
                        [&](DimShardingAttr dim) { printDim(printer, dim); });
  printer << ']';
  if (!getPartialAxes().empty()) {
    printer << ", partial = " << stringifyReduceKind(getPartialKind()) << '{';
    llvm::interleaveComma(getPartialAxes(), printer, [&](AxisRefAttr axis) {
      printAxisRef(printer, axis);
    });
    printer << '}';
  }
  printer << '>';
}

ShardingAttr ShardingAttr::getReplicated(FlatSymbolRefAttr mesh, size_t rank) {
  MLIRContext *context = mesh.getContext();
  SmallVector<DimShardingAttr> dims(
      rank, DimShardingAttr::get(context, {}, 0, false, -1));
  return ShardingAttr::get(context, mesh, dims, ReduceKind::Sum, {});
}

bool ShardingAttr::isReplicated() const {
  return getPartialAxes().empty() &&
         llvm::all_of(getDims(), [](DimShardingAttr dim) {
           return dim.getAxes().empty();
         });
}

//===----------------------------------------------------------------------===//
// Checks against a mesh
//===----------------------------------------------------------------------===//

static LogicalResult checkAxis(AxisRefAttr axis, MeshAttr mesh, Axes &used,
                               function_ref<InFlightDiagnostic()> emitError) {
  int64_t full = mesh.getAxisSize(axis.getName());
  if (!full)
    return emitError() << "unknown mesh axis \"" << axis.getName()
                       << "\"; the mesh is " << mesh;
  Axis explicitAxis = toAxis(axis, mesh);
  if (full % explicitAxis.pre || (full / explicitAxis.pre) % explicitAxis.size)
    return emitError() << "sub-axis (" << explicitAxis.pre << ")"
                       << explicitAxis.size << " does not divide axis \""
                       << axis.getName() << "\" of size " << full;
  for (const Axis &other : used) {
    if (!overlap(explicitAxis, other))
      continue;
    const Axis &major = other.pre < explicitAxis.pre ? other : explicitAxis;
    const Axis &minor = other.pre < explicitAxis.pre ? explicitAxis : other;
    if (minor.pre < major.pre * major.size)
      return emitError() << "mesh axis \"" << axis.getName()
                         << "\" is used twice";
    return emitError() << "parts (" << major.pre << ")" << major.size
                       << " and (" << minor.pre << ")" << minor.size
                       << " of axis \"" << axis.getName()
                       << "\" do not fit together";
  }
  used.push_back(explicitAxis);
  return success();
}

LogicalResult tp::verifySharding(ShardingAttr sharding, MeshAttr mesh,
                                 RankedTensorType type,
                                 function_ref<InFlightDiagnostic()> emitError) {
  Axes used;
  if (type && size_t(type.getRank()) != sharding.getDims().size())
    return emitError() << "sharding has " << sharding.getDims().size()
                       << " dims, the tensor has " << type.getRank();
  for (auto [i, dim] : llvm::enumerate(sharding.getDims())) {
    for (AxisRefAttr axis : dim.getAxes())
      if (failed(checkAxis(axis, mesh, used, emitError)))
        return failure();
    if (dim.getOpen() || !type)
      continue;
    int64_t product = 1;
    for (AxisRefAttr axis : dim.getAxes())
      product *= toAxis(axis, mesh).size;
    int64_t size = type.getDimSize(i);
    int64_t padded = dim.getPad() ? dim.getPad() : size;
    if (padded < size)
      return emitError() << "dim " << i << " of size " << size
                         << " cannot be padded to " << padded;
    // A constraint may leave the padding to be chosen.
    if (dim.getPad() && padded % product)
      return emitError() << "dim " << i << " padded to " << padded
                         << " is not a multiple of " << product
                         << ", the size of its axes";
  }
  for (AxisRefAttr axis : sharding.getPartialAxes())
    if (failed(checkAxis(axis, mesh, used, emitError)))
      return failure();
  return success();
}

#define GET_ATTRDEF_CLASSES
#include "tp/Dialect/TP/IR/TPAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "tp/Dialect/TP/IR/TPTypes.cpp.inc"

void TPDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tp/Dialect/TP/IR/TPAttributes.cpp.inc"
      >();
}

void TPDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "tp/Dialect/TP/IR/TPTypes.cpp.inc"
      >();
}
