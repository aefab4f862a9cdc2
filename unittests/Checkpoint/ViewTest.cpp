//===- ViewTest.cpp - reading strided parts of tensors --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"
#include "checkpoint/Convert.h"

#include <numeric>
#include <random>
#include <thread>

using namespace tprt;
using namespace tprt::test;

/// One F32 tensor "t" of shape [4, 6] with values 0, 1, ...
static Bytes counting() {
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 0.f);
  GgufWriter writer;
  writer.tensor("t", 0, {4, 6}, rawList(values));
  return writer.file();
}

static std::vector<float> readView(const Checkpoint &checkpoint,
                                   const std::vector<ViewDim> &dims,
                                   const std::vector<int64_t> &offset) {
  size_t count = 1;
  for (const ViewDim &dim : dims)
    count *= dim.extent;
  std::vector<float> result(count, -99.f);
  Status status = checkpoint.read(checkpoint.tensors()[0], dims, offset,
                                  TPRT_F32, result.data());
  EXPECT_TRUE(status.ok()) << status.message;
  return result;
}

TEST(View, Transposed) {
  Bytes file = counting();
  auto checkpoint = openGguf(file);
  std::vector<float> expected;
  for (int j = 0; j < 6; ++j)
    for (int i = 0; i < 4; ++i)
      expected.push_back(i * 6 + j);
  EXPECT_EQ(readView(*checkpoint, {{1, 1, 6, 0, 6}, {0, 1, 4, 0, 4}}, {0, 0}),
            expected);
}

TEST(View, SplitSlicedAndSwapped) {
  Bytes file = counting();
  auto checkpoint = openGguf(file);
  // Rows 2..3; columns as [2, 3] swapped to [3, 2], of which 1..2.
  EXPECT_EQ(readView(*checkpoint,
                     {{0, 1, 2, 0, 2}, {1, 1, 3, 1, 2}, {1, 3, 2, 0, 2}},
                     {2, 0}),
            (std::vector<float>{13, 16, 14, 17, 19, 22, 20, 23}));
}

TEST(View, Padded) {
  Bytes file = counting();
  auto checkpoint = openGguf(file);
  // The second of two blocks of 4 of a dim of 6; three blocks of 2 rows.
  EXPECT_EQ(readView(*checkpoint, {{0, 1, 1, 0, 2}, {1, 1, 6, 4, 4}}, {3, 0}),
            (std::vector<float>{22, 23, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(readView(*checkpoint, {{0, 1, 4, 4, 2}, {1, 1, 6, 0, 2}}, {0, 0}),
            (std::vector<float>{0, 0, 0, 0}));
}

TEST(View, RepeatedReversedAndScalar) {
  Bytes file = counting();
  auto checkpoint = openGguf(file);
  EXPECT_EQ(readView(*checkpoint, {{0, 0, 2, 0, 2}, {1, -2, 3, 0, 3}}, {1, 5}),
            (std::vector<float>{11, 9, 7, 11, 9, 7}));
  EXPECT_EQ(readView(*checkpoint, {}, {3, 4}), std::vector<float>{22});
  EXPECT_EQ(readView(*checkpoint, {{0, 1, 4, 0, 0}}, {0, 0}),
            std::vector<float>{});
}

TEST(View, Errors) {
  Bytes file = counting();
  auto checkpoint = openGguf(file);
  const TensorInfo &info = checkpoint->tensors()[0];
  auto refuse = [&](const std::vector<ViewDim> &dims,
                    const std::vector<int64_t> &offset,
                    const std::string &part) {
    float untouched[4] = {1, 2, 3, 4};
    Status status = checkpoint->read(info, dims, offset, TPRT_F32, untouched);
    EXPECT_EQ(status.code, TPRT_INVALID);
    EXPECT_NE(status.message.find("test.file: tensor 't'"), std::string::npos);
    EXPECT_NE(status.message.find(part), std::string::npos) << status.message;
    EXPECT_EQ(untouched[0], 1);
  };
  int64_t huge = INT64_MAX;
  refuse({}, {0}, "1 offsets, the tensor has 2 dims");
  refuse({}, {4, 0}, "reads 4 to 4 along stored dim 0 of shape [4, 6]");
  refuse({}, {0, -1}, "reads -1 to -1 along stored dim 1");
  refuse({{2, 1, 1, 0, 1}}, {0, 0}, "stored dim 2, the tensor has 2");
  refuse({{-1, 1, 1, 0, 1}}, {0, 0}, "stored dim -1");
  refuse({{0, 1, 5, 0, 5}}, {0, 0}, "reads 0 to 4 along stored dim 0");
  refuse({{0, 2, 3, 0, 3}}, {0, 0}, "reads 0 to 4");
  refuse({{0, -1, 2, 0, 2}}, {0, 0}, "reads -1 to 0");
  refuse({{0, 1, 2, -1, 2}}, {0, 0}, "start -1");
  refuse({{0, 1, -1, 0, 2}}, {0, 0}, "size -1");
  refuse({{0, 1, 2, 0, -2}}, {0, 0}, "extent -2");
  refuse({{0, 1, 2, 1, huge}}, {0, 0}, "overflow");
  refuse({{0, 0, 2, 0, huge}, {0, 0, 2, 0, huge}}, {0, 0}, "overflows");
  refuse({{0, huge, 3, 0, 3}}, {0, 0}, "overflow");
  refuse({{0, huge, huge, huge - 1, 1}}, {0, 0}, "overflow");
  refuse({{0, huge, 2, 0, 2}, {0, huge, 2, 0, 2}}, {0, 0}, "overflow");
  refuse({{0, 1, 2, 0, 2}}, {huge, 0}, "overflow");
}

TEST(View, ConversionsThatDoNotExist) {
  std::string header = "{\"t\":{\"dtype\":\"I32\",\"shape\":[1],"
                       "\"data_offsets\":[0,4]}}";
  Bytes ints = safeTensors(header, Bytes(4, '\0')), floats = counting();
  auto a = openSafeTensors(ints), b = openGguf(floats);
  double out[24];
  Status status = a->read(a->tensors()[0], {}, {0}, TPRT_F64, out);
  EXPECT_EQ(status.code, TPRT_UNSUPPORTED);
  EXPECT_NE(status.message.find("I32 does not convert to f64"),
            std::string::npos);
  status = b->read(b->tensors()[0], {}, {0, 0}, TPRT_I32, out);
  EXPECT_EQ(status.code, TPRT_UNSUPPORTED);
  status =
      b->read(b->tensors()[0], {}, {0, 0}, static_cast<tprt_dtype>(6), out);
  EXPECT_EQ(status.code, TPRT_UNSUPPORTED);
  EXPECT_FALSE(b->read(b->tensors()[0], {}, {0, 0}, TPRT_F32, nullptr).ok());
  TensorInfo stranger;
  stranger.name = "u";
  EXPECT_EQ(b->read(stranger, {}, {}, TPRT_F32, out).code, TPRT_INVALID);
  TensorInfo copy = b->tensors()[0];
  copy.offset = 1 << 30; // what the checkpoint knows counts
  EXPECT_TRUE(b->read(copy, {}, {0, 0}, TPRT_F32, out).ok());
}

//===----------------------------------------------------------------------===//
// Against a reference
//===----------------------------------------------------------------------===//

namespace {
/// One element, computed from the definition of its type.
double storedElement(const TensorInfo &info, const Bytes &file, int64_t i) {
  auto at = [&](int64_t byte) {
    return static_cast<uint8_t>(file[info.offset + byte]);
  };
  auto half = [&](int64_t byte) {
    return checkpoint::fromF16(
        static_cast<uint16_t>(at(byte) | at(byte + 1) << 8));
  };
  int64_t block = i / 32, j = i % 32;
  auto nibble = [&](int64_t start) {
    return j < 16 ? at(start + j) & 15 : at(start + j - 16) >> 4;
  };
  auto bit = [&](int64_t start, int64_t number) {
    return at(start + number / 8) >> number % 8 & 1;
  };
  // Of the K types: the super-block, the group in it, and its scales.
  int64_t super = i / 256, group = i / 32 % 8;
  auto level = [&](int64_t start) {
    return at(start + group / 2 * 32 + j) >> group % 2 * 4 & 15;
  };
  auto packed = [&](int64_t start, bool minimum) {
    int64_t first = group % 4 + (minimum ? 4 : 0);
    if (group < 4)
      return at(start + first) & 63;
    return (at(start + 4 + group) >> (minimum ? 4 : 0) & 15) +
           16 * (at(start + first) >> 6);
  };
  auto kValue = [&](int64_t start, int level) {
    return level * (half(start) * packed(start + 4, false)) -
           half(start + 2) * packed(start + 4, true);
  };
  switch (info.type) {
  case StoredType::F32: {
    float value;
    std::memcpy(&value, &file[info.offset + 4 * i], 4);
    return value;
  }
  case StoredType::F64: {
    double value;
    std::memcpy(&value, &file[info.offset + 8 * i], 8);
    return value;
  }
  case StoredType::F16:
    return half(2 * i);
  case StoredType::BF16:
    return checkpoint::fromBf16(
        static_cast<uint16_t>(at(2 * i) | at(2 * i + 1) << 8));
  case StoredType::Q4_0:
    return (nibble(18 * block + 2) - 8) * half(18 * block);
  case StoredType::Q4_1:
    return nibble(20 * block + 4) * half(20 * block) + half(20 * block + 2);
  case StoredType::Q5_0:
    return (nibble(22 * block + 6) + 16 * bit(22 * block + 2, j) - 16) *
           half(22 * block);
  case StoredType::Q5_1:
    return (nibble(24 * block + 8) + 16 * bit(24 * block + 4, j)) *
               half(24 * block) +
           half(24 * block + 2);
  case StoredType::Q4_K:
    return kValue(144 * super, level(144 * super + 16));
  case StoredType::Q5_K:
    return kValue(176 * super, level(176 * super + 48) +
                                   16 * bit(176 * super + 16, 8 * j + group));
  case StoredType::Q6_K: {
    // Elements 128 * h + 64 * high + k and their upper bits.
    int64_t start = 210 * super, h = i % 256 / 128, k = i % 128;
    int low = at(start + 64 * h + k % 64) >> k / 64 * 4 & 15;
    int upper = at(start + 128 + 32 * h + k % 32) >> k / 32 * 2 & 3;
    auto scale = static_cast<int8_t>(at(start + 192 + i % 256 / 16));
    return (low + 16 * upper - 32) * (half(start + 208) * scale);
  }
  default: // Q8_0
    return static_cast<int8_t>(at(34 * block + 2 + j)) * half(34 * block);
  }
}

/// A view, and where each of its positions is.
struct RandomView {
  std::vector<ViewDim> dims;
  std::vector<int64_t> offset;
};

class ViewProperty : public ::testing::TestWithParam<uint32_t> {
protected:
  std::mt19937 random{GetParam()};

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }

  Bytes randomFile();
  RandomView randomView(const std::vector<int64_t> &shape);
  void check(const Checkpoint &checkpoint, const TensorInfo &info,
             const Bytes &file, const RandomView &view, tprt_dtype dtype);
};
} // namespace

Bytes ViewProperty::randomFile() {
  GgufWriter writer;
  // GGUF's number, elements and bytes of a block.
  const uint32_t types[][3] = {{0, 1, 4},      {1, 1, 2},      {30, 1, 2},
                               {28, 1, 8},     {2, 32, 18},    {3, 32, 20},
                               {6, 32, 22},    {7, 32, 24},    {8, 32, 34},
                               {12, 256, 144}, {13, 256, 176}, {14, 256, 210}};
  for (auto [type, blockElements, blockBytes] : types) {
    std::vector<uint64_t> shape;
    for (int64_t rank = pick(0, 2); rank > 0; --rank)
      shape.push_back(pick(1, 7));
    shape.push_back(blockElements == 1 ? pick(1, 700)
                                       : blockElements * pick(1, 5));
    int64_t elements = 1;
    for (uint64_t dim : shape)
      elements *= dim;
    Bytes content;
    // Any bits that are not an infinity or a NaN will do.
    while (content.size() < static_cast<size_t>(elements) * 8)
      content += raw<uint16_t>(pick(0, 0x3bff) | pick(0, 1) << 15);
    writer.tensor("t" + std::to_string(type), type, shape,
                  content.substr(0, elements / blockElements * blockBytes));
  }
  return writer.file();
}

/// Splits a stored dim in two or slices it, shards and pads each part, and
/// mixes the order of all parts.
RandomView ViewProperty::randomView(const std::vector<int64_t> &shape) {
  RandomView view;
  for (size_t d = 0; d < shape.size(); ++d) {
    int dim = static_cast<int>(d);
    int64_t first = pick(0, 2) ? 0 : pick(0, shape[d] - 1);
    int64_t size = pick(0, 1) ? shape[d] - first : pick(1, shape[d] - first);
    view.offset.push_back(first);
    int64_t inner = pick(1, 40);
    if (pick(0, 1) && inner <= size) {
      view.dims.push_back({dim, inner, size / inner, 0, 0});
      view.dims.push_back({dim, 1, inner, 0, 0});
    } else if (pick(0, 3)) {
      view.dims.push_back({dim, 1, size, 0, 0});
    } else if (pick(0, 1)) {
      view.dims.push_back({dim, 3, (size + 2) / 3, 0, 0});
    } else if (pick(0, 1)) {
      view.offset.back() = first + size - 1;
      view.dims.push_back({dim, -1, size, 0, 0});
    } // else the index is fixed
  }
  for (ViewDim &dim : view.dims) {
    int64_t shards = pick(0, 1) ? 1 : pick(1, 4);
    dim.extent = (dim.size + shards - 1) / shards + (pick(0, 3) ? 0 : 1);
    dim.start = pick(0, shards - 1) * dim.extent;
  }
  if (pick(0, 1))
    std::shuffle(view.dims.begin(), view.dims.end(), random);
  return view;
}

/// The bits of a value in a dtype.
static uint64_t bitsIn(double value, tprt_dtype dtype) {
  uint64_t bits = 0;
  auto single = static_cast<float>(value);
  switch (dtype) {
  case TPRT_F32:
    std::memcpy(&bits, &single, 4);
    break;
  case TPRT_F64:
    std::memcpy(&bits, &value, 8);
    break;
  case TPRT_BF16:
    return checkpoint::toBf16(checkpoint::toOddFloat(value));
  default:
    return checkpoint::toF16(checkpoint::toOddFloat(value));
  }
  return bits;
}

void ViewProperty::check(const Checkpoint &checkpoint, const TensorInfo &info,
                         const Bytes &file, const RandomView &view,
                         tprt_dtype dtype) {
  size_t count = 1, bytes = dtype == TPRT_F32 ? 4 : dtype == TPRT_F64 ? 8 : 2;
  for (const ViewDim &dim : view.dims)
    count *= dim.extent;
  std::vector<char> actual(count * bytes, '\x55');
  Status status =
      checkpoint.read(info, view.dims, view.offset, dtype, actual.data());
  ASSERT_TRUE(status.ok()) << status.message;
  std::vector<int64_t> position(view.dims.size(), 0);
  for (size_t i = 0; i < count; ++i) {
    std::vector<int64_t> index = view.offset;
    bool padding = false;
    size_t rest = i;
    for (size_t k = view.dims.size(); k-- > 0;) {
      const ViewDim &dim = view.dims[k];
      int64_t p = dim.start + static_cast<int64_t>(rest % dim.extent);
      rest /= dim.extent;
      padding |= p >= dim.size;
      index[dim.dim] += p * dim.stride;
    }
    uint64_t expected = 0, found = 0;
    if (!padding) {
      int64_t flat = 0;
      for (size_t d = 0; d < index.size(); ++d)
        flat = flat * info.shape[d] + index[d];
      expected = bitsIn(storedElement(info, file, flat), dtype);
    }
    std::memcpy(&found, &actual[i * bytes], bytes);
    ASSERT_EQ(found, expected) << info.name << " element " << i;
  }
}

TEST_P(ViewProperty, MatchesTheDefinition) {
  Bytes file = randomFile();
  auto checkpoint = openGguf(file);
  ASSERT_TRUE(checkpoint);
  for (const TensorInfo &info : checkpoint->tensors())
    for (int i = 0; i < 24; ++i)
      for (tprt_dtype dtype : {TPRT_F32, TPRT_F64, TPRT_BF16, TPRT_F16})
        check(*checkpoint, info, file, randomView(info.shape), dtype);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ViewProperty, ::testing::Range(0u, 24u));

TEST(View, SegmentsBeginAndEndAnywhereInABlock) {
  GgufWriter writer;
  Bytes content;
  for (int i = 0; i < 60; ++i)
    content += static_cast<char>(i % 20 == 1 || i % 20 == 3 ? 0x30 : i * 7);
  writer.tensor("t", 3, {96}, content);
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> all = readAll(*checkpoint, "t");
  for (int64_t begin = 0; begin < 96; ++begin)
    for (int64_t end = begin + 1; end <= 96; ++end)
      EXPECT_EQ(readView(*checkpoint, {{0, 1, 96, begin, end - begin}}, {0}),
                std::vector<float>(all.begin() + begin, all.begin() + end));
}

TEST(View, ThreadsReadTheirShardsOfAFile) {
  // More than the pages that are given back in between.
  constexpr int64_t rows = 3000, columns = 4096;
  Bytes data(rows * columns * 4, '\0');
  for (int64_t i = 0; i < rows * columns; ++i) {
    auto value = static_cast<float>(i);
    std::memcpy(&data[i * 4], &value, 4);
  }
  GgufWriter writer;
  writer.tensor("t", 0, {rows, columns}, data);
  TemporaryDirectory directory;
  std::string path = directory.write("model.gguf", writer.file());
  std::unique_ptr<Checkpoint> checkpoint;
  ASSERT_TRUE(Checkpoint::open(path, checkpoint).ok());

  // Rank r holds columns r * 1024...: transposed on the odd ranks.
  auto run = [&](int64_t r, bool &good) {
    std::vector<float> shard(rows * 1024);
    ViewDim row{0, 1, rows, 0, rows}, column{1, 1, columns, r * 1024, 1024};
    std::vector<ViewDim> dims = {row, column};
    if (r % 2)
      dims = {column, row};
    good = checkpoint
               ->read(checkpoint->tensors()[0], dims, {0, 0}, TPRT_F32,
                      shard.data())
               .ok();
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < 1024; ++j)
        good &= shard[r % 2 ? j * rows + i : i * 1024 + j] ==
                static_cast<float>(i * columns + r * 1024 + j);
  };
  bool good[4] = {};
  std::vector<std::thread> threads;
  for (int64_t r = 0; r < 4; ++r)
    threads.emplace_back(run, r, std::ref(good[r]));
  for (std::thread &thread : threads)
    thread.join();
  for (bool g : good)
    EXPECT_TRUE(g);

  // All of it, as stored and transposed.
  std::vector<float> all(rows * columns), turned(rows * columns);
  ViewDim row{0, 1, rows, 0, rows}, column{1, 1, columns, 0, columns};
  const TensorInfo &info = checkpoint->tensors()[0];
  EXPECT_TRUE(
      checkpoint->read(info, {row, column}, {0, 0}, TPRT_F32, all.data()).ok());
  EXPECT_TRUE(
      checkpoint->read(info, {column, row}, {0, 0}, TPRT_F32, turned.data())
          .ok());
  EXPECT_EQ(std::memcmp(all.data(), data.data(), data.size()), 0);
  bool same = true;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      same &= turned[j * rows + i] == all[i * columns + j];
  EXPECT_TRUE(same);
}
