//===- ThreadCommunicator.cpp - collectives between threads --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ThreadCommunicator.h"

#include "Reduce.h"

#include <cstring>

using namespace tprt;

/// Up to so many bytes from all members together a collective is staged:
/// copying twice is then cheaper than meeting twice.
static constexpr int64_t stagedBytes = 256 * 1024;

ThreadGroup::ThreadGroup(std::vector<int64_t> ranks, int spins)
    : memberRanks(std::move(ranks)), members(memberRanks.size()),
      meeting(memberRanks.size(), spins) {}

void ThreadCommunicator::publish(const tprt_collective_desc &desc, bool staged,
                                 const void *const *inputs,
                                 void *const *outputs) {
  parity ^= 1;
  Slot &slot = slotOf(me);
  std::memcpy(&slot.desc, &desc, size_t(descriptorBytes(desc)));
  constexpr auto line = int64_t(sizeof(StagingLine));
  std::vector<StagingLine> &staging = group->members[me].staging[parity];
  auto needed = size_t(inputBytes(desc) / line + desc.num_buffers);
  if (staged && staging.size() < needed)
    staging.resize(needed);
  StagingLine *place = staging.data();
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    slot.inputs[b] = inputs[b];
    slot.outputs[b] = outputs[b];
    if (!staged)
      continue;
    int64_t bytes = CollectiveShape(desc.buffers[b]).bytes();
    if (bytes > 0)
      std::memcpy(place, inputs[b], size_t(bytes));
    slot.inputs[b] = place;
    place += (bytes + line - 1) / line;
  }
}

/// Waits for all members; false if the run has failed meanwhile.
bool ThreadCommunicator::enter() {
  auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(timeout));
  Barrier::Outcome outcome = group->barrier().wait(size_t(me), state, deadline);
  if (outcome != Barrier::TimedOut)
    return outcome == Barrier::Passed;
  std::vector<int64_t> absent;
  for (size_t member : group->barrier().missing())
    absent.push_back(group->ranks()[member]);
  raise(TPRT_FAILED, "waited ", timeout, " s for ranks ", joinSizes(absent));
}

/// Every member compares everybody with the first, so that all find the same.
void ThreadCommunicator::checkAgreement() {
  const tprt_collective_desc &first = slotOf(0).desc;
  for (int64_t i = 1; i < size(); ++i) {
    const tprt_collective_desc &other = slotOf(i).desc;
    if (!sameCollective(first, other))
      raise(TPRT_FAILED, "the ranks disagree: rank ", group->ranks()[0],
            " is in ", describeCollective(first), ", rank ", group->ranks()[i],
            " in ", describeCollective(other));
  }
}

void ThreadCommunicator::run(const tprt_collective_desc &desc, int64_t source,
                             const void *const *inputs, void *const *outputs) {
  const bool staged = inputBytes(desc) * size() <= stagedBytes;
  publish(desc, staged, inputs, outputs);
  if (!enter())
    return;
  checkAgreement();
  // From here on nothing throws, so that every member reaches the last barrier,
  // whatever happens elsewhere: nobody's buffers change while they are read.
  if (desc.kind == TPRT_ALL_REDUCE && staged)
    return reduceAll(desc, outputs);
  if (desc.kind == TPRT_ALL_REDUCE)
    return reduceAllInParts(desc);
  const void *sources[maxGroupSize];
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    for (int64_t i = 0; i < size(); ++i)
      sources[i] = slotOf(i).inputs[b];
    combine(desc, b, me, source, size(), sources, outputs[b]);
  }
  if (!staged)
    group->barrier().meet(size_t(me));
}

/// Each member reduces everything.
void ThreadCommunicator::reduceAll(const tprt_collective_desc &desc,
                                   void *const *outputs) {
  const void *sources[maxGroupSize];
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    for (int64_t i = 0; i < size(); ++i)
      sources[i] = slotOf(i).inputs[b];
    reduceInOrder(desc.buffers[b].dtype, desc.reduction, sources, size(),
                  CollectiveShape(desc.buffers[b]).elements, outputs[b]);
  }
}

/// Each member reduces one part and then fetches the others. Works in place: a
/// part of an input is read by its reducer alone, who then overwrites it.
void ThreadCommunicator::reduceAllInParts(const tprt_collective_desc &desc) {
  const void *sources[maxGroupSize];
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    ReducedPart part(desc.buffers[b], me, size());
    for (int64_t i = 0; i < size(); ++i)
      sources[i] = static_cast<const char *>(slotOf(i).inputs[b]) + part.offset;
    reduceInOrder(desc.buffers[b].dtype, desc.reduction, sources, size(),
                  part.elements,
                  static_cast<char *>(slotOf(me).outputs[b]) + part.offset);
  }
  group->barrier().meet(size_t(me));
  for (int64_t b = 0; b < desc.num_buffers; ++b)
    for (int64_t i = 0; i < size(); ++i) {
      ReducedPart part(desc.buffers[b], i, size());
      if (i == me || part.elements == 0)
        continue;
      std::memcpy(static_cast<char *>(slotOf(me).outputs[b]) + part.offset,
                  static_cast<char *>(slotOf(i).outputs[b]) + part.offset,
                  size_t(part.bytes));
    }
  group->barrier().meet(size_t(me));
}
