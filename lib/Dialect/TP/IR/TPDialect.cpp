//===- TPDialect.cpp - the tp dialect and its global ops ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/IR/TP.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;

#include "tp/Dialect/TP/IR/TPDialect.cpp.inc"
#include "tp/Dialect/TP/IR/TPInterfaces.cpp.inc"
#define GET_OP_CLASSES
#include "tp/Dialect/TP/IR/TPOps.cpp.inc"

void TPDialect::initialize() {
#if LLVM_THREAD_SANITIZER_BUILD
  // The packaged MLIR is not instrumented, so the sanitizer does not see its
  // locks and reports races within it.
  getContext()->disableMultithreading();
#endif
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "tp/Dialect/TP/IR/TPOps.cpp.inc"
      >();
}

MeshAttr tp::lookupMesh(Operation *from, FlatSymbolRefAttr name) {
  auto mesh = SymbolTable::lookupNearestSymbolFrom<MeshOp>(from, name);
  return mesh ? mesh.getMesh() : MeshAttr();
}

RankedTensorType tp::tensorOf(Type type) {
  if (auto pending = dyn_cast<PendingType>(type))
    return pending.getTensor();
  return dyn_cast<RankedTensorType>(type);
}

bool tp::isStart(Operation *op) {
  return op->getNumResults() && isa<PendingType>(op->getResultTypes().front());
}

//===----------------------------------------------------------------------===//
// Attributes on functions and ops
//===----------------------------------------------------------------------===//

/// Checks a sharding wherever it stands; `type` may be null.
static LogicalResult verifyAt(Operation *op, Attribute attribute,
                              RankedTensorType type,
                              function_ref<InFlightDiagnostic()> emitError) {
  auto sharding = dyn_cast<ShardingAttr>(attribute);
  if (!sharding)
    return emitError() << "expects a #tp.sharding, got " << attribute;
  MeshAttr mesh = lookupMesh(op, sharding.getMesh());
  if (!mesh)
    return emitError() << "refers to an unknown mesh " << sharding.getMesh();
  return verifySharding(sharding, mesh, type, emitError);
}

static LogicalResult verifyRoles(Operation *op, Attribute attribute) {
  auto mesh = dyn_cast<MeshOp>(op);
  auto roles = dyn_cast<DictionaryAttr>(attribute);
  if (!mesh || !roles)
    return op->emitError() << "'" << kRolesName
                           << "' gives the axes of a mesh their roles";
  for (NamedAttribute role : roles) {
    if (!mesh.getMesh().getAxisSize(role.getName()))
      return op->emitError()
             << "'" << kRolesName << "': there is no axis " << role.getName();
    auto name = dyn_cast<StringAttr>(role.getValue());
    if (!name || (name != kDataParallel && name != kTensorParallel))
      return op->emitError()
             << "'" << kRolesName << "': the role of " << role.getName()
             << " is \"" << kDataParallel << "\" or \"" << kTensorParallel
             << "\", got " << role.getValue();
  }
  return success();
}

LogicalResult TPDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if (attribute.getName() == kRolesName)
    return verifyRoles(op, attribute.getValue());
  if (attribute.getName() != kShardingsName)
    return success();
  auto shardings = dyn_cast<ArrayAttr>(attribute.getValue());
  if (!shardings || shardings.size() != op->getNumResults())
    return op->emitError() << "'" << kShardingsName
                           << "' expects one sharding for each result";
  for (auto [sharding, result] : llvm::zip(shardings, op->getResults()))
    if (failed(verifyAt(
            op, sharding, dyn_cast<RankedTensorType>(result.getType()),
            [&] { return op->emitError() << "'" << kShardingsName << "': "; })))
      return failure();
  return success();
}

/// An argument or result of a function: `tp.sharding` and `tp.global`.
static LogicalResult verifySlot(Operation *function, NamedAttribute attribute,
                                DictionaryAttr all, Type type,
                                const Twine &what) {
  auto emitError = [&] {
    return function->emitError()
           << what << ": '" << attribute.getName().str() << "': ";
  };
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (attribute.getName() == kGlobalName) {
    auto global = dyn_cast<TypeAttr>(attribute.getValue());
    auto globalTensor = global ? dyn_cast<RankedTensorType>(global.getValue())
                               : RankedTensorType();
    if (!globalTensor)
      return emitError() << "expects a ranked tensor type";
    // With a sharding, the shapes are compared there.
    bool isSharded = all && all.contains(kShardingName);
    if (!tensor || tensor.getElementType() != globalTensor.getElementType() ||
        tensor.getRank() != globalTensor.getRank() ||
        (!isSharded && tensor != globalTensor))
      return emitError() << globalTensor << " cannot be " << type
                         << " on a device";
    return success();
  }
  if (attribute.getName() != kShardingName)
    return success();
  auto global = all ? all.getAs<TypeAttr>(kGlobalName) : TypeAttr();
  auto globalTensor =
      global ? dyn_cast<RankedTensorType>(global.getValue()) : tensor;
  if (failed(verifyAt(function, attribute.getValue(), globalTensor, emitError)))
    return failure();
  if (!global || !tensor || !globalTensor)
    return success();
  auto sharding = cast<ShardingAttr>(attribute.getValue());
  Placement placement =
      toPlacement(sharding, lookupMesh(function, sharding.getMesh()),
                  globalTensor.getShape());
  for (auto [pad, axes] : llvm::zip(placement.pads, placement.dims))
    if (pad % sizeOf(axes))
      return emitError() << "padded extent " << pad
                         << " is not a multiple of its axes' size "
                         << sizeOf(axes);
  if (ArrayRef<int64_t>(placement.localShape()) != tensor.getShape())
    return emitError() << "gives another local shape than " << tensor;
  return success();
}

LogicalResult TPDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                  unsigned index,
                                                  NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || index >= function.getNumArguments())
    return success();
  return verifySlot(op, attribute, function.getArgAttrDict(index),
                    function.getArgumentTypes()[index],
                    "argument " + Twine(index));
}

LogicalResult TPDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                     unsigned index,
                                                     NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || index >= function.getNumResults())
    return success();
  return verifySlot(op, attribute, function.getResultAttrDict(index),
                    function.getResultTypes()[index], "result " + Twine(index));
}

//===----------------------------------------------------------------------===//
// Global ops
//===----------------------------------------------------------------------===//

bool MeshOp::isDataParallel(StringRef name) {
  auto roles = (*this)->getAttrOfType<DictionaryAttr>(kRolesName);
  if (auto role = roles ? roles.getAs<StringAttr>(name) : StringAttr())
    return role == kDataParallel;
  return name == "dp" || name == "fsdp" || name == "data";
}

LogicalResult ConstraintOp::verify() {
  if (!getSharding().getPartialAxes().empty())
    return emitOpError("cannot ask for a partial value");
  return verifyAt(*this, getSharding(), getInput().getType(),
                  [&] { return emitOpError(); });
}

ShardingAttr ConstraintOp::getDeclaredOperand(unsigned) { return {}; }
ShardingAttr ConstraintOp::getDeclaredResult(unsigned) { return getSharding(); }

SmallVector<Value> ConstraintOp::buildDerivative(OpBuilder &,
                                                 ValueRange gradients) {
  return {gradients[0]};
}

ShardingRule ConstraintOp::getShardingRule() {
  ShardingRule rule = ShardingRule::elementwise(*this);
  if (getLazy())
    rule.each = {0};
  return rule;
}

/// Shares one axis out among the parts that a dim is split into, but for the
/// last, the width of a head: into the smallest blocks, the most major part
/// first. Parts are padded.
static SmallVector<Axes> shareAxis(const Axis &axis, ArrayRef<int64_t> sizes) {
  const size_t count = std::max<size_t>(sizes.size() - 1, 1);
  SmallVector<int64_t> shares(count, 1), best;
  double smallest = 0;
  auto enumerate = [&](auto &self, size_t part, int64_t left) -> void {
    if (part + 1 == count) {
      shares[part] = left;
      double block = 1;
      for (auto [size, share] : llvm::zip(sizes, shares))
        block *= double(llvm::divideCeil(size, share));
      if (best.empty() || block < smallest) {
        best = shares;
        smallest = block;
      }
      return;
    }
    for (int64_t share = std::min(left, sizes[part]); share > 0; --share)
      if (left % share == 0) {
        shares[part] = share;
        self(self, part + 1, left / share);
      }
  };
  // A dim becomes three parts at most: KV heads, groups and the width.
  enumerate(enumerate, 0, axis.size);
  SmallVector<Axes> parts(sizes.size());
  int64_t pre = axis.pre;
  for (auto [part, share] : llvm::zip(parts, best)) {
    if (share > 1)
      part.push_back({axis.name, pre, share});
    pre *= share;
  }
  return parts;
}

/// The axes of a dim on the parts that it is split into, so that blocks stay as
/// they are; where they cut no part evenly, heads stay whole.
static SmallVector<Axes> splitAxes(ArrayRef<Axis> axes,
                                   ArrayRef<int64_t> sizes) {
  SmallVector<Axes> parts(sizes.size());
  size_t part = 0;
  int64_t left = sizes.front();
  for (Axis axis : axes)
    while (axis.size > 1) {
      while (left == 1 && part + 1 < sizes.size())
        left = sizes[++part];
      int64_t size = std::gcd(axis.size, left);
      if (size == 1 || (size != axis.size && size != left)) {
        if (axes.size() == 1)
          return shareAxis(axes.front(), sizes);
        parts.assign(sizes.size(), Axes());
        parts.front().assign(axes.begin(), axes.end());
        return parts;
      }
      parts[part].push_back({axis.name, axis.pre, size});
      axis = {axis.name, axis.pre * size, axis.size / size};
      left /= size;
    }
  return parts;
}

Operation *ConstraintOp::splitFactor(OpBuilder &builder, unsigned factor,
                                     ArrayRef<int64_t> sizes,
                                     ValueRange operands) {
  ShardingAttr old = getSharding();
  MeshAttr mesh = lookupMesh(*this, old.getMesh());
  RankedTensorType type = cast<RankedTensorType>(
      splitResultTypes(*this, getShardingRule(), factor, sizes).front());
  Placement from = toPlacement(old, mesh, getType().getShape());
  Placement to = Placement::replicated(type.getShape());
  SmallVector<unsigned> origin;
  for (unsigned i = 0; i < from.dims.size(); ++i)
    origin.append(i == factor ? sizes.size() : 1, i);
  SmallVector<Axes> parts = splitAxes(from.dims[factor], sizes);
  for (auto [i, axes] : llvm::enumerate(to.dims)) {
    axes = origin[i] == factor ? parts[i - factor] : from.dims[origin[i]];
    if (origin[i] != factor)
      to.pads[i] = from.pads[origin[i]];
  }
  // What is asked for besides the axes; the parts have padding of their own.
  ShardingAttr split =
      toSharding(to, old.getMesh(), mesh, type.getShape(), getContext());
  SmallVector<DimShardingAttr> dims;
  for (auto [dim, from] : llvm::zip(split.getDims(), origin)) {
    DimShardingAttr asked = old.getDims()[from];
    dims.push_back(DimShardingAttr::get(getContext(), dim.getAxes(),
                                        from == factor ? 0 : asked.getPad(),
                                        asked.getOpen(), asked.getPriority()));
  }
  auto constraint = ConstraintOp::create(
      builder, getLoc(), type, operands[0],
      ShardingAttr::get(getContext(), old.getMesh(), dims,
                        split.getPartialKind(), split.getPartialAxes()),
      getLazyAttr());
  constraint->setDiscardableAttrs((*this)->getDiscardableAttrDictionary());
  constraint->removeAttr(kShardingsName);
  return constraint;
}

ShardingAttr ReshardOp::getDeclaredOperand(unsigned) { return getFromAttr(); }
ShardingAttr ReshardOp::getDeclaredResult(unsigned) { return getTo(); }

LogicalResult ReshardOp::verify() {
  RankedTensorType type = getInput().getType();
  auto emit = [&](StringRef which) {
    return [this, which] { return emitOpError() << "'" << which << "': "; };
  };
  auto check = [&](ShardingAttr sharding, StringRef which) -> LogicalResult {
    if (failed(verifyAt(*this, sharding, type, emit(which))))
      return failure();
    for (DimShardingAttr dim : sharding.getDims())
      if (dim.getOpen() || dim.getPriority() >= 0)
        return emit(which)() << "open dims and priorities are for constraints";
    return success();
  };
  if (failed(check(getTo(), "to")))
    return failure();
  if (!getFromAttr())
    return success();
  if (failed(check(getFromAttr(), "from")))
    return failure();
  if (getFromAttr().getMesh() != getTo().getMesh())
    return emitOpError("cannot go from one mesh to another");
  MeshAttr mesh = lookupMesh(*this, getTo().getMesh());
  Placement from = toPlacement(getFromAttr(), mesh, type.getShape());
  Placement to = toPlacement(getTo(), mesh, type.getShape());
  if (from.pads != to.pads)
    return emitOpError("a reshard keeps the padded extents");
  return success();
}

bool tp::isLocal(FunctionOpInterface function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (function.getArgAttr(i, kGlobalName))
      return true;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (function.getResultAttr(i, kGlobalName))
      return true;
  return false;
}

bool tp::isEmbedded(FunctionOpInterface function) {
  return isLocal(function) && SymbolTable::getSymbolVisibility(function) ==
                                  SymbolTable::Visibility::Private;
}

static FunctionOpInterface calleeOf(CallOp op) {
  return SymbolTable::lookupNearestSymbolFrom<FunctionOpInterface>(
      op, op.getCalleeAttr());
}

/// Whether `from` calls `what`, itself or through others.
static bool reaches(Operation *from, Operation *what,
                    llvm::SmallPtrSetImpl<Operation *> &seen) {
  if (from == what)
    return true;
  if (!seen.insert(from).second)
    return false;
  WalkResult found = from->walk([&](CallOp call) {
    Operation *callee = calleeOf(call);
    return callee && reaches(callee, what, seen) ? WalkResult::interrupt()
                                                 : WalkResult::advance();
  });
  return found.wasInterrupted();
}

/// The types of a call are the callee's global ones or, in a local program, its
/// own.
LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getCalleeAttr());
  if (!callee)
    return emitOpError("calls ") << getCalleeAttr() << ", which is no function";
  if (!isEmbedded(callee) || callee.isExternal())
    return emitOpError("calls ")
           << getCalleeAttr() << ", which is not a private local function; its "
           << "arguments and results need '" << kGlobalName << "' and '"
           << kShardingName << "'";
  if (callee->getParentOfType<ProgramOp>() !=
      (*this)->getParentOfType<ProgramOp>())
    return emitOpError("calls a function of another program");
  llvm::SmallPtrSet<Operation *, 4> seen;
  if (reaches(callee, (*this)->getParentOfType<FunctionOpInterface>(), seen))
    return emitOpError("calls ")
           << getCalleeAttr() << ", which it is part of; what a recursive "
           << "function declares cannot be proven";
  if (callee.getNumArguments() != getNumOperands() ||
      callee.getNumResults() != getNumResults())
    return emitOpError("calls ")
           << getCalleeAttr() << " of " << callee.getNumArguments()
           << " arguments and " << callee.getNumResults() << " results with "
           << getNumOperands() << " and " << getNumResults();
  auto check = [&](const Twine &what, Type type, Type local, Attribute global,
                   Attribute sharding) -> LogicalResult {
    auto globalType = dyn_cast_or_null<TypeAttr>(global);
    if (isa<RankedTensorType>(local) && (!globalType || !sharding))
      return emitOpError("calls ")
             << getCalleeAttr() << ", " << what << " of which needs '"
             << kGlobalName << "' and '" << kShardingName << "'";
    if (type != local && (!globalType || type != globalType.getValue()))
      return emitOpError("passes ")
             << type << " as " << what << " of " << getCalleeAttr()
             << ", which is " << local << " on a device"
             << (globalType ? " and as a whole " : "")
             << (globalType ? globalType.getValue() : Type(local));
    return success();
  };
  for (auto [i, value] : llvm::enumerate(getOperands()))
    if (failed(check("argument " + Twine(i), value.getType(),
                     callee.getArgumentTypes()[i],
                     callee.getArgAttr(i, kGlobalName),
                     callee.getArgAttr(i, kShardingName))))
      return failure();
  for (auto [i, value] : llvm::enumerate(getResults()))
    if (failed(check("result " + Twine(i), value.getType(),
                     callee.getResultTypes()[i],
                     callee.getResultAttr(i, kGlobalName),
                     callee.getResultAttr(i, kShardingName))))
      return failure();
  return success();
}

ShardingAttr CallOp::getDeclaredOperand(unsigned index) {
  FunctionOpInterface callee = calleeOf(*this);
  return callee ? dyn_cast_or_null<ShardingAttr>(
                      callee.getArgAttr(index, kShardingName))
                : ShardingAttr();
}

ShardingAttr CallOp::getDeclaredResult(unsigned index) {
  FunctionOpInterface callee = calleeOf(*this);
  return callee ? dyn_cast_or_null<ShardingAttr>(
                      callee.getResultAttr(index, kShardingName))
                : ShardingAttr();
}

/// Nothing passes from one side to the other: every dim is by itself.
ShardingRule CallOp::getShardingRule() {
  ShardingRule rule;
  auto add = [&](Type type) {
    TensorFactors dims;
    for (int64_t size : shapeOf(type))
      dims.push_back({rule.addFactor(size, FactorKind::Replicate)});
    return dims;
  };
  for (Type type : getOperandTypes())
    rule.operands.push_back(add(type));
  for (Type type : getResultTypes())
    rule.results.push_back(add(type));
  return rule;
}

Operation *CallOp::buildLocal(OpBuilder &builder, ValueRange operands,
                              TypeRange resultTypes,
                              function_ref<Value(unsigned)>) {
  return cloneWith(builder, *this, operands, resultTypes);
}

LogicalResult ProgramOp::verifyRegions() {
  for (Operation &op : getBody().front()) {
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (!isa<MeshOp>(op) && !function)
      return emitOpError("holds meshes and functions, not '")
             << op.getName() << "'";
    if (function && !function.getFunctionBody().hasOneBlock())
      return function.emitError("a function of a tp.program has one block");
  }
  return success();
}

LogicalResult ShardStartOp::verify() {
  MeshAttr mesh = lookupMesh(*this, getMeshAttr());
  if (!mesh)
    return emitOpError("refers to an unknown mesh ") << getMeshAttr();
  for (Attribute axis : getAxes())
    if (!isa<AxisRefAttr>(axis) ||
        !mesh.getAxisSize(cast<AxisRefAttr>(axis).getName()))
      return emitOpError("expects axes of ")
             << getMeshAttr() << ", got " << axis;
  return success();
}

LogicalResult MaskOp::verify() {
  int64_t rank = getInput().getType().getRank();
  if (int64_t(getDim()) < 0 || int64_t(getDim()) >= rank)
    return emitOpError("has no dim ") << getDim();
  if (int64_t(getSize()) < 0)
    return emitOpError("needs a size that is not negative");
  return success();
}
