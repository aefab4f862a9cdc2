//===- JitRandomTest.cpp - random programs against an interpreter ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Fusion, sharing of buffers and donated state must not change what a program
// computes. Elements are small whole numbers and every op is exact on them, so
// that results are compared bit by bit. Tensors are square, which makes
// mistakes about dims legal programs.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <random>

using namespace tptest;

namespace {

/// A value of the program: its name, whether it is a matrix, and its elements.
struct Item {
  std::string name;
  bool matrix;
  std::vector<float> elements;
};

class RandomProgram {
public:
  RandomProgram(unsigned seed, int extent) : generator(seed), n(extent) {}

  void build(int ops);
  void check();

private:
  int pick(int count) { return int(generator() % unsigned(count)); }
  std::string type(bool matrix) const {
    std::string e = std::to_string(n);
    return matrix ? "tensor<" + e + "x" + e + "xf32>" : "tensor<" + e + "xf32>";
  }
  size_t size(bool matrix) const { return size_t(matrix ? n * n : n); }
  std::vector<float> numbers(bool matrix);
  const Item &choose(bool matrix);
  void add(bool matrix, std::vector<float> elements, const std::string &op);
  void addBinary(bool matrix);
  void addConstant(bool matrix);
  void addReduction();
  void addBroadcast();
  void addTranspose();
  void addView();

  std::mt19937 generator;
  int n;
  std::vector<Item> items;
  std::string body;
};

std::vector<float> RandomProgram::numbers(bool matrix) {
  std::vector<float> result(size(matrix));
  for (float &number : result)
    number = float(pick(9) - 4);
  return result;
}

const Item &RandomProgram::choose(bool matrix) {
  // Recent values more often: long chains fuse, old ones keep buffers alive.
  for (;;) {
    int back = pick(3) ? std::min<int>(pick(5), int(items.size()) - 1)
                       : pick(int(items.size()));
    const Item &item = items[items.size() - 1 - back];
    if (item.matrix == matrix)
      return item;
    if (const Item &other = items[pick(int(items.size()))];
        other.matrix == matrix)
      return other;
  }
}

void RandomProgram::add(bool matrix, std::vector<float> elements,
                        const std::string &op) {
  std::string name = "%v" + std::to_string(items.size());
  body += "  " + name + " = " + op + "\n";
  items.push_back({name, matrix, std::move(elements)});
}

/// Maxima and differences.
void RandomProgram::addBinary(bool matrix) {
  Item a = choose(matrix), b = choose(matrix);
  bool max = pick(2);
  std::vector<float> result(size(matrix));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = max ? std::max(a.elements[i], b.elements[i])
                    : a.elements[i] - b.elements[i];
  // What grows too large to stay exact is left out.
  bool large = std::any_of(result.begin(), result.end(),
                           [](float x) { return std::abs(x) > 100000; });
  if (large)
    return addConstant(matrix);
  add(matrix, result,
      std::string(max ? "arith.maximumf " : "arith.subf ") + a.name + ", " +
          b.name + " : " + type(matrix));
}

void RandomProgram::addConstant(bool matrix) {
  std::vector<float> values = numbers(matrix);
  std::string text;
  if (pick(2)) {
    std::fill(values.begin(), values.end(), values.front());
    text = std::to_string(values.front());
  } else {
    for (size_t i = 0; i < values.size(); ++i) {
      bool begins = i % size_t(n) == 0, ends = (i + 1) % size_t(n) == 0;
      text += (i ? ", " : "") + std::string(matrix && begins ? "[" : "") +
              std::to_string(values[i]) + (matrix && ends ? "]" : "");
    }
    text = "[" + text + "]";
  }
  add(matrix, values, "arith.constant dense<" + text + "> : " + type(matrix));
}

void RandomProgram::addReduction() {
  Item a = choose(true);
  int dim = pick(2);
  bool max = pick(2);
  std::vector<float> result(size_t(n), max ? -1e30f : 0.0f);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      float &to = result[size_t(dim ? i : j)],
            x = a.elements[size_t(i * n + j)];
      to = max ? std::max(to, x) : to + x;
    }
  for (float x : result)
    if (std::abs(x) > 100000)
      return addConstant(false);
  add(false, result,
      "nn.reduce " + a.name + (max ? " \"max\"" : " \"sum\"") + " dims [" +
          std::to_string(dim) + "] : (" + type(true) + ") -> " + type(false));
}

void RandomProgram::addBroadcast() {
  Item a = choose(false);
  int dim = pick(2);
  std::vector<float> result(size(true));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      result[size_t(i * n + j)] = a.elements[size_t(dim ? j : i)];
  add(true, result,
      "nn.broadcast " + a.name + " dims [" + std::to_string(dim) + "] : (" +
          type(false) + ") -> " + type(true));
}

void RandomProgram::addTranspose() {
  Item a = choose(true);
  std::vector<float> result(size(true));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      result[size_t(i * n + j)] = a.elements[size_t(j * n + i)];
  add(true, result,
      "nn.transpose " + a.name + " [1, 0] : (" + type(true) + ") -> " +
          type(true));
}

/// There and back: two views of one buffer.
void RandomProgram::addView() {
  Item a = choose(true);
  std::string flat = "tensor<" + std::to_string(n * n) + "xf32>";
  std::string name = "%flat" + std::to_string(items.size());
  body += "  " + name + " = nn.reshape " + a.name + " : (" + type(true) +
          ") -> " + flat + "\n";
  add(true, a.elements,
      "nn.reshape " + name + " : (" + flat + ") -> " + type(true));
}

void RandomProgram::build(int ops) {
  // Two states, an input of each kind; the states are zero at first.
  for (const char *name : {"%s", "%t", "%x"})
    items.push_back({name, true, std::vector<float>(size(true))});
  items.push_back({"%y", false, std::vector<float>(size(false))});
  items[2].elements = numbers(true);
  items[3].elements = numbers(false);
  for (int i = 0; i < ops; ++i)
    switch (pick(9)) {
    case 0:
      addConstant(pick(2));
      break;
    case 1:
      addReduction();
      break;
    case 2:
      addBroadcast();
      break;
    case 3:
      addTranspose();
      break;
    case 4:
      addView();
      break;
    case 5:
      addBinary(false);
      break;
    default:
      addBinary(true);
    }
}

void RandomProgram::check() {
  std::vector<Item> results;
  for (bool matrix : {true, true, true, false, true})
    results.push_back(choose(matrix));
  std::string m = type(true), v = type(false), values, types;
  for (const Item &item : results) {
    values += (values.empty() ? "" : ", ") + item.name;
    types += (types.empty() ? "" : ", ") + type(item.matrix);
  }
  std::string text =
      "func.func @f(%s: " + m + " {nn.state = \"s\"}, %t: " + m +
      " {nn.state = \"t\"}, %x: " + m + " {nn.input = \"x\"}, %y: " + v +
      " {nn.input = \"y\"}) -> (" + m + " {nn.state = \"s\"}, " + m +
      " {nn.state = \"t\"}, " + m + " {nn.output = \"a\"}, " + v +
      " {nn.output = \"b\"}, " + m + " {nn.output = \"c\"}) {\n" + body +
      "  return " + values + " : " + types + "\n}\n" + "func.func @g(%s: " + m +
      " {nn.state = \"s\"}, %t: " + m + " {nn.state = \"t\"}) -> (" + m +
      " {nn.state = \"s\"}, " + m + " {nn.state = \"t\"}, " + m +
      " {nn.output = \"s0\"}, " + m +
      " {nn.output = \"t0\"}) {\n  return %s, %t, %s, %t : " + m + ", " + m +
      ", " + m + ", " + m + "\n}\n";
  SCOPED_TRACE(text);
  Program program(text);
  Tensor x = make("x", {n, n}, TPRT_F32, items[2].elements);
  Tensor y = make("y", {n}, TPRT_F32, items[3].elements);
  Tensor a = zeros("a", {n, n}), b = zeros("b", {n}), c = zeros("c", {n, n});
  Tensor s = zeros("s0", {n, n}), t = zeros("t0", {n, n});
  ASSERT_TRUE(program.run("f", {x, y}, {&a, &b, &c}));
  ASSERT_TRUE(program.run("g", {}, {&s, &t}));
  Tensor *found[] = {&s, &t, &a, &b, &c};
  for (size_t i = 0; i < results.size(); ++i)
    for (size_t j = 0; j < results[i].elements.size(); ++j)
      ASSERT_EQ(found[i]->at(j), results[i].elements[j])
          << "result " << i << " element " << j;
}

TEST(JitRandom, ProgramsComputeWhatTheySay) {
  for (unsigned seed = 0; seed < 100 && !testing::Test::HasFailure(); ++seed) {
    RandomProgram program(seed, seed % 3 == 0 ? 19 : seed % 3 == 1 ? 3 : 16);
    program.build(4 + int(seed % 60));
    program.check();
  }
}

} // namespace
