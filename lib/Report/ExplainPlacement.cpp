//===- ExplainPlacement.cpp - what gave a value its placement -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Propagation leaves a sharding on every value and says nothing of the way. The
// way is found again: from what was asked for before it ran, along the rules of
// ops, to every dim that has the axis. The first way found is a shortest one;
// each of its steps is one that propagation takes.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/ExplainPlacement.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Pass/Pass.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Interfaces/ShardingDialectInterface.h"
#include "tp/Plan/Explain.h"
#include "tp/Plan/Passes.h"
#include "tp/Report/Report.h"
#include "tp/Support/Tool.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// An axis on a dim of a value.
struct Spot {
  Value value;
  unsigned dim = 0;

  bool operator<(const Spot &other) const {
    return std::make_tuple(value.getAsOpaquePointer(), dim) <
           std::make_tuple(other.value.getAsOpaquePointer(), other.dim);
  }
};

/// How a spot came by the axis: from another one, by an op, or by request.
struct Step {
  Spot from;
  Operation *op = nullptr;
  std::string request; ///< not empty: this is where it began
};

/// What was asked for in one function before the first propagation.
struct Asked {
  /// Who asked, of each argument, by axis; "" for those not named.
  std::map<unsigned, std::map<std::string, std::string>> arguments;
  std::map<unsigned, std::string> results;
};

ShardingAttr shardingOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return function ? function.getArgAttrOfType<ShardingAttr>(
                          argument.getArgNumber(), kShardingName)
                    : nullptr;
  }
  auto result = cast<OpResult>(value);
  auto all = result.getOwner()->getAttrOfType<ArrayAttr>(kShardingsName);
  if (!all || result.getResultNumber() >= all.size())
    return {};
  return dyn_cast<ShardingAttr>(all[result.getResultNumber()]);
}

bool hasAxis(const Spot &spot, StringRef axis) {
  ShardingAttr sharding = shardingOf(spot.value);
  return sharding && spot.dim < sharding.getDims().size() &&
         llvm::any_of(
             sharding.getDims()[spot.dim].getAxes(),
             [&](AxisRefAttr part) { return part.getName() == axis; });
}

std::string whoAsked(const std::map<std::string, std::string> &by,
                     StringRef axis) {
  auto it = by.find(axis.str());
  return it != by.end() ? it->second : by.at("");
}

/// The ways that one axis takes through a function.
class Ways {
public:
  Ways(func::FuncOp function, StringRef axis, const Asked &asked)
      : function(function), axis(axis) {
    findAlike();
    begin(asked);
    for (size_t i = 0; i < queue.size(); ++i)
      spread(queue[i]);
  }

  const Step *find(const Spot &spot) const {
    auto it = steps.find(spot);
    return it == steps.end() ? nullptr : &it->second;
  }

private:
  void reach(const Spot &spot, const Step &step) {
    if (hasAxis(spot, axis) && steps.try_emplace(spot, step).second)
      queue.push_back(spot);
  }

  void begin(const Asked &asked) {
    auto ask = [&](Value value, const std::string &who) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      for (unsigned dim = 0; type && dim < type.getRank(); ++dim)
        reach({value, dim}, {{}, nullptr, who});
    };
    for (const auto &[number, who] : asked.arguments)
      if (number < function.getNumArguments())
        ask(function.getArgument(number), ::whoAsked(who, axis));
    Operation *terminator = function.getBody().front().getTerminator();
    for (const auto &[number, who] : asked.results)
      if (number < terminator->getNumOperands())
        ask(terminator->getOperand(number), who);
    function.walk([&](ConstraintOp op) { ask(op, whoAsked(op)); });
  }

  static std::string whoAsked(ConstraintOp op) {
    auto asked = op->getAttrOfType<DictionaryAttr>(kAskedName);
    auto text = [&](StringRef key) {
      auto value = asked ? asked.getAs<StringAttr>(key) : StringAttr();
      return value ? value.getValue().str() : std::string();
    };
    if (text("entry").empty())
      return "a constraint in the program";
    return "the plan's entry \"" + text("entry") + "\": " + text("style") +
           ", for the " + text("boundary");
  }

  /// By value: the queue grows.
  void spread(Spot spot) {
    for (OpOperand &use : spot.value.getUses())
      spreadOver(use.getOwner(), spot);
    if (Operation *op = spot.value.getDefiningOp())
      spreadOver(op, spot);
    spreadToDonated(spot);
  }

  /// To every dim of the op that shares the factor.
  void spreadOver(Operation *op, const Spot &spot) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return;
    ShardingRule rule = ruled.getShardingRule();
    std::set<unsigned> factors;
    auto collect = [&](ValueRange values, ArrayRef<TensorFactors> tensors) {
      for (auto [value, dims] : llvm::zip(values, tensors))
        if (value == spot.value && spot.dim < dims.size())
          factors.insert(dims[spot.dim].begin(), dims[spot.dim].end());
    };
    auto visit = [&](ValueRange values, ArrayRef<TensorFactors> tensors) {
      for (auto [value, dims] : llvm::zip(values, tensors))
        for (auto [dim, list] : llvm::enumerate(dims))
          if (llvm::any_of(list, [&](unsigned f) { return factors.count(f); }))
            reach({value, unsigned(dim)}, {spot, op, {}});
    };
    collect(op->getOperands(), rule.operands);
    collect(op->getResults(), rule.results);
    visit(op->getOperands(), rule.operands);
    visit(op->getResults(), rule.results);
  }

  /// A state's new content lies as the old.
  void spreadToDonated(const Spot &spot) {
    Operation *terminator = function.getBody().front().getTerminator();
    for (Value other : alike.lookup(spot.value))
      reach({other, spot.dim}, {spot, terminator, {}});
  }

  void findAlike() {
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [value, donor] :
         llvm::zip(terminator->getOperands(), findDonors(function)))
      if (donor) {
        Value argument = function.getArgument(*donor);
        alike[value].push_back(argument);
        alike[argument].push_back(value);
      }
  }

  func::FuncOp function;
  StringRef axis;
  DenseMap<Value, SmallVector<Value, 1>> alike;
  std::map<Spot, Step> steps;
  std::vector<Spot> queue;
};

//===----------------------------------------------------------------------===//
// One answer
//===----------------------------------------------------------------------===//

std::string argumentName(func::FuncOp function, unsigned number) {
  if (auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
          number, nn::kParameterName))
    return parameter.getName().getValue().str();
  for (StringRef attribute : {nn::kStateName, nn::kInputName})
    if (auto name = function.getArgAttrOfType<StringAttr>(number, attribute))
      return name.getValue().str();
  return "%arg" + std::to_string(number);
}

class Answerer {
public:
  Answerer(func::FuncOp function, const Asked &asked,
           std::set<std::string> &said)
      : function(function), asked(asked), said(said) {}

  PlacementExplanation run(Value value, StringRef name) {
    PlacementExplanation answer;
    answer.name = name.str();
    ShardingAttr sharding = shardingOf(value);
    MeshAttr mesh =
        sharding ? lookupMesh(function, sharding.getMesh()) : nullptr;
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!mesh || !type) {
      answer.placement = "not placed";
      return answer;
    }
    answer.placement =
        describe(toPlacement(sharding, mesh, type.getShape()), mesh);
    for (MeshAxisAttr axis : mesh.getAxes())
      explain(value, type, axis.getName(), answer);
    return answer;
  }

private:
  void explain(Value value, RankedTensorType type, StringRef axis,
               PlacementExplanation &answer) {
    Ways ways(function, axis, asked);
    bool isOn = false;
    for (unsigned dim = 0; dim < type.getRank(); ++dim)
      if (hasAxis({value, dim}, axis)) {
        isOn = true;
        chain(ways, {value, dim}, axis, answer);
      }
    if (!isOn)
      explainWhole(value, axis, answer);
  }

  void say(PlacementExplanation &answer, Location location,
           const std::string &text) {
    answer.lines.push_back(text);
    std::string remark = answer.name + ": " + StringRef(text).ltrim().str();
    if (said.insert(remark).second)
      emitRemark(location) << remark;
  }

  void chain(const Ways &ways, Spot spot, StringRef axis,
             PlacementExplanation &answer) {
    const Step *step = ways.find(spot);
    std::string head = axis.str() + " on dim " + std::to_string(spot.dim);
    if (!step) {
      say(answer, spot.value.getLoc(),
          head +
              ": propagation chose it; nothing that was asked for leads here");
      return;
    }
    std::vector<std::pair<Spot, const Step *>> way;
    for (Spot at = spot; step; step = ways.find(at)) {
      way.push_back({at, step});
      if (!step->request.empty())
        break;
      at = step->from;
    }
    answer.lines.push_back(head + ":");
    for (auto [at, each] : llvm::reverse(way)) {
      std::string text;
      if (each->request.empty())
        text = "by " + opText(each->op) + ", from " + spotText(each->from) +
               " to " + spotText(at);
      else
        text = spotText(at) + " was asked for by " + each->request;
      Location location = each->op ? each->op->getLoc() : at.value.getLoc();
      say(answer, location, "  " + text);
    }
  }

  /// Whole over an axis: nothing asked, or only sums meet it.
  void explainWhole(Value value, StringRef axis, PlacementExplanation &answer) {
    Operation *op = value.getDefiningOp();
    auto ruled = dyn_cast_or_null<ShardingRuleOpInterface>(op);
    if (ruled) {
      ShardingRule rule = ruled.getShardingRule();
      for (auto [operand, dims] : llvm::zip(op->getOperands(), rule.operands))
        for (auto [dim, factors] : llvm::enumerate(dims))
          for (unsigned factor : factors)
            if (rule.factors[factor].kind == FactorKind::Reduce &&
                hasAxis({operand, unsigned(dim)}, axis)) {
              Spot spot = {operand, unsigned(dim)};
              say(answer, op->getLoc(),
                  axis.str() + ": partial, since " + opText(op) +
                      " sums over " + spotText(spot) + ", which is on it");
              return chain(Ways(function, axis, asked), spot, axis, answer);
            }
    }
    auto argument = dyn_cast<BlockArgument>(value);
    auto it = argument ? asked.arguments.find(argument.getArgNumber())
                       : asked.arguments.end();
    say(answer, value.getLoc(),
        axis.str() + ": whole; " +
            (it != asked.arguments.end()
                 ? "so it was asked for by " + whoAsked(it->second, axis)
                 : "nothing asked for it here, and no op that it meets brings "
                   "the axis to one of its dims"));
  }

  std::string opText(Operation *op) {
    if (op->hasTrait<OpTrait::IsTerminator>())
      return "the return of a state, which lies as it came";
    std::string text = op->getName().getStringRef().str();
    StringRef module = tp::moduleOf(op->getLoc());
    return module.empty() ? text : text + " of " + module.str();
  }

  std::string spotText(const Spot &spot) {
    std::string text;
    if (auto argument = dyn_cast<BlockArgument>(spot.value)) {
      text = argumentName(function, argument.getArgNumber());
    } else {
      Operation *op = spot.value.getDefiningOp();
      StringRef module = tp::moduleOf(op->getLoc());
      text = "the result of " + op->getName().getStringRef().str();
      if (!module.empty())
        text += " of " + module.str();
    }
    return text + " dim " + std::to_string(spot.dim);
  }

  func::FuncOp function;
  const Asked &asked;
  std::set<std::string> &said;
};

//===----------------------------------------------------------------------===//
// The pipeline
//===----------------------------------------------------------------------===//

class PlacementExplainer : public PassInstrumentation {
public:
  explicit PlacementExplainer(PlacementQuestion &question)
      : question(question), plan(makePlanExplainer(explanations)) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    plan->runBeforePass(pass, op);
    if (pass->getArgument() == "tp-propagate")
      op->walk([&](func::FuncOp function) { remember(function); });
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    plan->runAfterPass(pass, op);
    if (pass->getArgument() == "tp-propagate")
      op->walk([&](func::FuncOp function) { answer(function); });
  }

private:
  /// Shardings that are there before the first propagation were asked for.
  void remember(func::FuncOp function) {
    question.hasPropagated = true;
    if (function.isDeclaration() || functions.count(function.getName().str()))
      return;
    Asked &asked = functions[function.getName().str()];
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.getArgAttr(i, kShardingName))
        asked.arguments[i] = askersOf(argumentName(function, i));
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (function.getResultAttr(i, kShardingName))
        asked.results[i] = "the result's sharding";
    if (StringRef(question.value).starts_with("%"))
      findPrinted(function);
  }

  /// By axis.
  std::map<std::string, std::string> askersOf(const std::string &name) const {
    std::map<std::string, std::string> by = {
        {"", "its sharding in the program"}};
    for (const PlanExplanation &explanation : explanations)
      for (const ExplainedParameter &parameter : explanation.parameters) {
        std::string full = parameter.module.empty()
                               ? parameter.leaf
                               : parameter.module + "." + parameter.leaf;
        if (full != name)
          continue;
        if (parameter.isPlaced)
          by[""] =
              explanation.plan == "auto" ? "the automatic plan" : "the plan";
        for (const AskedLayout &asked : parameter.asked)
          by[asked.axis] = "the plan's entry \"" + asked.entry +
                           "\": " + asked.style +
                           (asked.isStorage ? ", for its storage" : "");
      }
    return by;
  }

  /// Remembers the value that is printed so; passes may replace it later.
  void findPrinted(func::FuncOp function) {
    AsmState state(function, OpPrintingFlags().useLocalScope());
    auto check = [&](Value value) {
      std::string text;
      llvm::raw_string_ostream os(text);
      value.printAsOperand(os, state);
      if (text == question.value)
        printed[function.getName().str()] = value;
    };
    llvm::for_each(function.getArguments(), check);
    function.walk([&](Operation *op) {
      if (op != function.getOperation())
        llvm::for_each(op->getResults(), check);
    });
  }

  void answer(func::FuncOp function) {
    if (function.isDeclaration())
      return;
    std::string name = function.getName().str();
    Value value = find(function);
    if (!value)
      return;
    question.answers[name] =
        Answerer(function, functions[name], said).run(value, question.value);
  }

  Value find(func::FuncOp function) {
    auto it = printed.find(function.getName().str());
    if (it != printed.end()) {
      // Decomposition may have replaced it since.
      bool isThere = false;
      Value wanted = it->second;
      llvm::for_each(function.getArguments(),
                     [&](Value value) { isThere |= value == wanted; });
      function.walk([&](Operation *op) {
        for (Value result : op->getResults())
          isThere |= result == wanted;
      });
      return isThere ? wanted : Value();
    }
    Value found;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      std::string name = argumentName(function, i);
      question.names.push_back(name);
      if (!found && name == question.value)
        found = function.getArgument(i);
    }
    Operation *terminator = function.getBody().front().getTerminator();
    for (unsigned i = 0; i < terminator->getNumOperands(); ++i)
      if (auto name =
              function.getResultAttrOfType<StringAttr>(i, nn::kOutputName)) {
        question.names.push_back(name.getValue().str());
        if (!found && name.getValue() == question.value)
          found = terminator->getOperand(i);
      }
    return found ? found : findModule(function);
  }

  /// What the last op of a module gives.
  Value findModule(func::FuncOp function) {
    Value found;
    for (Operation &op : function.getBody().front()) {
      StringRef module = tp::moduleOf(op.getLoc());
      if (module.empty() || !op.getNumResults())
        continue;
      if (question.names.empty() || question.names.back() != module)
        question.names.push_back(module.str());
      if (module == question.value)
        found = op.getResult(0);
    }
    return found;
  }

  PlacementQuestion &question;
  std::vector<PlanExplanation> explanations;
  std::unique_ptr<PassInstrumentation> plan;
  std::map<std::string, Asked> functions;
  std::map<std::string, Value> printed;
  std::set<std::string> said; ///< remarks
};

} // namespace

std::unique_ptr<PassInstrumentation>
tp::makePlacementExplainer(PlacementQuestion &question) {
  return std::make_unique<PlacementExplainer>(question);
}

/// Every name in a sentence without its layer.
static std::string foldSentence(StringRef line) {
  SmallVector<StringRef> words;
  line.split(words, ' ');
  std::string folded;
  for (StringRef word : words)
    folded += foldLayers(word.rtrim(",:")) + " ";
  return folded;
}

/// Steps that differ from one before in their layer alone are counted.
static std::string answerText(const PlacementExplanation &answer) {
  std::string text = answer.name + " is " + answer.placement + "\n";
  std::set<std::string> seen;
  int64_t skipped = 0;
  for (size_t i = 0; i <= answer.lines.size(); ++i) {
    bool isStep = i < answer.lines.size() &&
                  StringRef(answer.lines[i]).starts_with("  by ");
    if (isStep && !seen.insert(foldSentence(answer.lines[i])).second) {
      ++skipped;
      continue;
    }
    if (skipped)
      text += "    and so on, " + std::to_string(skipped) +
              (skipped == 1 ? " step" : " steps") + " through other layers\n";
    skipped = 0;
    if (i < answer.lines.size())
      text += "  " + answer.lines[i] + "\n";
    if (!isStep)
      seen.clear();
  }
  return text;
}

bool tp::printAnswers(const PlacementQuestion &question,
                      llvm::raw_ostream &os) {
  if (!question.hasPropagated) {
    printError("--tp-explain needs propagation to explain: give --tp-shard or "
               "--tp-propagate");
    return false;
  }
  if (question.answers.empty()) {
    // Those that have it as a part come first.
    std::vector<std::tuple<bool, unsigned, std::string>> near;
    for (const std::string &name : question.names)
      near.push_back({!StringRef(name).contains(question.value),
                      StringRef(question.value).edit_distance(name), name});
    llvm::sort(near);
    near.erase(llvm::unique(near), near.end());
    std::string text = "there is no parameter, input, output or module '" +
                       question.value + "'";
    for (size_t i = 0; i < std::min<size_t>(3, near.size()); ++i)
      text += (i ? ", " : "; the nearest are ") + std::get<2>(near[i]);
    printError(text);
    return false;
  }
  std::string before;
  for (const auto &[function, answer] : question.answers) {
    std::string text = answerText(answer);
    os << "@" << function << ": "
       << (text == before ? answer.name + " is so too\n" : text);
    before = text;
  }
  return true;
}
