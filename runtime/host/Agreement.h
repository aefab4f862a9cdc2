//===- Agreement.h - what must be the same in all processes ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_AGREEMENT_H
#define TPRT_HOST_AGREEMENT_H

#include "Mesh.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tprt {

/// A hash that is quick on long memory; no protection against malice.
uint64_t hashBytes(const void *data, size_t bytes);

/// 16 hexadecimal digits.
std::string hashText(uint64_t hash);

/// What a process says of itself, in an order that is the same everywhere:
/// ("mesh", "dp=2,tp=2").
class Facts {
public:
  void add(std::string label, std::string value) {
    facts.push_back({std::move(label), std::move(value)});
  }
  std::string text() const;

private:
  std::vector<std::pair<std::string, std::string>> facts;
};

/// The first thing in which a rank differs from most others, from the texts of
/// all ranks' facts; empty if there is none.
std::string findDisagreement(const std::vector<std::string> &texts);

/// A value of which several ranks hold the same block.
struct SharedValue {
  std::string name;
  std::vector<Dim> dims;
};

/// Whether any two ranks hold the same block.
bool isReplicated(const Mesh &mesh, const std::vector<Dim> &dims);

/// The first value of which two ranks hold different copies of one block; empty
/// if there is none. `hashes` are every rank's, in the order of the values.
std::string findDifferentCopy(const Mesh &mesh,
                              const std::vector<SharedValue> &values,
                              const std::vector<std::vector<uint64_t>> &hashes);

} // namespace tprt

#endif // TPRT_HOST_AGREEMENT_H
