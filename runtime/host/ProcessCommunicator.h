//===- ProcessCommunicator.h - collectives between processes --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_PROCESSCOMMUNICATOR_H
#define TPRT_HOST_PROCESSCOMMUNICATOR_H

#include "CollectiveShape.h"
#include "Communicator.h"
#include "World.h"

#include <vector>

namespace tprt {

/// One rank's end of a group of processes.
///
/// Every collective begins with a message from each member to each, which says
/// which collective the sender is in; if little data travels, all inputs are in
/// it. Otherwise only the pieces travel that a member needs. Either way the
/// members' pieces are combined in the group's order by the code that threads
/// use, so that the bits are the same.
class ProcessCommunicator : public Communicator {
public:
  /// `ranks` are the members' ranks, in the group's order.
  ProcessCommunicator(World &world, tprt_channel *channel,
                      std::vector<int64_t> ranks, int64_t index);

  int64_t index() const override { return me; }
  int64_t size() const override { return int64_t(ranks.size()); }
  void run(const tprt_collective_desc &desc, int64_t source,
           const void *const *inputs, void *const *outputs) override;
  void reset() override {}
  void wake() override {}

private:
  /// Up to so many bytes of a member's inputs travel with the first message.
  static constexpr int64_t smallBytes = 16 * 1024;

  struct Header {
    int64_t source; ///< see run()
    tprt_collective_desc desc;
  };

  /// Room for one first message of each member.
  char *firstOf(int64_t member) {
    return firsts.data() + size_t(member * firstCapacity);
  }
  int64_t announce(const tprt_collective_desc &desc, int64_t source,
                   bool isSmall, const void *const *inputs);
  void checkAgreement();

  void send(Transfers &transfers, int64_t member, const void *data,
            int64_t bytes);
  void receive(Transfers &transfers, int64_t member, void *data, int64_t bytes);
  char *stage(size_t area, int64_t bytes);

  void finishSmall(const tprt_collective_desc &desc, int64_t source,
                   int64_t headerBytes, void *const *outputs);
  void reduceAll(const tprt_collective_buffer &buffer, int64_t reduction,
                 const void *input, void *output);
  void gatherAll(const tprt_collective_desc &desc, int64_t b, const void *input,
                 void *output);
  void exchangePieces(const tprt_collective_desc &desc, int64_t b,
                      const void *input, void *output);
  void permute(const tprt_collective_buffer &buffer, int64_t source,
               const void *input, void *output);

  World &world;
  tprt_channel *const channel;
  const std::vector<int64_t> ranks;
  const int64_t me;
  int64_t firstCapacity;
  std::vector<char> firsts;
  std::vector<char> staging[2];
};

} // namespace tprt

#endif // TPRT_HOST_PROCESSCOMMUNICATOR_H
