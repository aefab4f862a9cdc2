//===- PlaceParameters.cpp - shardings of parameters and inputs -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AutomaticPlan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Plan/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANPLACEPARAMETERS
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// Axes of every dim of a tensor; nothing is said of a parameter without an
/// entry.
using DimAxes = SmallVector<Axes, 4>;

/// Reads `tp.request`.
struct Request {
  StringRef axis;
  int64_t dim;
  static std::optional<Request> read(Attribute attribute) {
    auto dictionary = dyn_cast_or_null<DictionaryAttr>(attribute);
    if (!dictionary)
      return std::nullopt;
    auto axis = dictionary.getAs<StringAttr>("axis");
    auto dim = dictionary.getAs<IntegerAttr>("dim");
    if (!axis || !dim)
      return std::nullopt;
    return Request{axis.getValue(), dim.getInt()};
  }
};

struct Place : tp::impl::PlanPlaceParametersBase<Place> {
  void runOnOperation() override {
    meshName = findMesh(getOperation());
    if (!meshName)
      return;
    mesh = lookupMesh(getOperation(), meshName);
    if (failed(run()))
      signalPassFailure();
  }

  InFlightDiagnostic emit() {
    return emitError(UnknownLoc::get(&getContext()));
  }

  LogicalResult run() {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && !isEmbedded(function)) {
        if (failed(checkShardable(function)))
          return failure();
        functions.push_back(function);
      }
    if (functions.empty())
      return success();
    auto plan = getOperation()->getAttrOfType<StringAttr>(kPlanName);
    if (plan && plan.getValue() == "auto" && failed(checkRoles()))
      return failure();
    if (!plan || plan.getValue() != "none") {
      // The function with the most work decides for all.
      func::FuncOp main = functions.front();
      double most = contractionWork(main);
      for (func::FuncOp function : functions)
        if (double work = contractionWork(function); work > most) {
          main = function;
          most = work;
        }
      if (failed(decide(main, plan && plan.getValue() == "auto")))
        return failure();
    }
    for (func::FuncOp function : functions)
      if (failed(place(function)))
        return failure();
    return success();
  }

  /// The automatic plan knows what `dp` and `tp` are for.
  LogicalResult checkRoles() {
    for (MeshAxisAttr axis : mesh.getAxes())
      if (axis.getName() != "dp" && axis.getName() != "tp")
        return emit() << "the automatic plan has no role for mesh axis \""
                      << axis.getName()
                      << "\"; name axes dp (the batch) and tp (the rest), or "
                         "give a plan file";
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Parameters
  //===--------------------------------------------------------------------===//

  /// Shardings of parameters, by name.
  LogicalResult decide(func::FuncOp function, bool isAutomatic) {
    DimClasses classes(function);
    StringRef axis = isAutomatic ? StringRef("tp") : requestedAxis(function);
    int64_t devices = axis.empty() ? 0 : mesh.getAxisSize(axis);
    if (devices == 0)
      return success();
    DimGroups groups(function, classes, devices);
    SmallVector<bool> chosen(groups.groups().size(), false);
    if (isAutomatic) {
      chosen = chooseGroups(function, classes, groups);
      if (failed(checkSize(function, axis, devices, groups)))
        return failure();
    }
    for (BlockArgument argument : function.getArguments()) {
      unsigned number = argument.getArgNumber();
      auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
          number, nn::kParameterName);
      if (!parameter)
        continue;
      auto request = Request::read(function.getArgAttr(number, kRequestName));
      if (!isAutomatic && !request)
        continue;
      DimAxes dims(shapeOf(argument.getType()).size());
      bool isShared = false;
      for (auto [i, stored] :
           llvm::enumerate(parameter.getDims().asArrayRef())) {
        if (request && request->dim != stored)
          continue;
        unsigned dimClass = classes.classOf(argument, i);
        unsigned group = groups.numberOf(dimClass);
        if (group == ~0u || (isAutomatic && !chosen[group]))
          continue;
        if (std::optional<Axis> part =
                partOf(groups.groups()[group], dimClass, axis)) {
          dims[i].push_back(*part);
          isShared = true;
        }
      }
      if (request && request->dim >= 0 && !isShared && devices > 1)
        return emit() << "parameter \"" << parameter.getName().getValue()
                      << "\": dim " << request->dim
                      << " cannot be sharded over \"" << axis
                      << "\", because an op needs it whole";
      if (request && request->dim >= 0 &&
          failed(checkRequest(parameter, *request, argument, devices)))
        return failure();
      if (isShared || request)
        decided[parameter.getName()] = dims;
    }
    return success();
  }

  /// The part of `axis` that shards a class of its group.
  std::optional<Axis> partOf(const DimGroup &group, unsigned dimClass,
                             StringRef axis) {
    int64_t pre = 1;
    for (auto [c, share] : llvm::zip(group.classes, group.shares)) {
      if (c == dimClass)
        return share > 1 ? std::optional<Axis>(Axis{axis, pre, share})
                         : std::nullopt;
      pre *= share;
    }
    return std::nullopt;
  }

  StringRef requestedAxis(func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto request = Request::read(function.getArgAttr(i, kRequestName)))
        return request->axis;
    return {};
  }

  LogicalResult checkSize(func::FuncOp function, StringRef axis,
                          int64_t devices, const DimGroups &groups) {
    int64_t largest = 0;
    for (const DimGroup &group : groups.groups())
      largest = std::max(largest, group.extent());
    if (largest && devices > largest)
      return emit() << "mesh axis \"" << axis << "\" of size " << devices
                    << " is larger than every dim that it could shard; sizes "
                       "up to "
                    << largest << " work";
    return success();
  }

  LogicalResult checkRequest(nn::ParameterAttr parameter, Request request,
                             BlockArgument argument, int64_t devices) {
    int64_t extent = parameter.getShape()[request.dim];
    if (devices > extent)
      return emit() << "parameter \"" << parameter.getName().getValue()
                    << "\": dim " << request.dim << " of size " << extent
                    << " cannot be sharded over " << devices
                    << " devices; sizes up to " << extent << " work";
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Functions
  //===--------------------------------------------------------------------===//

  LogicalResult place(func::FuncOp function) {
    DimClasses classes(function);
    SmallVector<Axes> classAxes(classes.size());
    for (BlockArgument argument : function.getArguments()) {
      auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
          argument.getArgNumber(), nn::kParameterName);
      auto it = parameter ? decided.find(parameter.getName()) : decided.end();
      if (it == decided.end())
        continue;
      if (it->second.size() != shapeOf(argument.getType()).size())
        return emit() << "parameter \"" << parameter.getName().getValue()
                      << "\" has other dims in \"" << function.getName()
                      << "\" than elsewhere";
      setSharding(function, argument, it->second);
      for (auto [i, axes] : llvm::enumerate(it->second))
        if (!axes.empty())
          classAxes[classes.classOf(argument, i)] = axes;
    }
    if (failed(placeBatch(function, classes, classAxes)))
      return failure();
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.removeArgAttr(i, kRequestName);
    placeBoundaries(function, classes, classAxes);
    return success();
  }

  void setSharding(func::FuncOp function, BlockArgument argument,
                   ArrayRef<Axes> dims) {
    ArrayRef<int64_t> shape = shapeOf(argument.getType());
    Placement placement = Placement::replicated(shape);
    for (auto [i, axes] : llvm::enumerate(dims)) {
      placement.dims[i] = axes;
      placement.pads[i] =
          llvm::divideCeil(shape[i], sizeOf(axes)) * sizeOf(axes);
    }
    function.setArgAttr(
        argument.getArgNumber(), kShardingName,
        toSharding(placement, meshName, mesh, shape, &getContext()));
  }

  /// The axis `dp` shards what is called "batch".
  LogicalResult placeBatch(func::FuncOp function, const DimClasses &classes,
                           SmallVectorImpl<Axes> &classAxes) {
    int64_t devices = mesh.getAxisSize("dp");
    auto plan = getOperation()->getAttrOfType<StringAttr>(kPlanName);
    if (devices < 2 || (plan && plan.getValue() == "none"))
      return success();
    StringRef name;
    for (MeshAxisAttr axis : mesh.getAxes())
      if (axis.getName() == "dp")
        name = axis.getName();
    for (BlockArgument argument : function.getArguments()) {
      auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                        nn::kDimsName);
      ArrayRef<int64_t> shape = shapeOf(argument.getType());
      if (!names || names.size() != shape.size())
        continue;
      DimAxes dims(shape.size());
      bool isBatch = false;
      for (auto [i, dimName] : llvm::enumerate(names)) {
        if (dimName != StringAttr::get(&getContext(), "batch"))
          continue;
        if (devices > shape[i])
          return emit() << "mesh axis \"dp\" of size " << devices
                        << " is larger than the batch of " << shape[i]
                        << "; sizes up to " << shape[i] << " work";
        dims[i].push_back({name, 1, devices});
        classAxes[classes.classOf(argument, i)] = dims[i];
        isBatch = true;
      }
      // State is left open: its other dims follow what is written to it.
      if (isBatch &&
          function.getArgAttr(argument.getArgNumber(), nn::kInputName))
        setSharding(function, argument, dims);
    }
    return success();
  }

  /// Requests on boundaries become constraints; boundaries go.
  void placeBoundaries(func::FuncOp function, const DimClasses &classes,
                       ArrayRef<Axes> classAxes) {
    SmallVector<nn::BoundaryOp> boundaries(function.getOps<nn::BoundaryOp>());
    for (nn::BoundaryOp op : boundaries) {
      Value value = op.getInput();
      if (auto request = Request::read(op->getAttr(kRequestName)))
        value = constrain(op, *request, classes, classAxes);
      op.getResult().replaceAllUsesWith(value);
      op.erase();
    }
  }

  Value constrain(nn::BoundaryOp op, Request request, const DimClasses &classes,
                  ArrayRef<Axes> classAxes) {
    ArrayRef<int64_t> shape = op.getType().getShape();
    Placement placement = Placement::replicated(shape);
    for (unsigned i = 0; i < shape.size(); ++i) {
      int64_t origin = op.getOriginDims() ? (*op.getOriginDims())[i] : i;
      for (const Axis &axis : classAxes[classes.classOf(op.getResult(), i)])
        if (axis.name != request.axis || origin == request.dim)
          placement.dims[i].push_back(axis);
    }
    OpBuilder builder(op);
    return ConstraintOp::create(
        builder, op.getLoc(), op.getInput(),
        toSharding(placement, meshName, mesh, shape, &getContext()));
  }

  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  DenseMap<StringAttr, DimAxes> decided;
};

} // namespace
