//===- Slot.h - one rank of this process on its GPU -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_SLOT_H
#define TPRT_CUDA_SLOT_H

#include "Attentions.h"
#include "Exchange.h"
#include "Graph.h"
#include "Products.h"

#include <deque>
#include <memory>
#include <vector>

namespace tprt_cuda {

/// A rank: its streams, its memory and what its program asks of its host.
class Slot final : public Host {
public:
  /// Counts a collective, in which so many bytes are sent.
  using Count = EntryGraph::Tell;

  /// How many of the run's collectives have begun and ended on the GPU.
  using Progress = std::function<void(int64_t begun, int64_t ended)>;

  /// What a user may ask for.
  struct Wishes {
    bool graphs = false; ///< an entry that runs again is one launch
    /// How algorithms of products are chosen before the first run; what comes
    /// first is all ranks' if one of them wishes it.
    enum Choice : int32_t { First, Own, Fastest } products = First;
  };

  Slot(const Program &program, int64_t rank, int gpu, const Watch &watch,
       Count count, Progress progress, std::unique_ptr<Exchange> exchange,
       const Wishes &wishes);
  Slot(const Slot &) = delete;
  ~Slot();

  void connect(const void *id);
  void *reserve(int64_t bytes);
  /// One of two pinned buffers, in turn, once it is copied.
  void *stage();
  /// Queues the copy of what stage gave last.
  void put(void *target, int64_t bytes);
  void read(void *target, const void *source, int64_t bytes);
  void fill(void *target, int64_t byte, int64_t bytes);
  int64_t freeBytes();

  /// Queues an entry and waits for its end.
  void run(int64_t entry, void *arena, void *const *arguments,
           void *const *results);
  void reset();

  tprt_status multiply(Rank *rank, int64_t number, const void *a, const void *b,
                       bool adds, const void *bias, void *c) override;
  tprt_status communicate(Rank *rank, const Collective &what) override;
  tprt_status attend(Rank *rank, const Attention &what,
                     bool *isQueued) override;

  /// Who computes attention.
  std::string describeAttention() const { return attentions->describe(); }

/// Of each staging buffer: enough for the full speed of a bus.
#ifndef TPRT_STAGING_BYTES
#define TPRT_STAGING_BYTES (8 << 20)
#endif
  static constexpr int64_t kStagingBytes = TPRT_STAGING_BYTES;

private:
  void open();
  void close();
  int64_t extraBytes() const;
  void select() { TPRT_CHECK(cudaSetDevice(gpu)); }
  tprt_status queue(int64_t entry, void *arena, void *const *arguments,
                    void *const *results);
  void begin();
  int32_t agree(int32_t mine);
  void chooseAlgorithms();
  void finish();
  void mark(size_t number);
  void lookAtCollectives();
  void checkFault();

  const Program &program;
  const int gpu;
  const Watch watch;
  const Count count;
  const Progress progress;
  Rank rank;
  std::vector<cudaEvent_t> events;
  /// Before and after each collective of a run, as long as there are any: one
  /// in a graph has none.
  std::vector<cudaEvent_t> marks;
  size_t numMarks = 0; ///< of this run
  size_t numCollectives = 0;
  size_t begun = 0, ended = 0; ///< of them, on the GPU
  bool waits = false;          ///< for others, or for the GPU
  Clock::time_point lookedAt;
  struct Staging {
    void *memory = nullptr;
    cudaEvent_t copied = nullptr; ///< after the last copy out of it
  };
  Staging stagings[2];
  size_t turn = 0; ///< the one that stage gave last
  std::vector<int64_t> coordinates;
  std::unique_ptr<Products> products;
  std::unique_ptr<Attentions> attentions;
  std::unique_ptr<Exchange> exchange;
  std::deque<EntryGraph> graphs; ///< of each entry, or none
  EntryGraph *current = nullptr;
  /// The session's, the workspace, the scratch buffer and the exchange's word.
  void *block = nullptr;
  int64_t blockBytes = 0;
  void *own = nullptr; ///< the block, if it is not the exchange's
  Wishes::Choice choice;
  bool hasBegun = false;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_SLOT_H
