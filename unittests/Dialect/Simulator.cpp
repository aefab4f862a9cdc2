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

Axes Mesh::wholeAxes() const {
  Axes whole;
  for (const auto &[name, size] : axes)
    whole.push_back({name, 1, size});
  return whole;
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

Groups::Groups(const Mesh &mesh, ArrayRef<Axis> axes) : offset{0} {
  int64_t numDevices = mesh.numDevices();
  index.assign(numDevices, 0);
  first.resize(numDevices);
  for (int64_t device = 0; device < numDevices; ++device)
    first[device] = device;
  for (const Axis &axis : axes) {
    auto [stride, size] = strideAndSize(mesh, axis.name);
    int64_t step = stride * (size / (axis.pre * axis.size));
    for (int64_t device = 0; device < numDevices; ++device) {
      int64_t digit = device / step % axis.size;
      index[device] = index[device] * axis.size + digit;
      first[device] -= digit * step;
    }
    std::vector<int64_t> longer;
    for (int64_t start : offset)
      for (int64_t digit = 0; digit < axis.size; ++digit)
        longer.push_back(start + digit * step);
    offset = std::move(longer);
  }
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static int64_t product(ArrayRef<int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    result *= size;
  return result;
}

Tensor::Tensor(ArrayRef<int64_t> shape, double fill)
    : shape(shape.begin(), shape.end()), data(product(shape), fill) {}

size_t Tensor::at(ArrayRef<int64_t> index) const {
  size_t position = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    position = position * shape[i] + index[i];
  return position;
}

void test::forEachIndex(ArrayRef<int64_t> shape,
                        llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  llvm::SmallVector<int64_t> index(shape.size(), 0);
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

/// The block of a tensor when `dim` is cut in `blocks`.
static Tensor sliced(const Tensor &tensor, int64_t dim, int64_t blocks,
                     int64_t block) {
  std::vector<int64_t> shape = tensor.shape;
  shape[dim] /= blocks;
  Tensor result(shape);
  int64_t length = product(ArrayRef(shape).drop_front(dim));
  for (int64_t i = 0; length && i < int64_t(result.data.size()) / length; ++i)
    std::copy_n(tensor.data.begin() + (i * blocks + block) * length, length,
                result.data.begin() + i * length);
  return result;
}

//===----------------------------------------------------------------------===//
// Values and their shares
//===----------------------------------------------------------------------===//

/// All values are whole numbers below this, which doubles have exactly.
static constexpr int64_t kAllBits = (int64_t(1) << 42) - 1;

double test::combine(double a, double b, ReduceKind kind) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::quiet_NaN();
  switch (kind) {
  case ReduceKind::Sum:
    return a + b;
  case ReduceKind::Max:
    return std::max(a, b);
  case ReduceKind::Min:
    return std::min(a, b);
  case ReduceKind::Product:
    return a * b;
  case ReduceKind::And:
    return double(int64_t(a) & int64_t(b));
  case ReduceKind::Or:
    return double(int64_t(a) | int64_t(b));
  }
  return 0;
}

static uint64_t scrambled(uint64_t value) {
  value = (value ^ (value >> 31)) * 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 29)) * 0xbf58476d1ce4e5b9;
  return value ^ (value >> 32);
}

/// What a share other than the first adds to a sum, or multiplies a product by.
static double addend(double value, int64_t share) {
  return double(scrambled(uint64_t(value) * 1024 + share) % 1000);
}
static double factor(double value, int64_t share) {
  return double(1 << scrambled(uint64_t(value) * 1024 + share) % 3);
}

/// The bits that are in the care of one share, which alone decides them.
static int64_t bitsOf(double value, int64_t share, int64_t shares) {
  uint64_t first = scrambled(uint64_t(value));
  int64_t bits = 0;
  for (int64_t bit = 0; bit < 42; ++bit)
    if (int64_t((first + bit) % shares) == share)
      bits |= int64_t(1) << bit;
  return bits;
}

/// One of the shares that `value` is combined from.
static double shareOf(double value, int64_t share, int64_t shares,
                      ReduceKind kind) {
  if (std::isnan(value))
    return value;
  bool isOwner = int64_t(scrambled(uint64_t(value)) % shares) == share;
  double rest = value;
  switch (kind) {
  case ReduceKind::Sum:
    for (int64_t other = 1; share == 0 && other < shares; ++other)
      rest -= addend(value, other);
    return share == 0 ? rest : addend(value, share);
  case ReduceKind::Product:
    for (int64_t other = 1; share == 0 && other < shares; ++other)
      rest /= factor(value, other);
    return share == 0 ? rest : factor(value, share);
  case ReduceKind::Max:
    return isOwner ? value : value - 1 - double(share);
  case ReduceKind::Min:
    return isOwner ? value : value + 1 + double(share);
  case ReduceKind::Or:
    return double(int64_t(value) & bitsOf(value, share, shares));
  case ReduceKind::And:
    return double(int64_t(value) | (kAllBits & ~bitsOf(value, share, shares)));
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Placing and checking
//===----------------------------------------------------------------------===//

double Simulator::valueAt(ArrayRef<int64_t> start,
                          ArrayRef<int64_t> index) const {
  int64_t value = 1;
  for (size_t i = 0; i < index.size(); ++i) {
    int64_t global = start[i] + index[i];
    if (global >= trueShape[i])
      return std::numeric_limits<double>::quiet_NaN();
    value = value * 1024 + global;
  }
  return double(value);
}

/// The extents of a device's block, and the global index where it starts.
static std::vector<int64_t> blockShape(const Placement &placement) {
  std::vector<int64_t> shape;
  for (size_t i = 0; i < placement.pads.size(); ++i) {
    shape.push_back(placement.pads[i]);
    for (const Axis &axis : placement.dims[i])
      shape.back() /= axis.size;
  }
  return shape;
}

static std::vector<int64_t> blockStart(const Placement &placement,
                                       const std::vector<Groups> &ofDims,
                                       int64_t device) {
  std::vector<int64_t> start = blockShape(placement);
  for (size_t i = 0; i < start.size(); ++i)
    start[i] *= ofDims[i].index[device];
  return start;
}

static std::vector<Groups> groupsOfDims(const Mesh &mesh,
                                        const Placement &placement) {
  std::vector<Groups> groups;
  for (const Axes &axes : placement.dims)
    groups.emplace_back(mesh, axes);
  return groups;
}

void Simulator::place(const Placement &placement) {
  kind = placement.partialKind;
  std::vector<Groups> ofDims = groupsOfDims(mesh, placement);
  Groups ofShares(mesh, placement.partial);
  int64_t shares = int64_t(ofShares.offset.size());
  devices.clear();
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    Tensor tensor(blockShape(placement));
    std::vector<int64_t> start = blockStart(placement, ofDims, device);
    auto element = tensor.data.begin();
    forEachIndex(tensor.shape, [&](ArrayRef<int64_t> index) {
      *element++ =
          shareOf(valueAt(start, index), ofShares.index[device], shares, kind);
    });
    devices.push_back(std::move(tensor));
  }
}

std::string Simulator::check(const Placement &placement) const {
  std::string wrong;
  std::vector<Groups> ofDims = groupsOfDims(mesh, placement);
  Groups ofShares(mesh, placement.partial);
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    auto has = [&] { return "device " + std::to_string(device) + " has "; };
    if (devices[device].shape != blockShape(placement))
      return has() + "a block of another shape";
    if (ofShares.index[device])
      continue; // as on the first device
    Tensor whole = reduced(ofShares, device, placement.partialKind);
    std::vector<int64_t> start = blockStart(placement, ofDims, device);
    auto element = whole.data.begin();
    forEachIndex(whole.shape, [&](ArrayRef<int64_t> index) {
      double found = *element++, expected = valueAt(start, index);
      if (wrong.empty() && !std::isnan(expected) && found != expected)
        wrong = has() + std::to_string(found) + " instead of " +
                std::to_string(expected);
    });
  }
  return wrong;
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

Tensor Simulator::gathered(const Groups &groups, int64_t device,
                           int64_t dim) const {
  int64_t blocks = int64_t(groups.offset.size());
  std::vector<int64_t> shape = devices[device].shape;
  int64_t length = product(ArrayRef(shape).drop_front(dim));
  shape[dim] *= blocks;
  Tensor result(shape);
  for (int64_t block = 0; block < blocks; ++block) {
    const Tensor &from = devices[device + groups.offset[block]];
    for (int64_t i = 0; length && i < int64_t(from.data.size()) / length; ++i)
      std::copy_n(from.data.begin() + i * length, length,
                  result.data.begin() + (i * blocks + block) * length);
  }
  return result;
}

Tensor Simulator::reduced(const Groups &groups, int64_t device,
                          ReduceKind kind) const {
  Tensor result = devices[device];
  for (int64_t offset : ArrayRef(groups.offset).drop_front()) {
    const Tensor &other = devices[device + offset];
    for (size_t i = 0; i < result.data.size(); ++i)
      result.data[i] = combine(result.data[i], other.data[i], kind);
  }
  return result;
}

void Simulator::makePartial(const Groups &groups) {
  if (kind != ReduceKind::Sum && kind != ReduceKind::Product)
    return; // every device keeps the value
  double neutral = kind == ReduceKind::Sum ? 0 : 1;
  for (int64_t device = 0; device < mesh.numDevices(); ++device)
    if (groups.index[device])
      devices[device] = Tensor(devices[device].shape, neutral);
}

void Simulator::exchange(const ReshardStep &step, const Groups &groups) {
  bool reduces =
      step.move == Move::AllReduce || step.move == Move::ReduceScatter;
  bool splits = step.move == Move::AllToAll || step.move == Move::ReduceScatter;
  int64_t splitDim = step.move == Move::AllToAll ? step.splitDim : step.dim;
  int64_t size = int64_t(groups.offset.size());
  std::vector<Tensor> after = devices;
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    if (groups.index[device])
      continue;
    Tensor whole = reduces ? reduced(groups, device, step.kind)
                           : gathered(groups, device, step.dim);
    for (int64_t i = 0; i < size; ++i)
      after[device + groups.offset[i]] =
          splits ? sliced(whole, splitDim, size, i) : whole;
  }
  devices = std::move(after);
}

void Simulator::permute(ArrayRef<Axis> from, ArrayRef<Axis> to) {
  Groups sources(mesh, from), targets(mesh, to);
  std::vector<Tensor> after;
  for (int64_t device = 0; device < mesh.numDevices(); ++device)
    after.push_back(
        devices[sources.first[device] + sources.offset[targets.index[device]]]);
  devices = std::move(after);
}

void Simulator::run(const ReshardStep &step) {
  Groups groups(mesh, step.axes);
  switch (step.move) {
  case Move::Slice:
    for (int64_t device = 0; device < mesh.numDevices(); ++device)
      devices[device] =
          sliced(devices[device], step.dim, int64_t(groups.offset.size()),
                 groups.index[device]);
    return;
  case Move::MakePartial:
    kind = step.kind;
    return makePartial(groups);
  case Move::Permute:
    return permute(step.axes, step.toAxes);
  case Move::AllGather:
  case Move::AllReduce:
  case Move::ReduceScatter:
  case Move::AllToAll:
    return exchange(step, groups);
  }
}
