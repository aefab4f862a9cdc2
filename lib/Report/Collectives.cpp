//===- Collectives.cpp - each collective, why it is there, and what else --===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Why a collective is there is read off the program itself, not off what passes
// wrote on it: backward to the op at which its operand became partial, or to
// the tensor that brought the sharding; forward to the op that cannot do with
// it. Both ways go by sharding rules alone.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::tp;

/// Longer chains are cut: what is so far away explains nothing.
static constexpr int kLongestChain = 256;

std::vector<std::string> ReportCollective::reasons() const {
  SmallVector<StringRef> parts;
  StringRef(reason).split(parts, "; also: ", -1, /*KeepEmpty=*/false);
  return {parts.begin(), parts.end()};
}

namespace {

/// A factor that an op reduces and of which each device has a part.
struct ReducedFactor {
  unsigned factor = 0;
  DimFact dim;
  int64_t block = 0;
};

/// A dim of a tensor.
struct Dim {
  Value value;
  unsigned dim = 0;
};

class CollectiveCollector : public OpObserver {
public:
  CollectiveCollector(LocalProgram &program, Report &report)
      : program(program), report(report) {}

  void visit(Operation *op) override {
    if (auto collective = dyn_cast<CollectiveOpInterface>(op)) {
      found.push_back(collective);
      return;
    }
    if (isa<ShardingRuleOpInterface>(op) && !isa<PlacementOpInterface>(op))
      rememberReduced(op);
  }

  void finish() override {
    for (CollectiveOpInterface op : found)
      report.collectives.push_back(describeOne(op));
  }

private:
  void rememberReduced(Operation *op) {
    ArrayRef<FactorFact> facts = program.prover.factorsOfLast();
    if (llvm::all_of(facts, [](const FactorFact &fact) {
          return !fact.known || fact.dim.axes.empty();
        }))
      return;
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    for (auto [i, fact] : llvm::enumerate(facts))
      if (fact.known && !fact.dim.axes.empty() &&
          rule.factors[i].kind == FactorKind::Reduce)
        reduced[op].push_back({unsigned(i), fact.dim, fact.block});
  }

  //===--------------------------------------------------------------------===//
  // What it is
  //===--------------------------------------------------------------------===//

  ReportCollective describeOne(CollectiveOpInterface op) {
    ReportCollective collective;
    collective.kind = op->getName().stripDialect().str();
    Axes axes = toAxes(op.getGroupAxes(), program.mesh);
    for (const Axis &axis : axes)
      collective.axes.push_back(textOf(axis, program.mesh));
    collective.groupSize = op.getGroupSize();
    if (auto kind = op->getAttrOfType<ReduceKindAttr>("kind"))
      collective.reduction = stringifyReduceKind(kind.getValue()).str();
    for (Type type : op->getOperandTypes()) {
      auto tensor = cast<RankedTensorType>(type);
      collective.tensors.push_back(
          {textOf(tensor.getElementType()), tensor.getShape().vec()});
    }
    collective.bytesSent = op.getBytesSent();
    collective.phase = program.phase();
    collective.module = program.names.of(op.getOperation()).str();
    if (StringAttr reason = op.getReasonText())
      collective.reason = reason.getValue().str();
    collective.location = textOf(op->getLoc());
    collective.link = program.machine.linkFor(spanOf(axes, program.mesh)).name;
    collective.microseconds = program.modelFor(op).timeOf(op);
    collective.from =
        describe(program.placementOf(op->getOperand(0)), program.mesh);
    collective.to =
        describe(program.placementOf(op->getResult(0)), program.mesh);
    explain(op, axes, collective);
    return collective;
  }

  //===--------------------------------------------------------------------===//
  // Where a value became partial or sharded
  //===--------------------------------------------------------------------===//

  /// The ops at which parts of `value` became partial over some of `axes`, in
  /// the order of operands; none if it came so from an argument. What one
  /// device keeps for the others' sake is left out if there is another.
  SmallVector<Operation *> findPartialOrigins(Value value,
                                              ArrayRef<Axis> axes) {
    SmallVector<Operation *> origins, kept;
    SmallVector<Value> open = {value};
    DenseSet<Operation *> seen;
    for (int i = 0; i < kLongestChain && !open.empty(); ++i) {
      Operation *op = open.pop_back_val().getDefiningOp();
      if (!op || !seen.insert(op).second)
        continue;
      size_t before = open.size();
      for (Value operand : llvm::reverse(op->getOperands()))
        if (tensorOf(operand.getType()) &&
            overlap(program.prover.factOf(operand).partial, axes))
          open.push_back(operand);
      if (open.size() == before)
        (reduced.count(op) ? origins : kept).push_back(op);
    }
    return origins.empty() ? kept : origins;
  }

  /// Where dim `at` got its axes: the parameter or argument that brought them,
  /// or the farthest tensor that the rules lead to.
  Dim findShardingOrigin(Dim at) {
    for (int i = 0; i < kLongestChain; ++i) {
      Operation *op = at.value.getDefiningOp();
      std::optional<Dim> next = op ? stepBack(op, at) : std::nullopt;
      if (!next)
        return at;
      at = *next;
    }
    return at;
  }

  /// The operand's dim that a result's dim is; a parameter's before others.
  std::optional<Dim> stepBack(Operation *op, const Dim &at) {
    Axes axes = program.prover.factOf(at.value).dims[at.dim].axes;
    auto carries = [&](Value operand, unsigned dim) {
      const ValueFact &fact = program.prover.factOf(operand);
      return dim < fact.dims.size() && !axes.empty() &&
             fact.dims[dim].axes == axes;
    };
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled || isa<PlacementOpInterface>(op)) {
      // What moves or masks a tensor keeps its dims.
      if (op->getNumOperands() && tensorOf(op->getOperand(0).getType()) &&
          carries(op->getOperand(0), at.dim))
        return Dim{op->getOperand(0), at.dim};
      return std::nullopt;
    }
    ShardingRule rule = ruled.getShardingRule();
    unsigned number = cast<OpResult>(at.value).getResultNumber();
    if (number >= rule.results.size() ||
        at.dim >= rule.results[number].size() ||
        rule.results[number][at.dim].empty())
      return std::nullopt;
    unsigned factor = rule.results[number][at.dim].front();
    return dimWith(op, rule, factor, carries);
  }

  template <typename Carries>
  std::optional<Dim> dimWith(Operation *op, const ShardingRule &rule,
                             unsigned factor, Carries carries) {
    std::optional<Dim> best;
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [i, factors] : llvm::enumerate(dims)) {
        if (factors.empty() || factors.front() != factor ||
            !carries(value, unsigned(i)))
          continue;
        if (program.names.parameterOf(value))
          return Dim{value, unsigned(i)};
        if (!best)
          best = Dim{value, unsigned(i)};
      }
    return best;
  }

  //===--------------------------------------------------------------------===//
  // Who needs it
  //===--------------------------------------------------------------------===//

  static Operation *firstUser(Value value) {
    Operation *first = nullptr;
    for (Operation *user : value.getUsers())
      if (!first || user->isBeforeInBlock(first))
        first = user;
    return first;
  }

  /// The first op that does more with it than add it to something; null if the
  /// caller gets it, or nobody.
  Operation *findConsumer(Value value) {
    for (int i = 0; i < kLongestChain; ++i) {
      Operation *user = firstUser(value);
      if (!user || user->hasTrait<OpTrait::IsTerminator>())
        return nullptr;
      if (isa<PlacementOpInterface>(user) && user->getNumResults()) {
        auto it = llvm::find(user->getOperands(), value);
        unsigned number = it - user->getOperands().begin();
        value = user->getResult(number < user->getNumResults() ? number
                                                               : unsigned(0));
        continue;
      }
      auto ruled = dyn_cast<ShardingRuleOpInterface>(user);
      if (!ruled || !user->getNumResults())
        return user;
      ShardingRule rule = ruled.getShardingRule();
      bool isAdded = llvm::any_of(rule.joint, [&](unsigned operand) {
        return user->getOperand(operand) == value;
      });
      if (!isAdded)
        return user;
      value = user->getResult(0);
    }
    return nullptr;
  }

  //===--------------------------------------------------------------------===//
  // Words
  //===--------------------------------------------------------------------===//

  std::string nameOf(Operation *op) {
    StringRef module = program.names.of(op);
    return module.empty() ? op->getName().getStringRef().str() : module.str();
  }

  std::string nameOf(Value value) {
    if (Value parameter = program.names.parameterOf(value))
      value = parameter;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      StringRef name = program.names.argumentName(argument);
      return name.empty()
                 ? "argument " + std::to_string(argument.getArgNumber())
                 : name.str();
    }
    return "output of " + nameOf(value.getDefiningOp());
  }

  std::string axesText(ArrayRef<Axis> axes) {
    return llvm::join(
        llvm::map_range(
            axes, [&](const Axis &axis) { return textOf(axis, program.mesh); }),
        ", ");
  }

  /// "heads (9 padded to 12)" or "dim 1 (1536)" of a parameter as published, or
  /// of another tensor.
  std::string dimText(const Dim &at) {
    const DimFact &fact = program.prover.factOf(at.value).dims[at.dim];
    int64_t padded =
        tensorOf(at.value.getType()).getDimSize(at.dim) * sizeOf(fact.axes);
    int64_t size = fact.isFree() ? padded : fact.size;
    std::string extent = std::to_string(size);
    if (padded > size)
      extent += " padded to " + std::to_string(padded);
    return placeOf(at) + " (" + extent + ")";
  }

  std::string placeOf(const Dim &at) {
    auto argument =
        dyn_cast_or_null<BlockArgument>(program.names.parameterOf(at.value));
    auto parameter = argument
                         ? program.function.getArgAttrOfType<nn::ParameterAttr>(
                               argument.getArgNumber(), nn::kParameterName)
                         : nullptr;
    if (!parameter || at.dim >= parameter.getDims().size())
      return "dim " + std::to_string(at.dim);
    // Normalisation splits a stored dim for one purpose: to see its heads.
    ArrayRef<int64_t> stored = parameter.getDims().asArrayRef();
    bool isSplit = llvm::count(stored, stored[at.dim]) > 1;
    bool isInner =
        at.dim + 1 == stored.size() || stored[at.dim + 1] != stored[at.dim];
    if (isSplit && !isInner)
      return "heads";
    return "dim " + std::to_string(stored[at.dim]);
  }

  std::string stateText(Value value, ArrayRef<Axis> group) {
    const ValueFact &fact = program.prover.factOf(value);
    if (overlap(fact.partial, group))
      return "partial over " + axesText(group);
    for (auto [i, dim] : llvm::enumerate(fact.dims))
      if (overlap(dim.axes, group))
        return "sharded over " + axesText(group) + " on dim " +
               std::to_string(i);
    return "whole";
  }

  //===--------------------------------------------------------------------===//
  // Why
  //===--------------------------------------------------------------------===//

  void explain(CollectiveOpInterface op, ArrayRef<Axis> axes,
               ReportCollective &collective) {
    std::vector<std::string> sentences;
    offers.clear();
    for (auto [operand, result] :
         llvm::zip(op->getOperands(), op->getResults())) {
      std::string text = explainOne(op, operand, result, axes, collective);
      if (!llvm::is_contained(sentences, text))
        sentences.push_back(std::move(text));
    }
    collective.why = llvm::join(sentences, "; also: ");
    collective.alternative = together(offers);
  }

  std::string explainOne(CollectiveOpInterface op, Value operand, Value result,
                         ArrayRef<Axis> axes, ReportCollective &collective) {
    bool isPartial = overlap(program.prover.factOf(operand).partial, axes);
    std::string text = nameOf(operand) + " is " + stateText(operand, axes);
    if (isPartial) {
      SmallVector<Operation *> origins = findPartialOrigins(operand, axes);
      for (auto [i, origin] : llvm::enumerate(origins)) {
        std::string because = explainPartial(origin, axes, collective);
        std::string start = "output of " + nameOf(origin);
        if (i == 0)
          text = start + " is " + stateText(operand, axes);
        else
          text += ", and " + start;
        text += " because " + because;
      }
    } else if (std::string because =
                   explainSharded(op, operand, axes, collective);
               !because.empty()) {
      text += " because " + because;
    }
    Operation *consumer = findConsumer(result);
    // An input of the program is of no module: who needs it is responsible.
    if (collective.module.empty() && consumer)
      collective.module = program.names.of(consumer).str();
    text += "; " + (consumer ? nameOf(consumer) : std::string("the caller"));
    return text + " needs it " + stateText(result, axes);
  }

  /// Of the op at which a value became partial.
  std::string explainPartial(Operation *origin, ArrayRef<Axis> axes,
                             ReportCollective &collective) {
    auto it = reduced.find(origin);
    if (it == reduced.end())
      return "one device of each group keeps it";
    const ReducedFactor *factor =
        llvm::find_if(it->second, [&](const ReducedFactor &candidate) {
          return overlap(candidate.dim.axes, axes);
        });
    if (factor == it->second.end())
      return "of what it is added up from";
    ShardingRule rule = cast<ShardingRuleOpInterface>(origin).getShardingRule();
    std::optional<Dim> input, parameter;
    for (auto [value, dims] : llvm::zip(origin->getOperands(), rule.operands))
      for (auto [i, factors] : llvm::enumerate(dims))
        if (llvm::is_contained(factors, factor->factor)) {
          std::optional<Dim> &slot =
              program.names.parameterOf(value) ? parameter : input;
          if (!slot)
            slot = Dim{value, unsigned(i)};
        }
    offerGather(origin, input, parameter, collective);
    if (!input)
      return parameter ? nameOf(parameter->value) + " is sharded on " +
                             dimText(*parameter)
                       : std::string("it is summed up from parts");
    Dim from = findShardingOrigin(*input);
    std::string text =
        "its input is sharded on " + dimText(parameter ? *parameter : *input);
    if (from.value != input->value && (isa<BlockArgument>(from.value) ||
                                       program.names.parameterOf(from.value)))
      text += ", as " + nameOf(from.value) + " is on " + placeOf(from);
    return text;
  }

  std::string explainSharded(CollectiveOpInterface op, Value operand,
                             ArrayRef<Axis> axes,
                             ReportCollective &collective) {
    const ValueFact &fact = program.prover.factOf(operand);
    for (auto [i, dim] : llvm::enumerate(fact.dims)) {
      if (!overlap(dim.axes, axes))
        continue;
      Dim from = findShardingOrigin({operand, unsigned(i)});
      offerWhole(op, operand, from, collective);
      if (from.value == operand)
        return isa<BlockArgument>(operand) ? "it is kept so" : "";
      return nameOf(from.value) + " is on " + dimText(from);
    }
    return {};
  }

  //===--------------------------------------------------------------------===//
  // What else
  //===--------------------------------------------------------------------===//

  /// To do without a collective, all that made it necessary has to go; what two
  /// of its tensors have in common goes once.
  static std::optional<ReportAlternative>
  together(ArrayRef<ReportAlternative> given) {
    if (given.empty())
      return std::nullopt;
    constexpr size_t kMostNames = 2;
    llvm::StringSet<> names;
    SmallVector<ReportAlternative> offers;
    llvm::copy_if(given, std::back_inserter(offers),
                  [&](const ReportAlternative &offer) {
                    return names.insert(offer.what).second;
                  });
    ReportAlternative sum;
    for (auto [i, offer] : llvm::enumerate(offers)) {
      if (i < kMostNames)
        sum.what += (i ? ", " : "") + offer.what;
      sum.bytesSent += offer.bytesSent;
      sum.memory += offer.memory;
      sum.microseconds += offer.microseconds;
    }
    if (offers.size() > kMostNames)
      sum.what +=
          " and so " + std::to_string(offers.size() - kMostNames) + " more";
    return sum;
  }

  /// Not to contract over a sharded factor: its tensors whole.
  void offerGather(Operation *origin, const std::optional<Dim> &input,
                   const std::optional<Dim> &parameter,
                   ReportCollective &collective) {
    int64_t others = collective.groupSize - 1;
    ReportAlternative alternative;
    if (parameter) {
      collective.parameter = nameOf(parameter->value);
      alternative.what = "keeping " + collective.parameter + " whole";
      alternative.memory =
          saturatingProduct(others, heldBytesOf(parameter->value));
    }
    if (input) {
      alternative.what +=
          (alternative.what.empty() ? "gathering the input of "
                                    : " and gathering the input of ") +
          nameOf(origin);
      alternative.bytesSent =
          saturatingProduct(others, bytesOf(input->value.getType()));
      MachineModel model = program.machine.model;
      for (const LinkLevel &link : program.machine.links)
        if (link.name == collective.link) {
          model.latency = link.latency;
          model.link = link.gigabytesPerSecond;
        }
      alternative.microseconds =
          model.collectiveTime(double(alternative.bytesSent),
                               /*reduces=*/false) +
          double(others) * program.machine.model.timeOf(origin);
    }
    if (!alternative.what.empty())
      offers.push_back(std::move(alternative));
  }

  /// The tensor that brought the sharding, whole; or the tensor gathered by all
  /// and cut again.
  void offerWhole(CollectiveOpInterface op, Value operand, const Dim &from,
                  ReportCollective &collective) {
    int64_t others = collective.groupSize - 1;
    if (program.names.parameterOf(from.value))
      collective.parameter = nameOf(from.value);
    bool endsWhole = bytesOf(op->getResult(0).getType()) >
                     bytesOf(op->getOperand(0).getType());
    ReportAlternative alternative;
    if (!endsWhole) {
      alternative.what = "gathering it everywhere and keeping a part";
      alternative.bytesSent =
          saturatingProduct(others, bytesOf(operand.getType()));
      alternative.microseconds =
          program.modelFor(op).collectiveTime(double(alternative.bytesSent),
                                              /*reduces=*/false);
    } else if (isa<BlockArgument>(from.value) ||
               program.names.parameterOf(from.value)) {
      alternative.what = "keeping " + nameOf(from.value) + " whole";
      alternative.memory =
          saturatingProduct(others, heldBytesOf(from.value));
      if (Operation *user = firstUser(from.value))
        if (from.value != operand)
          alternative.microseconds =
              double(others) * program.machine.model.timeOf(user);
    } else {
      return;
    }
    offers.push_back(std::move(alternative));
  }

  LocalProgram &program;
  Report &report;
  std::vector<CollectiveOpInterface> found;
  SmallVector<ReportAlternative> offers; ///< of the collective explained
  DenseMap<Operation *, SmallVector<ReducedFactor, 1>> reduced;
};

} // namespace

std::unique_ptr<OpObserver> tp::makeCollectiveCollector(LocalProgram &program,
                                                        Report &report) {
  return std::make_unique<CollectiveCollector>(program, report);
}
