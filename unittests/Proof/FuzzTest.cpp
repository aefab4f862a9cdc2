//===- FuzzTest.cpp - random programs through the passes ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Random legal programs, meshes and placements, through all sharding passes:
// the result must be accepted by the verifier and compute what the program
// computes on whole tensors. A failing one is shrunk and printed.
//
// TP_FUZZ_PROGRAMS and TP_FUZZ_SEED say how many and from which on.
//
//===----------------------------------------------------------------------===//

#include "Shrink.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

/// Sharded and unsharded programs round differently; a misplaced value is off
/// by far more.
constexpr double kFuzzTolerance = 1e-4;

/// A diagnostic without its numbers and names, by which finds are told apart.
std::string kindOf(StringRef messages) {
  std::string kind;
  for (char c : messages.split('\n').first.take_front(120))
    if (!llvm::isDigit(c))
      kind += c;
  return kind;
}

/// State goes back to the buffer that it came from.
std::string checkStates(func::FuncOp local) {
  for (unsigned i = 0; i < local.getNumResults(); ++i)
    for (unsigned j = 0; j < local.getNumArguments(); ++j) {
      Attribute state = local.getResultAttr(i, "nn.state");
      if (state && state == local.getArgAttr(j, "nn.state") &&
          (local.getResultTypes()[i] != local.getArgumentTypes()[j] ||
           local.getResultAttr(i, kShardingName) !=
               local.getArgAttr(j, kShardingName)))
        return "state is not placed as it came";
    }
  return "";
}

Verdict judge(Passes &passes, Program &program) {
  OwningOpRef<ModuleOp> local = program.module->clone();
  std::string messages;
  Verdict verdict;
  if (failed(passes.shard(*local, messages))) {
    verdict.kind = "refused: " + kindOf(messages);
    verdict.details = messages;
    return verdict;
  }
  verdict.details = checkStates(functionOf(*local));
  if (!verdict.details.empty())
    verdict.kind = verdict.details;
  std::string wrong = checkLocal(functionOf(*local), program.arguments,
                                 program.expected, kFuzzTolerance);
  if (!wrong.empty()) {
    verdict.kind = "wrong";
    verdict.details = wrong + "\n" + toText(*local);
  }
  return verdict;
}

TEST(Fuzz, MakesEveryOpWithARule) {
  auto context = makeContext();
  std::set<StringRef> made;
  for (auto [name, maker] : makers())
    made.insert(name);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    // What tp.call computes, its callee says: it has no semantics of its own.
    if (name.hasInterface<ShardingRuleOpInterface>() &&
        name.getStringRef() != CallOp::getOperationName())
      EXPECT_TRUE(made.count(name.getStringRef()))
          << name.getStringRef().str() << " has a rule and no maker";
}

TEST(Fuzz, FindsComputeWhatTheySay) {
  auto context = makeContext();
  Passes passes(*context);
  for (StringRef text : finds()) {
    Program program;
    program.module = parseSourceString<ModuleOp>(text, context.get());
    ASSERT_TRUE(bool(program.module)) << text.str();
    func::FuncOp function = functionOf(*program.module);
    std::mt19937 generator(1);
    for (Type type : function.getArgumentTypes())
      program.arguments.push_back(randomTensor(type, 0, 1, generator));
    std::string error;
    FailureOr<Tensors> expected =
        evaluateGlobal(function, program.arguments, error);
    ASSERT_TRUE(succeeded(expected)) << error;
    program.expected = *expected;
    Verdict verdict = judge(passes, program);
    EXPECT_FALSE(verdict.isWrong()) << text.str() << "\n" << verdict.details;
  }
}

void runRandomPrograms(unsigned count, Passes::Extra extra) {
  auto context = makeContext();
  Passes passes(*context, extra);
  unsigned seed = setting("TP_FUZZ_SEED", 1);
  std::set<std::string> kinds;
  for (unsigned i = 0; i < count && kinds.size() < 8; ++i) {
    Recipe recipe = Recipe::random(seed + i);
    Program program = ProgramBuilder(*context, recipe).run();
    Verdict verdict = judge(passes, program);
    // One of each kind: the rest are likely the same mistake.
    if (!verdict.isWrong() || !kinds.insert(verdict.kind).second)
      continue;
    Program least =
        shrink(*context, recipe, [&](Program &p) { return judge(passes, p); });
    verdict = judge(passes, least);
    ADD_FAILURE() << "seed " << seed + i << ": " << verdict.kind << "\n"
                  << toText(*least.module) << verdict.details;
  }
}

TEST(Fuzz, RandomProgramsComputeWhatTheySay) {
  runRandomPrograms(setting("TP_FUZZ_PROGRAMS", 4000), Passes::Extra::None);
}

TEST(Fuzz, RandomProgramsNormalised) {
  runRandomPrograms(setting("TP_FUZZ_PROGRAMS", 4000) / 4,
                    Passes::Extra::Normalise);
}

TEST(Fuzz, RandomProgramsThatOverlap) {
  runRandomPrograms(setting("TP_FUZZ_PROGRAMS", 4000) / 4,
                    Passes::Extra::Overlap);
}

} // namespace
