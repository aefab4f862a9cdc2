//===- Exchange.h - how ranks on GPUs communicate -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_EXCHANGE_H
#define TPRT_CUDA_EXCHANGE_H

#include "Support.h"

#include <memory>

namespace tprt_cuda {

/// One rank's end of all of its groups: NCCL's, or kernels on the one GPU that
/// the ranks share.
class Exchange {
public:
  virtual ~Exchange() = default;

  /// On the rank's thread, all ranks together. An Error if they do not meet.
  virtual void connect(const void *id) = 0;

  /// Memory for all that the rank sends and receives, as long as the exchange
  /// lives. Null: it is as good anywhere.
  virtual void *reserve(int64_t) { return nullptr; }

  /// On the rank's thread, all ranks together, before the first collective: the
  /// `bytes` in which its buffers lie, alike on all ranks. The last kWordBytes
  /// of them are for the exchange.
  virtual void share(Rank &, void *, int64_t) {}
  static constexpr int64_t kWordBytes = 256;

  /// The least of what all ranks say, on the rank's thread, all ranks together,
  /// after share. `word` is the exchange's part of the rank's memory.
  virtual int32_t agree(Rank &rank, int32_t mine, void *word) = 0;

  /// Queues a collective, of a group of more than one, on the communicate
  /// stream.
  virtual void queue(Rank &rank, const Collective &what) = 0;

  /// Whether a collective that was queued once can be queued again as part of a
  /// graph, without the other ranks at hand.
  virtual bool canBeCaptured() const = 0;

  /// An Error if it is known that what was queued will not end.
  virtual void poll() = 0;

  /// Ends what was queued, however far it has come.
  virtual void abandon() = 0;

  /// Before a run, with all ranks idle.
  virtual void reset() = 0;
};

/// What the ranks of one process share to communicate on one GPU.
class Loopback;
std::shared_ptr<Loopback> makeLoopback(const Program &program,
                                       const Watch &watch);
std::unique_ptr<Exchange> makeLoopbackExchange(std::shared_ptr<Loopback> shared,
                                               const Program &program,
                                               int64_t rank);

/// An Error that says what to install if there is no NCCL.
void requireNccl();
/// 128 bytes.
void makeNcclId(void *id);
std::unique_ptr<Exchange> makeNcclExchange(const Program &program, int64_t rank,
                                           const Watch &watch);

} // namespace tprt_cuda

#endif // TPRT_CUDA_EXCHANGE_H
