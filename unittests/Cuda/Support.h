//===- Support.h - buffers and a rank for the tests of GPU kernels --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_UNITTESTS_CUDA_SUPPORT_H
#define TPRT_UNITTESTS_CUDA_SUPPORT_H

#include "tprt/cuda.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <new>
#include <random>
#include <utility>
#include <vector>

namespace tprt_cuda::test {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

template <typename T> struct TypeInfo;
#define TPRT_TYPE(Type, number)                                                \
  template <> struct TypeInfo<Type> {                                          \
    static constexpr tprt_dtype dtype = number;                                \
  };
TPRT_TYPE(float, TPRT_F32)
TPRT_TYPE(double, TPRT_F64)
TPRT_TYPE(__nv_bfloat16, TPRT_BF16)
TPRT_TYPE(__half, TPRT_F16)
TPRT_TYPE(int32_t, TPRT_I32)
TPRT_TYPE(int64_t, TPRT_I64)
TPRT_TYPE(int8_t, TPRT_I8)
#undef TPRT_TYPE

template <typename T> T fromDouble(double value) { return T(value); }
template <> inline __nv_bfloat16 fromDouble<__nv_bfloat16>(double value) {
  return __float2bfloat16_rn(float(value));
}
template <> inline __half fromDouble<__half>(double value) {
  return __float2half_rn(float(value));
}

template <typename T> double toDouble(T value) { return double(value); }
inline double toDouble(__nv_bfloat16 value) { return __bfloat162float(value); }
inline double toDouble(__half value) { return __half2float(value); }

/// The largest relative error of rounding to T, doubled.
template <typename T> constexpr double kUnit = 0;
template <> inline constexpr double kUnit<float> = 0x1p-23;
template <> inline constexpr double kUnit<double> = 0x1p-52;
template <> inline constexpr double kUnit<__nv_bfloat16> = 0x1p-8;
template <> inline constexpr double kUnit<__half> = 0x1p-10;

/// As descriptors have it.
constexpr int64_t bitsOf(double value) {
  return __builtin_bit_cast(int64_t, value);
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

// AddressSanitizer has guards of its own, which also see what is only read.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kGuard = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr size_t kGuard = 0;
#else
constexpr size_t kGuard = 256;
#endif
#else
constexpr size_t kGuard = 256;
#endif

/// Memory at a multiple of 64 bytes plus `shift`, between guards. All bytes are
/// 0xff, which is NaN in every float type: what is read and was never written,
/// or lies outside, shows in a result.
class Bytes {
public:
  Bytes(size_t size, size_t shift)
      : size(size), begin(kGuard + shift), end(begin + size + kGuard),
        memory(static_cast<unsigned char *>(
            ::operator new(end, std::align_val_t(kAlignment)))) {
    fill(0xff);
  }
  Bytes(const Bytes &other) : Bytes(other.size, other.begin - kGuard) {
    std::memcpy(memory.get(), other.memory.get(), end);
  }
  Bytes &operator=(const Bytes &) = delete;

  unsigned char *data() { return memory.get() + begin; }
  const unsigned char *data() const { return memory.get() + begin; }

  void fill(int byte) { std::memset(memory.get(), byte, end); }

  /// Whether there is `byte` everywhere outside.
  bool isUntouchedOutside(int byte = 0xff) const {
    for (size_t i = 0; i < end; ++i)
      if ((i < begin || i >= begin + size) && memory.get()[i] != byte)
        return false;
    return true;
  }
  /// Whether it is the same inside and outside, bit by bit.
  bool operator==(const Bytes &other) const {
    return begin == other.begin && end == other.end &&
           std::memcmp(memory.get(), other.memory.get(), end) == 0;
  }
  /// What lies inside.
  std::vector<unsigned char> contents() const {
    return {data(), data() + size};
  }

private:
  static constexpr size_t kAlignment = 64;
  struct Delete {
    void operator()(unsigned char *memory) const {
      ::operator delete(memory, std::align_val_t(kAlignment));
    }
  };

  const size_t size, begin, end;
  const std::unique_ptr<unsigned char, Delete> memory;
};

/// A tensor of T, with doubles in front.
template <typename T> class Buffer {
public:
  /// Begins at a multiple of 64 bytes plus that of `shift` elements.
  explicit Buffer(int64_t count, int64_t shift = 0)
      : count(count),
        bytes(size_t(count) * sizeof(T), size_t(shift) * sizeof(T)) {}

  T *data() { return reinterpret_cast<T *>(bytes.data()); }
  const T *data() const { return reinterpret_cast<const T *>(bytes.data()); }
  double get(int64_t index) const { return toDouble(data()[index]); }
  void set(int64_t index, double value) {
    data()[index] = fromDouble<T>(value);
  }

  std::vector<double> doubles() const {
    std::vector<double> result;
    for (int64_t i = 0; i < count; ++i)
      result.push_back(get(i));
    return result;
  }

  /// Uniform in [-1, 1), or integers of at most 100.
  void randomise(std::mt19937 &random) {
    for (int64_t i = 0; i < count; ++i) {
      const double value = double(random()) * 0x1p-31 - 1;
      set(i, std::is_integral_v<T> ? int(value * 100) : value);
    }
  }

  int64_t count;
  Bytes bytes;
};

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

template <typename T, typename Desc> constexpr Desc withType(Desc desc) {
  desc.dtype = TypeInfo<T>::dtype;
  return desc;
}
template <typename T> constexpr tprt_copy_desc withType(tprt_copy_desc desc) {
  desc.element_bytes = sizeof(T);
  return desc;
}

/// One of several descriptors, of elements T, as a program has it.
template <typename T, const auto &descs, size_t number, int64_t bytes>
struct Call {
  using Type = T;
  static constexpr auto desc = withType<T>(descs[number]);
  static constexpr int64_t alignment = bytes;
  /// Elements by which its buffers lie beside a multiple of 64 bytes: none, or
  /// as few as the alignment allows.
  static constexpr int64_t shift = bytes % 64 / int64_t(sizeof(T));
};

/// What messages say of a call.
class CallTrace {
public:
  CallTrace(size_t number, tprt_dtype dtype, int64_t alignment)
      : trace(__FILE__, __LINE__,
              testing::Message() << "case " << number << ", dtype " << dtype
                                 << ", alignment " << alignment) {}

private:
  testing::ScopedTrace trace;
};

template <typename T, const auto &descs, int64_t bytes, typename Check,
          size_t... numbers>
void forEachCall(const Check &check, std::index_sequence<numbers...>) {
  (
      [&] {
        const CallTrace trace(numbers, TypeInfo<T>::dtype, bytes);
        check(Call<T, descs, numbers, bytes>());
      }(),
      ...);
}

/// `check` of each of an array of descriptors, as a Call, whose buffers lie at
/// multiples of `bytes` and of no larger power of two.
template <typename T, const auto &descs, int64_t bytes = 64, typename Check>
void forEachCall(const Check &check) {
  constexpr size_t count = sizeof(descs) / sizeof(descs[0]);
  forEachCall<T, descs, bytes>(check, std::make_index_sequence<count>());
}

/// A rank with a stream that runs what is queued when it is waited for.
class TestRank {
public:
  TestRank() {
    cudaStreamCreateWithFlags(&rank.compute, cudaStreamNonBlocking);
    rank.fault = &fault;
  }
  ~TestRank() { cudaStreamDestroy(rank.compute); }
  TestRank(const TestRank &) = delete;

  Rank *get() { return &rank; }

  /// To the end of what was queued with that status.
  void finish(tprt_status status) {
    EXPECT_EQ(status, TPRT_OK) << rank.message;
    EXPECT_EQ(cudaStreamSynchronize(rank.compute), cudaSuccess);
  }
  /// The same, of a call that finds nothing wrong.
  void finishWell(tprt_status status) {
    finish(status);
    EXPECT_EQ(fault.what, Fault::None);
  }

  Fault fault = {};

private:
  Rank rank;
};

} // namespace tprt_cuda::test

#endif // TPRT_UNITTESTS_CUDA_SUPPORT_H
