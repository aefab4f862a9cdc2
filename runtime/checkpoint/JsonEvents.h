//===- JsonEvents.h - JSON as a stream of events ----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_JSONEVENTS_H
#define TPRT_CHECKPOINT_JSONEVENTS_H

#include "checkpoint/MappedFile.h"

namespace tprt::checkpoint {

/// Receives one JSON object, piece by piece. No document is built: headers can
/// be large, and a document would hide keys that occur twice. Nesting is
/// limited. The default is to accept everything. A handler refuses the input by
/// `return fail(...)`.
class JsonEvents {
public:
  virtual ~JsonEvents() = default;

  /// `depth` counts the objects and arrays around the event: the keys of the
  /// document are at depth 1.
  virtual bool key(int depth, const std::string &name);
  virtual bool begin(int depth, bool isObject);
  virtual bool end(int depth);
  virtual bool string(int depth, const std::string &value);
  virtual bool integer(int depth, uint64_t value);
  /// Any other scalar; `kind` is its description: "null", "a negative number".
  virtual bool other(int depth, const char *kind);

  const std::string &failure() const { return reason; }

protected:
  bool fail(std::string message) {
    reason = std::move(message);
    return false;
  }

private:
  std::string reason;
};

/// Parses `text`, part of `file`. Never throws for what the text contains.
Status parseJson(const MappedFile &file, std::string_view text,
                 JsonEvents &events);

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_JSONEVENTS_H
