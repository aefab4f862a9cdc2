//===- StridedCopyTest.cpp - copies between layouts ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "host/StridedCopy.h"

#include <numeric>

using namespace tprt;
using namespace tprt::test;

namespace {
struct Layouts {
  std::vector<CopyDim> dims;
  int64_t elementBytes;
  int64_t sourceSize = 1, targetSize = 1; ///< in elements
  int64_t sourceOffset = 0;
};
} // namespace

/// Random extents, with both layouts permuted, padded and partly reversed.
static Layouts randomLayouts(std::mt19937 &random) {
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Layouts result;
  const int64_t sizes[] = {1, 2, 4, 8, 3, 16};
  result.elementBytes = sizes[pick(0, 5)];
  result.dims.resize(size_t(pick(0, 5)));
  for (CopyDim &dim : result.dims)
    dim.extent = pick(1, 20) == 1 ? 0 : pick(1, 9);
  std::vector<size_t> order(result.dims.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (size_t d : order) {
    CopyDim &dim = result.dims[d];
    dim.sourceStride = pick(0, 6) == 0 ? 0 : result.sourceSize;
    if (dim.sourceStride)
      result.sourceSize *= std::max<int64_t>(dim.extent, 1) + pick(0, 3) / 3;
    if (dim.extent > 0 && pick(0, 6) == 0) {
      result.sourceOffset += (dim.extent - 1) * dim.sourceStride;
      dim.sourceStride = -dim.sourceStride;
    }
  }
  std::shuffle(order.begin(), order.end(), random);
  for (size_t d : order) {
    result.dims[d].targetStride = result.targetSize;
    result.targetSize *=
        std::max<int64_t>(result.dims[d].extent, 1) + pick(0, 3) / 3;
  }
  return result;
}

static void naiveCopy(const Layouts &layouts, size_t dim, const char *source,
                      char *target) {
  if (dim == layouts.dims.size()) {
    std::memcpy(target, source, size_t(layouts.elementBytes));
    return;
  }
  const CopyDim &of = layouts.dims[dim];
  for (int64_t i = 0; i < of.extent; ++i)
    naiveCopy(layouts, dim + 1,
              source + i * of.sourceStride * layouts.elementBytes,
              target + i * of.targetStride * layouts.elementBytes);
}

TEST(StridedCopy, random) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 3000; ++trial) {
    Layouts layouts = randomLayouts(random);
    std::vector<char> source(size_t(layouts.sourceSize * layouts.elementBytes));
    for (char &byte : source)
      byte = char(random());
    std::vector<char> target(size_t(layouts.targetSize * layouts.elementBytes),
                             char(0x5a));
    std::vector<char> expected = target;
    const char *from =
        source.data() + layouts.sourceOffset * layouts.elementBytes;
    naiveCopy(layouts, 0, from, expected.data());
    stridedCopy(layouts.elementBytes, layouts.dims.data(),
                int64_t(layouts.dims.size()), from, target.data());
    ASSERT_EQ(target, expected) << trial;
  }
}

TEST(StridedCopy, transposesLargeMatrices) {
  const int64_t rows = 133, columns = 70;
  std::vector<float> source(size_t(rows * columns)), target(source.size());
  std::iota(source.begin(), source.end(), 0.0f);
  CopyDim dims[] = {{columns, 1, rows}, {rows, columns, 1}};
  stridedCopy(4, dims, 2, source.data(), target.data());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      ASSERT_EQ(target[size_t(j * rows + i)], source[size_t(i * columns + j)]);
}

TEST(Copy, abi) {
  std::vector<int32_t> x = {0, 1, 2, 3, 4, 5}, out(8, -1);
  tprt_copy_desc desc = {};
  desc.element_bytes = 4;
  desc.num_dims = 2;
  desc.src_offset = 1;
  desc.dst_offset = 2;
  desc.extent[0] = 2, desc.extent[1] = 2;
  desc.src_stride[0] = 3, desc.src_stride[1] = 1;
  desc.dst_stride[0] = 1, desc.dst_stride[1] = 2;
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_copy(rank, &desc, x.data(), out.data());
            }),
            "");
  EXPECT_EQ(out, (std::vector<int32_t>{-1, -1, 1, 4, 2, 5, -1, -1}));
}

TEST(Copy, errors) {
  char byte = 0, out[4];
  tprt_copy_desc desc = {};
  desc.element_bytes = 1;
  desc.num_dims = 1;
  desc.extent[0] = 4;
  auto run = [&] {
    return runOnOne(
        [&](tprt_rank *rank) { tprt_copy(rank, &desc, &byte, out); });
  };
  EXPECT_EQ(run(), "entry 'entry0': rank 0: copy: dim 0 would write one "
                   "element 4 times");
  desc.num_dims = 9;
  EXPECT_EQ(run(), "entry 'entry0': rank 0: copy: 9 dims; the most is 8");
}
