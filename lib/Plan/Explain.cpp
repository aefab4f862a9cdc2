//===- Explain.cpp - what a plan asked and what became of it --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/Explain.h"
#include "Request.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Collecting
//===----------------------------------------------------------------------===//

namespace {

AskedLayout describe(const Request &request) {
  Layout layout = !request.isReplicated() ? Layout::shard(request.dim)
                  : request.isLazy        ? Layout::partial()
                                          : Layout::replicate();
  AskedLayout asked;
  asked.axis = request.axis.str();
  asked.layout = layout.str();
  asked.stage = int(request.stage);
  asked.isStorage = request.isStorage;
  asked.isPacked = request.isPacked;
  asked.user = request.user.str();
  asked.entry = request.entry.str();
  asked.style = request.style.str();
  return asked;
}

class PlanExplainer : public PassInstrumentation {
public:
  explicit PlanExplainer(std::vector<PlanExplanation> &explanations)
      : explanations(explanations) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    if (pass->getArgument() == "tp-place-parameters")
      if (auto module = dyn_cast<ModuleOp>(op))
        collectAsked(module);
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    bool isPlaced = pass->getArgument() == "tp-place-parameters";
    if (isPlaced)
      if (auto module = dyn_cast<ModuleOp>(op))
        collectConstraints(module);
    // What the plan left open is known after propagation.
    if (isPlaced || pass->getArgument() == "tp-propagate")
      op->walk([&](func::FuncOp function) {
        collectPlacements(function, isPlaced);
      });
  }

private:
  void collectAsked(ModuleOp module) {
    explanations.emplace_back();
    parameters.clear();
    boundaries.clear();
    PlanExplanation &now = explanations.back();
    if (auto plan = module->getAttrOfType<StringAttr>(kPlanName))
      now.plan = plan.getValue().str();
    now.mayWeaken = module->hasAttr(kMayWeakenName);
    for (MeshOp mesh : module.getOps<MeshOp>()) {
      SmallVector<StringRef> names;
      for (MeshAxisAttr axis : mesh.getMesh().getAxes()) {
        now.axes.push_back({axis.getName().str(), axis.getSize()});
        names.push_back(axis.getName());
      }
      for (auto &[axis, role] : rolesOf(module, names))
        now.roles.push_back({axis.str(), stringifyRole(role).str()});
      break;
    }
    for (auto function : module.getOps<func::FuncOp>()) {
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        collectParameter(now, function, i);
      function.walk([&](nn::BoundaryOp op) { collectBoundary(now, op); });
    }
  }

  static std::string keyOf(nn::ParameterAttr parameter) {
    std::string key = parameter.getName().getValue().str();
    for (int64_t offset : parameter.getOffset().asArrayRef())
      key += "+" + std::to_string(offset);
    return key;
  }

  void collectParameter(PlanExplanation &now, func::FuncOp function,
                        unsigned number) {
    auto attribute = function.getArgAttrOfType<nn::ParameterAttr>(
        number, nn::kParameterName);
    if (!attribute ||
        !parameters.try_emplace(keyOf(attribute), now.parameters.size()).second)
      return;
    StringRef name = attribute.getName();
    ExplainedParameter parameter;
    parameter.leaf =
        name.contains('.') ? name.rsplit('.').second.str() : name.str();
    parameter.module =
        name.contains('.') ? name.rsplit('.').first.str() : std::string();
    parameter.shape = attribute.getShape().asArrayRef().vec();
    for (const Request &request :
         readRequests(function.getArgAttr(number, kRequestName)))
      parameter.asked.push_back(describe(request));
    now.parameters.push_back(std::move(parameter));
  }

  static std::string boundaryKey(StringRef function, StringRef boundary) {
    return (function + " " + boundary).str();
  }

  void collectBoundary(PlanExplanation &now, nn::BoundaryOp op) {
    ExplainedBoundary boundary;
    boundary.function = op->getParentOfType<func::FuncOp>().getName().str();
    boundary.module =
        op.getModule() == kRootModule ? std::string() : op.getModule().str();
    boundary.direction = op.getDirection().str();
    boundary.name = op.getName().str();
    std::string text = (op.getDirection() + " \"" + op.getName() + "\" of \"" +
                        op.getModule() + "\"")
                           .str();
    // A module that is called twice has its boundaries twice.
    if (!boundaries
             .try_emplace(boundaryKey(boundary.function, text),
                          now.boundaries.size())
             .second)
      return;
    for (const Request &request : readRequests(op->getAttr(kRequestName))) {
      boundary.asked.push_back(describe(request));
      boundary.asked.back().isInput = op.getDirection() == "input";
    }
    now.boundaries.push_back(std::move(boundary));
  }

  void collectConstraints(ModuleOp module) {
    for (auto function : module.getOps<func::FuncOp>())
      function.walk([&](ConstraintOp op) {
        auto asked = op->getAttrOfType<DictionaryAttr>(kAskedName);
        auto boundary =
            asked ? asked.getAs<StringAttr>("boundary") : StringAttr();
        auto it = boundary ? boundaries.find(boundaryKey(function.getName(),
                                                         boundary.getValue()))
                           : boundaries.end();
        if (it == boundaries.end())
          return;
        MeshAttr mesh = lookupMesh(op, op.getSharding().getMesh());
        std::string text = tp::describe(
            toPlacement(op.getSharding(), mesh, op.getType().getShape()), mesh);
        if (op.getLazy())
          text += ", reduced lazily";
        explanations.back().boundaries[it->second].became.push_back(text);
      });
  }

  void collectPlacements(func::FuncOp function, bool isPlaced) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto attribute =
          function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
      auto sharding = function.getArgAttrOfType<ShardingAttr>(i, kShardingName);
      auto it =
          attribute ? parameters.find(keyOf(attribute)) : parameters.end();
      if (!sharding || it == parameters.end())
        continue;
      ExplainedParameter &parameter =
          explanations.back().parameters[it->second];
      parameter.isPlaced |= isPlaced;
      setPlacement(parameter, attribute, sharding,
                   lookupMesh(function, sharding.getMesh()));
    }
  }

  /// The placement in the dims of the stored tensor.
  static void setPlacement(ExplainedParameter &parameter,
                           nn::ParameterAttr attribute, ShardingAttr sharding,
                           MeshAttr mesh) {
    parameter.placed.clear();
    parameter.became.clear();
    bool isSplit = false;
    for (MeshAxisAttr axis : mesh.getAxes()) {
      std::string layout = "Replicate()";
      for (auto [dim, stored] :
           llvm::zip(sharding.getDims(), attribute.getDims().asArrayRef()))
        for (AxisRefAttr part : dim.getAxes())
          if (part.getName() == axis.getName()) {
            layout = Layout::shard(stored).str();
            isSplit |= part.getSize() != 0 || dim.getPad() != 0;
          }
      parameter.placed.push_back({axis.getName().str(), layout});
      parameter.became += (parameter.became.empty() ? "" : ", ") +
                          axis.getName().str() + ": " + layout;
    }
    if (!isSplit)
      return;
    std::string text;
    llvm::raw_string_ostream(text) << sharding;
    parameter.became += ", as " + text;
  }

  std::vector<PlanExplanation> &explanations;
  llvm::StringMap<size_t> parameters, boundaries;
};

} // namespace

std::unique_ptr<PassInstrumentation>
tp::makePlanExplainer(std::vector<PlanExplanation> &explanations) {
  return std::make_unique<PlanExplainer>(explanations);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// The entries that matched, each once.
static std::string sourcesOf(const std::vector<AskedLayout> &asked) {
  SmallVector<std::string> sources;
  for (const AskedLayout &one : asked) {
    std::string source = "\"" + one.entry + "\": " + one.style;
    if (!llvm::is_contained(sources, source))
      sources.push_back(source);
  }
  return llvm::join(sources, ", ");
}

void PlanExplanation::printText(llvm::raw_ostream &os) const {
  os << "plan " << plan << " on mesh ";
  llvm::interleaveComma(axes, os, [&](const auto &axis) {
    os << axis.first << "=" << axis.second;
  });
  for (const auto &[axis, role] : roles)
    os << ", " << axis << " is " << role;
  os << "\n\nparameters\n";
  for (const ExplainedParameter &parameter : parameters) {
    os << "  " << parameter.module << (parameter.module.empty() ? "" : ".")
       << parameter.leaf << " ";
    llvm::interleave(parameter.shape, os, "x");
    os << "\n    ";
    if (!parameter.asked.empty())
      os << sourcesOf(parameter.asked);
    else if (plan == "auto" && parameter.isPlaced)
      os << "the automatic plan";
    else if (plan == "none")
      os << "no plan";
    else
      os << "no entry, left to propagation";
    os << "\n    became "
       << (parameter.became.empty() ? "open" : parameter.became) << "\n";
  }
  os << "\nboundaries\n";
  for (const ExplainedBoundary &boundary : boundaries) {
    os << "  @" << boundary.function << " " << boundary.direction << " \""
       << boundary.name << "\" of "
       << (boundary.module.empty() ? "the model" : boundary.module) << "\n    ";
    if (boundary.asked.empty()) {
      os << "no entry, follows its producer\n";
      continue;
    }
    os << sourcesOf(boundary.asked) << "\n    became ";
    if (boundary.became.empty())
      os << "as it is asked for where it comes in";
    llvm::interleave(boundary.became, os, ", then ");
    os << "\n";
  }
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

namespace {

/// What an entry of the effective plan says, along one axis.
struct EffectiveEntry {
  std::map<std::string, std::string> fields; ///< weight, bias, embedding
  bool isStorage = false, isPacked = false;
  /// input, desired_input, output, desired_output, by boundary
  std::map<std::string, std::map<std::string, std::string>> flows;
};

using EffectivePlan = std::map<std::string, EffectiveEntry>;

/// Entries by key along `axis`.
EffectivePlan effectivePlan(const PlanExplanation &explanation,
                            StringRef axis) {
  EffectivePlan entries;
  for (const ExplainedParameter &parameter : explanation.parameters) {
    // A slice of a packed parameter is asked for by the parameter's name.
    StringRef leaf = StringRef(parameter.leaf).split('[').first;
    bool isBias = leaf == "bias";
    bool isUsual = isBias || leaf == "weight";
    auto add = [&](const std::string &layout, const std::string &user,
                   bool isStorage, bool isPacked) {
      std::string key = user.empty() ? parameter.module : user;
      if (!isUsual)
        key += (key.empty() ? "" : ".") + leaf.str();
      EffectiveEntry &entry = entries[key];
      entry.isStorage |= isStorage;
      entry.isPacked |= isPacked;
      entry.fields[isBias ? "bias" : "weight"] = layout;
      if (!isBias)
        entry.fields["embedding"] = layout;
    };
    if (explanation.plan != "file" && parameter.isPlaced)
      for (const auto &[name, layout] : parameter.placed) {
        bool isMeant = explanation.plan == "none" || layout != "Replicate()";
        if (name == axis && isMeant)
          add(layout, {}, false, false);
      }
    for (const AskedLayout &asked : parameter.asked)
      if (asked.axis == axis)
        add(asked.layout, asked.user, asked.isStorage, asked.isPacked);
  }
  for (const ExplainedBoundary &boundary : explanation.boundaries)
    for (const AskedLayout &asked : boundary.asked)
      if (asked.axis == axis) {
        std::string flow = asked.isInput ? "input" : "output";
        if (asked.stage)
          flow = "desired_" + flow;
        entries[boundary.module].flows[flow][boundary.name] = asked.layout;
      }
  return entries;
}

/// The axes in the mesh's order, but for those that parameters are stored over:
/// of them, one that was asked for first is more major, and so comes first.
SmallVector<StringRef> axesAsAsked(const PlanExplanation &explanation) {
  std::set<std::pair<StringRef, StringRef>> before;
  for (const ExplainedParameter &parameter : explanation.parameters)
    for (auto [i, later] : llvm::enumerate(parameter.asked))
      for (const AskedLayout &earlier : ArrayRef(parameter.asked).take_front(i))
        if (earlier.isStorage && later.isStorage && earlier.axis != later.axis)
          before.insert({earlier.axis, later.axis});
  SmallVector<StringRef> left, order;
  for (const auto &axis : explanation.axes)
    left.push_back(axis.first);
  while (!left.empty()) {
    auto next = llvm::find_if(left, [&](StringRef axis) {
      return llvm::none_of(left, [&](StringRef other) {
        return before.count({other, axis}) != 0;
      });
    });
    if (next == left.end()) // Not of one plan.
      next = left.begin();
    order.push_back(*next);
    left.erase(next);
  }
  return order;
}

void printEntry(llvm::json::OStream &json, const EffectiveEntry &entry) {
  json.object([&] {
    for (const auto &[field, layout] : entry.fields)
      json.attribute(field, layout);
    for (const auto &flow : entry.flows)
      json.attributeObject(flow.first, [&] {
        for (const auto &[name, layout] : flow.second)
          json.attribute(name, layout);
      });
    if (entry.isStorage)
      json.attribute("storage", true);
    if (entry.isPacked)
      json.attribute("packed", true);
  });
}

} // namespace

void PlanExplanation::printJson(llvm::raw_ostream &os) const {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  json.object([&] {
    std::string mesh;
    for (const auto &[axis, size] : axes)
      mesh += (mesh.empty() ? "" : ",") + axis + "=" + std::to_string(size);
    json.attribute("mesh", mesh);
    // Without a plan not even the batch is sharded: no axis is for it.
    json.attributeObject("roles", [&] {
      for (const auto &[axis, role] : roles)
        json.attribute(axis, plan == "none" ? "tensor_parallel" : role);
    });
    if (mayWeaken)
      json.attribute("when_unmet", "remark");
    // Nothing is asked for: also a plan.
    bool isEmpty = llvm::all_of(axes, [&](const auto &axis) {
      return effectivePlan(*this, axis.first).empty();
    });
    if (isEmpty) {
      if (!axes.empty())
        json.attribute("axis", axes.front().first);
      return json.attributeObject("plan", [] {});
    }
    json.attributeArray("plans", [&] {
      for (StringRef axis : axesAsAsked(*this)) {
        EffectivePlan entries = effectivePlan(*this, axis);
        if (entries.empty())
          continue;
        json.object([&] {
          json.attribute("axis", axis);
          json.attributeObject("plan", [&] {
            for (const auto &entry : entries) {
              json.attributeBegin(entry.first);
              printEntry(json, entry.second);
              json.attributeEnd();
            }
          });
        });
      }
    });
  });
  os << "\n";
}
