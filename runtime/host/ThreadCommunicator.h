//===- ThreadCommunicator.h - collectives between threads ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_THREADCOMMUNICATOR_H
#define TPRT_HOST_THREADCOMMUNICATOR_H

#include "Barrier.h"
#include "CollectiveShape.h"
#include "Communicator.h"

#include <memory>
#include <vector>

namespace tprt {

/// What the members of one group share: a place for each to show its buffers,
/// and a barrier.
///
/// A small collective costs one barrier: each member copies its inputs to its
/// staging area and may leave as soon as it has read everybody's. A large one
/// reads the members' buffers where they are and needs a second barrier before
/// anybody may leave. Slots and staging areas alternate between two, so that a
/// member that is one collective ahead disturbs nobody: it cannot be two ahead.
/// Staging areas begin at a cache line, like the buffers of a program: a copy
/// to a few bytes further within a page than where it comes from is many times
/// slower on some processors.
struct alignas(64) StagingLine {
  char bytes[64];
};

class ThreadGroup {
public:
  ThreadGroup(std::vector<int64_t> ranks, int spins);

  Barrier &barrier() { return meeting; }
  const std::vector<int64_t> &ranks() const { return memberRanks; }

private:
  friend class ThreadCommunicator;

  struct Slot {
    tprt_collective_desc desc;
    const void *inputs[maxCollectiveBuffers];
    void *outputs[maxCollectiveBuffers];
  };
  struct alignas(128) Member {
    Slot slots[2];
    std::vector<StagingLine> staging[2];
  };

  std::vector<int64_t> memberRanks;
  std::vector<Member> members;
  Barrier meeting;
};

class ThreadCommunicator : public Communicator {
public:
  ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int64_t index,
                     const RunState &run, double timeoutSeconds)
      : group(std::move(group)), me(index), state(run),
        timeout(timeoutSeconds) {}

  int64_t index() const override { return me; }
  int64_t size() const override { return int64_t(group->members.size()); }
  void run(const tprt_collective_desc &desc, int64_t source,
           const void *const *inputs, void *const *outputs) override;
  void reset() override {
    parity = 0;
    group->barrier().reset();
  }
  void wake() override { group->barrier().wake(); }

private:
  using Slot = ThreadGroup::Slot;

  Slot &slotOf(int64_t member) { return group->members[member].slots[parity]; }
  void publish(const tprt_collective_desc &desc, bool staged,
               const void *const *inputs, void *const *outputs);
  bool enter();
  void checkAgreement();
  void reduceAll(const tprt_collective_desc &desc, void *const *outputs);
  void reduceAllInParts(const tprt_collective_desc &desc);

  std::shared_ptr<ThreadGroup> group;
  const int64_t me;
  const RunState &state;
  const double timeout;
  unsigned parity = 0;
};

} // namespace tprt

#endif // TPRT_HOST_THREADCOMMUNICATOR_H
