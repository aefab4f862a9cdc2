//===- ProcessCommunicator.cpp - collectives between processes ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ProcessCommunicator.h"

#include "Numeric.h"
#include "Reduce.h"

#include <cstddef>
#include <cstring>

using namespace tprt;

static constexpr int64_t firstTag = 0, dataTag = 1;

/// Of each tensor in a message.
static constexpr int64_t alignment = 64;

static int64_t alignUp(int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

static int64_t bytesOf(const tprt_collective_buffer &buffer) {
  return CollectiveShape(buffer).bytes();
}

ProcessCommunicator::ProcessCommunicator(World &world, tprt_channel *channel,
                                         std::vector<int64_t> ranks,
                                         int64_t index)
    : world(world), channel(channel), ranks(std::move(ranks)), me(index),
      firstCapacity(alignUp(sizeof(Header)) + smallBytes +
                    maxCollectiveBuffers * alignment) {}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

void ProcessCommunicator::send(Transfers &transfers, int64_t member,
                               const void *data, int64_t bytes) {
  if (bytes > 0)
    transfers.send(channel, member, ranks[size_t(member)], dataTag, data,
                   bytes);
}

void ProcessCommunicator::receive(Transfers &transfers, int64_t member,
                                  void *data, int64_t bytes) {
  if (bytes > 0)
    transfers.receive(channel, member, ranks[size_t(member)], dataTag, data,
                      bytes);
}

char *ProcessCommunicator::stage(size_t area, int64_t bytes) {
  if (staging[area].size() < size_t(bytes))
    staging[area].resize(size_t(bytes));
  return staging[area].data();
}

/// Tells every member which collective this is, and hears it from them; gives
/// where the tensors begin in a first message.
int64_t ProcessCommunicator::announce(const tprt_collective_desc &desc,
                                      int64_t source, bool isSmall,
                                      const void *const *inputs) {
  if (firsts.empty())
    firsts.resize(size_t(firstCapacity * size()));
  char *mine = firstOf(me);
  Header *header = reinterpret_cast<Header *>(mine);
  header->source = source;
  std::memcpy(&header->desc, &desc, size_t(descriptorBytes(desc)));
  const int64_t headerBytes =
      alignUp(int64_t(offsetof(Header, desc)) + descriptorBytes(desc));
  int64_t bytes = headerBytes;
  for (int64_t b = 0; isSmall && b < desc.num_buffers; ++b) {
    const int64_t size = bytesOf(desc.buffers[b]);
    if (size > 0)
      std::memcpy(mine + bytes, inputs[b], size_t(size));
    bytes += alignUp(size);
  }
  Transfers transfers(world);
  // Each begins with the member after itself, so that not all send to one.
  for (int64_t i = 1; i < size(); ++i) {
    int64_t from = (me - i + size()) % size(), to = (me + i) % size();
    transfers.receive(channel, from, ranks[size_t(from)], firstTag,
                      firstOf(from), firstCapacity);
    transfers.send(channel, to, ranks[size_t(to)], firstTag, mine, bytes);
  }
  transfers.wait(Transfers::Strict);
  return headerBytes;
}

/// Every member compares everybody with the first, so that all find the same.
void ProcessCommunicator::checkAgreement() {
  auto headerOf = [&](int64_t member) -> const Header & {
    return *reinterpret_cast<const Header *>(firstOf(member));
  };
  for (int64_t i = 1; i < size(); ++i)
    if (!sameCollective(headerOf(0).desc, headerOf(i).desc))
      raise(TPRT_FAILED, "the ranks disagree: rank ", ranks[0], " is in ",
            describeCollective(headerOf(0).desc), ", rank ", ranks[size_t(i)],
            " in ", describeCollective(headerOf(i).desc));
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

void ProcessCommunicator::run(const tprt_collective_desc &desc, int64_t source,
                              const void *const *inputs, void *const *outputs) {
  const bool isSmall = inputBytes(desc) <= smallBytes;
  const int64_t headerBytes = announce(desc, source, isSmall, inputs);
  checkAgreement();
  if (isSmall)
    return finishSmall(desc, source, headerBytes, outputs);
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    if (desc.kind == TPRT_ALL_REDUCE)
      reduceAll(desc.buffers[b], desc.reduction, inputs[b], outputs[b]);
    else if (desc.kind == TPRT_ALL_GATHER)
      gatherAll(desc, b, inputs[b], outputs[b]);
    else if (desc.kind == TPRT_PERMUTE)
      permute(desc.buffers[b], source, inputs[b], outputs[b]);
    else
      exchangePieces(desc, b, inputs[b], outputs[b]);
  }
}

/// Everybody's inputs are in the first messages.
void ProcessCommunicator::finishSmall(const tprt_collective_desc &desc,
                                      int64_t source, int64_t headerBytes,
                                      void *const *outputs) {
  const void *sources[maxGroupSize];
  int64_t place = headerBytes;
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    for (int64_t i = 0; i < size(); ++i)
      sources[i] = firstOf(i) + place;
    place += alignUp(bytesOf(desc.buffers[b]));
    if (desc.kind == TPRT_ALL_REDUCE)
      reduceInOrder(desc.buffers[b].dtype, desc.reduction, sources, size(),
                    CollectiveShape(desc.buffers[b]).elements, outputs[b]);
    else
      combine(desc, b, me, source, size(), sources, outputs[b]);
  }
}

/// Each member reduces one part and sends it to the others. Works in place.
void ProcessCommunicator::reduceAll(const tprt_collective_buffer &buffer,
                                    int64_t reduction, const void *input,
                                    void *output) {
  const char *from = static_cast<const char *>(input);
  char *to = static_cast<char *>(output);
  const ReducedPart mine(buffer, me, size());
  char *staged = stage(0, alignUp(mine.bytes) * size());
  const void *sources[maxGroupSize];
  Transfers parts(world);
  for (int64_t i = 0; i < size(); ++i) {
    sources[i] =
        i == me ? from + mine.offset : staged + i * alignUp(mine.bytes);
    if (i == me)
      continue;
    receive(parts, i, const_cast<void *>(sources[i]), mine.bytes);
    ReducedPart theirs(buffer, i, size());
    send(parts, i, from + theirs.offset, theirs.bytes);
  }
  parts.wait(Transfers::Strict);
  reduceInOrder(buffer.dtype, reduction, sources, size(), mine.elements,
                to + mine.offset);
  Transfers reduced(world);
  for (int64_t i = 0; i < size(); ++i) {
    if (i == me)
      continue;
    ReducedPart theirs(buffer, i, size());
    receive(reduced, i, to + theirs.offset, theirs.bytes);
    send(reduced, i, to + mine.offset, mine.bytes);
  }
  reduced.wait(Transfers::Strict);
}

/// Straight into the output where the members' tensors lie one after another.
void ProcessCommunicator::gatherAll(const tprt_collective_desc &desc, int64_t b,
                                    const void *input, void *output) {
  const CollectiveShape shape(desc.buffers[b]);
  const int64_t bytes = shape.bytes();
  const bool isDirect = shape.outer == 1;
  char *place =
      isDirect ? static_cast<char *>(output) : stage(0, bytes * size());
  const void *sources[maxGroupSize];
  Transfers transfers(world);
  for (int64_t i = 0; i < size(); ++i) {
    sources[i] = i == me ? input : place + i * bytes;
    if (i == me)
      continue;
    receive(transfers, i, place + i * bytes, bytes);
    send(transfers, i, input, bytes);
  }
  if (isDirect && bytes > 0)
    std::memcpy(place + me * bytes, input, size_t(bytes));
  transfers.wait(Transfers::Strict);
  if (!isDirect)
    combine(desc, b, me, me, size(), sources, output);
}

/// reduce_scatter and all_to_all: each member gets its piece of every tensor.
void ProcessCommunicator::exchangePieces(const tprt_collective_desc &desc,
                                         int64_t b, const void *input,
                                         void *output) {
  const tprt_collective_buffer &buffer = desc.buffers[b];
  const bool reduces = desc.kind == TPRT_REDUCE_SCATTER;
  const int64_t dim = reduces ? buffer.dim : buffer.split_dim;
  const int64_t bytes = bytesOf(buffer) / size();
  char *cut = stage(0, bytes * size()), *staged = stage(1, bytes * size());
  const void *sources[maxGroupSize];
  Transfers transfers(world);
  for (int64_t i = 0; i < size(); ++i) {
    cutPiece(buffer, dim, i, size(), input, cut + i * bytes);
    sources[i] = (i == me ? cut : staged) + i * bytes;
    if (i == me)
      continue;
    receive(transfers, i, staged + i * bytes, bytes);
    send(transfers, i, cut + i * bytes, bytes);
  }
  transfers.wait(Transfers::Strict);
  if (reduces)
    return reduceInOrder(buffer.dtype, desc.reduction, sources, size(),
                         CollectiveShape(buffer).elements / size(), output);
  // What is left of all_to_all is a gather of the pieces.
  tprt_collective_desc pieces = {};
  pieces.kind = TPRT_ALL_GATHER;
  pieces.num_buffers = 1;
  pieces.buffers[0] = buffer;
  pieces.buffers[0].shape[buffer.split_dim] /= size();
  combine(pieces, 0, me, me, size(), sources, output);
}

/// The first messages say who takes from whom.
void ProcessCommunicator::permute(const tprt_collective_buffer &buffer,
                                  int64_t source, const void *input,
                                  void *output) {
  const int64_t bytes = bytesOf(buffer);
  Transfers transfers(world);
  if (source != me)
    receive(transfers, source, output, bytes);
  else if (bytes > 0)
    std::memcpy(output, input, size_t(bytes));
  for (int64_t i = 0; i < size(); ++i)
    if (i != me && reinterpret_cast<const Header *>(firstOf(i))->source == me)
      send(transfers, i, input, bytes);
  transfers.wait(Transfers::Strict);
}
