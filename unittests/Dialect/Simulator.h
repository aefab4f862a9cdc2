//===- Simulator.h - placements on data -------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Every device of a small mesh with its block of a tensor, so that what the
// algorithms say of placements can be tried. Follows the definitions in the
// dialect's documentation and shares no code with what it tests.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_DIALECT_SIMULATOR_H
#define TP_UNITTESTS_DIALECT_SIMULATOR_H

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <string>
#include <vector>

namespace mlir::tp::test {

/// Axes with their sizes, major to minor; devices are numbered row-major.
struct Mesh {
  std::vector<std::pair<std::string, int64_t>> axes;

  int64_t numDevices() const;
  /// The whole axes. They point to the names in here.
  Axes wholeAxes() const;
  /// The coordinate of a device along an axis.
  int64_t coordinate(int64_t device, llvm::StringRef axis) const;
  /// The coordinate along a part of an axis.
  int64_t part(int64_t device, const Axis &axis) const;
  /// The coordinate along several parts together, major to minor.
  int64_t index(int64_t device, llvm::ArrayRef<Axis> axes) const;
  /// The device that differs from `device` along `axes` only, where it has
  /// coordinate `index`.
  int64_t member(int64_t device, llvm::ArrayRef<Axis> axes,
                 int64_t index) const;
};

/// The groups of devices that differ along some axes only.
struct Groups {
  Groups(const Mesh &mesh, llvm::ArrayRef<Axis> axes);

  /// Of every device, its index in its group and the group's first device.
  std::vector<int64_t> index, first;
  /// From a group's first device to each of its devices.
  std::vector<int64_t> offset;
};

/// A dense tensor, row-major.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> data;

  explicit Tensor(llvm::ArrayRef<int64_t> shape, double fill = 0);
  /// The position of an element in `data`.
  size_t at(llvm::ArrayRef<int64_t> index) const;
};

/// Calls `visit` with every index into a tensor of this shape, row-major.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> visit);

/// What two shares are together; not a number if one of them is not. Bits are
/// those of whole numbers.
double combine(double a, double b, ReduceKind kind);

/// What every device holds of one global tensor, whose true shape may be
/// smaller than the padded one of its placement.
class Simulator {
public:
  Simulator(const Mesh &mesh, llvm::ArrayRef<int64_t> trueShape)
      : mesh(mesh), trueShape(trueShape.begin(), trueShape.end()) {}

  /// Gives every device its block of the test tensor; what is partial is cut in
  /// unequal shares, and padding is not a number.
  void place(const Placement &placement);
  /// Does a step on every device.
  void run(const ReshardStep &step);
  /// Gives every device the tensor of the device whose index over `from` is its
  /// own over `to`.
  void permute(llvm::ArrayRef<Axis> from, llvm::ArrayRef<Axis> to);
  /// The first element that is wrong if the devices hold the test tensor under
  /// `placement`; empty if all is right.
  std::string check(const Placement &placement) const;

private:
  /// The test tensor, distinct in every element, from the global index `start`
  /// + `index`; not a number in the padding.
  double valueAt(llvm::ArrayRef<int64_t> start,
                 llvm::ArrayRef<int64_t> index) const;

  /// The blocks of the group that begins with `device`, joined or combined.
  Tensor gathered(const Groups &groups, int64_t device, int64_t dim) const;
  Tensor reduced(const Groups &groups, int64_t device, ReduceKind kind) const;
  void makePartial(const Groups &groups);
  /// Every collective but permute.
  void exchange(const ReshardStep &step, const Groups &groups);

  const Mesh &mesh;
  std::vector<int64_t> trueShape;
  std::vector<Tensor> devices;
  /// Of what is partial.
  ReduceKind kind = ReduceKind::Sum;
};

} // namespace mlir::tp::test

#endif // TP_UNITTESTS_DIALECT_SIMULATOR_H
