//===- ApiGuard.h - from exceptions to statuses ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_APIGUARD_H
#define TPRT_HOST_APIGUARD_H

#include "World.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

struct tprt_world {
  std::shared_ptr<tprt::World> world;
};

namespace tprt {

inline void setMessage(tprt_error *error, const char *message) noexcept {
  if (!error)
    return;
  std::strncpy(error->message, message, sizeof error->message - 1);
  error->message[sizeof error->message - 1] = '\0';
}

/// Runs the body of a function of the C ABI; no exception leaves it.
template <typename Body>
tprt_status callGuarded(tprt_error *error, Body &&body) noexcept {
  try {
    body();
    return TPRT_OK;
  } catch (const Error &failure) {
    const char *what = failure.what();
    setMessage(error, *what ? what : "out of memory");
    return failure.status();
  } catch (const std::bad_alloc &) {
    setMessage(error, "out of memory");
    return TPRT_OUT_OF_MEMORY;
  } catch (const std::exception &exception) {
    setMessage(error, exception.what());
    return TPRT_FAILED;
  } catch (...) {
    setMessage(error, "unknown exception");
    return TPRT_FAILED;
  }
}

/// The same for a process among others: what is thrown here fails the run
/// everywhere, and the message is the verdict that all come to. One process
/// gets the status of the failure, the others TPRT_ELSEWHERE.
template <typename Body>
tprt_status callGuarded(tprt_error *error, World &world, Body &&body) noexcept {
  tprt_error own = {};
  tprt_status status = callGuarded(&own, body);
  if (status == TPRT_OK)
    return status;
  return callGuarded(error, [&] {
    world.alarm(Notice::HostError, status, own.message);
    const Verdict &verdict = world.verdict();
    throw Error(world.isSpokesman() ? verdict.status : TPRT_ELSEWHERE,
                verdict.message);
  });
}

inline double readTimeout(const tprt_options *options) {
  constexpr double usual = 60;
  constexpr double longest = 1e8; // years, and far from overflows
  double seconds = options ? options->timeout_seconds : 0;
  if (!(seconds >= 0)) // NaN too
    raise(TPRT_INVALID, "timeout_seconds is ", seconds);
  return seconds == 0 ? usual : std::min(seconds, longest);
}

} // namespace tprt

#endif // TPRT_HOST_APIGUARD_H
