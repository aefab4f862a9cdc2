//===- MachineTest.cpp - which links a group of devices needs -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Machine.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

class MachineTest : public testing::Test {
protected:
  MachineTest() { context.getOrLoadDialect<TPDialect>(); }

  MeshAttr mesh(ArrayRef<std::pair<StringRef, int64_t>> axes) {
    SmallVector<MeshAxisAttr> list;
    for (auto [name, size] : axes)
      list.push_back(MeshAxisAttr::get(&context, name, size));
    return MeshAttr::get(&context, list);
  }

  MLIRContext context;
};

/// The smallest aligned block that holds every group, by looking at all
/// devices: groups are devices that agree in all other digits.
int64_t spanByDevices(const Axis &axis,
                      ArrayRef<std::pair<StringRef, int64_t>> axes) {
  int64_t devices = 1, stride = 1, whole = 1;
  for (auto [name, size] : axes)
    devices *= size;
  for (auto [name, size] : llvm::reverse(axes)) {
    if (name == axis.name) {
      whole = size;
      break;
    }
    stride *= size;
  }
  int64_t step = stride * (whole / (axis.pre * axis.size));
  auto digit = [&](int64_t device) { return device / step % axis.size; };
  for (int64_t span = 1; span <= devices; ++span) {
    if (devices % span)
      continue;
    bool holds = true;
    for (int64_t device = 0; device < devices && holds; ++device) {
      int64_t first = device - digit(device) * step;
      holds = first / span == (first + (axis.size - 1) * step) / span;
    }
    if (holds)
      return span;
  }
  return devices;
}

TEST_F(MachineTest, Spans) {
  std::pair<StringRef, int64_t> axes[] = {{"x", 2}, {"y", 8}, {"z", 3}};
  MeshAttr attribute = mesh(axes);
  for (Axis axis : {Axis{"x", 1, 2}, Axis{"y", 1, 8}, Axis{"y", 2, 4},
                    Axis{"y", 4, 2}, Axis{"z", 1, 3}})
    EXPECT_EQ(spanOf({axis}, attribute), spanByDevices(axis, axes))
        << axis.name.str() << " " << axis.pre << " " << axis.size;
  EXPECT_EQ(spanOf({}, attribute), 1);
  // The widest of them decides, in any order.
  EXPECT_EQ(spanOf({Axis{"z", 1, 3}, Axis{"x", 1, 2}}, attribute), 48);
}

TEST_F(MachineTest, Links) {
  Machine machine = Machine::standard();
  ASSERT_EQ(machine.links.size(), 2u);
  EXPECT_EQ(machine.linkFor(8).name, "NVLink 4");
  EXPECT_EQ(machine.linkFor(9).name, "InfiniBand NDR");
  // On the nearest links it is the planner's own model.
  MachineModel model;
  EXPECT_EQ(machine.modelFor(8).collectiveTime(1e6, true),
            model.collectiveTime(1e6, true));
  EXPECT_GT(machine.modelFor(16).collectiveTime(1e6, false),
            model.collectiveTime(1e6, false));
}

TEST_F(MachineTest, Amounts) {
  EXPECT_EQ(parseBytes("80GB"), 80'000'000'000);
  EXPECT_EQ(parseBytes("80 GiB"), int64_t(80) << 30);
  EXPECT_EQ(parseBytes("1.5KiB"), 1536);
  EXPECT_EQ(parseBytes("12"), 12);
  for (StringRef wrong :
       {"", "GB", "-1GB", "0", "1XB", "1e30GB", "80G B", "nan"})
    EXPECT_EQ(parseBytes(wrong), std::nullopt) << wrong.str();
}

} // namespace
