//===- ContractLoops.h - loops over the dims of a contraction ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONTRACTLOOPS_H
#define TPRT_HOST_CONTRACTLOOPS_H

#include "ContractPlan.h"

namespace tprt {

/// An index over several dims, the last one fastest, and its offset in each
/// operand.
struct ContractIndex {
  int64_t index[2 * TPRT_MAX_RANK] = {};
  int64_t a = 0, b = 0, c = 0;

  /// The index number `linear`.
  void seek(const std::vector<ContractDim> &dims, int64_t linear) {
    for (size_t d = dims.size(); d-- > 0; linear /= dims[d].extent) {
      index[d] = linear % dims[d].extent;
      a += index[d] * dims[d].a;
      b += index[d] * dims[d].b;
      c += index[d] * dims[d].c;
    }
  }

  /// The next one; false after the last.
  bool advance(const std::vector<ContractDim> &dims) {
    for (size_t d = dims.size(); d > 0; --d) {
      const ContractDim &dim = dims[d - 1];
      a += dim.a;
      b += dim.b;
      c += dim.c;
      if (++index[d - 1] < dim.extent)
        return true;
      a -= dim.a * dim.extent;
      b -= dim.b * dim.extent;
      c -= dim.c * dim.extent;
      index[d - 1] = 0;
    }
    return false;
  }
};

/// Calls body(offset in a, in b, in c) for every index of the dims.
template <typename Body>
void forEachIndex(const std::vector<ContractDim> &dims, const Body &body) {
  if (extentOf(dims) == 0)
    return;
  ContractIndex index;
  do
    body(index.a, index.b, index.c);
  while (index.advance(dims));
}

/// The offsets of a range of indices of several dims taken as one.
struct Offsets {
  std::vector<int64_t> a, b, c;

  /// Of indices [begin, begin + count).
  void set(const std::vector<ContractDim> &dims, int64_t begin, int64_t count) {
    a.resize(size_t(count));
    b.resize(size_t(count));
    c.resize(size_t(count));
    ContractIndex index;
    if (count > 0)
      index.seek(dims, begin);
    for (size_t i = 0; i < size_t(count); ++i) {
      a[i] = index.a;
      b[i] = index.b;
      c[i] = index.c;
      index.advance(dims);
    }
  }

  int64_t size() const { return int64_t(a.size()); }
};

} // namespace tprt

#endif // TPRT_HOST_CONTRACTLOOPS_H
