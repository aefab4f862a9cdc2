//===- Messages.h - messages over streams ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A message is a frame and its bytes, on the one stream between two processes;
// so messages between two arrive in order, whatever their channel and tag. One
// that nobody has asked for yet waits in memory. Nothing here blocks but
// drain(); progress() moves what can be moved.
//
// All processes must be of one byte order.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_TCP_MESSAGES_H
#define TPRT_TCP_MESSAGES_H

#include "Join.h"

#include <deque>
#include <list>

namespace tprt {

/// What precedes the bytes of a message.
struct Frame {
  int32_t channel, tag;
  int64_t bytes;
};

/// One bound for all messages; a frame that says more is no frame.
constexpr int64_t largestMessage = int64_t(1) << 30;

/// A message that is sent or waited for.
struct Request {
  Frame frame = {};
  bool isDone = false;
  bool isTooLong = false; ///< it did not fit, and is gone

  // Sent.
  const char *from = nullptr;
  int64_t sent = 0; ///< of frame and bytes

  // Waited for.
  int64_t source = -1; ///< -1 for anybody
  char *to = nullptr;
  int64_t capacity = 0;
};

class Messages {
public:
  /// Takes over what joinOthers() returned.
  Messages(int64_t rank, std::vector<Socket> sockets);

  /// Begin a message; the request belongs to the caller, who keeps it, and the
  /// bytes, until it is done.
  void send(Request &request, int64_t to);
  void receive(Request &request);

  /// Moves what can be moved now.
  void progress();

  /// Waits a moment for something to move, then moves it.
  void progressSoon();

  /// Sends what is left, then closes, when all others have done so.
  void drain();

  /// Tells the others to end with that code, as far as that does not block.
  void spreadEnd(int64_t code);

private:
  /// A message that is arriving, or has arrived before it was asked for.
  struct Arrival {
    int64_t source;
    Frame frame;
    std::vector<char> bytes;
    bool isWhole = false;
    Request *wanted = nullptr; ///< asked for while it arrives
  };

  struct Peer {
    Socket socket;
    std::deque<Request *> outgoing;
    Frame frame = {};    ///< of what arrives
    int64_t arrived = 0; ///< of frame and bytes
    Request *request = nullptr;
    std::list<Arrival>::iterator arrival;
  };

  Request *takeWaiting(int64_t source, const Frame &frame);
  void begin(int64_t source);
  void finish(Peer &peer);
  void complete(Request &request, const Arrival &arrival);
  void readFrom(int64_t source);
  void writeTo(Peer &peer);
  void hear(const Frame &frame);

  const int64_t rank;
  std::vector<Peer> peers;
  std::list<Request *> waiting; ///< in the order in which they were asked for
  std::list<Arrival> arrivals;
  Socket events; ///< of epoll: what can be read
};

} // namespace tprt

#endif // TPRT_TCP_MESSAGES_H
