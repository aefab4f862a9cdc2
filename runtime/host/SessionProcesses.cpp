//===- SessionProcesses.cpp - sessions whose ranks are processes ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What the ranks of a session do together outside of compiled code: they
// compare what must be the same everywhere, and rank 0 gets the outputs.
//
//===----------------------------------------------------------------------===//

#include "Agreement.h"
#include "Session.h"
#include "Transfer.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace tprt;

static constexpr int64_t outputTag = 4;

static std::string describeMesh(const Mesh &mesh) {
  std::string text;
  for (const Axis &axis : mesh.axes())
    text += join(text.empty() ? "" : ",", axis.name, "=", axis.size);
  return text;
}

void Session::compareProgram(const char *text, uint64_t fingerprint) {
  Facts facts;
  facts.add("mesh", describeMesh(manifest.mesh));
  facts.add("--timeout", join(timeout));
  for (const Entry &entry : manifest.entries) {
    facts.add("entry", entry.name);
    for (const Argument &argument : entry.arguments)
      if (argument.kind == Argument::Input)
        facts.add("input '" + argument.name + "'", argument.describe());
  }
  // Where the weights are is each machine's own affair.
  nlohmann::json program = nlohmann::json::parse(text);
  program.erase("checkpoint");
  std::string rest = program.dump();
  facts.add("the program", hashText(hashBytes(rest.data(), rest.size())) +
                               hashText(fingerprint));
  world->check(facts.text(), findDisagreement, "comparing programs");
}

void Session::compareSources(const ParameterSource &source) {
  Facts facts;
  facts.add("weights", source.identity());
  world->check(facts.text(), findDisagreement, "comparing weights");
}

/// In pieces: a parameter may be in memory that is not the host's.
uint64_t Session::hashHere(int64_t offset, int64_t bytes) {
  constexpr int64_t most = int64_t(16) << 20;
  std::vector<uint64_t> hashes;
  for (int64_t begin = 0; begin < bytes; begin += most) {
    const int64_t size = std::min(bytes - begin, most);
    hashes.push_back(hashBytes(device->get(0, block(0) + offset + begin, size),
                               size_t(size)));
  }
  return hashBytes(hashes.data(), hashes.size() * sizeof(uint64_t));
}

void Session::compareParameters() {
  std::vector<SharedValue> values;
  std::vector<uint64_t> mine;
  for (const Layout::Parameter &parameter : layout.parameters) {
    const Argument &argument = *parameter.argument;
    if (!isReplicated(manifest.mesh, argument.dims))
      continue;
    values.push_back({argument.name, argument.dims});
    mine.push_back(hashHere(parameter.offset, argument.localBytes()));
  }
  const size_t bytes = mine.size() * sizeof(uint64_t);
  auto judge = [&](const std::vector<std::string> &texts) {
    std::vector<std::vector<uint64_t>> hashes;
    for (const std::string &text : texts) {
      hashes.emplace_back(mine.size());
      text.copy(reinterpret_cast<char *>(hashes.back().data()), bytes);
    }
    return findDifferentCopy(manifest.mesh, values, hashes);
  };
  world->check(std::string(reinterpret_cast<const char *>(mine.data()), bytes),
               judge, "comparing parameters");
}

void Session::compareRun(size_t entry, const std::vector<Binding> &inputs,
                         const std::vector<Binding> &outputs) {
  Facts facts;
  facts.add("run", join(executions[entry], " of entry '",
                        manifest.entries[entry].name, "'"));
  for (const Binding &input : inputs)
    facts.add(
        "input '" + input.type->name + "' with the hash",
        hashText(hashBytes(input.data, size_t(input.type->globalBytes()))));
  for (const Binding &output : outputs)
    facts.add("output", "'" + output.type->name + "'");
  world->check(facts.text(), findDisagreement, "comparing inputs");
}

void Session::collectOutputs(const std::vector<Binding> &outputs) {
  for (const Binding &output : outputs)
    for (int64_t rank : blockOwners(manifest.mesh, output.type->dims)) {
      const bool isHere = world->rank() == rank;
      if (!isHere && world->rank() != 0)
        continue;
      Transfers transfers(*world);
      const int64_t bytes = output.type->localBytes();
      const char *mine =
          isHere ? device->get(0, block(0) + output.offset, bytes) : nullptr;
      if (isHere && rank != 0) {
        transfers.send(world->everybody(), 0, 0, outputTag, mine, bytes);
        transfers.wait(Transfers::Patient);
        continue;
      }
      const char *local = mine;
      if (!isHere) {
        char *staged = transfers.keep(size_t(bytes));
        transfers.receive(world->everybody(), rank, rank, outputTag, staged,
                          bytes);
        transfers.wait(Transfers::Patient);
        local = staged;
      }
      putBlock(*output.type, manifest.mesh.block(rank, output.type->dims),
               local, output.data);
    }
}

Session::Counters Session::collectCounters() {
  Counters largest = countersHere();
  std::string mine;
  for (const auto &entry : largest)
    mine.append(reinterpret_cast<const char *>(entry.data()),
                entry.size() * sizeof(CollectiveCounter));
  for (const std::string &text : world->gather(mine, "counters")) {
    const char *place = text.data();
    for (auto &entry : largest)
      for (CollectiveCounter &counter : entry) {
        CollectiveCounter other;
        std::memcpy(&other, place, sizeof other);
        place += sizeof other;
        counter.include(other);
      }
  }
  return largest;
}
