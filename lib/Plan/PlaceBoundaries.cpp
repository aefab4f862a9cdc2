//===- PlaceBoundaries.cpp - requests on boundaries as constraints --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Placing.h"

using namespace mlir;
using namespace mlir::tp;

void PlacingContext::remark(const Twine &text, const Request &request,
                            StringRef instead) const {
  std::string tensor = text.str();
  std::string kind = StringRef(tensor).split(' ').first.str();
  if (said.insert(kind + " " + request.source()).second)
    emitRemark(UnknownLoc::get(mesh.getContext()))
        << tensor << " (asked by " << request.source() << "); " << instead
        << ", here and wherever else the entry asks it and cannot have it";
}

LogicalResult PlacingContext::unmet(const Twine &text, const Request &request,
                                    StringRef instead) const {
  if (mayWeaken) {
    remark(text, request, instead);
    return success();
  }
  return emitError(UnknownLoc::get(mesh.getContext()))
         << text << " (asked by " << request.source()
         << "); with \"when_unmet\": \"remark\" in the plan, " << instead;
}

BoundaryPlacer::BoundaryPlacer(
    func::FuncOp function, const PlacingContext &context,
    const DimClasses &classes, ArrayRef<Axes> classAxes,
    const llvm::DenseMap<unsigned, PlacedParameter> &placed,
    const llvm::DenseMap<unsigned, SmallVector<Request, 2>> &asked)
    : function(function), context(context), classes(classes),
      classAxes(classAxes), placed(placed), asked(asked) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto parameter =
        function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
    if (!parameter)
      continue;
    auto add = [&](StringRef name) {
      parametersOf[name.rsplit('.').first].push_back(i);
    };
    add(parameter.getName());
    if (ArrayAttr aliases = parameter.getAliases())
      for (StringAttr alias : aliases.getAsRange<StringAttr>())
        add(alias);
  }
}

void BoundaryPlacer::run() {
  SmallVector<nn::BoundaryOp> boundaries(function.getOps<nn::BoundaryOp>());
  for (nn::BoundaryOp op : boundaries) {
    place(op);
    op.getResult().replaceAllUsesWith(op.getInput());
    op.erase();
  }
}

void BoundaryPlacer::place(nn::BoundaryOp op) {
  SmallVector<Request, 2> requests = readRequests(op->getAttr(kRequestName));
  OpBuilder builder(op);
  for (int64_t stage : {0, 1}) {
    SmallVector<Request, 2> now;
    for (const Request &request : requests)
      if (request.stage == stage)
        now.push_back(request);
    if (now.empty())
      continue;
    ShardingAttr sharding = shardingFor(op, now);
    if (!sharding)
      continue;
    // What comes into the model comes as it is taken to be.
    auto argument = dyn_cast<BlockArgument>(op.getInput());
    if (argument && op.getModule() == kRootModule && stage == 0) {
      function.setArgAttr(argument.getArgNumber(), kShardingName, sharding);
      continue;
    }
    bool isLazy = llvm::all_of(
        now, [](const Request &request) { return request.isLazy; });
    auto constraint =
        ConstraintOp::create(builder, op.getLoc(), op.getInput(), sharding,
                             isLazy ? builder.getUnitAttr() : UnitAttr());
    Request about = now.front();
    constraint->setAttr(
        kAskedName,
        builder.getDictionaryAttr(
            {builder.getNamedAttr(
                 "boundary", builder.getStringAttr(op.getDirection() + " \"" +
                                                   op.getName() + "\" of \"" +
                                                   op.getModule() + "\"")),
             builder.getNamedAttr("entry", builder.getStringAttr(about.entry)),
             builder.getNamedAttr("style",
                                  builder.getStringAttr(about.style))}));
    op.getInputMutable().assign(constraint);
  }
}

ShardingAttr BoundaryPlacer::shardingFor(nn::BoundaryOp op,
                                         ArrayRef<Request> requests) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  Placement placement = Placement::replicated(shape);
  bool isAny = false;
  SmallVector<StringRef> names;
  for (const Request &request : requests)
    names.push_back(request.axis);
  // Of other axes, what else is known of these dims.
  for (unsigned i = 0; i < shape.size(); ++i)
    for (const Axis &axis : classAxes[classes.classOf(op.getResult(), i)])
      if (!llvm::is_contained(names, axis.name))
        placement.dims[i].push_back(axis);
  for (const Request &request : requests) {
    isAny |= request.isReplicated();
    int64_t devices = context.mesh.getAxisSize(request.axis);
    if (request.isReplicated() || devices < 2)
      continue;
    SmallVector<unsigned> dims;
    for (unsigned i = 0; i < shape.size(); ++i)
      if ((op.getOriginDims() ? (*op.getOriginDims())[i] : i) == request.dim)
        dims.push_back(i);
    int64_t extent = 1;
    for (unsigned i : dims)
      extent *= shape[i];
    // One token at a time, say: it is on every device, which costs no more.
    if (extent == 1) {
      context.remark(op.getDirection() + " \"" + op.getName() + "\" of " +
                         (op.getModule() == kRootModule
                              ? "the model"
                              : "\"" + op.getModule() + "\"") +
                         ": dim " + Twine(request.dim) + " is a single element",
                     request, "it stays whole");
      continue;
    }
    isAny = true;
    for (auto [i, axes] : llvm::enumerate(partsFor(op, request, dims)))
      placement.dims[i].append(axes);
  }
  if (!isAny)
    return {};
  return toSharding(placement, context.meshName, context.mesh, shape,
                    op.getContext());
}

/// The parts of the request's axis for every dim of the value. `dims` are those
/// that the requested dim became: heads and what is inside them. As the
/// module's own weight is cut; else as other tensors are; else evenly.
DimAxes BoundaryPlacer::partsFor(nn::BoundaryOp op, const Request &request,
                                 ArrayRef<unsigned> dims) {
  if (std::optional<DimAxes> parts = partsOfModule(op, request, dims))
    return *parts;
  DimAxes parts(op.getType().getRank());
  bool isKnown = false;
  for (unsigned i : dims)
    for (const Axis &axis : classAxes[classes.classOf(op.getResult(), i)])
      if (axis.name == request.axis) {
        parts[i].push_back(axis);
        isKnown = true;
      }
  if (isKnown)
    return parts;
  // The first dims are the most major: heads, rather than what is inside them.
  DimGroup group;
  for (unsigned i : ArrayRef<unsigned>(dims).take_front(3)) {
    group.classes.push_back(classes.classOf(op.getResult(), i));
    group.sizes.push_back(op.getType().getShape()[i]);
  }
  shareOut(group, context.mesh.getAxisSize(request.axis), {});
  int64_t pre = 1;
  for (auto [i, share] : llvm::zip(dims, group.shares)) {
    if (share > 1)
      parts[i].push_back({request.axis, pre, share});
    pre *= share;
  }
  return parts;
}

std::optional<DimAxes> BoundaryPlacer::partsOfModule(nn::BoundaryOp op,
                                                     const Request &request,
                                                     ArrayRef<unsigned> dims) {
  auto it = parametersOf.find(op.getModule());
  if (it == parametersOf.end())
    return std::nullopt;
  DimAxes parts(op.getType().getRank());
  bool isFound = false;
  for (unsigned number : it->second) {
    auto entry = placed.find(number);
    auto requests = asked.find(number);
    if (entry == placed.end() || requests == asked.end())
      continue;
    auto own = llvm::find_if(requests->second, [&](const Request &other) {
      return other.axis == request.axis && !other.isStorage &&
             !other.isReplicated();
    });
    if (own == requests->second.end())
      continue;
    auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
        number, nn::kParameterName);
    for (auto [k, stored] : llvm::enumerate(parameter.getDims().asArrayRef())) {
      if (stored != own->dim)
        continue;
      unsigned dimClass = classes.classOf(function.getArgument(number), k);
      for (unsigned i : dims) {
        if (classes.classOf(op.getResult(), i) != dimClass)
          continue;
        isFound = true;
        for (const Axis &axis : entry->second.use[k])
          if (axis.name == request.axis && !overlap({axis}, parts[i]))
            parts[i].push_back(axis);
      }
    }
  }
  return isFound ? std::optional<DimAxes>(parts) : std::nullopt;
}
