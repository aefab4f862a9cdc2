//===- Agreement.cpp - what must be the same in all processes -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Agreement.h"

#include "Error.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

using namespace tprt;

//===----------------------------------------------------------------------===//
// Hashes
//===----------------------------------------------------------------------===//

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

uint64_t tprt::hashBytes(const void *data, size_t bytes) {
  // Four chains, because one would wait for its own multiplications.
  uint64_t chains[4] = {1, 2, 3, bytes};
  const char *place = static_cast<const char *>(data);
  constexpr size_t step = 4 * sizeof(uint64_t);
  for (; bytes >= step; bytes -= step) {
    uint64_t words[4];
    std::memcpy(words, place, step);
    place += step;
    for (int i = 0; i < 4; ++i)
      chains[i] = mix(chains[i], words[i]);
  }
  uint64_t rest[4] = {};
  if (bytes > 0)
    std::memcpy(rest, place, bytes);
  uint64_t hash = 0;
  for (int i = 0; i < 4; ++i)
    hash = mix(hash, mix(chains[i], rest[i]));
  return hash;
}

std::string tprt::hashText(uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(hash));
  return text;
}

//===----------------------------------------------------------------------===//
// Majorities
//===----------------------------------------------------------------------===//

namespace {
/// A rank that differs, and one of those that most others agree with.
struct Difference {
  int64_t rank, other;
};
} // namespace

/// Among equals the lowest rank's value counts for right. False if all agree.
template <typename Value>
static bool findOdd(const std::vector<std::pair<int64_t, Value>> &values,
                    Difference &difference) {
  std::map<Value, std::pair<int64_t, int64_t>> counts; // and the first rank
  for (const auto &[rank, value] : values)
    ++counts.insert({value, {0, rank}}).first->second.first;
  if (counts.size() < 2)
    return false;
  auto most = counts.begin();
  for (auto it = counts.begin(); it != counts.end(); ++it)
    if (it->second.first > most->second.first ||
        (it->second.first == most->second.first &&
         it->second.second < most->second.second))
      most = it;
  difference.other = most->second.second;
  for (const auto &[rank, value] : values)
    if (value != most->first) {
      difference.rank = rank;
      break;
    }
  return true;
}

//===----------------------------------------------------------------------===//
// Facts
//===----------------------------------------------------------------------===//

std::string Facts::text() const {
  return nlohmann::json(facts).dump(-1, ' ', true,
                                    nlohmann::json::error_handler_t::replace);
}

std::string tprt::findDisagreement(const std::vector<std::string> &texts) {
  using Fact = std::pair<std::string, std::string>;
  std::vector<std::vector<Fact>> facts;
  size_t most = 0;
  for (const std::string &text : texts) {
    facts.push_back(nlohmann::json::parse(text).get<std::vector<Fact>>());
    most = std::max(most, facts.back().size());
  }
  for (size_t i = 0; i < most; ++i) {
    std::vector<std::pair<int64_t, Fact>> values;
    for (size_t rank = 0; rank < facts.size(); ++rank)
      values.push_back(
          {int64_t(rank), i < facts[rank].size() ? facts[rank][i] : Fact()});
    Difference difference;
    if (!findOdd(values, difference))
      continue;
    auto describe = [&](int64_t rank) {
      const Fact &fact = values[size_t(rank)].second;
      return fact.first.empty() ? "nothing more"
                                : join(fact.first, " ", fact.second);
    };
    return join("the ranks differ: rank ", difference.rank, " has ",
                describe(difference.rank), ", rank ", difference.other, " has ",
                describe(difference.other));
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

bool tprt::isReplicated(const Mesh &mesh, const std::vector<Dim> &dims) {
  int64_t blocks = 1;
  for (const Dim &dim : dims)
    blocks *= dim.shards;
  return blocks < mesh.numRanks();
}

/// Which block of a tensor a rank holds, as one number.
static int64_t blockNumber(const Mesh &mesh, int64_t rank,
                           const std::vector<Dim> &dims) {
  int64_t number = 0;
  for (const Dim &dim : dims)
    number = number * dim.shards + mesh.coordinate(rank, dim.axes);
  return number;
}

std::string
tprt::findDifferentCopy(const Mesh &mesh,
                        const std::vector<SharedValue> &values,
                        const std::vector<std::vector<uint64_t>> &hashes) {
  for (size_t v = 0; v < values.size(); ++v) {
    std::map<int64_t, std::vector<std::pair<int64_t, uint64_t>>> holders;
    for (size_t rank = 0; rank < hashes.size(); ++rank)
      holders[blockNumber(mesh, int64_t(rank), values[v].dims)].push_back(
          {int64_t(rank), hashes[rank][v]});
    for (const auto &[block, copies] : holders) {
      Difference difference;
      if (findOdd(copies, difference))
        return join("the ranks differ: rank ", difference.rank, " and rank ",
                    difference.other, " should hold the same values of '",
                    values[v].name,
                    "' and do not; is the file of the weights whole and the "
                    "same for both?");
    }
  }
  return "";
}
