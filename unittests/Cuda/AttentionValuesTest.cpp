//===- AttentionValuesTest.cpp - attention on a GPU: numbers at the edge --===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AttentionSupport.h"

#include <functional>

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

// Queries, keys, heads of keys, groups, elements of a head; whether causal,
// sequences, rows that do not count, window, scale, soft cap.

constexpr AttentionCase kLarge[] = {{3, 70, 1, 3, 64, true, 1, 0, 0, 60},
                                    {1, 300, 1, 5, 16, true, 1, 0, 0, 100},
                                    {3, 70, 1, 1, 8, true, 1, 0, 40, 1000, 50}};

/// Scores are what keys are: heads of one element, and a query is 1.
constexpr AttentionCase kPlain[] = {{1, 100, 1, 1, 1, true, 1, 0, 0, 1},
                                    {3, 20, 1, 1, 1, true, 1, 0, 0, 1}};
constexpr AttentionCase kCapped[] = {{3, 70, 1, 1, 1, true, 1, 0, 0, 1, 2}};

constexpr AttentionCase kSmall[] = {{3, 40, 2, 2, 8},
                                    {3, 40, 1, 1, 8, true, 2, 0, 10},
                                    {5, 20, 1, 2, 12, false, 1, 3, 12},
                                    {1, 200, 1, 3, 4}};

/// Enough queries for the host to be asked; also more than there are blocks for
/// those beyond the keys.
constexpr AttentionCase kMany[] = {{18, 33, 2, 3, 8, true, 1, 4, 7},
                                   {18, 100, 4, 1, 8, true, 2, 4}};
constexpr AttentionCase kManyOfAll[] = {{18, 33, 1, 2, 8, false, 1, 4}};

/// The scores of all queries; all values are different.
template <typename Call>
void checkScores(Call call, const std::function<double(int64_t)> &scoreOf) {
  AttentionRun run(call);
  for (int64_t i = 0; i < run.q.count; ++i)
    run.q.set(i, 1);
  for (int64_t i = 0; i < run.k.count; ++i)
    run.k.set(i, scoreOf(i));
  run.check(run.desc.keys - run.desc.queries);
}

/// Each of some keys has such an element in turn, of the key or the value.
template <typename Call> void checkPoisonedKeys(Call call, double poison) {
  AttentionRun run(call);
  const tprt_attention_desc &desc = run.desc;
  for (int64_t key : {int64_t(0), desc.keys / 2, desc.keys - 2})
    for (auto *buffer : {&run.k, &run.v}) {
      SCOPED_TRACE(testing::Message()
                   << poison << " in " << (buffer == &run.k ? "key " : "value ")
                   << key);
      const int64_t at = run.indexOf(0, key, 0, desc.head_dim - 1);
      const double before = buffer->get(at);
      buffer->set(at, poison);
      run.check(desc.keys - desc.queries);
      buffer->set(at, before);
    }
}

/// A library that says that it did it, or that it did not, or fails.
class TestHost final : public Host {
public:
  tprt_status multiply(Rank *, int64_t, const void *, const void *, bool,
                       const void *, void *) override {
    return TPRT_UNSUPPORTED;
  }
  tprt_status communicate(Rank *, const Collective &) override {
    return TPRT_UNSUPPORTED;
  }
  tprt_status attend(Rank *, const Attention &what, bool *isQueued) override {
    asked.push_back(what);
    *isQueued = queues;
    return status;
  }

  std::vector<Attention> asked;
  bool queues = true;
  tprt_status status = TPRT_OK;
};

/// A call on a rank with that host, full of 0xff.
template <typename T> class HostedRun {
public:
  template <typename Call>
  explicit HostedRun(Call call)
      : run(call), out(run.queryElements()),
        workspace(size_t(workspaceBytesOf(run.desc)), 0) {
    rank.get()->host = &host;
    rank.get()->workspace = workspace.data();
  }
  tprt_status queue(int64_t first) {
    return run.queue(rank.get(), nullptr, first, out.data());
  }

  TestHost host;
  TestRank rank;
  AttentionRun<T> run;
  Buffer<T> out;

private:
  Bytes workspace;
};
template <typename Call> HostedRun(Call) -> HostedRun<typename Call::Type>;

} // namespace

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

TEST(CudaAttentionValues, largeScores) {
  const auto check = [](auto call) { AttentionRun(call).checkPositions(); };
  forEachCall<float, kLarge>(check);
  forEachCall<double, kLarge>(check);
  forEachCall<__nv_bfloat16, kLarge>(check);
}

/// Whose exponentials are not in range, and a maximum that is found first, or
/// last, or moves all the time.
TEST(CudaAttentionValues, distantScores) {
  const auto check = [](auto call) {
    for (double by : {10000.0, -10000.0})
      checkScores(call, [=](int64_t key) { return by + double(key % 4) / 2; });
    for (double by : {3.0, -3.0, 0.125})
      checkScores(call, [=](int64_t key) { return by * double(key); });
    checkScores(call,
                [](int64_t key) { return double(key) * (key % 2 ? 5 : -5); });
  };
  forEachCall<float, kPlain>(check);
  forEachCall<double, kPlain>(check);
  forEachCall<__half, kPlain>(check);
}

/// A key with a score of -infinity weighs nothing, wherever it is; only such
/// keys are no keys.
TEST(CudaAttentionValues, scoresOfMinusInfinity) {
  const auto check = [](auto call) {
    constexpr int64_t keys = decltype(call)::desc.keys;
    for (int64_t begin : {int64_t(0), int64_t(1), keys / 2, keys - 1})
      for (int64_t end : {int64_t(1), keys / 2, keys - 1, keys})
        checkScores(call, [=](int64_t key) {
          return key >= begin && key < end ? -INFINITY : double(key % 3);
        });
  };
  forEachCall<float, kPlain>(check);
  forEachCall<__nv_bfloat16, kPlain>(check);
}

TEST(CudaAttentionValues, scoresOfInfinity) {
  forEachCall<float, kPlain>([](auto call) {
    checkScores(call, [](int64_t key) {
      return key == 5 ? INFINITY : double(key % 3);
    });
  });
  // A soft cap makes numbers of them.
  forEachCall<float, kCapped>([](auto call) {
    checkScores(call, [](int64_t key) {
      return key % 9 == 5   ? INFINITY
             : key % 9 == 6 ? -INFINITY
                            : double(key % 3);
    });
  });
}

//===----------------------------------------------------------------------===//
// Keys and values
//===----------------------------------------------------------------------===//

/// They are in the results of the queries that see them, and in no other.
TEST(CudaAttentionValues, notANumberInAKey) {
  const auto check = [](auto call) { checkPoisonedKeys(call, NAN); };
  forEachCall<float, kSmall>(check);
  forEachCall<__half, kSmall>(check);
}

TEST(CudaAttentionValues, infinityInAKey) {
  forEachCall<float, kSmall>([](auto call) {
    checkPoisonedKeys(call, INFINITY);
    checkPoisonedKeys(call, -INFINITY);
  });
}

TEST(CudaAttentionValues, infinitiesThatMeet) {
  forEachCall<double, kSmall>([](auto call) {
    AttentionRun run(call);
    const tprt_attention_desc &desc = run.desc;
    run.v.set(run.indexOf(0, desc.keys / 2, 0, 1), INFINITY);
    run.v.set(run.indexOf(0, desc.keys - 2, 0, 1), -INFINITY);
    run.check(desc.keys - desc.queries);
  });
}

TEST(CudaAttentionValues, notANumberInAQuery) {
  forEachCall<__nv_bfloat16, kSmall>([](auto call) {
    AttentionRun run(call);
    const tprt_attention_desc &desc = run.desc;
    const int64_t row = (desc.queries - 1) * desc.kv_heads * desc.groups;
    run.q.set(row * desc.head_dim, NAN);
    run.check(desc.keys - desc.queries);
    run.check(desc.keys + 100); // where windows have no keys
    run.check(-desc.queries);
  });
}

//===----------------------------------------------------------------------===//
// A host that has a library
//===----------------------------------------------------------------------===//

/// The library has the queries that stand before the end of the keys, and the
/// program's kernel the others.
TEST(CudaAttentionValues, queriesBeyondTheKeys) {
  forEachCall<__half, kMany>([](auto call) {
    constexpr tprt_attention_desc desc = decltype(call)::desc;
    for (int64_t first : {desc.keys - desc.queries, desc.keys - 10, desc.keys,
                          desc.keys + 20, int64_t(-30)}) {
      HostedRun test(call);
      test.rank.finishWell(test.queue(first));
      ASSERT_EQ(test.host.asked.size(), 1u);
      const Attention &asked = test.host.asked[0];
      EXPECT_EQ(std::memcmp(&asked.desc, &desc, sizeof desc), 0);
      EXPECT_EQ(asked.q, test.run.q.data());
      EXPECT_EQ(asked.k, test.run.k.data());
      EXPECT_EQ(asked.v, test.run.v.data());
      EXPECT_EQ(asked.offset, nullptr);
      EXPECT_EQ(asked.start, first);
      EXPECT_EQ(asked.out, test.out.data());
      EXPECT_TRUE(test.out.bytes.isUntouchedOutside());

      // The library has done nothing, so all else is as it was.
      std::vector<Expected> expected = test.run.expected(first);
      const int64_t row = desc.kv_heads * desc.groups * desc.head_dim;
      for (int64_t i = 0; i < test.out.count; ++i)
        if (first + i / row % desc.queries < desc.keys) {
          uint16_t bits;
          std::memcpy(&bits, test.out.data() + i, sizeof bits);
          ASSERT_EQ(bits, 0xffff) << "element " << i << " at " << first;
          expected[size_t(i)].value = NAN;
        }
      EXPECT_EQ(differenceOf(desc, test.out.doubles(), expected), "");
    }
  });
}

/// All of it is the library's if nothing is masked.
TEST(CudaAttentionValues, everythingIsTheLibrarys) {
  forEachCall<__nv_bfloat16, kManyOfAll>([](auto call) {
    HostedRun test(call);
    const Bytes before = test.out.bytes;
    test.rank.finishWell(test.queue(test.run.desc.keys + 2));
    EXPECT_EQ(test.host.asked.size(), 1u);
    EXPECT_EQ(test.out.bytes, before);
  });
}

TEST(CudaAttentionValues, libraryThatDoesNotTakeIt) {
  forEachCall<__nv_bfloat16, kManyOfAll>([](auto call) {
    HostedRun test(call);
    test.host.queues = false;
    test.rank.finishWell(test.queue(20));
    EXPECT_EQ(test.host.asked.size(), 1u);
    test.run.checkBits(20, test.out.bytes.contents());
  });
}

TEST(CudaAttentionValues, libraryThatFails) {
  forEachCall<__half, kMany>([](auto call) {
    HostedRun test(call);
    test.host.status = TPRT_FAILED;
    const Bytes before = test.out.bytes;
    EXPECT_EQ(test.queue(20), TPRT_FAILED);
    EXPECT_EQ(cudaStreamSynchronize(test.rank.get()->compute), cudaSuccess);
    EXPECT_EQ(test.out.bytes, before);
  });
}
