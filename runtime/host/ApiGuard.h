//===- ApiGuard.h - exceptions become statuses ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_APIGUARD_H
#define TPRT_HOST_APIGUARD_H

#include "Error.h"

#include <cstring>
#include <new>

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

} // namespace tprt

#endif // TPRT_HOST_APIGUARD_H
