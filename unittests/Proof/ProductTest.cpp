//===- ProductTest.cpp - each op under each placement ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Sharding rules are axioms to the compiler. Here each is held against numbers:
// every op that has one, its operands and results in every placement that the
// rule allows, on 2 to 6 devices, against the op on whole tensors. Then the op
// alone in a program whose arguments are placed in any way at all, through the
// passes. Padding is poison throughout.
//
//===----------------------------------------------------------------------===//

#include "OpCases.h"
#include "Placements.h"
#include "Support.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

/// A case on a mesh, ready to be placed.
class Subject {
public:
  Subject(MLIRContext &context, const OpCase &opCase, const MeshCase &mesh)
      : builder(&context) {
    module = parseSourceString<ModuleOp>(
        "tp.mesh @mesh = <[" + mesh.mesh + "]>\n" + opCase.function, &context);
    if (!module)
      return;
    function = functionOf(*module);
    op = &function.getBody().front().front();
    auto meshOp = *module->getOps<MeshOp>().begin();
    meshAttr = meshOp.getMesh();
    meshName = FlatSymbolRefAttr::get(meshOp.getSymNameAttr());
    rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    std::mt19937 generator(1);
    for (Type type : function.getArgumentTypes())
      arguments.push_back(
          randomTensor(type, opCase.low, opCase.high, generator));
    FailureOr<Tensors> results = evaluateGlobal(function, arguments, error);
    if (succeeded(results))
      expected = *results;
  }

  /// The local program of the op by its rule: what partitioning should do.
  OwningOpRef<ModuleOp> buildLocal(const FactorPlacement &placement);
  /// The global program with placed arguments; `results`: 0 leaves those to the
  /// compiler, 1 asks for what the rule gives, 2 for whole ones.
  OwningOpRef<ModuleOp> buildPlaced(const FactorPlacement &placement,
                                    int results);

  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  Operation *op = nullptr;
  ShardingRule rule;
  Tensors arguments, expected;
  std::string error;

private:
  Placement operandPlacement(unsigned i, const FactorPlacement &placement) {
    Placement result =
        *placeTensor(rule.operands[i], shapeOf(op->getOperand(i).getType()),
                     rule, placement);
    result.partial = placement.partial[i];
    return result;
  }
  ShardingAttr attribute(const Placement &placement, Type type) {
    return toSharding(placement, meshName, meshAttr, shapeOf(type),
                      builder.getContext());
  }
  static Type localType(const Placement &placement, Type type) {
    return cast<RankedTensorType>(type).clone(placement.localShape());
  }
  Value start(OpBuilder &at, ArrayRef<Axis> axes, int64_t block) {
    return ShardStartOp::create(
        at, op->getLoc(), at.getIndexType(), meshName,
        toAttribute(axes, meshAttr, builder.getContext()),
        at.getI64IntegerAttr(block));
  }
  Value maskOperand(OpBuilder &at, Value value, unsigned i,
                    const FactorPlacement &placement);
  Value startOf(OpBuilder &at, unsigned factor,
                const FactorPlacement &placement);

  OpBuilder builder;
  MeshAttr meshAttr;
  FlatSymbolRefAttr meshName;
};

double neutral(ReduceKind kind) {
  double infinity = std::numeric_limits<double>::infinity();
  return kind == ReduceKind::Max       ? -infinity
         : kind == ReduceKind::Min     ? infinity
         : kind == ReduceKind::Product ? 1
                                       : 0;
}

/// Padding of a reduced dim is made neutral before the op, unless the op
/// ignores it by itself; that of ids is made 0.
Value Subject::maskOperand(OpBuilder &at, Value value, unsigned i,
                           const FactorPlacement &placement) {
  Placement placed = operandPlacement(i, placement);
  for (auto [dim, factors] : llvm::enumerate(rule.operands[i])) {
    if (factors.size() != 1)
      continue;
    const Factor &factor = rule.factors[factors.front()];
    bool isChecked = llvm::is_contained(rule.checked, i);
    if (placed.pads[dim] == factor.size ||
        ((factor.kind != FactorKind::Reduce || factor.masked) && !isChecked))
      continue;
    Value first = start(at, placed.dims[dim],
                        placed.pads[dim] / sizeOf(placed.dims[dim]));
    value = MaskOp::create(
        at, op->getLoc(), value.getType(), value, first,
        at.getI64IntegerAttr(dim), at.getI64IntegerAttr(factor.size),
        at.getF64FloatAttr(isChecked ? 0 : neutral(factor.reduction)));
  }
  return value;
}

/// The first index of the shard in the dim that `factor` leads; null if whole.
Value Subject::startOf(OpBuilder &at, unsigned factor,
                       const FactorPlacement &placement) {
  if (placement.factors[factor].empty())
    return {};
  auto find = [&](ValueRange values, ArrayRef<TensorFactors> tensors) -> Value {
    for (auto [value, dims] : llvm::zip(values, tensors))
      for (auto [i, dim] : llvm::enumerate(dims)) {
        if (dim.empty() || dim.front() != factor)
          continue;
        Placement placed =
            *placeTensor(dims, shapeOf(value.getType()), rule, placement);
        return start(at, placed.dims[i], placed.localShape()[i]);
      }
    return {};
  };
  if (Value value = find(op->getOperands(), rule.operands))
    return value;
  return find(op->getResults(), rule.results);
}

OwningOpRef<ModuleOp> Subject::buildLocal(const FactorPlacement &placement) {
  OwningOpRef<ModuleOp> local = module->clone();
  func::FuncOp old = functionOf(*local);
  SmallVector<Type> argumentTypes, resultTypes;
  for (auto [i, value] : llvm::enumerate(op->getOperands()))
    argumentTypes.push_back(
        localType(operandPlacement(i, placement), value.getType()));
  for (auto [i, value] : llvm::enumerate(op->getResults()))
    resultTypes.push_back(
        localType(*placeResult(op, i, rule, placement), value.getType()));
  OpBuilder at(old);
  auto made = func::FuncOp::create(
      at, old.getLoc(), "f", at.getFunctionType(argumentTypes, resultTypes));
  for (auto [i, value] : llvm::enumerate(op->getOperands())) {
    made.setArgAttr(i, kGlobalName, TypeAttr::get(value.getType()));
    made.setArgAttr(i, kShardingName,
                    attribute(operandPlacement(i, placement), value.getType()));
  }
  for (auto [i, value] : llvm::enumerate(op->getResults())) {
    made.setResultAttr(i, kGlobalName, TypeAttr::get(value.getType()));
    made.setResultAttr(
        i, kShardingName,
        attribute(*placeResult(op, i, rule, placement), value.getType()));
  }
  at.setInsertionPointToStart(made.addEntryBlock());
  SmallVector<Value> operands;
  for (BlockArgument argument : made.getArguments())
    operands.push_back(
        maskOperand(at, argument, argument.getArgNumber(), placement));
  Operation *built = cast<ShardingRuleOpInterface>(op).buildLocal(
      at, operands, resultTypes,
      [&](unsigned factor) { return startOf(at, factor, placement); });
  func::ReturnOp::create(at, op->getLoc(), built->getResults());
  old.erase();
  return local;
}

OwningOpRef<ModuleOp> Subject::buildPlaced(const FactorPlacement &placement,
                                           int results) {
  OwningOpRef<ModuleOp> placed = module->clone();
  func::FuncOp made = functionOf(*placed);
  for (auto [i, value] : llvm::enumerate(op->getOperands()))
    made.setArgAttr(i, kShardingName,
                    attribute(operandPlacement(i, placement), value.getType()));
  for (auto [i, value] : llvm::enumerate(op->getResults())) {
    Placement wanted = *placeResult(op, i, rule, placement);
    wanted.partial.clear();
    if (results == 2)
      for (Axes &axes : wanted.dims)
        axes.clear();
    if (results)
      made.setResultAttr(i, kShardingName, attribute(wanted, value.getType()));
  }
  return placed;
}

class Product : public testing::Test {
protected:
  Product() : context(makeContext()), passes(*context) {}

  /// Reports a case with its program; the first of each op is enough.
  void report(const OpCase &opCase, const std::string &what, ModuleOp module) {
    ++failures;
    if (reported.insert(opCase.op).second)
      ADD_FAILURE() << opCase.op << " (" << opCase.name << "): " << what << "\n"
                    << toText(module);
  }

  void byRule(const OpCase &opCase, Subject &subject, const MeshCase &mesh);
  void throughPasses(const OpCase &opCase, Subject &subject,
                     const MeshCase &mesh);

  std::unique_ptr<MLIRContext> context;
  Passes passes;
  int failures = 0, proved = 0;
  std::set<std::string> reported;
};

// An op with a rule and without a case is not proved.
TEST_F(Product, CoversEveryOpWithARule) {
  std::set<std::string> covered;
  for (const OpCase &opCase : makeOpCases())
    covered.insert(opCase.op);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    // What tp.call computes, its callee says: it has no semantics of its own.
    if (name.hasInterface<ShardingRuleOpInterface>() &&
        name.getStringRef() != CallOp::getOperationName()) {
      EXPECT_TRUE(covered.count(name.getStringRef().str()))
          << name.getStringRef().str() << " has a rule and no case in OpCases";
      EXPECT_TRUE(lookupOp(name.getStringRef()))
          << name.getStringRef().str() << " has a rule and no semantics";
    }
}

void Product::byRule(const OpCase &opCase, Subject &subject,
                     const MeshCase &mesh) {
  for (const FactorPlacement &placement : enumeratePlacements(
           subject.op, subject.rule, mesh.axes, Allowed::ByRule)) {
    OwningOpRef<ModuleOp> local = subject.buildLocal(placement);
    std::string messages;
    if (failed(passes.verify(*local, messages))) {
      report(opCase, "the verifier refuses it: " + messages, *local);
      continue;
    }
    std::string wrong =
        checkLocal(functionOf(*local), subject.arguments, subject.expected);
    if (!wrong.empty())
      report(opCase, wrong, *local);
    ++proved;
  }
}

TEST_F(Product, EachOpByItsRule) {
  for (const OpCase &opCase : makeOpCases()) {
    int before = proved;
    // A constraint is not part of local programs.
    if (opCase.op == "tp.constraint")
      continue;
    for (const MeshCase &mesh : makeMeshCases()) {
      Subject subject(*context, opCase, mesh);
      ASSERT_TRUE(subject.op && subject.error.empty() &&
                  !subject.expected.empty())
          << opCase.function << subject.error;
      byRule(opCase, subject, mesh);
    }
    EXPECT_GT(proved, before) << opCase.op << " (" << opCase.name << ")";
  }
  EXPECT_EQ(failures, 0) << "of " << proved;
  RecordProperty("proved", proved);
}

void Product::throughPasses(const OpCase &opCase, Subject &subject,
                            const MeshCase &mesh) {
  int number = 0;
  for (const FactorPlacement &placement : enumeratePlacements(
           subject.op, subject.rule, mesh.axes, Allowed::Anything)) {
    OwningOpRef<ModuleOp> placed = subject.buildPlaced(placement, number++ % 3);
    OwningOpRef<ModuleOp> local = placed->clone();
    std::string messages;
    if (failed(passes.shard(*local, messages))) {
      report(opCase, "the passes refuse it: " + messages, *placed);
      continue;
    }
    std::string wrong =
        checkLocal(functionOf(*local), subject.arguments, subject.expected);
    if (!wrong.empty())
      report(opCase, wrong + "\n" + toText(*placed), *local);
    ++proved;
  }
}

TEST_F(Product, EachOpThroughThePasses) {
  for (const OpCase &opCase : makeOpCases()) {
    int before = proved;
    for (const MeshCase &mesh : makeMeshCases()) {
      Subject subject(*context, opCase, mesh);
      ASSERT_TRUE(subject.op && subject.error.empty() &&
                  !subject.expected.empty())
          << opCase.function << subject.error;
      throughPasses(opCase, subject, mesh);
    }
    EXPECT_GT(proved, before) << opCase.op << " (" << opCase.name << ")";
  }
  EXPECT_EQ(failures, 0) << "of " << proved;
  RecordProperty("proved", proved);
}

} // namespace
