//===- Apply.cpp - turns a plan into requests -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "SectionApplier.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/SharedStorage.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANAPPLY
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct Apply : tp::impl::PlanApplyBase<Apply> {
  using PlanApplyBase::PlanApplyBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  InFlightDiagnostic emit() {
    return emitError(UnknownLoc::get(&getContext()));
  }

  LogicalResult run() {
    std::optional<PlanFile> file;
    if (plan != "auto" && plan != "none") {
      FailureOr<PlanFile> read = readPlan(plan, [&] { return emit(); });
      if (failed(read))
        return failure();
      file = std::move(*read);
      file->isAutomatic |= automatic;
    }
    if (failed(makeMesh(file)))
      return failure();
    getOperation()->setAttr(
        kPlanName,
        StringAttr::get(&getContext(), !file               ? StringRef(plan)
                                       : file->isAutomatic ? "auto"
                                                           : "file"));
    if (!file) {
      return plan == "auto" ? requestAnnotations() : success();
    }
    if (automatic && failed(makeAutomatic(*file)))
      return failure();
    return applyFile(*file);
  }

  /// What is annotated on a parameter in its published shape becomes a request,
  /// which lands on heads where the parameter is split into them.
  LogicalResult requestAnnotations() {
    if (failed(shareAnnotations()))
      return failure();
    bool isAny = false;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || isEmbedded(function))
        continue;
      for (unsigned i = 0; i < function.getNumArguments(); ++i) {
        SmallVector<Request, 2> requests = annotationOf(function, i);
        if (requests.empty())
          continue;
        function.removeArgAttr(i, kShardingName);
        function.setArgAttr(i, kRequestName,
                            writeRequests(requests, &getContext()));
        isAny = true;
      }
    }
    if (isAny)
      getOperation()->setAttr(kPlanName,
                              StringAttr::get(&getContext(), "annotations"));
    return success();
  }

  /// What one function asks of a parameter or a state, all that have it ask: so
  /// that it is split alike in all.
  LogicalResult shareAnnotations() {
    SharedStorage storage;
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && !isEmbedded(function))
        functions.push_back(function);
    for (func::FuncOp function : functions)
      if (failed(storage.collectRequests(function)))
        return failure();
    for (func::FuncOp function : functions)
      storage.apply(function);
    return success();
  }

  /// The annotation of an argument as requests, if it is a parameter that is
  /// sharded over whole axes, at most one of them not for the batch on a dim,
  /// and nothing else is said.
  SmallVector<Request, 2> annotationOf(func::FuncOp function, unsigned i) {
    auto parameter =
        function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
    auto sharding = function.getArgAttrOfType<ShardingAttr>(i, kShardingName);
    if (!parameter || !sharding || !sharding.getPartialAxes().empty() ||
        sharding.getDims().size() != size_t(parameter.getShape().size()))
      return {};
    SmallVector<Request, 2> requests;
    for (auto [d, dim] : llvm::enumerate(sharding.getDims())) {
      bool isPlain = !dim.getOpen() && dim.getPriority() < 0 && !dim.getPad() &&
                     parameter.getDims().asArrayRef()[d] == int64_t(d);
      if (!isPlain)
        return {};
      for (auto [position, axis] : llvm::enumerate(dim.getAxes())) {
        // Over an axis of the batch it is stored, on the minor side of what it
        // is used in.
        bool isStorage = meshOp().isDataParallel(axis.getName());
        if (axis.getSize() || (!isStorage && position > 0))
          return {};
        requests.push_back(annotated(parameter, axis.getName(), d));
        requests.back().isStorage = isStorage;
      }
    }
    // Whole: also a request.
    if (requests.empty() && !meshOp().getMesh().getAxes().empty())
      requests.push_back(annotated(
          parameter, meshOp().getMesh().getAxes().front().getName(), -1));
    return requests;
  }

  static Request annotated(nn::ParameterAttr parameter, StringRef axis,
                           int64_t dim) {
    Request request;
    request.axis = axis;
    request.dim = dim;
    request.entry = parameter.getName().getValue();
    request.style = kShardingName;
    return request;
  }

  /// Another plan in the place of the file's: it may use the same axes.
  LogicalResult makeAutomatic(PlanFile &file) {
    auto hasRole = [&](StringRef axis) {
      return axis == "dp" || llvm::any_of(file.roles, [&](const auto &entry) {
               return entry.first == axis;
             });
    };
    for (PlanSection &section : file.sections) {
      bool isStorage =
          llvm::all_of(section.entries, [](const PlanEntry &entry) {
            return entry.style.isStorage;
          });
      if (isStorage)
        continue;
      FailureOr<StringRef> axis = axisOf(file, section);
      if (failed(axis))
        return failure();
      if (!hasRole(*axis))
        file.roles.push_back({axis->str(), AxisRole::TensorParallel});
      llvm::erase_if(section.entries, [](const PlanEntry &entry) {
        return !entry.style.isStorage;
      });
    }
    llvm::erase_if(file.sections, [](const PlanSection &section) {
      return section.entries.empty();
    });
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Mesh
  //===--------------------------------------------------------------------===//

  LogicalResult makeMesh(const std::optional<PlanFile> &file) {
    ModuleOp module = getOperation();
    auto meshes = module.getOps<MeshOp>();
    bool exists = !meshes.empty();
    std::string text = mesh;
    if (file && file->mesh) {
      // A plan may bring its mesh; it must be one, and the one asked for.
      auto emitHere = [&] { return emit() << file->name << ": "; };
      auto own = parseMesh(*file->mesh, emitHere);
      if (failed(own))
        return failure();
      if (!text.empty()) {
        auto asked = parseMesh(text, [&] { return emit(); });
        if (failed(asked))
          return failure();
        llvm::sort(*own);
        llvm::sort(*asked);
        if (*own != *asked)
          return emit() << file->name << ": the plan is for mesh "
                        << *file->mesh << ", not " << text;
      } else {
        text = *file->mesh;
      }
    }
    if (exists && !text.empty())
      return emit() << "the module has a mesh already: "
                    << (*meshes.begin()).getMesh();
    if (exists)
      return success();
    if (text.empty())
      return emit() << "a mesh is needed, such as mesh=tp=4 or mesh=dp=2,tp=4";
    auto axes = parseMesh(text, [&] { return emit(); });
    if (failed(axes))
      return failure();
    SmallVector<MeshAxisAttr> attributes;
    for (auto &[name, size] : *axes)
      attributes.push_back(MeshAxisAttr::get(&getContext(), name, size));
    auto emitHere = [&] { return emit(); };
    auto attribute =
        MeshAttr::getChecked(function_ref<InFlightDiagnostic()>(emitHere),
                             &getContext(), ArrayRef<MeshAxisAttr>(attributes));
    if (!attribute)
      return failure();
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    MeshOp::create(builder, module.getLoc(), "mesh", attribute);
    return success();
  }

  MeshOp meshOp() { return *getOperation().getOps<MeshOp>().begin(); }

  //===--------------------------------------------------------------------===//
  // Roles and axes
  //===--------------------------------------------------------------------===//

  SmallVector<StringRef> axisNames() {
    SmallVector<StringRef> names;
    for (MeshAxisAttr axis : meshOp().getMesh().getAxes())
      names.push_back(axis.getName());
    return names;
  }

  /// "dp=2,tp=4", for messages.
  std::string meshText() {
    std::string text;
    for (MeshAxisAttr axis : meshOp().getMesh().getAxes())
      text += (text.empty() ? "" : ",") + axis.getName().str() + "=" +
              std::to_string(axis.getSize());
    return text;
  }

  LogicalResult setRoles(const PlanFile &file) {
    Builder builder(&getContext());
    SmallVector<NamedAttribute> roles;
    SmallVector<StringRef> axes = axisNames();
    for (const auto &[axis, role] : file.roles) {
      if (!llvm::is_contained(axes, axis))
        return emit() << file.name << ": mesh axis \"" << axis
                      << "\" has the role \"" << stringifyRole(role)
                      << "\", but the mesh is " << meshText();
      roles.push_back(builder.getNamedAttr(
          axis, builder.getStringAttr(stringifyRole(role))));
    }
    // What the names say need not be said.
    bool isUsual = llvm::all_of(file.roles, [](auto &entry) {
      return entry.first ==
             (entry.second == AxisRole::DataParallel ? "dp" : "tp");
    });
    if (!isUsual)
      meshOp()->setAttr(kRolesName, builder.getDictionaryAttr(roles));
    if (file.mayWeaken)
      getOperation()->setAttr(kMayWeakenName, builder.getUnitAttr());
    return success();
  }

  /// The axis that a section's styles speak of.
  FailureOr<StringRef> axisOf(const PlanFile &file,
                              const PlanSection &section) {
    SmallVector<StringRef> axes = axisNames();
    if (section.axis) {
      auto it = llvm::find(axes, StringRef(*section.axis));
      if (it != axes.end())
        return checkRole(file, section, *it);
      return emit() << file.name << ": \"axis\": \"" << *section.axis
                    << "\" is no axis of the mesh " << meshText();
    }
    if (llvm::is_contained(axes, "tp"))
      return checkRole(file, section, *llvm::find(axes, "tp"));
    SmallVector<StringRef> tensor, other;
    auto roles = rolesOf(getOperation(), axes);
    for (StringRef axis : axes) {
      auto it = llvm::find_if(roles,
                              [&](auto &entry) { return entry.first == axis; });
      if (it == roles.end())
        other.push_back(axis);
      else if (it->second == AxisRole::TensorParallel)
        tensor.push_back(axis);
    }
    if (tensor.size() == 1)
      return tensor.front();
    if (tensor.empty() && other.size() == 1)
      return other.front();
    return emit() << file.name
                  << ": which mesh axis does the plan speak of? Give it as "
                  << "\"axis\", or name one \"tp\"; the mesh is " << meshText();
  }

  /// The axis that has the batch can only store parameters besides.
  FailureOr<StringRef> checkRole(const PlanFile &file,
                                 const PlanSection &section, StringRef axis) {
    auto roles = rolesOf(getOperation(), axisNames());
    bool hasBatch = llvm::any_of(roles, [&](auto &entry) {
      return entry.first == axis && entry.second == AxisRole::DataParallel;
    });
    if (!hasBatch)
      return axis;
    for (const PlanEntry &entry : section.entries)
      if (!entry.style.isStorage)
        return emit() << file.name << ": \"" << entry.pattern
                      << "\": mesh axis \"" << axis
                      << "\" has the batch, so it can take only "
                      << "fully_shard, not " << entry.style.name
                      << "; name another axis, or give \"" << axis
                      << "\" another role";
    return axis;
  }

  //===--------------------------------------------------------------------===//
  // Entries
  //===--------------------------------------------------------------------===//

  /// Every module by name: from boundaries and from parameters' names.
  NamedModules collectModules() {
    NamedModules modules;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      for (unsigned i = 0; i < function.getNumArguments(); ++i) {
        auto parameter =
            function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
        if (!parameter)
          continue;
        auto add = [&](StringRef name, bool isAlias) {
          StringRef module = name.contains('.') ? name.rsplit('.').first : "";
          StringRef leaf = module.empty() ? name : name.rsplit('.').second;
          modules[module].parameters.push_back({function, i, leaf, isAlias});
        };
        add(parameter.getName().getValue(), false);
        if (ArrayAttr aliases = parameter.getAliases())
          for (StringAttr alias : aliases.getAsRange<StringAttr>())
            add(alias.getValue(), true);
      }
      function.walk([&](nn::BoundaryOp op) {
        StringRef name = op.getModule();
        modules[name == kRootModule ? StringRef() : name].boundaries.push_back(
            op);
      });
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      addBorrowers(function, modules);
    return modules;
  }

  /// A module that uses another's parameter and has none of that kind, such as
  /// a head that is tied to the embedding: the parameter is its own too, though
  /// no alias says so.
  static void addBorrowers(func::FuncOp function, NamedModules &modules) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto parameter =
          function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
      if (!parameter || function.isExternal())
        continue;
      StringRef name = parameter.getName().getValue();
      StringRef leaf = name.contains('.') ? name.rsplit('.').second : name;
      for (Operation *user : function.getArgument(i).getUsers()) {
        StringRef module = moduleAround(user);
        auto it = modules.find(module);
        bool isKnown = module.empty() || it == modules.end() ||
                       module == kRootModule ||
                       // What is in a module, the module has.
                       (name.starts_with(module) &&
                        name.substr(module.size()).starts_with("."));
        if (isKnown)
          continue;
        auto &parameters = it->second.parameters;
        if (llvm::none_of(parameters, [&](const NamedParameter &other) {
              return other.function == function && other.leaf == leaf;
            }))
          parameters.push_back({function, i, leaf, /*isAlias=*/true});
      }
    }
  }

  /// The inputs and outputs of the model itself become boundaries, where the
  /// plan speaks of them.
  void addRootBoundaries() {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || !function.getBody().hasOneBlock())
        continue;
      Block &body = function.getBody().front();
      OpBuilder builder = OpBuilder::atBlockBegin(&body);
      for (BlockArgument argument : body.getArguments()) {
        auto name = function.getArgAttrOfType<StringAttr>(
            argument.getArgNumber(), nn::kInputName);
        if (!name || !isa<RankedTensorType>(argument.getType()))
          continue;
        auto op = nn::BoundaryOp::create(
            builder, function.getLoc(), argument.getType(), argument, "input",
            name.getValue(), kRootModule, /*origin_dims=*/DenseI64ArrayAttr());
        argument.replaceAllUsesExcept(op, op);
      }
      Operation *terminator = body.getTerminator();
      builder.setInsertionPoint(terminator);
      for (unsigned i = 0; i < terminator->getNumOperands(); ++i) {
        Value value = terminator->getOperand(i);
        auto name =
            function.getResultAttrOfType<StringAttr>(i, nn::kOutputName);
        if (!isa<RankedTensorType>(value.getType()) ||
            function.getResultAttr(i, nn::kStateName))
          continue;
        terminator->setOperand(
            i,
            nn::BoundaryOp::create(
                builder, function.getLoc(), value.getType(), value, "output",
                name ? name.getValue().str() : std::to_string(i), kRootModule,
                /*origin_dims=*/DenseI64ArrayAttr()));
      }
    }
  }

  LogicalResult applyFile(const PlanFile &file) {
    if (failed(setRoles(file)))
      return failure();
    bool speaksOfRoot = false;
    for (const PlanSection &section : file.sections)
      for (const PlanEntry &entry : section.entries)
        speaksOfRoot |= entry.pattern.empty() && !entry.style.isStorage;
    if (speaksOfRoot)
      addRootBoundaries();
    NamedModules modules = collectModules();
    for (const PlanSection &section : file.sections) {
      FailureOr<StringRef> axis = axisOf(file, section);
      if (failed(axis))
        return failure();
      for (const PlanEntry &entry : section.entries)
        for (const std::string &remark : entry.style.remarks)
          emitRemark(UnknownLoc::get(&getContext()))
              << file.name << ": \"" << entry.pattern << "\": " << remark;
      if (failed(SectionApplier(file, section, *axis, modules, &getContext())
                     .run()))
        return failure();
    }
    return success();
  }
};

} // namespace
