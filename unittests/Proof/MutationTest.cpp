//===- MutationTest.cpp - which mistakes does the verifier miss? ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Every mutation, one at a time, wherever it fits in sharded programs. What is
// still legal IR must be refused by a half of the verifier, or compute what it
// did. Prints how many of which kind were refused by which half.
//
// TP_MUTATION_PROGRAMS says how many of the programs are random ones, and
// TP_MUTATION_SEED which is the first; TP_MUTATION_SHOW prints the mutants that
// no half refused.
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"
#include "mlir/IR/Verifier.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "gtest/gtest.h"
#include <cstdio>
#include <cstdlib>
#include <map>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

/// Constants are of the program's own types, and random programs are inexact.
constexpr double kMutantTolerance = 1e-4;

/// One of so many that were refused is run.
constexpr unsigned kSampled = 8;

struct Count {
  unsigned mutants = 0, placements = 0, erasure = 0, equivalent = 0, wrong = 0,
           sampled = 0, harmful = 0;
};

class Harness {
public:
  explicit Harness(MLIRContext &context)
      : quiet(&context, [](Diagnostic &) { return success(); }),
        placements(&context), erasure(&context) {
    placements.addNestedPass<func::FuncOp>(createTPVerifyPlacements());
    erasure.addPass(createTPVerifyErasure());
    // Mutants are verified before.
    placements.enableVerifier(false);
    erasure.enableVerifier(false);
  }

  void run(LocalProgram &program) {
    auto function =
        program.module->lookupSymbol<func::FuncOp>(program.function);
    ASSERT_EQ(check(program, function), "") << program.name;
    ASSERT_TRUE(succeeded(placements.run(*program.module)) &&
                succeeded(erasure.run(*program.module)))
        << program.name;
    collectMutations(function, [&](Operation *op, Mutation mutation) {
      judge(program, op, mutation);
    });
  }

  void print() const {
    Count all;
    std::printf("%-48s %7s %10s %7s %10s %5s %7s\n", "operator", "mutants",
                "placements", "erasure", "equivalent", "wrong", "harmful");
    for (const auto &[name, count] : counts) {
      line(name, count);
      all.mutants += count.mutants;
      all.placements += count.placements;
      all.erasure += count.erasure;
      all.equivalent += count.equivalent;
      all.wrong += count.wrong;
      all.sampled += count.sampled;
      all.harmful += count.harmful;
    }
    line("all", all);
    // Else they are too tame, or the interpreter sees no difference.
    EXPECT_GT(all.mutants, 10000u);
    EXPECT_GT(2 * all.harmful, all.sampled);
  }

private:
  static void line(const std::string &name, const Count &count) {
    std::printf("%-48s %7u %10u %7u %10u %5u %3u/%3u\n", name.c_str(),
                count.mutants, count.placements, count.erasure,
                count.equivalent, count.wrong, count.harmful, count.sampled);
  }

  static std::string check(LocalProgram &program, func::FuncOp function) {
    return checkLocal(function, program.arguments, program.expected,
                      kMutantTolerance);
  }

  void judge(LocalProgram &program, Operation *op, const Mutation &mutation) {
    IRMapping copy;
    OwningOpRef<Operation *> owned =
        program.module->getOperation()->clone(copy);
    auto mutant = cast<ModuleOp>(*owned);
    mutation.apply(copy.lookup(op), copy);
    if (failed(verify(mutant)))
      return;
    Count &count = counts[mutation.name];
    ++count.mutants;
    // Erasure infers placements on its way: what the one refuses, both do.
    bool misplaced = failed(placements.run(mutant));
    bool differs = !misplaced && failed(erasure.run(mutant));
    count.placements += misplaced;
    count.erasure += differs;
    auto function = mutant.lookupSymbol<func::FuncOp>(program.function);
    if (misplaced || differs) {
      // Most that is refused would have done harm.
      if (++refused % kSampled == 0) {
        ++count.sampled;
        count.harmful += !check(program, function).empty();
      }
      return;
    }
    std::string wrong = check(program, function);
    ++(wrong.empty() ? count.equivalent : count.wrong);
    std::string shown;
    if (!wrong.empty() || std::getenv("TP_MUTATION_SHOW")) {
      llvm::raw_string_ostream os(shown);
      os << program.name << ": " << mutation.name << ": " << mutation.what
         << ": in " << *op << "\n";
    }
    if (wrong.empty())
      std::fputs(shown.c_str(), stdout);
    else if (++failures <= 20)
      ADD_FAILURE() << shown << wrong << "\n"
                    << difference(*op->getParentOp(), *function);
  }

  /// The lines that only one of the two has.
  static std::string difference(Operation &before, Operation &after) {
    auto lines = [](Operation &op) {
      std::string text;
      llvm::raw_string_ostream(text) << op;
      SmallVector<StringRef> split;
      StringRef(text).split(split, '\n');
      std::vector<std::string> list;
      for (StringRef line : split)
        list.push_back(line.str());
      return list;
    };
    std::vector<std::string> a = lines(before), b = lines(after);
    size_t first = 0, last = 0, least = std::min(a.size(), b.size());
    while (first < least && a[first] == b[first])
      ++first;
    while (last < least - first &&
           a[a.size() - 1 - last] == b[b.size() - 1 - last])
      ++last;
    std::string text;
    for (size_t i = first; i < a.size() - last; ++i)
      text += "- " + a[i] + "\n";
    for (size_t i = first; i < b.size() - last; ++i)
      text += "+ " + b[i] + "\n";
    return text;
  }

  ScopedDiagnosticHandler quiet;
  PassManager placements, erasure;
  std::map<std::string, Count> counts;
  unsigned failures = 0, refused = 0;
};

TEST(Mutation, WhatChangesTheResultIsRefused) {
  auto context = makeContext();
  std::vector<LocalProgram> programs = makeLocalPrograms(*context);
  Harness harness(*context);
  for (LocalProgram &program : programs)
    harness.run(program);
  harness.print();
}

} // namespace
