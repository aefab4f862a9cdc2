//===- PlaceTest.cpp - which devices hold which block ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Place.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"
#include <map>
#include <random>

using namespace mlir;
using namespace mlir::tp;

namespace {

struct MeshAxis {
  std::string name;
  int64_t size;
};

/// Cuts the axes of the mesh at a divisor or not, and deals the parts out to
/// the dims, or to none.
Placement randomPlacement(std::mt19937 &random, ArrayRef<MeshAxis> mesh,
                          size_t rank) {
  Placement placement = Placement::replicated(SmallVector<int64_t>(rank, 1));
  std::vector<Axis> parts;
  for (const MeshAxis &axis : mesh) {
    int64_t cut = axis.size % 2 == 0 && random() % 2 ? 2 : 1;
    if (cut > 1)
      parts.push_back({axis.name, 1, cut});
    if (axis.size / cut > 1)
      parts.push_back({axis.name, cut, axis.size / cut});
  }
  std::shuffle(parts.begin(), parts.end(), random);
  for (const Axis &part : parts)
    if (size_t dim = random() % (rank + 1); dim < rank)
      placement.dims[dim].push_back(part);
  return placement;
}

/// The block of a dim that a device holds: its axes' coordinates, major first.
int64_t blockOf(ArrayRef<Axis> axes, ArrayRef<MeshAxis> mesh, int64_t device) {
  std::map<std::string, std::pair<int64_t, int64_t>> coordinates; // value, size
  for (const MeshAxis &axis : llvm::reverse(mesh)) {
    coordinates[axis.name] = {device % axis.size, axis.size};
    device /= axis.size;
  }
  int64_t block = 0;
  for (const Axis &axis : axes) {
    auto [value, size] = coordinates[axis.name.str()];
    int64_t minor = size / (axis.pre * axis.size);
    block = block * axis.size + value / minor % axis.size;
  }
  return block;
}

std::vector<int64_t> numbersAt(const llvm::json::Object &object,
                               StringRef key) {
  std::vector<int64_t> numbers;
  for (const llvm::json::Value &value : *object.getArray(key))
    numbers.push_back(*value.getAsInteger());
  return numbers;
}

TEST(Place, EveryDevice) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<MeshAxis> mesh;
    int64_t devices = 1;
    for (StringRef name : {"x", "y", "z"}) {
      int64_t size = std::array<int64_t, 5>{1, 2, 3, 4, 6}[random() % 5];
      if (devices * size > 60)
        size = 1;
      mesh.push_back({name.str(), size});
      devices *= size;
    }
    Report report;
    for (const MeshAxis &axis : mesh)
      report.axes.push_back({axis.name, axis.size});
    ReportPlacement tensor;
    size_t rank = random() % 4;
    tensor.placement = randomPlacement(random, mesh, rank);
    for (size_t dim = 0; dim < rank; ++dim) {
      tensor.local.push_back(1 + int64_t(random() % 3));
      int64_t padded = tensor.local[dim] * sizeOf(tensor.placement.dims[dim]);
      tensor.placement.pads[dim] = padded;
      tensor.shape.push_back(
          std::max<int64_t>(1, padded - int64_t(random() % 3)));
    }
    std::string text;
    llvm::raw_string_ostream os(text);
    printPlaceJson(report, tensor, os);
    llvm::Expected<llvm::json::Value> json = llvm::json::parse(text);
    ASSERT_TRUE(bool(json));
    // Each device is in exactly one block, and that is its own.
    std::vector<int> seen(devices);
    for (const llvm::json::Value &value :
         *json->getAsObject()->getArray("blocks")) {
      const llvm::json::Object &block = *value.getAsObject();
      std::vector<int64_t> index = numbersAt(block, "index");
      for (int64_t device : numbersAt(block, "devices")) {
        ASSERT_LT(device, devices);
        ++seen[device];
        for (size_t dim = 0; dim < rank; ++dim)
          EXPECT_EQ(blockOf(tensor.placement.dims[dim], mesh, device),
                    index[dim])
              << text;
      }
      std::vector<int64_t> offset = numbersAt(block, "offset");
      std::vector<int64_t> extent = numbersAt(block, "extent");
      for (size_t dim = 0; dim < rank; ++dim) {
        EXPECT_EQ(offset[dim], index[dim] * tensor.local[dim]);
        EXPECT_LE(extent[dim] ? offset[dim] + extent[dim] : 0,
                  tensor.shape[dim]);
      }
    }
    for (int count : seen)
      EXPECT_EQ(count, 1) << text;
    // The picture fits a terminal.
    std::string picture;
    llvm::raw_string_ostream pictureStream(picture);
    printPlaceText(report, tensor, pictureStream);
    SmallVector<StringRef> lines;
    StringRef(picture).split(lines, '\n');
    for (StringRef line : lines)
      EXPECT_LE(line.size(), 100u) << picture;
  }
}

} // namespace
