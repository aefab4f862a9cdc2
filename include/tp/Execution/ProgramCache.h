//===- ProgramCache.h - programs kept from one run to the next --*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A directory of compiled programs, each a file named after the hash of all
// that it was made from. An entry is used only if this user alone can write it
// and its own hash holds; whatever else is found there counts as absent.
// Weights are never in it. docs/cache.md says more.
//
//===----------------------------------------------------------------------===//

#ifndef TP_EXECUTION_PROGRAMCACHE_H
#define TP_EXECUTION_PROGRAMCACHE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Error.h"
#include <array>
#include <optional>
#include <string>

namespace mlir::tp {

/// What a program is made from, hashed. Two programs of one key are the same.
class CacheKey {
public:
  using Digest = std::array<uint8_t, 32>;

  /// Begins with this tool and the runtime library, by their contents, LLVM,
  /// and the CPU that code is made for.
  static std::optional<CacheKey> ofThisProcess();

  /// Parts do not run into one another: "a", "bc" is not "ab", "c".
  void add(StringRef part);
  void add(int64_t part) { add(StringRef(std::to_string(part))); }
  /// The content of a file; false if it cannot be read.
  bool addFile(StringRef path);

  Digest digest() const;

private:
  CacheKey() = default;

  llvm::BLAKE3 hasher;
};

/// A descriptor that closes itself.
class FileHandle {
public:
  explicit FileHandle(int descriptor = -1) : descriptor(descriptor) {}
  FileHandle(FileHandle &&other) noexcept
      : descriptor(std::exchange(other.descriptor, -1)) {}
  FileHandle &operator=(FileHandle &&other) noexcept {
    std::swap(descriptor, other.descriptor);
    return *this;
  }
  ~FileHandle();

  int get() const { return descriptor; }
  /// From here on nobody closes it.
  int release() { return std::exchange(descriptor, -1); }

private:
  int descriptor;
};

/// A compiled program, held open: what was checked is what is loaded, whatever
/// happens to its name.
struct CachedProgram {
  FileHandle file;
  /// What the user was told when it was made: lines for the error stream.
  std::string said;
  /// Tells programs apart, see tprt_options.
  uint64_t fingerprint = 0;

  /// A name for tprt_program_open. The dynamic linker knows what it has mapped
  /// by name: after that the file must stay open.
  std::string path() const;
};

/// Compiles as writeProgramFile does, for this machine, to a file that has no
/// name any more. Fails with diagnostics.
FailureOr<CachedProgram> compileProgram(ModuleOp module);

class ProgramCache {
public:
  /// 1 GiB.
  static constexpr uint64_t defaultLimit = uint64_t(1) << 30;

  /// $XDG_CACHE_HOME/tp-mlir, or ~/.cache/tp-mlir; empty if neither is known.
  static std::string defaultDirectory();

  /// Makes the directory, for this user alone, if it is not there. Entries
  /// beyond `limit` bytes make room, the one unused for longest first. An error
  /// if it cannot be written to.
  static llvm::Expected<ProgramCache> open(StringRef directory,
                                           uint64_t limit = defaultLimit);

  /// The program of this key, unless there is none that can be trusted.
  std::optional<CachedProgram> find(const CacheKey &key) const;

  /// Keeps others from making the program of this key meanwhile, in this
  /// process or another; waits `seconds` at most for one that does so. Held as
  /// long as the result lives. Without a lock (it took too long, the file
  /// system has none) work is done twice, no more.
  FileHandle lock(const CacheKey &key, double seconds) const;

  /// Puts a program in place of what the key has; others see the old or the
  /// new, whole.
  llvm::Error store(const CacheKey &key, const CachedProgram &program) const;

private:
  ProgramCache(StringRef directory, uint64_t limit)
      : directory(directory), limit(limit) {}
  std::string pathOf(const CacheKey::Digest &digest) const;
  void makeRoom(StringRef kept) const;

  std::string directory;
  uint64_t limit;
};

} // namespace mlir::tp

#endif // TP_EXECUTION_PROGRAMCACHE_H
