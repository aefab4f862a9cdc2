//===- Shrink.cpp - the least program that still fails --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Shrink.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

//===----------------------------------------------------------------------===//
// Recipes
//===----------------------------------------------------------------------===//

class RecipeShrinker {
public:
  RecipeShrinker(MLIRContext &context, Recipe &recipe, Judge judge)
      : context(context), recipe(recipe), judge(judge) {
    kind = verdictOf(recipe).kind;
  }

  void run() {
    bool changed = true;
    for (int round = 0; changed && round < 20; ++round) {
      changed = dropOps();
      changed |= lower(recipe.mesh);
      changed |= lower(recipe.placements);
      for (size_t i = 0; i < recipe.ops.size(); ++i)
        changed |= lowerOp(i);
    }
  }

private:
  Verdict verdictOf(Recipe &candidate) {
    Program program = ProgramBuilder(context, candidate).run();
    return judge(program);
  }

  bool accept(Recipe candidate) {
    if (verdictOf(candidate).kind != kind)
      return false;
    recipe = std::move(candidate);
    return true;
  }

  bool dropOps() {
    bool changed = false;
    for (size_t count = std::max<size_t>(recipe.ops.size() / 2, 1); count > 0;
         count /= 2)
      for (size_t i = recipe.ops.size(); i-- > 0;) {
        if (i + count > recipe.ops.size())
          continue;
        Recipe candidate = recipe;
        auto first = candidate.ops.begin() + i;
        candidate.ops.erase(first, first + count);
        changed |= accept(std::move(candidate));
      }
    return changed;
  }

  /// Makes each choice as simple as it can be.
  bool lowerBy(llvm::function_ref<Choices &(Recipe &)> list) {
    bool changed = false;
    for (size_t length : {list(recipe).size() / 2, list(recipe).size() / 4}) {
      Recipe candidate = recipe;
      Choices &choices = list(candidate);
      if (choices.size() > length) {
        choices.resize(length);
        changed |= accept(std::move(candidate));
      }
    }
    for (size_t i = 0; i < list(recipe).size(); ++i) {
      uint32_t value = list(recipe)[i];
      for (uint32_t smaller : {0u, value / 2, value - 1}) {
        if (!value || smaller >= value)
          continue;
        Recipe candidate = recipe;
        list(candidate)[i] = smaller;
        if (accept(std::move(candidate))) {
          changed = true;
          break;
        }
      }
    }
    return changed;
  }

  bool lower(Choices &choices) {
    bool isMesh = &choices == &recipe.mesh;
    return lowerBy([&](Recipe &candidate) -> Choices & {
      return isMesh ? candidate.mesh : candidate.placements;
    });
  }

  bool lowerOp(size_t number) {
    return lowerBy(
        [&](Recipe &candidate) -> Choices & { return candidate.ops[number]; });
  }

  MLIRContext &context;
  Recipe &recipe;
  Judge judge;
  std::string kind;
};

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

/// Simplifies the function itself, where no recipe leads.
class ProgramShrinker {
public:
  ProgramShrinker(Program &program, Judge judge)
      : program(program), judge(judge) {
    Program whole = copy();
    kind = judge(whole).kind;
  }

  void run() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (int i = count(); i-- > 0;) {
        changed |= accept([&](Program &p) { replaceByOperand(p, i); });
        changed |= accept([&](Program &p) { replaceByArguments(p, i); });
      }
      for (int i = int(program.expected.size()); i-- > 0;) {
        changed |= accept([&](Program &p) { dropResult(p, i); });
        changed |= accept([&](Program &p) { dropAttributes(p, i, false); });
      }
      for (int i = int(program.arguments.size()); i-- > 0;)
        changed |= accept([&](Program &p) { dropAttributes(p, i, true); });
    }
  }

private:
  Program copy() {
    Program result;
    result.module = program.module->clone();
    result.arguments = program.arguments;
    result.expected = program.expected;
    return result;
  }

  int count() {
    Block &block = functionOf(*program.module).getBody().front();
    return int(std::distance(block.begin(), block.end())) - 1;
  }

  static Operation *opAt(Program &p, int number) {
    return &*std::next(functionOf(*p.module).getBody().front().begin(), number);
  }

  bool accept(llvm::function_ref<void(Program &)> change) {
    std::string before = toText(*program.module);
    Program candidate = copy();
    change(candidate);
    if (!cleanUp(candidate) || toText(*candidate.module) == before)
      return false;
    if (judge(candidate).kind != kind)
      return false;
    program = std::move(candidate);
    return true;
  }

  /// Drops what nothing uses, and finds out what the program gives now.
  static bool cleanUp(Program &p) {
    func::FuncOp function = functionOf(*p.module);
    Block &block = function.getBody().front();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>())
        op.erase();
    for (unsigned i = block.getNumArguments(); i-- > 0;)
      if (block.getArgument(i).use_empty() &&
          succeeded(function.eraseArgument(i)))
        p.arguments.erase(p.arguments.begin() + i);
    std::string error;
    FailureOr<Tensors> results = evaluateGlobal(function, p.arguments, error);
    if (failed(results))
      return false;
    p.expected = *results;
    return true;
  }

  /// An op's result by an operand of its type.
  static void replaceByOperand(Program &p, int number) {
    Operation *op = number < countOf(p) ? opAt(p, number) : nullptr;
    if (!op)
      return;
    for (Value operand : op->getOperands())
      if (operand.getType() == op->getResult(0).getType()) {
        op->getResult(0).replaceAllUsesWith(operand);
        return;
      }
  }

  static int countOf(Program &p) {
    Block &block = functionOf(*p.module).getBody().front();
    return int(std::distance(block.begin(), block.end())) - 1;
  }

  /// An op's results by arguments that hold the same.
  static void replaceByArguments(Program &p, int number) {
    Operation *op = number < countOf(p) ? opAt(p, number) : nullptr;
    if (!op)
      return;
    func::FuncOp function = functionOf(*p.module);
    DenseMap<Value, Tensor> values;
    std::string error;
    if (failed(evaluateGlobal(function, p.arguments, error, &values)))
      return;
    for (Value result : op->getResults()) {
      unsigned last = function.getNumArguments();
      if (failed(function.insertArgument(last, result.getType(), {},
                                         op->getLoc())))
        return;
      result.replaceAllUsesWith(function.getArgument(last));
      p.arguments.push_back(values.find(result)->second);
    }
  }

  static void dropResult(Program &p, int number) {
    func::FuncOp function = functionOf(*p.module);
    if (p.expected.size() < 2 || number >= int(p.expected.size()))
      return;
    if (succeeded(function.eraseResult(number)))
      function.getBody().front().getTerminator()->eraseOperand(number);
  }

  static void dropAttributes(Program &p, int number, bool ofArgument) {
    func::FuncOp function = functionOf(*p.module);
    auto count =
        ofArgument ? function.getNumArguments() : function.getNumResults();
    if (number >= int(count))
      return;
    auto empty = DictionaryAttr::get(function.getContext());
    if (ofArgument)
      function.setArgAttrs(number, empty);
    else
      function.setResultAttrs(number, empty);
  }

  Program &program;
  Judge judge;
  std::string kind;
};

} // namespace

Program proof::shrink(MLIRContext &context, Recipe &recipe, Judge judge) {
  RecipeShrinker(context, recipe, judge).run();
  Program program = ProgramBuilder(context, recipe).run();
  ProgramShrinker(program, judge).run();
  return program;
}
