//===- Loopback.cu - collectives of ranks that share a GPU ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The ranks are threads of this process with memory of their own on one GPU. A
// member of a group that comes to a collective shows its buffers, and an event
// after which they are ready. The last one queues one kernel for all, on its
// own stream after all of the events, and the others make their streams wait
// for that one. The kernel reads what all members send before it writes what
// they receive, element by element, so that an all_reduce may be in place;
// sums are in the group's order. No kernel waits for another one but by
// events that were recorded before, so that nothing can deadlock on the GPU,
// however many ranks there are; on the host every wait has an end.
//
//===----------------------------------------------------------------------===//

#include "Exchange.h"
#include "Groups.h"
#include "tprt/cuda/Kernels.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <type_traits>
#include <vector>

namespace tprt_cuda {

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {

constexpr int kMostMembers = 64;
constexpr int kLoopbackThreads = 256;

/// The buffers of all members, in the group's order.
struct Members {
  const void *send[kMostMembers];
  void *receive[kMostMembers];
  int source[kMostMembers]; ///< of a permute
  int count;

  template <typename T> TPRT_DEVICE T get(int member, int64_t i) const {
    return static_cast<const T *>(send[member])[i];
  }
  template <typename T>
  TPRT_DEVICE void put(int member, int64_t i, T value) const {
    static_cast<T *>(receive[member])[i] = value;
  }
};

/// In the order of the members, accumulated as on CPUs.
template <typename T>
TPRT_DEVICE T reduceMembers(const Members &members, tprt_reduction reduction,
                            int64_t i) {
  Wide<T> result = widen(members.get<T>(0, i));
  for (int member = 1; member < members.count; ++member) {
    const Wide<T> value = widen(members.get<T>(member, i));
    switch (reduction) {
    case TPRT_SUM:
      result += value;
      break;
    case TPRT_PRODUCT:
      result *= value;
      break;
    case TPRT_MAX: // NaN if one is, as on CPUs
      result = value > result || value != value ? value : result;
      break;
    default:
      result = value < result || value != value ? value : result;
      break;
    }
  }
  return cast<T>(result);
}

template <typename T>
__global__ void allReduceKernel(Members members, int64_t count,
                                tprt_reduction reduction) {
  TPRT_FOR_EACH(int64_t, i, count) {
    const T value = reduceMembers<T>(members, reduction, i);
    for (int member = 0; member < members.count; ++member)
      members.put(member, i, value);
  }
}

template <typename T>
__global__ void reduceScatterKernel(Members members, int64_t count,
                                    tprt_reduction reduction) {
  TPRT_FOR_EACH(int64_t, i, (count * members.count))
  members.put(int(i / count), i % count,
              reduceMembers<T>(members, reduction, i));
}

template <typename T>
__global__ void allGatherKernel(Members members, int64_t count) {
  TPRT_FOR_EACH(int64_t, i, (count * members.count)) {
    const T value = members.get<T>(int(i / count), i % count);
    for (int member = 0; member < members.count; ++member)
      members.put(member, i, value);
  }
}

/// A member's thread i receives element i of its output.
template <typename T>
__global__ void allToAllKernel(Members members, int64_t count) {
  TPRT_FOR_EACH(int64_t, i, (count * members.count)) {
    const int from = int(i / count);
    for (int member = 0; member < members.count; ++member)
      members.put(member, i, members.get<T>(from, member * count + i % count));
  }
}

template <typename T>
__global__ void permuteKernel(Members members, int64_t count) {
  TPRT_FOR_EACH(int64_t, i, count)
  for (int member = 0; member < members.count; ++member)
    members.put(member, i, members.get<T>(members.source[member], i));
}

} // namespace

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

namespace {

/// What the members of one group share.
class LoopbackGroup {
public:
  explicit LoopbackGroup(int64_t size)
      : offers(size_t(size)), ready(size_t(size)) {
    for (cudaEvent_t &event : ready)
      TPRT_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    TPRT_CHECK(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  }
  ~LoopbackGroup() {
    for (cudaEvent_t event : ready)
      cudaEventDestroy(event);
    cudaEventDestroy(done);
  }
  LoopbackGroup(const LoopbackGroup &) = delete;

  void queue(Rank &rank, int64_t me, int64_t source, const Collective &what,
             const Watch &watch) {
    TPRT_CHECK(cudaEventRecord(ready[size_t(me)], rank.communicate));
    std::unique_lock<std::mutex> lock(mutex);
    offers[size_t(me)] = {what, source, true};
    if (++arrived == offers.size()) {
      // Those that wait are told that this failed by the state of the run.
      launchAll(rank);
      ++generation;
      forget();
      changed.notify_all();
      return;
    }
    wait(lock, what, watch);
    TPRT_CHECK(cudaStreamWaitEvent(rank.communicate, done));
  }

  void reset() {
    std::lock_guard<std::mutex> lock(mutex);
    forget();
  }

private:
  struct Offer {
    Collective what;
    int64_t source;
    bool here;
  };

  void forget() {
    arrived = 0;
    for (Offer &offer : offers)
      offer.here = false;
  }

  void wait(std::unique_lock<std::mutex> &lock, const Collective &what,
            const Watch &watch) {
    const uint64_t mine = generation;
    const Clock::time_point deadline = watch.deadline();
    while (generation == mine) {
      changed.wait_for(lock, std::chrono::milliseconds(20));
      if (generation != mine)
        return;
      if (watch.failed())
        raise(TPRT_FAILED, "the run failed on another rank");
      if (Clock::now() > deadline)
        raise(TPRT_FAILED, "collective ", what.id, ": members ",
              tprt::joinSizes(missing()), " of the group did not come in ",
              watch.timeout(), " s");
    }
  }

  std::vector<size_t> missing() const {
    std::vector<size_t> result;
    for (size_t i = 0; i < offers.size(); ++i)
      if (!offers[i].here)
        result.push_back(i);
    return result;
  }

  void checkAgreement() const {
    const Collective &first = offers.front().what;
    for (const Offer &offer : offers) {
      bool agrees = offer.what.id == first.id &&
                    offer.what.kind == first.kind &&
                    offer.what.numBuffers == first.numBuffers;
      for (int64_t i = 0; agrees && i < first.numBuffers; ++i)
        agrees = offer.what.buffers[i].count == first.buffers[i].count &&
                 offer.what.buffers[i].type == first.buffers[i].type;
      if (!agrees)
        raise(TPRT_FAILED, "ranks disagree: collective ", offer.what.id,
              " meets collective ", first.id);
    }
  }

  void launchAll(Rank &rank) {
    checkAgreement();
    for (cudaEvent_t event : ready)
      TPRT_CHECK(cudaStreamWaitEvent(rank.communicate, event));
    for (int64_t i = 0; i < offers.front().what.numBuffers; ++i)
      launchTyped(rank, i);
    TPRT_CHECK(cudaEventRecord(done, rank.communicate));
  }

  void launchTyped(Rank &rank, int64_t buffer) {
    switch (offers.front().what.buffers[buffer].type) {
    case TPRT_F32:
      return launch<float>(rank, buffer);
    case TPRT_F64:
      return launch<double>(rank, buffer);
    case TPRT_BF16:
      return launch<__nv_bfloat16>(rank, buffer);
    case TPRT_F16:
      return launch<__half>(rank, buffer);
    case TPRT_I8:
      return launch<int8_t>(rank, buffer);
    case TPRT_I32:
      return launch<int32_t>(rank, buffer);
    case TPRT_I64:
      return launch<int64_t>(rank, buffer);
    }
  }

  template <typename T> void launch(Rank &rank, int64_t buffer) {
    const Collective &what = offers.front().what;
    const int64_t count = what.buffers[buffer].count;
    Members members = {};
    members.count = int(offers.size());
    for (size_t i = 0; i < offers.size(); ++i) {
      members.send[i] = offers[i].what.buffers[buffer].send;
      members.receive[i] = offers[i].what.buffers[buffer].receive;
      members.source[i] = int(offers[i].source);
    }
    const bool whole =
        what.kind == TPRT_ALL_REDUCE || what.kind == TPRT_PERMUTE;
    const int64_t elements = whole ? count : count * members.count;
    if (elements == 0)
      return;
    int64_t blocks = (elements + kLoopbackThreads - 1) / kLoopbackThreads;
    blocks = blocks < 2048 ? blocks : 2048;
    switch (what.kind) {
    case TPRT_ALL_REDUCE:
      TPRT_LAUNCH(allReduceKernel<T>, blocks, kLoopbackThreads,
                  rank.communicate)
      (members, count, what.reduction);
      break;
    case TPRT_REDUCE_SCATTER:
      TPRT_LAUNCH(reduceScatterKernel<T>, blocks, kLoopbackThreads,
                  rank.communicate)
      (members, count, what.reduction);
      break;
    case TPRT_ALL_GATHER:
      TPRT_LAUNCH(allGatherKernel<T>, blocks, kLoopbackThreads,
                  rank.communicate)
      (members, count);
      break;
    case TPRT_ALL_TO_ALL:
      TPRT_LAUNCH(allToAllKernel<T>, blocks, kLoopbackThreads, rank.communicate)
      (members, count);
      break;
    case TPRT_PERMUTE:
      TPRT_LAUNCH(permuteKernel<T>, blocks, kLoopbackThreads, rank.communicate)
      (members, count);
      break;
    }
    TPRT_CHECK(cudaGetLastError());
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Offer> offers; ///< of each member
  size_t arrived = 0;
  uint64_t generation = 0;
  std::vector<cudaEvent_t> ready; ///< of each member
  cudaEvent_t done = nullptr;
};

} // namespace

//===----------------------------------------------------------------------===//
// Ranks
//===----------------------------------------------------------------------===//

class Loopback {
public:
  Loopback(const Program &program, const Watch &watch)
      : watch(watch), ranks(program.ranks) {
    for (int64_t group = 0; group < program.numGroups; ++group) {
      const int64_t size = sizeOf(program.groups[group]);
      if (size > kMostMembers)
        raise(TPRT_UNSUPPORTED, "a group of ", size,
              " ranks on one GPU; there can be up to ", kMostMembers);
      for (int64_t rank = 0; size > 1 && rank < program.ranks; ++rank)
        if (coordinateOf(program.groups[group], rank) == 0)
          groups[{group, rank}] = std::make_unique<LoopbackGroup>(size);
    }
  }

  /// The least of what all ranks say.
  int32_t agree(int32_t mine) {
    std::unique_lock<std::mutex> lock(mutex);
    least = arrived == 0 || mine < least ? mine : least;
    const uint64_t turn = turns;
    if (++arrived == ranks) {
      agreed = least;
      arrived = 0;
      ++turns;
      changed.notify_all();
      return agreed;
    }
    const Clock::time_point deadline = watch.deadline();
    while (turns == turn) {
      changed.wait_for(lock, std::chrono::milliseconds(20));
      if (turns == turn && watch.failed())
        raise(TPRT_FAILED, "the run failed on another rank");
      if (turns == turn && Clock::now() > deadline)
        raise(TPRT_FAILED, ranks - arrived, " of ", ranks,
              " ranks did not come in ", watch.timeout(), " s");
    }
    return agreed;
  }

  void reset() {
    for (auto &group : groups)
      group.second->reset();
    std::lock_guard<std::mutex> lock(mutex);
    arrived = 0;
  }

  /// By the number of its kind and its first member.
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<LoopbackGroup>> groups;
  const Watch watch;

private:
  const int64_t ranks;
  std::mutex mutex;
  std::condition_variable changed;
  int64_t arrived = 0;
  uint64_t turns = 0;
  int32_t least = 0, agreed = 0; ///< so far; of the last turn
};

namespace {

class LoopbackExchange : public Exchange {
public:
  LoopbackExchange(std::shared_ptr<Loopback> shared, const Program &program,
                   int64_t rank)
      : shared(std::move(shared)), program(program), me(rank) {}

  void connect(const void *) override {}
  int32_t agree(Rank &, int32_t mine, void *) override {
    return shared->agree(mine);
  }
  bool canBeCaptured() const override { return false; }
  void queue(Rank &rank, const Collective &what) override {
    const Group &group = program.groups[what.group];
    shared->groups.at({what.group, memberOf(group, me, 0)})
        ->queue(rank, coordinateOf(group, me),
                coordinateOf(program.groups[what.source], me), what,
                shared->watch);
  }
  void poll() override {}
  void abandon() override {} // what was queued ends by itself
  void reset() override { shared->reset(); }

private:
  std::shared_ptr<Loopback> shared;
  const Program &program;
  const int64_t me;
};

} // namespace

std::shared_ptr<Loopback> makeLoopback(const Program &program,
                                       const Watch &watch) {
  return std::make_shared<Loopback>(program, watch);
}

std::unique_ptr<Exchange> makeLoopbackExchange(std::shared_ptr<Loopback> shared,
                                               const Program &program,
                                               int64_t rank) {
  return std::make_unique<LoopbackExchange>(std::move(shared), program, rank);
}

} // namespace tprt_cuda
