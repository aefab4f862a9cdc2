//===- Simulator.cpp - placements on data ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Simulator.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;
using llvm::ArrayRef;

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

int64_t Mesh::numDevices() const {
  int64_t product = 1;
  for (const auto &[name, size] : axes)
    product *= size;
  return product;
}

/// The number of devices between neighbours along an axis, and its size.
static std::pair<int64_t, int64_t> strideAndSize(const Mesh &mesh,
                                                 llvm::StringRef axis) {
  int64_t stride = 1;
  for (const auto &[name, size] : llvm::reverse(mesh.axes)) {
    if (name == axis)
      return {stride, size};
    stride *= size;
  }
  return {1, 1};
}

int64_t Mesh::coordinate(int64_t device, llvm::StringRef axis) const {
  auto [stride, size] = strideAndSize(*this, axis);
  return device / stride % size;
}

int64_t Mesh::part(int64_t device, const Axis &axis) const {
  int64_t size = strideAndSize(*this, axis.name).second;
  return coordinate(device, axis.name) / (size / (axis.pre * axis.size)) %
         axis.size;
}

int64_t Mesh::index(int64_t device, ArrayRef<Axis> parts) const {
  int64_t result = 0;
  for (const Axis &axis : parts)
    result = result * axis.size + part(device, axis);
  return result;
}

int64_t Mesh::member(int64_t device, ArrayRef<Axis> parts,
                     int64_t index) const {
  for (const Axis &axis : llvm::reverse(parts)) {
    auto [stride, size] = strideAndSize(*this, axis.name);
    int64_t step = stride * (size / (axis.pre * axis.size));
    device += (index % axis.size - part(device, axis)) * step;
    index /= axis.size;
  }
  return device;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Tensor::Tensor(ArrayRef<int64_t> shape, double fill)
    : shape(shape.begin(), shape.end()) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= size;
  data.assign(count, fill);
}

size_t Tensor::at(ArrayRef<int64_t> index) const {
  size_t position = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    position = position * shape[i] + index[i];
  return position;
}

void test::forEachIndex(ArrayRef<int64_t> shape,
                        llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  std::vector<int64_t> index(shape.size(), 0);
  if (llvm::is_contained(shape, 0))
    return;
  while (true) {
    visit(index);
    size_t i = shape.size();
    while (i > 0 && ++index[i - 1] == shape[i - 1])
      index[--i] = 0;
    if (i == 0)
      return;
  }
}

static double combine(double a, double b, ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return a + b;
  case ReduceKind::Max:
    return std::max(a, b);
  case ReduceKind::Min:
    return std::min(a, b);
  case ReduceKind::Product:
    return a * b;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Placing and checking
//===----------------------------------------------------------------------===//

double Simulator::valueAt(ArrayRef<int64_t> index) const {
  double value = 1;
  for (int64_t i : index)
    value = value * 32 + double(i);
  return value;
}

bool Simulator::isPadding(ArrayRef<int64_t> index) const {
  for (size_t i = 0; i < index.size(); ++i)
    if (index[i] >= trueShape[i])
      return true;
  return false;
}

std::vector<int64_t> Simulator::globalIndex(const Placement &placement,
                                            int64_t device,
                                            ArrayRef<int64_t> local) const {
  std::vector<int64_t> index;
  for (size_t i = 0; i < local.size(); ++i) {
    int64_t blocks = 1;
    for (const Axis &axis : placement.dims[i])
      blocks *= axis.size;
    index.push_back(mesh.index(device, placement.dims[i]) *
                        (placement.pads[i] / blocks) +
                    local[i]);
  }
  return index;
}

void Simulator::place(const Placement &placement) {
  std::vector<int64_t> local;
  for (size_t i = 0; i < placement.pads.size(); ++i) {
    int64_t blocks = 1;
    for (const Axis &axis : placement.dims[i])
      blocks *= axis.size;
    local.push_back(placement.pads[i] / blocks);
  }
  int64_t shares = 1;
  for (const Axis &axis : placement.partial)
    shares *= axis.size;
  devices.clear();
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    Tensor tensor(local);
    int64_t share = mesh.index(device, placement.partial);
    forEachIndex(local, [&](ArrayRef<int64_t> index) {
      std::vector<int64_t> global = globalIndex(placement, device, index);
      double value = valueAt(global);
      // Of a sum, share s > 0 is s * (value mod 7) and share 0 the rest; of a
      // maximum, the share that has the value depends on the value.
      double unit = std::fmod(value, 7);
      double &element = tensor.data[tensor.at(index)];
      if (isPadding(global))
        element = std::numeric_limits<double>::quiet_NaN();
      else if (placement.partialKind == ReduceKind::Sum)
        element = share ? double(share) * unit
                        : value - double(shares * (shares - 1) / 2) * unit;
      else
        element = share == int64_t(value) % shares ? value : -value - share;
    });
    devices.push_back(std::move(tensor));
  }
}

std::string Simulator::check(const Placement &placement) const {
  std::string wrong;
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    Tensor whole = reduced(device, placement.partial, placement.partialKind);
    for (size_t i = 0; i < placement.pads.size(); ++i) {
      int64_t blocks = 1;
      for (const Axis &axis : placement.dims[i])
        blocks *= axis.size;
      if (whole.shape[i] * blocks != placement.pads[i])
        return "device " + std::to_string(device) + " has " +
               std::to_string(whole.shape[i]) + " of dim " + std::to_string(i);
    }
    forEachIndex(whole.shape, [&](ArrayRef<int64_t> index) {
      std::vector<int64_t> global = globalIndex(placement, device, index);
      if (!wrong.empty() || isPadding(global) ||
          whole.data[whole.at(index)] == valueAt(global))
        return;
      wrong = "device " + std::to_string(device) + " has " +
              std::to_string(whole.data[whole.at(index)]) + " instead of " +
              std::to_string(valueAt(global));
    });
  }
  return wrong;
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

Tensor Simulator::gathered(int64_t device, int64_t dim,
                           ArrayRef<Axis> axes) const {
  int64_t count = 1;
  for (const Axis &axis : axes)
    count *= axis.size;
  std::vector<int64_t> shape = devices[device].shape;
  int64_t block = shape[dim];
  shape[dim] *= count;
  Tensor result(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    const Tensor &from = devices[mesh.member(device, axes, index[dim] / block)];
    std::vector<int64_t> local(index.begin(), index.end());
    local[dim] %= block;
    result.data[result.at(index)] = from.data[from.at(local)];
  });
  return result;
}

Tensor Simulator::reduced(int64_t device, ArrayRef<Axis> axes,
                          ReduceKind kind) const {
  int64_t count = 1;
  for (const Axis &axis : axes)
    count *= axis.size;
  Tensor result = devices[mesh.member(device, axes, 0)];
  for (int64_t i = 1; i < count; ++i) {
    const Tensor &other = devices[mesh.member(device, axes, i)];
    for (size_t j = 0; j < result.data.size(); ++j)
      result.data[j] = combine(result.data[j], other.data[j], kind);
  }
  return result;
}

Tensor Simulator::sliced(const Tensor &tensor, int64_t dim, int64_t blocks,
                         int64_t block) {
  std::vector<int64_t> shape = tensor.shape;
  shape[dim] /= blocks;
  Tensor result(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    std::vector<int64_t> from(index.begin(), index.end());
    from[dim] += block * shape[dim];
    result.data[result.at(index)] = tensor.data[tensor.at(from)];
  });
  return result;
}

void Simulator::run(const ReshardStep &step, ReduceKind kind) {
  int64_t count = 1;
  for (const Axis &axis : step.axes)
    count *= axis.size;
  std::vector<Tensor> after;
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    int64_t own = mesh.index(device, step.axes);
    const Tensor &before = devices[device];
    switch (step.move) {
    case Move::Slice:
      after.push_back(sliced(before, step.dim, count, own));
      break;
    case Move::MakePartial:
      after.push_back(own ? Tensor(before.shape) : before);
      break;
    case Move::AllGather:
      after.push_back(gathered(device, step.dim, step.axes));
      break;
    case Move::AllReduce:
      after.push_back(reduced(device, step.axes, kind));
      break;
    case Move::ReduceScatter:
      after.push_back(
          sliced(reduced(device, step.axes, kind), step.dim, count, own));
      break;
    case Move::AllToAll:
      after.push_back(sliced(gathered(device, step.dim, step.axes),
                             step.splitDim, count, own));
      break;
    }
  }
  devices = std::move(after);
}
