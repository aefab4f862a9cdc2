//===- ModuleNames.cpp - which modules a plan's key names -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/ModuleNames.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

/// One character of a pattern against `c`: a letter, ? or a set in brackets.
/// `length` is what of the pattern it takes.
static bool matchesOne(StringRef pattern, char c, size_t &length) {
  length = 1;
  if (pattern.front() != '[')
    return pattern.front() == '?' || pattern.front() == c;
  bool isNegated = pattern.size() > 1 && pattern[1] == '!';
  size_t begin = isNegated ? 2 : 1;
  size_t end = pattern.find(']', begin + 1);
  if (end == StringRef::npos)
    return c == '[';
  length = end + 1;
  bool found = false;
  for (size_t i = begin; i < end; ++i) {
    bool isRange = i + 2 < end && pattern[i + 1] == '-';
    char last = isRange ? pattern[i + 2] : pattern[i];
    found |= pattern[i] <= c && c <= last;
    i += isRange ? 2 : 0;
  }
  return found != isNegated;
}

/// The shell's wildcards within one component.
static bool matchesComponent(StringRef pattern, StringRef text) {
  // Greedy with one backtracking point: linear in practice, quadratic at worst.
  size_t p = 0, t = 0, star = StringRef::npos, mark = 0, length = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() &&
               matchesOne(pattern.drop_front(p), text[t], length)) {
      p += length;
      ++t;
    } else if (star != StringRef::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.drop_front(p).find_first_not_of('*') == StringRef::npos;
}

bool tp::hasWildcard(StringRef pattern) {
  return pattern.find_first_of("*?[") != StringRef::npos;
}

bool tp::matchesModule(StringRef pattern, StringRef module) {
  SmallVector<StringRef> wanted, have;
  pattern.split(wanted, '.');
  module.split(have, '.');
  if (pattern.empty() || module.empty())
    return pattern == module;
  if (wanted.size() > have.size())
    return false;
  for (auto [a, b] : llvm::zip(llvm::reverse(wanted), llvm::reverse(have)))
    if (!matchesComponent(a, b))
      return false;
  return true;
}

std::optional<std::pair<std::string, unsigned>>
tp::nearestModule(StringRef pattern, ArrayRef<StringRef> modules) {
  size_t count = pattern.count('.') + 1;
  std::map<std::string, unsigned> candidates;
  for (StringRef module : modules) {
    SmallVector<StringRef> parts;
    module.split(parts, '.');
    if (parts.size() < count)
      continue;
    std::string name;
    for (StringRef part : ArrayRef<StringRef>(parts).take_back(count)) {
      bool isNumber = llvm::all_of(part, llvm::isDigit);
      name += (name.empty() ? "" : ".") + (isNumber ? "*" : part.str());
    }
    ++candidates[name];
  }
  std::optional<std::pair<std::string, unsigned>> best;
  unsigned bestDistance = std::max<size_t>(3, pattern.size() / 3);
  for (auto &[name, number] : candidates) {
    // Layers alone are near to everything short.
    if (name.find_first_not_of("*.") == std::string::npos)
      continue;
    unsigned distance = pattern.edit_distance(name, true, bestDistance);
    if (distance < bestDistance && distance < pattern.size()) {
      bestDistance = distance;
      best = {name, number};
    }
  }
  return best;
}
