//===- ExpressionTest.cpp - styles as they are written in Python ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

TEST(Expression, Forms) {
  Reader reader;
  // What is written, and how it is written again.
  const std::pair<StringRef, StringRef> forms[] = {
      {"None", "None"},
      {" True ", "True"},
      {"-12", "-12"},
      {"+ 3", "3"},
      {"'a b'", "\"a b\""},
      {"Replicate", "Replicate"},
      {"Shard(1)", "Shard(1)"},
      {"Shard( dim = -1 , )", "Shard(dim=-1)"},
      {"torch.distributed.tensor . Shard(0)", "Shard(0)"},
      {"(Shard(1))", "Shard(1)"},
      {"(Shard(1),)", "(Shard(1),)"},
      {"[Shard(1)]", "(Shard(1),)"},
      {"()", "()"},
      {"Shard(1), None", "(Shard(1), None)"},
      {"Shard(1),", "(Shard(1),)"},
      {"{'x': Shard(1), \"y\": None,}", "{\"x\": Shard(1), \"y\": None}"},
      {"dict(x=Shard(1))", "{\"x\": Shard(1)}"},
      {"{}", "{}"},
      {"P(\n\t(None, [1, 2]), k={'a': ()},)",
       "P((None, (1, 2)), k={\"a\": ()})"},
  };
  for (auto [text, expected] : forms) {
    FailureOr<Expression> expression = reader.parse(text);
    ASSERT_TRUE(succeeded(expression)) << text.str() << ": " << reader.message;
    EXPECT_EQ(expression->str(), expected.str());
    // What is written again reads the same.
    FailureOr<Expression> again = reader.parse(expression->str());
    ASSERT_TRUE(succeeded(again)) << reader.message;
    EXPECT_EQ(again->str(), expected.str());
  }
}

TEST(Expression, Errors) {
  Reader reader;
  const std::pair<StringRef, StringRef> cases[] = {
      {"", "expected a style, a layout or a value but found the end (column 1"},
      {"Shard(1", "expected ',' or ')' but found the end (column 8"},
      {"Shard(1))", "expected nothing more but found ')' (column 9"},
      {"Shard(1 2)", "expected ',' or ')' but found '2' (column 9"},
      {"Shard(dim=)", "expected a style, a layout or a value but found ')'"},
      {"Shard(dim=1, 2)", "expected a keyword argument after another"},
      {"Shard(dim=1, dim=2)", "expected 'dim' once"},
      {"{x: 1}", "expected a name in quotes or '}' but found 'x' (column 2"},
      {"{'x' 1}", "expected ':' but found '1'"},
      {"{'x': 1, 'x': 2}", "expected 'x' once"},
      {"'x", "expected the closing quote but found the end"},
      {"'a\\n'", "expected a name without escapes but found '\\' (column 3"},
      {"a.", "expected a name after the dot but found the end"},
      {"99999999999999999999", "expected a whole number of 64 bits"},
      {"-", "expected a whole number of 64 bits but found the end"},
      {"Shard(1) Shard(2)", "expected nothing more but found 'S' (column 10"},
      {"(1, 2", "expected ',' or ')' but found the end"},
      {"[1, 2)", "expected ',' or ']' but found ')'"},
      {"1 + 2", "expected nothing more but found '+'"},
      {"lambda x: x", "expected nothing more but found 'x'"},
  };
  for (auto [text, expected] : cases) {
    EXPECT_TRUE(failed(reader.parse(text))) << text.str();
    EXPECT_NE(reader.message.find(expected.str()), std::string::npos)
        << text.str() << " gives " << reader.message;
  }
}

TEST(Expression, Limits) {
  Reader reader;
  for (StringRef open : {"(", "[", "f(", "f(x=", "{'x':"}) {
    std::string deep;
    for (int i = 0; i < 400; ++i)
      deep += open.str();
    EXPECT_TRUE(failed(reader.parse(deep)));
    EXPECT_NE(reader.message.find("nested too deeply"), std::string::npos);
  }
  EXPECT_TRUE(failed(reader.parse(std::string(5000, 'a'))));
  EXPECT_NE(reader.message.find("more than 4096"), std::string::npos);
  EXPECT_TRUE(succeeded(reader.parse(std::string(4096, 'a'))));
}

/// Neither mutations of what is right nor noise does more than fail with a
/// message; what is read can be written and read again.
TEST(Expression, Malformed) {
  Reader reader;
  const std::string seeds[] = {
      "RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1))",
      "PrepareModuleInput(input_layouts=(Shard(1), None), "
      "desired_input_layouts=[Replicate(), None], use_local_output=False)",
      "PrepareModuleInput(input_kwarg_layouts={'x': Shard(dim=-1)}, "
      "desired_input_kwarg_layouts=dict(x=Replicate()))",
      "SequenceParallel(sequence_dim=2)"};
  const std::string alphabet = "()[]{},.:='\"\\ -+019aZ_\n\t\x01\xff#";
  std::mt19937 random(7);
  auto below = [&](size_t bound) { return size_t(random() % bound); };
  size_t parsed = 0, read = 0;
  for (int round = 0; round < 40000; ++round) {
    std::string text = seeds[below(std::size(seeds))];
    for (size_t edits = 1 + below(6); edits && !text.empty(); --edits) {
      size_t at = below(text.size());
      switch (below(5)) {
      case 0:
        text.erase(at, 1 + below(5));
        break;
      case 1:
        text.insert(at, 1, alphabet[below(alphabet.size())]);
        break;
      case 2:
        text[at] = alphabet[below(alphabet.size())];
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), below(20)));
        break;
      default:
        text.resize(at);
      }
    }
    FailureOr<Expression> expression = reader.parse(text);
    if (failed(expression)) {
      ASSERT_FALSE(reader.message.empty()) << text;
      continue;
    }
    ++parsed;
    FailureOr<Expression> again = reader.parse(expression->str());
    ASSERT_TRUE(succeeded(again)) << text << " as " << expression->str();
    ASSERT_EQ(again->str(), expression->str());
    if (succeeded(reader.style(text)))
      ++read;
    else
      ASSERT_FALSE(reader.message.empty()) << text;
  }
  // Some of them are right still, and some are styles.
  EXPECT_GT(parsed, 1000u);
  EXPECT_GT(read, 100u);
}

} // namespace
