//===- Apply.cpp - turns a plan into requests -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Plan/Passes.h"
#include "tp/Plan/PlanFile.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANAPPLY
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// A parameter of some function, under one of its names.
struct Parameter {
  func::FuncOp function;
  unsigned argument;
  StringRef leaf; ///< "weight", "bias"
  bool isAlias;
};

/// What belongs to a module, in all functions.
struct Module {
  SmallVector<Parameter> parameters;
  SmallVector<nn::BoundaryOp> boundaries;
};

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
    }
    if (failed(makeMesh(file)))
      return failure();
    getOperation()->setAttr(
        kPlanName,
        StringAttr::get(&getContext(), file ? "file" : StringRef(plan)));
    if (plan == "none")
      replicateAll();
    return file ? applyFile(*file) : success();
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

  void replicateAll() {
    auto name = FlatSymbolRefAttr::get(meshOp().getSymNameAttr());
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (auto type =
                dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
            type && !isEmbedded(function) &&
            !function.getArgAttr(i, kShardingName))
          function.setArgAttr(
              i, kShardingName,
              ShardingAttr::getReplicated(name, type.getRank()));
  }

  /// The axis that the plan's styles speak of.
  FailureOr<StringRef> planAxis(const PlanFile &file) {
    MeshAttr attribute = meshOp().getMesh();
    if (attribute.getAxisSize("tp"))
      return StringRef("tp");
    StringRef only;
    unsigned others = 0;
    for (MeshAxisAttr axis : attribute.getAxes())
      if (axis.getName() != "dp") {
        only = axis.getName();
        ++others;
      }
    if (others == 1)
      return only;
    return emit()
           << file.name
           << ": which mesh axis does the plan speak of? Name one \"tp\"; "
              "the mesh is "
           << attribute;
  }

  //===--------------------------------------------------------------------===//
  // Entries
  //===--------------------------------------------------------------------===//

  /// Every module by name: from boundaries and from parameters' names.
  llvm::MapVector<StringRef, Module> collectModules() {
    llvm::MapVector<StringRef, Module> modules;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      for (unsigned i = 0; i < function.getNumArguments(); ++i) {
        auto parameter =
            function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
        if (!parameter)
          continue;
        auto add = [&](StringRef name, bool isAlias) {
          auto [module, leaf] = name.rsplit('.');
          modules[module].parameters.push_back({function, i, leaf, isAlias});
        };
        add(parameter.getName().getValue(), false);
        if (ArrayAttr aliases = parameter.getAliases())
          for (StringAttr alias : aliases.getAsRange<StringAttr>())
            add(alias.getValue(), true);
      }
      function.walk([&](nn::BoundaryOp op) {
        modules[op.getModule()].boundaries.push_back(op);
      });
    }
    return modules;
  }

  LogicalResult applyFile(const PlanFile &file) {
    FailureOr<StringRef> axis = planAxis(file);
    if (failed(axis))
      return failure();
    llvm::MapVector<StringRef, Module> modules = collectModules();
    SmallVector<StringRef> names;
    for (auto &entry : modules)
      names.push_back(entry.first);

    SmallVector<unsigned> matches(file.entries.size(), 0);
    for (auto &[name, module] : modules) {
      const PlanEntry *chosen = nullptr;
      for (auto [i, entry] : llvm::enumerate(file.entries)) {
        if (!matchesModule(entry.pattern, name))
          continue;
        ++matches[i];
        // A name without wildcards is more exact than one with them.
        bool exact = entry.pattern.find('*') == std::string::npos;
        bool chosenExact =
            chosen && chosen->pattern.find('*') == std::string::npos;
        if (chosen && exact == chosenExact && chosen->style != entry.style)
          return emit() << file.name << ": \"" << chosen->pattern << "\" and \""
                        << entry.pattern << "\" both match \"" << name
                        << "\" and ask for different styles";
        if (!chosen || (exact && !chosenExact))
          chosen = &entry;
      }
      if (chosen && failed(request(file, name, module, *chosen, *axis)))
        return failure();
    }
    for (auto [entry, count] : llvm::zip(file.entries, matches))
      if (count == 0)
        return unmatched(file, entry, names);
    return success();
  }

  LogicalResult unmatched(const PlanFile &file, const PlanEntry &entry,
                          ArrayRef<StringRef> names) {
    InFlightDiagnostic error = emit();
    error << file.name << ": \"" << entry.pattern << "\" matches no module";
    if (auto nearest = nearestModule(entry.pattern, names)) {
      error << "; did you mean \"" << nearest->first << "\"?";
      if (nearest->second > 1)
        error << " (" << nearest->second << " layers have it)";
    }
    return error;
  }

  DictionaryAttr makeRequest(StringRef axis, int64_t dim) {
    Builder builder(&getContext());
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("axis", builder.getStringAttr(axis)),
         builder.getNamedAttr("dim", builder.getI64IntegerAttr(dim))});
  }

  LogicalResult request(const PlanFile &file, StringRef name, Module &module,
                        const PlanEntry &entry, StringRef axis) {
    for (Parameter &parameter : module.parameters) {
      auto attribute = parameter.function.getArgAttrOfType<nn::ParameterAttr>(
          parameter.argument, nn::kParameterName);
      int64_t rank = attribute.getShape().size();
      Ask ask = parameter.leaf == "bias" ? entry.style->bias
                : isTable(parameter)     ? entry.style->table
                                         : entry.style->weight;
      if (ask.kind == Ask::Nothing)
        continue;
      int64_t dim = ask.kind == Ask::Replicated ? -1 : ask.dim;
      if (dim >= rank)
        return emit() << file.name << ": \"" << entry.pattern << "\" asks \""
                      << entry.style->name << "\" of \"" << name << "\", whose "
                      << parameter.leaf << " has no dim " << dim;
      DictionaryAttr wanted = makeRequest(axis, dim);
      auto before =
          parameter.function.getArgAttr(parameter.argument, kRequestName);
      if (before && before != wanted)
        return emit() << file.name << ": tied parameter \""
                      << attribute.getName().getValue()
                      << "\" is asked for in two ways";
      parameter.function.setArgAttr(parameter.argument, kRequestName, wanted);
    }
    for (nn::BoundaryOp op : module.boundaries) {
      const Ask &ask = op.getDirection() == "input" ? entry.style->input
                                                    : entry.style->output;
      int64_t rank = op.getType().getRank();
      // Integer inputs (token ids) are not activations.
      if (ask.kind == Ask::Nothing || rank == 0 ||
          !isa<FloatType>(op.getType().getElementType()))
        continue;
      op->setAttr(
          kRequestName,
          makeRequest(axis, ask.kind == Ask::Replicated ? -1 : rank - 1));
    }
    return success();
  }

  /// Whether a parameter is looked up by position: some user reads its first
  /// dim as an index.
  static bool isTable(Parameter &parameter) {
    if (parameter.isAlias)
      return false;
    Value value = parameter.function.getArgument(parameter.argument);
    for (OpOperand &use : value.getUses()) {
      auto ruled = dyn_cast<ShardingRuleOpInterface>(use.getOwner());
      if (!ruled)
        continue;
      ShardingRule rule = ruled.getShardingRule();
      const TensorFactors &dims = rule.operands[use.getOperandNumber()];
      if (!dims.empty() && dims[0].size() == 1 &&
          rule.factors[dims[0].front()].indexed)
        return true;
    }
    return false;
  }
};

} // namespace
