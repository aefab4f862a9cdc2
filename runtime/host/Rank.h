//===- Rank.h - one rank of a session ------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_RANK_H
#define TPRT_HOST_RANK_H

#include "Communicator.h"
#include "Manifest.h"
#include "Recorder.h"
#include "RunState.h"
#include "Timeline.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

namespace tprt {

/// Memory that kernels work in. Grows to what was needed and stays.
class Scratch {
public:
  /// `count` elements, 64-byte aligned, that stay valid until the same slot is
  /// asked for again.
  template <typename T> T *get(size_t slot, int64_t count) {
    return static_cast<T *>(bytes(slot, size_t(count) * sizeof(T)));
  }

private:
  void *bytes(size_t slot, size_t size);

  struct Free {
    void operator()(void *pointer) const { std::free(pointer); }
  };
  struct Piece {
    std::unique_ptr<void, Free> memory;
    size_t size = 0;
  };
  std::vector<Piece> pieces;
};

/// What a collective of an entry did so far.
struct CollectiveCounter {
  int64_t executions = 0;
  int64_t bytesSent = 0; ///< by one execution, the largest

  /// The larger of both.
  void include(const CollectiveCounter &other);
};

/// An entry of the manifest as a rank sees it while it runs.
struct EntryCounters {
  const Entry *entry = nullptr;
  std::unordered_map<int64_t, size_t> byId;
  std::vector<CollectiveCounter> collectives;

  explicit EntryCounters(const Entry &entry);

  /// Null if the manifest does not have it.
  const CollectiveInfo *find(int64_t id) const;
  /// An execution of one that it has, in which so many bytes are sent.
  void count(int64_t id, int64_t bytesSent);
};

} // namespace tprt

/// The opaque type of the C ABI.
struct tprt_rank {
  tprt_rank(int64_t index, tprt::RunState &run, const tprt::Manifest &manifest);

  /// Ends the run on all ranks, unless it has already failed. `what` is the
  /// function that reports it.
  void fail(tprt_status status, const char *what, const char *message) noexcept;

  tprt::Communicator &group(int64_t group) const;

  const int64_t index;
  tprt::RunState &run;
  std::vector<std::unique_ptr<tprt::Communicator>> groups;
  std::vector<tprt::EntryCounters> entries;
  tprt::EntryCounters *current = nullptr;               ///< the entry that runs
  const tprt::CollectiveInfo *lastCollective = nullptr; ///< for messages
  tprt::Recorder *recorder = nullptr;       ///< of a rank that is a process
  std::unique_ptr<tprt::Timeline> timeline; ///< of a session that has one
  tprt::Scratch scratch;
};

namespace tprt {

/// Runs the body of a function of the program API: not at all if the run has
/// failed, and with every exception turned into the failure of this rank.
template <typename Body>
void guarded(tprt_rank *rank, const char *what, Body &&body) noexcept {
  if (rank->run.failed())
    return;
  try {
    body();
  } catch (const Error &error) {
    rank->fail(error.status(), what, error.what());
  } catch (const std::bad_alloc &) {
    rank->fail(TPRT_OUT_OF_MEMORY, what, "out of memory");
  } catch (const std::exception &exception) {
    rank->fail(TPRT_FAILED, what, exception.what());
  } catch (...) {
    rank->fail(TPRT_FAILED, what, "unknown exception");
  }
}

} // namespace tprt

#endif // TPRT_HOST_RANK_H
