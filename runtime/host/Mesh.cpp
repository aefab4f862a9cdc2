//===- Mesh.cpp - ranks, axes, groups and blocks -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Mesh.h"

#include "Checked.h"

using namespace tprt;

Mesh::Mesh(std::vector<Axis> axes)
    : meshAxes(std::move(axes)), strides(meshAxes.size()) {
  for (size_t i = meshAxes.size(); i-- > 0;) {
    strides[i] = ranks;
    ranks = multiply(ranks, meshAxes[i].size, "the number of ranks");
  }
}

int64_t Mesh::find(const std::string &name) const {
  for (size_t i = 0; i < meshAxes.size(); ++i)
    if (meshAxes[i].name == name)
      return int64_t(i);
  return -1;
}

int64_t Mesh::stride(const AxisPart &part) const {
  int64_t inner = meshAxes[part.axis].size / (part.pre * part.size);
  return strides[part.axis] * inner;
}

int64_t Mesh::coordinate(int64_t rank, const AxisPart &part) const {
  // On the axis: rank / strides % size. The sub-axis keeps some of its digits.
  return rank / stride(part) % part.size;
}

int64_t Mesh::coordinate(int64_t rank,
                         const std::vector<AxisPart> &parts) const {
  int64_t result = 0;
  for (const AxisPart &part : parts)
    result = result * part.size + coordinate(rank, part);
  return result;
}

std::vector<int64_t> Mesh::members(int64_t rank,
                                   const std::vector<AxisPart> &parts) const {
  int64_t first = rank;
  for (const AxisPart &part : parts)
    first -= coordinate(rank, part) * stride(part);
  std::vector<int64_t> result{first};
  for (const AxisPart &part : parts) {
    std::vector<int64_t> next;
    for (int64_t base : result)
      for (int64_t i = 0; i < part.size; ++i)
        next.push_back(base + i * stride(part));
    result = std::move(next);
  }
  return result;
}

Block Mesh::block(int64_t rank, const std::vector<Dim> &dims) const {
  Block result;
  for (const Dim &dim : dims)
    result.push_back(
        {dim.size, coordinate(rank, dim.axes) * dim.local(), dim.local()});
  return result;
}
