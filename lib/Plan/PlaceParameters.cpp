//===- PlaceParameters.cpp - shardings of parameters and inputs -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Placing.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANPLACEPARAMETERS
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// "dim 0 of size 32 cannot be sharded over 64 devices, sizes up to 32 work".
std::string tooFewFor(int64_t dim, int64_t extent, int64_t devices) {
  std::string text = "dim " + std::to_string(dim);
  if (extent == 1)
    return text + " is a single element, which cannot be sharded";
  return text + " of size " + std::to_string(extent) +
         " cannot be sharded over " + std::to_string(devices) +
         " devices, sizes up to " + std::to_string(extent) + " work";
}

struct Place : tp::impl::PlanPlaceParametersBase<Place> {
  void runOnOperation() override {
    context.meshName = findMesh(getOperation());
    if (!context.meshName)
      return;
    context.mesh = lookupMesh(getOperation(), context.meshName);
    context.mayWeaken = getOperation()->hasAttr(kMayWeakenName);
    SmallVector<StringRef> names;
    for (MeshAxisAttr axis : context.mesh.getAxes())
      names.push_back(axis.getName());
    roles = rolesOf(getOperation(), names);
    if (auto attribute = getOperation()->getAttrOfType<StringAttr>(kPlanName))
      plan = attribute.getValue();
    if (failed(run()))
      return signalPassFailure();
    // All has been said that they have to say.
    for (StringRef name : {kPlanName, kMayWeakenName})
      getOperation()->removeAttr(name);
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
    // The function with the most work decides for all.
    SmallVector<std::pair<double, size_t>> byWork;
    for (auto [i, function] : llvm::enumerate(functions))
      byWork.push_back({-contractionWork(function), i});
    llvm::sort(byWork);
    if (plan == "auto") {
      // Whoever annotates has a plan: it is carried on as it is.
      if (!llvm::any_of(functions, isAnnotated) &&
          failed(decideAutomatically(functions[byWork.front().second])))
        return failure();
    } else if (plan != "none") {
      for (const auto &next : byWork)
        if (failed(decideRequested(functions[next.second])))
          return failure();
    }
    for (const auto &next : byWork)
      if (failed(decideStorage(functions[next.second])))
        return failure();
    reportNotes();
    for (func::FuncOp function : functions) {
      if (plan == "none")
        replicateAll(function);
      if (failed(place(function)))
        return failure();
    }
    return success();
  }

  static ShardingAttr annotation(func::FuncOp function, unsigned argument) {
    return function.getArgAttrOfType<ShardingAttr>(argument, kShardingName);
  }

  static bool isAnnotated(func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (annotation(function, i))
        return true;
    auto constraints = function.getOps<ConstraintOp>();
    return !constraints.empty();
  }

  void replicateAll(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (isa<RankedTensorType>(argument.getType()) &&
          !annotation(function, argument.getArgNumber()))
        function.setArgAttr(
            argument.getArgNumber(), kShardingName,
            ShardingAttr::getReplicated(context.meshName,
                                        shapeOf(argument.getType()).size()));
  }

  //===--------------------------------------------------------------------===//
  // The automatic plan
  //===--------------------------------------------------------------------===//

  /// The axes that the automatic plan shards parameters over: one at most.
  FailureOr<StringRef> tensorAxis() {
    StringRef found;
    for (MeshAxisAttr axis : context.mesh.getAxes()) {
      auto it = llvm::find_if(
          roles, [&](auto &entry) { return entry.first == axis.getName(); });
      if (it == roles.end())
        return emit() << "the automatic plan has no role for mesh axis \""
                      << axis.getName()
                      << "\"; name axes dp (the batch) and tp (the rest), or "
                         "give \"roles\" in a plan file";
      if (it->second != AxisRole::TensorParallel)
        continue;
      if (!found.empty())
        return emit() << "the automatic plan shards parameters over one mesh "
                      << "axis, not over both \"" << found << "\" and \""
                      << axis.getName() << "\"";
      found = axis.getName();
    }
    return found;
  }

  LogicalResult decideAutomatically(func::FuncOp function) {
    FailureOr<StringRef> axis = tensorAxis();
    if (failed(axis))
      return failure();
    int64_t devices = axis->empty() ? 0 : context.mesh.getAxisSize(*axis);
    if (devices == 0)
      return success();
    DimClasses classes(function);
    llvm::DenseSet<unsigned> routers =
        findRouters(function, classes).parameters;
    DimGroups groups(function, classes, devices, routers);
    SmallVector<bool> chosen = chooseGroups(function, classes, groups);
    if (failed(checkSize(*axis, devices, groups)))
      return failure();
    for (BlockArgument argument : function.getArguments()) {
      auto parameter = parameterOf(function, argument);
      if (!parameter || routers.contains(argument.getArgNumber()))
        continue;
      DimAxes dims(shapeOf(argument.getType()).size());
      bool isShared = false;
      for (unsigned i = 0; i < dims.size(); ++i) {
        unsigned dimClass = classes.classOf(argument, i);
        unsigned group = groups.numberOf(dimClass);
        if (group == ~0u || !chosen[group])
          continue;
        std::optional<Axis> part =
            partOf(groups.groups()[group], dimClass, *axis);
        // Both dims of a square weight may be of one class, as in x + W x: the
        // first takes the axis.
        bool isUsed = llvm::any_of(dims, [&](const Axes &axes) {
          return part && overlap(axes, *part);
        });
        if (!part || isUsed)
          continue;
        dims[i].push_back(*part);
        isShared = true;
      }
      if (isShared)
        decided[keyOf(parameter)].use = dims;
    }
    return success();
  }

  LogicalResult checkSize(StringRef axis, int64_t devices,
                          const DimGroups &groups) {
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

  /// The part of `axis` that shards a class of its group.
  static std::optional<Axis> partOf(const DimGroup &group, unsigned dimClass,
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

  //===--------------------------------------------------------------------===//
  // Requests on parameters
  //===--------------------------------------------------------------------===//

  /// Slices of one stored tensor have its name; their offsets differ.
  using Key = std::pair<Attribute, Attribute>;
  static Key keyOf(nn::ParameterAttr parameter) {
    return {parameter.getName(), parameter.getOffset()};
  }

  static nn::ParameterAttr parameterOf(func::FuncOp function,
                                       BlockArgument argument) {
    return function.getArgAttrOfType<nn::ParameterAttr>(argument.getArgNumber(),
                                                        nn::kParameterName);
  }

  /// Decides what no other function has decided.
  LogicalResult decideRequested(func::FuncOp function) {
    DimClasses classes(function);
    findOnlyHeads(function, classes);
    SmallVector<BlockArgument> open;
    for (BlockArgument argument : function.getArguments()) {
      auto parameter = parameterOf(function, argument);
      if (parameter && !decided.count(keyOf(parameter)) &&
          llvm::any_of(
              requestsOf(function, argument),
              [](const Request &request) { return !request.isStorage; }))
        open.push_back(argument);
    }
    // Axes in the order of the mesh: major first, where a dim has several.
    for (MeshAxisAttr axis : context.mesh.getAxes()) {
      std::optional<DimGroups> groups;
      for (BlockArgument argument : open) {
        SmallVector<Request, 2> requests = requestsOf(function, argument);
        llvm::erase_if(requests, [&](const Request &request) {
          return request.axis != axis.getName() || request.isStorage;
        });
        if (requests.empty())
          continue;
        if (!groups)
          groups.emplace(function, classes, axis.getSize());
        PlacedParameter &entry =
            entryOf(parameterOf(function, argument), argument);
        // Its first owner says how it lies; the others reshard it.
        auto first = llvm::find_if(requests, [](const Request &request) {
          return request.user.empty();
        });
        if (first != requests.end())
          std::swap(*first, requests.front());
        for (auto [i, request] : llvm::enumerate(requests)) {
          DimAxes &dims = i ? entry.users[request.user] : entry.use;
          dims.resize(entry.use.size());
          bool isGathered = request.isGathered && requests.size() == 1;
          if (failed(decide(function, argument, request, isGathered, classes,
                            *groups, dims)))
            return failure();
          entry.isGathered |= isGathered;
        }
      }
    }
    return success();
  }

  /// The dims that are the width of a head where there is one head: some op
  /// needs them whole where a dim of size 1 stands before them.
  void findOnlyHeads(func::FuncOp function, const DimClasses &classes) {
    oneHead.clear();
    oneHead.resize(classes.size());
    forEachWholeDim(function, [&](Value value, unsigned dim) {
      if (dim > 0 && shapeOf(value.getType())[dim - 1] == 1)
        oneHead.set(classes.classOf(value, dim));
    });
  }

  /// Storage over further axes, whoever decided the rest.
  LogicalResult decideStorage(func::FuncOp function) {
    DimClasses classes(function);
    for (BlockArgument argument : function.getArguments()) {
      auto parameter = parameterOf(function, argument);
      if (!parameter)
        continue;
      for (const Request &request : requestsOf(function, argument))
        if (request.isStorage &&
            stored.insert({keyOf(parameter), request.axis}).second &&
            failed(store(parameter, argument, request)))
          return failure();
    }
    return success();
  }

  static SmallVector<Request, 2> requestsOf(func::FuncOp function,
                                            BlockArgument argument) {
    return readRequests(
        function.getArgAttr(argument.getArgNumber(), kRequestName));
  }

  PlacedParameter &entryOf(nn::ParameterAttr parameter,
                           BlockArgument argument) {
    PlacedParameter &entry = decided[keyOf(parameter)];
    entry.use.resize(shapeOf(argument.getType()).size());
    return entry;
  }

  static std::string nameOf(nn::ParameterAttr parameter) {
    return "parameter \"" + parameter.getName().getValue().str() + "\"";
  }

  LogicalResult decide(func::FuncOp function, BlockArgument argument,
                       const Request &request, bool isGathered,
                       const DimClasses &classes, const DimGroups &groups,
                       DimAxes &axes) {
    auto parameter = parameterOf(function, argument);
    int64_t devices = context.mesh.getAxisSize(request.axis);
    if (request.isReplicated() || devices < 2)
      return success();
    // Of a slice of a stored tensor, its own extent.
    int64_t extent = 1;
    SmallVector<unsigned> dims;
    for (auto [i, stored] : llvm::enumerate(parameter.getDims().asArrayRef())) {
      int64_t size = shapeOf(argument.getType())[i];
      if (stored != request.dim || size == 1)
        continue;
      dims.push_back(i);
      extent *= size;
    }
    bool isAnnotated = request.style == kShardingName;
    if (isAnnotated && dims.empty())
      for (auto [i, stored] : llvm::enumerate(parameter.getDims().asArrayRef()))
        if (stored == request.dim && dims.empty())
          dims.push_back(i);
    if (devices > extent && !isAnnotated)
      return context.unmet(nameOf(parameter) + ": " +
                               tooFewFor(request.dim, extent, devices),
                           request, "it stays whole");
    if (isGathered) {
      cutEvenly(argument, request, classes, groups, dims, axes);
      bool isCut = llvm::any_of(dims, [&](unsigned i) {
        return !axes[i].empty() && axes[i].back().name == request.axis;
      });
      if (isCut)
        return success();
      return context.unmet(nameOf(parameter) + ": dim " + Twine(request.dim) +
                               " of size " + Twine(extent) +
                               " must be whole or divide by " + Twine(devices),
                           request, "it stays whole");
    }
    bool isShared = false, isWhole = true;
    for (unsigned i : dims) {
      unsigned dimClass = classes.classOf(argument, i);
      const DimGroup *group = groups.groupOf(dimClass);
      isWhole &= group == nullptr;
      if (!group)
        continue;
      if (std::optional<Axis> part = partOf(*group, dimClass, request.axis)) {
        axes[i].push_back(*part);
        isShared = true;
      }
    }
    // An annotation is kept whatever it costs: what needs the dim whole
    // gathers.
    if (!isShared && isAnnotated && !dims.empty()) {
      axes[dims.front()].push_back({request.axis, 1, devices});
      return success();
    }
    // The only KV head is on every device.
    bool isOneHead = dims.size() == 1 &&
                     oneHead.test(classes.classOf(argument, dims.front()));
    if (isWhole && !isOneHead)
      return context.unmet(
          nameOf(parameter) + ": dim " + Twine(request.dim) +
              " cannot be sharded over \"" + request.axis +
              "\", because an op needs it whole; a style that gathers, such as "
              "colwise_rep, works",
          request, "it stays whole");
    if (!isShared)
      note(Note::Whole, parameter, request);
    return success();
  }

  /// Nobody else sees how the dim is cut: into the smallest blocks. A dim that
  /// some op needs whole may be cut where it divides: padding would reach the
  /// op.
  void cutEvenly(BlockArgument argument, const Request &request,
                 const DimClasses &classes, const DimGroups &groups,
                 ArrayRef<unsigned> dims, DimAxes &axes) {
    int64_t devices = context.mesh.getAxisSize(request.axis);
    auto cut = [&](bool withWhole) {
      DimGroup group;
      SmallVector<unsigned> used;
      for (unsigned i : dims) {
        unsigned dimClass = classes.classOf(argument, i);
        if (used.size() == 3 || (!withWhole && !groups.groupOf(dimClass)))
          continue;
        used.push_back(i);
        group.classes.push_back(dimClass);
        group.sizes.push_back(shapeOf(argument.getType())[i]);
      }
      shareOut(group, devices, {});
      bool isEven = true;
      for (auto [dimClass, size, share] :
           llvm::zip(group.classes, group.sizes, group.shares))
        isEven &= groups.groupOf(dimClass) || size % share == 0;
      if (isEven)
        for (unsigned i : used)
          if (auto part =
                  partOf(group, classes.classOf(argument, i), request.axis))
            axes[i].push_back(*part);
      return isEven;
    };
    if (!cut(/*withWhole=*/true))
      cut(/*withWhole=*/false);
  }

  /// Storage over a further axis: of the dim that was asked for, or else the
  /// first, that it divides without padding, which would pad all its uses; or
  /// else of the dim that is padded least.
  LogicalResult store(nn::ParameterAttr parameter, BlockArgument argument,
                      const Request &request) {
    PlacedParameter &entry = entryOf(parameter, argument);
    int64_t devices = context.mesh.getAxisSize(request.axis);
    ArrayRef<int64_t> shape = shapeOf(argument.getType());
    if (devices < 2)
      return success();
    if (shape.empty())
      return context.unmet(nameOf(parameter) + ": a scalar has no dim to shard",
                           request, "all of the devices store it");
    auto hasAxis = [&](const Axes &axes) {
      return llvm::any_of(
          axes, [&](const Axis &axis) { return axis.name == request.axis; });
    };
    if (llvm::any_of(entry.use, hasAxis) || llvm::any_of(entry.stored, hasAxis))
      return context.unmet(nameOf(parameter) + ": mesh axis \"" + request.axis +
                               "\" shards it already, as it is "
                               "used; storage takes another axis",
                           request, "it is stored as it is used");
    entry.stored.resize(shape.size());
    bool isAnnotated = request.style == kShardingName;
    // Padding, then whether another dim was asked for, then the dim.
    using Score = std::tuple<double, bool, unsigned>;
    std::optional<Score> best;
    for (auto [i, stored] : llvm::enumerate(parameter.getDims().asArrayRef())) {
      if (isAnnotated && stored != request.dim)
        continue;
      int64_t parts = sizeOf(entry.use[i]) * sizeOf(entry.stored[i]) * devices;
      double padded = double(llvm::divideCeil(shape[i], parts) * parts);
      Score score{padded / double(shape[i]), stored != request.dim,
                  unsigned(i)};
      if (!best || score < *best)
        best = score;
    }
    unsigned dim = std::get<2>(*best);
    if (std::get<0>(*best) > 1 && !isAnnotated)
      note(Note::Padded, parameter, request);
    entry.stored[dim].push_back({request.axis, 1, devices});
    return success();
  }

  /// What became of a parameter otherwise than it reads, said once an entry.
  enum class Note {
    /// What it is used with is cut along other dims: KV heads, where query
    /// groups are shared out.
    Whole,
    /// No dim divides.
    Padded
  };

  void note(Note what, nn::ParameterAttr parameter, const Request &request) {
    auto &said = notes[{request.entry.str(), request.style.str(), what}];
    if (said.second++ == 0)
      said.first = parameter.getName().getValue().str();
  }

  void reportNotes() {
    for (auto &[source, said] : notes) {
      const auto &[entry, style, what] = source;
      bool isOne = said.second == 1;
      auto remark = emitRemark(UnknownLoc::get(&getContext()));
      remark << "\"" << entry << "\": " << style << ": parameter \""
             << said.first << "\"";
      if (!isOne)
        remark << " and " << (said.second - 1) << " more";
      if (what == Note::Whole)
        remark << (isOne ? " stays" : " stay")
               << " whole on every device: with this number of devices, the "
                  "fewest heads on a device come from sharing out the query "
                  "heads of each KV head";
      else
        remark << (isOne ? " is" : " are")
               << " padded, and so is what is computed along the padded dim: "
                  "the devices divide no dim evenly";
    }
  }

  //===--------------------------------------------------------------------===//
  // Functions
  //===--------------------------------------------------------------------===//

  LogicalResult place(func::FuncOp function) {
    DimClasses classes(function);
    SmallVector<Axes> classAxes(classes.size());
    llvm::DenseMap<unsigned, PlacedParameter> placed;
    llvm::DenseMap<unsigned, SmallVector<Request, 2>> asked;
    for (BlockArgument argument : function.getArguments()) {
      unsigned number = argument.getArgNumber();
      auto parameter = parameterOf(function, argument);
      auto it = parameter ? decided.find(keyOf(parameter)) : decided.end();
      if (it == decided.end())
        continue;
      const PlacedParameter &entry = it->second;
      if (entry.use.size() != shapeOf(argument.getType()).size())
        return emitError(argument.getLoc())
               << nameOf(parameter) << " is used in other parts in @"
               << function.getName()
               << " than in another function, but it is stored once for both: "
                  "reshape or slice what is computed of it alike";
      placed[number] = entry;
      asked[number] = requestsOf(function, argument);
    }
    llvm::DenseSet<unsigned> kept;
    if (plan == "file")
      kept = keepWhole(function, context, classes, placed);
    for (BlockArgument argument : function.getArguments()) {
      auto it = placed.find(argument.getArgNumber());
      bool isSeen = it != placed.end() && !it->second.isGathered &&
                    !kept.contains(argument.getArgNumber());
      if (isSeen)
        for (auto [i, axes] : llvm::enumerate(it->second.use))
          if (!axes.empty())
            classAxes[classes.classOf(argument, i)] = axes;
    }
    if (plan == "auto" || plan == "file")
      keepPicked(function, classes, classAxes, placed);
    if (failed(placeBatch(function, classes, classAxes)))
      return failure();
    llvm::DenseMap<unsigned, Users> users;
    for (BlockArgument argument : function.getArguments())
      if (auto it = placed.find(argument.getArgNumber()); it != placed.end())
        users[argument.getArgNumber()] = findUsers(argument, it->second);
    BoundaryPlacer boundaries(function, context, classes, classAxes, placed,
                              asked);
    boundaries.run();
    for (BlockArgument argument : function.getArguments()) {
      auto it = placed.find(argument.getArgNumber());
      if (it != placed.end() &&
          failed(
              placeParameter(function, argument, it->second, users[it->first])))
        return failure();
      function.removeArgAttr(argument.getArgNumber(), kRequestName);
    }
    return success();
  }

  /// What a router says is whole, where experts are shared out along the same
  /// dim; unless the plan shards the router.
  void keepPicked(func::FuncOp function, const DimClasses &classes,
                  ArrayRef<Axes> classAxes,
                  const llvm::DenseMap<unsigned, PlacedParameter> &placed) {
    Routers routers = findRouters(function, classes);
    bool isAsked = llvm::any_of(routers.parameters, [&](unsigned number) {
      auto it = placed.find(number);
      return it != placed.end() &&
             llvm::any_of(it->second.use,
                          [](const Axes &axes) { return !axes.empty(); });
    });
    if (isAsked)
      return;
    for (auto [value, dim] : routers.picked) {
      if (classAxes[classes.classOf(value, dim)].empty())
        continue;
      OpBuilder builder(function.getContext());
      builder.setInsertionPointAfterValue(value);
      Value whole = keepDimWhole(builder, value, dim, context.meshName);
      value.replaceAllUsesExcept(whole, whole.getDefiningOp());
    }
  }

  using Users = SmallVector<std::pair<Operation *, StringRef>>;

  LogicalResult placeParameter(func::FuncOp function, BlockArgument argument,
                               const PlacedParameter &entry,
                               const Users &users) {
    DimAxes storage = entry.use;
    for (auto [axes, further] : llvm::zip(storage, entry.stored))
      axes.append(further);
    ShardingAttr sharding = shardingOf(argument, storage);
    ShardingAttr own = annotation(function, argument.getArgNumber());
    if (own && own != sharding)
      return emit() << "parameter \""
                    << parameterOf(function, argument).getName().getValue()
                    << "\" is annotated as " << own
                    << ", but the plan makes it " << sharding
                    << "; drop one of the two";
    function.setArgAttr(argument.getArgNumber(), kShardingName, sharding);
    if (!entry.stored.empty() && !argument.use_empty()) {
      // Gathered right before it is first used, and used so by all.
      Operation *first = *argument.user_begin();
      for (Operation *user : argument.getUsers())
        if (user->isBeforeInBlock(first))
          first = user;
      constrain(argument, entry.use, first);
    }
    for (auto [op, user] : users) {
      auto it = entry.users.find(user);
      if (it == entry.users.end())
        continue;
      for (OpOperand &operand : op->getOpOperands())
        if (operand.get() == argument)
          operand.set(constrain(argument, it->second, op, &operand));
    }
    return success();
  }

  /// `value` as `dims` say, before `op`: for all its uses, or for one.
  Value constrain(Value value, ArrayRef<Axes> dims, Operation *op,
                  OpOperand *only = nullptr) {
    OpBuilder builder(op);
    auto constraint = ConstraintOp::create(builder, op->getLoc(), value,
                                           shardingOf(value, dims), UnitAttr());
    if (!only)
      value.replaceAllUsesExcept(constraint, constraint);
    return constraint;
  }

  /// The ops that use `argument` for one of the modules. While there are
  /// boundaries.
  static Users findUsers(BlockArgument argument, const PlacedParameter &entry) {
    Users users;
    if (entry.users.empty())
      return users;
    for (OpOperand &use : argument.getUses()) {
      StringRef module = readerOf(use);
      if (entry.users.contains(module))
        users.push_back({use.getOwner(), module});
    }
    return users;
  }

  ShardingAttr shardingOf(Value value, ArrayRef<Axes> dims) {
    ArrayRef<int64_t> shape = shapeOf(value.getType());
    Placement placement = Placement::replicated(shape);
    for (auto [i, axes] : llvm::enumerate(dims)) {
      placement.dims[i] = axes;
      placement.pads[i] =
          llvm::divideCeil(shape[i], sizeOf(axes)) * sizeOf(axes);
    }
    return toSharding(placement, context.meshName, context.mesh, shape,
                      &getContext());
  }

  /// The axes for the batch shard what is called "batch".
  LogicalResult placeBatch(func::FuncOp function, const DimClasses &classes,
                           SmallVectorImpl<Axes> &classAxes) {
    Axes axes;
    for (auto &[name, role] : roles)
      if (role == AxisRole::DataParallel && context.mesh.getAxisSize(name) > 1)
        axes.push_back({name, 1, context.mesh.getAxisSize(name)});
    if (axes.empty() || plan == "none")
      return success();
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
        if (sizeOf(axes) > shape[i] && !isBatchSmall) {
          isBatchSmall = true; // Said once.
          emitRemark(function.getLoc())
              << "mesh axis \"" << axes.front().name << "\" of size "
              << sizeOf(axes) << " is larger than the batch of " << shape[i]
              << ": the other devices along it compute padding";
        }
        dims[i] = axes;
        classAxes[classes.classOf(argument, i)] = axes;
        isBatch = true;
      }
      // State is left open: its other dims follow what is written to it.
      if (isBatch && !annotation(function, argument.getArgNumber()) &&
          function.getArgAttr(argument.getArgNumber(), nn::kInputName))
        function.setArgAttr(argument.getArgNumber(), kShardingName,
                            shardingOf(argument, dims));
    }
    return success();
  }

  PlacingContext context;
  StringRef plan;
  SmallVector<std::pair<StringRef, AxisRole>> roles;
  DenseMap<Key, PlacedParameter> decided;
  llvm::SmallBitVector oneHead; ///< classes, of the function at hand
  /// Parameters whose storage over an axis has been decided.
  DenseSet<std::pair<Key, StringRef>> stored;
  /// First parameter and number, by entry, style and what is said.
  std::map<std::tuple<std::string, std::string, Note>,
           std::pair<std::string, unsigned>>
      notes;
  bool isBatchSmall = false;
};

} // namespace
