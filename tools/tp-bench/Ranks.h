//===- Ranks.h - timing what ranks do together ------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_BENCH_RANKS_H
#define TP_TOOLS_TP_BENCH_RANKS_H

#include "mlir/Support/LLVM.h"
#include "tprt/tprt.h"
#include <functional>
#include <memory>
#include <vector>

namespace mlir::tp::bench {

/// Ranks that are threads of the runtime, in a session of its own: what is
/// timed is what a compiled program calls. One at a time may exist.
class Ranks {
public:
  /// By the time that a rank's thread runs, if `onProcessor`; else by the wall
  /// clock, on which there is also what others on this machine take.
  explicit Ranks(int64_t count, bool onProcessor = false);
  ~Ranks();
  Ranks(const Ranks &) = delete;

  /// False after printing why, if the session could not be made.
  bool areUp() const { return session != nullptr; }
  int64_t count() const { return number; }

  /// What one rank repeats. It is made on the rank's own thread, where it may
  /// allocate, and is called there.
  using Work = std::function<void(tprt_rank *)>;
  using MakeWork = std::function<Work(int64_t rank)>;

  struct Seconds {
    double least, median;
  };

  /// Seconds of one of `repetitions` in a row, which all ranks begin together,
  /// of the slowest rank, over several rows. A first row, which touches memory
  /// for the first time, does not count. Nothing after printing an error.
  std::optional<Seconds> measure(int64_t repetitions, const MakeWork &make);

  /// All ranks in the only group.
  static constexpr int64_t group = 0;
  /// The numbers of the collectives that the program has.
  enum Collective : int64_t { Barrier, AllReduce, AllGather };

private:
  int64_t number;
  bool onProcessor;
  tprt_session *session = nullptr;
};

} // namespace mlir::tp::bench

#endif // TP_TOOLS_TP_BENCH_RANKS_H
