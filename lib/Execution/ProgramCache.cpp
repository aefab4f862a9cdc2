//===- ProgramCache.cpp - programs kept from one run to the next ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// An entry is one file, so that it comes and goes as a whole: the shared object
// of tp-compile, the text that making it printed, and a trailer with the sizes
// of both, the key and the hash of everything before that hash. The dynamic
// linker does not look at what follows a shared object's last section.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/ProgramCache.h"
#include "OutputFile.h"
#include "TargetCpu.h"
#include "mlir/IR/Verifier.h"
#include "tp/Execution/ProgramFile.h"
#include "tprt/tprt.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace mlir;
using namespace mlir::tp;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// What an entry is called besides its hash, and what its making leaves.
static constexpr StringLiteral kSuffix = ".tpprogram";
static constexpr StringLiteral kTemporary = ".tmp-";

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// The library that has a function, as the dynamic linker found it.
static std::string libraryOf(const void *function) {
  Dl_info info = {};
  return dladdr(function, &info) && info.dli_fname ? info.dli_fname : "";
}

/// Size and time of change: of libraries that are too large to be read at every
/// start, and that change with their package alone.
static std::string stampOf(StringRef library) {
  fs::file_status status;
  if (fs::status(library, status))
    return "";
  return (library + " " + Twine(status.getSize()) + " " +
          Twine(status.getLastModificationTime().time_since_epoch().count()))
      .str();
}

/// Adds what makes programs, and for which CPU. False if some of it cannot be
/// read: what it makes must not be taken for what another makes.
static bool addMaker(CacheKey &key) {
  key.add("tp-mlir program cache 1");
  if (!key.addFile(fs::getMainExecutable(
          nullptr,
          reinterpret_cast<void *>(&ProgramCache::defaultDirectory))) ||
      !key.addFile(
          libraryOf(reinterpret_cast<const void *>(&tprt_session_create))))
    return false;
  key.add(LLVM_VERSION_STRING);
  key.add(stampOf(libraryOf(
      reinterpret_cast<const void *>(&llvm::sys::getDefaultTargetTriple))));
  key.add(stampOf(libraryOf(reinterpret_cast<const void *>(
      static_cast<LogicalResult (*)(Operation *, bool)>(&mlir::verify)))));
  auto cpu = resolveCpu("native", "");
  if (!cpu) {
    llvm::consumeError(cpu.takeError());
    return false;
  }
  key.add(cpu->baseline);
  key.add(cpu->tune);
  key.add(cpu->features);
  return true;
}

std::optional<CacheKey> CacheKey::ofThisProcess() {
  static const std::optional<CacheKey> key = []() -> std::optional<CacheKey> {
    CacheKey made;
    if (!addMaker(made))
      return std::nullopt;
    return made;
  }();
  return key;
}

void CacheKey::add(StringRef part) {
  char size[8];
  llvm::support::endian::write64le(size, part.size());
  hasher.update(StringRef(size, sizeof size));
  hasher.update(part);
}

bool CacheKey::addFile(StringRef file) {
  auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return false;
  add((*buffer)->getBuffer());
  return true;
}

CacheKey::Digest CacheKey::digest() const {
  llvm::BLAKE3 copy = hasher;
  return copy.final<32>();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

FileHandle::~FileHandle() {
  if (descriptor >= 0)
    ::close(descriptor);
}

std::string CachedProgram::path() const {
  return "/proc/self/fd/" + std::to_string(file.get());
}

FailureOr<CachedProgram> tp::compileProgram(ModuleOp module) {
  TemporaryDirectory directory;
  if (llvm::Error error = directory.create())
    return mlir::emitError(module.getLoc()) << llvm::toString(std::move(error));
  std::string file = directory.file("program.so");
  if (failed(writeProgramFile(module, file)))
    return failure();
  CachedProgram program;
  program.file = FileHandle(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (program.file.get() < 0)
    return mlir::emitError(module.getLoc())
           << "cannot read \"" << file << "\": " << std::strerror(errno);
  return program;
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

namespace {

/// The end of an entry.
struct Trailer {
  char magic[16];
  uint64_t programBytes, saidBytes, fingerprint;
  CacheKey::Digest key;
  CacheKey::Digest hash; ///< of all that comes before it
};

} // namespace

static constexpr char kMagic[16] = "tp-mlir program";

static CacheKey::Digest hashOf(StringRef bytes) {
  llvm::BLAKE3 hasher;
  hasher.update(bytes);
  return hasher.final<32>();
}

/// The trailer of a whole entry of this key, if `bytes` are that.
static std::optional<Trailer> readTrailer(StringRef bytes,
                                          const CacheKey::Digest &key) {
  Trailer trailer;
  if (bytes.size() < sizeof trailer)
    return std::nullopt;
  const size_t contents = bytes.size() - sizeof trailer;
  std::memcpy(&trailer, bytes.data() + contents, sizeof trailer);
  if (std::memcmp(trailer.magic, kMagic, sizeof kMagic) != 0 ||
      trailer.key != key || trailer.programBytes > contents ||
      trailer.saidBytes != contents - trailer.programBytes ||
      trailer.hash != hashOf(bytes.drop_back(sizeof trailer.hash)))
    return std::nullopt;
  return trailer;
}

/// A regular file that nobody but this user can have written. Root may: it
/// could replace this tool as well.
static bool isOurs(int descriptor, uint64_t &size) {
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    return false;
  size = uint64_t(status.st_size);
  return (status.st_uid == geteuid() || status.st_uid == 0) &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static std::unique_ptr<llvm::MemoryBuffer> contentsOf(const FileHandle &file,
                                                      uint64_t size) {
  auto buffer = llvm::MemoryBuffer::getOpenFile(
      fs::convertFDToNativeFile(file.get()), "program", size,
      /*RequiresNullTerminator=*/false);
  return buffer ? std::move(*buffer) : nullptr;
}

std::string ProgramCache::pathOf(const CacheKey::Digest &digest) const {
  SmallString<128> whole(directory);
  path::append(whole, llvm::toHex(digest, /*LowerCase=*/true) + kSuffix);
  return std::string(whole);
}

std::optional<CachedProgram> ProgramCache::find(const CacheKey &key) const {
  const CacheKey::Digest digest = key.digest();
  CachedProgram program;
  program.file = FileHandle(::open(
      pathOf(digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  uint64_t size = 0;
  if (program.file.get() < 0 || !isOurs(program.file.get(), size))
    return std::nullopt;
  std::unique_ptr<llvm::MemoryBuffer> buffer = contentsOf(program.file, size);
  if (!buffer)
    return std::nullopt;
  std::optional<Trailer> trailer = readTrailer(buffer->getBuffer(), digest);
  if (!trailer)
    return std::nullopt;
  program.said = buffer->getBuffer()
                     .substr(trailer->programBytes, trailer->saidBytes)
                     .str();
  program.fingerprint = trailer->fingerprint;
  // It was used: others make room first. One that cannot be marked is older.
  (void)futimens(program.file.get(), nullptr);
  return program;
}

static llvm::Error writeError(StringRef directory, const Twine &reason) {
  return makeError("cannot write to \"" + directory + "\": " + reason);
}

llvm::Error ProgramCache::store(const CacheKey &key,
                                const CachedProgram &program) const {
  uint64_t size = 0;
  if (!isOurs(program.file.get(), size))
    return writeError(directory, "the program is gone");
  std::unique_ptr<llvm::MemoryBuffer> code = contentsOf(program.file, size);
  if (!code)
    return writeError(directory, "the program is gone");
  Trailer trailer = {};
  std::memcpy(trailer.magic, kMagic, sizeof kMagic);
  trailer.key = key.digest();
  trailer.programBytes = size;
  trailer.saidBytes = program.said.size();
  trailer.fingerprint = program.fingerprint;
  std::string whole = (code->getBuffer() + program.said).str();
  whole.append(reinterpret_cast<const char *>(&trailer), sizeof trailer);
  trailer.hash = hashOf(StringRef(whole).drop_back(sizeof trailer.hash));
  std::memcpy(&whole[whole.size() - sizeof trailer.hash], &trailer.hash,
              sizeof trailer.hash);

  std::string target = pathOf(trailer.key);
  auto temporary = fs::TempFile::create(target + kTemporary + "%%%%%%%%",
                                        fs::owner_read | fs::owner_write);
  if (!temporary)
    return writeError(directory, llvm::toString(temporary.takeError()));
  llvm::raw_fd_ostream file(temporary->FD, /*shouldClose=*/false);
  file << whole;
  file.flush();
  if (std::error_code code = file.error()) {
    file.clear_error();
    llvm::consumeError(temporary->discard());
    return writeError(directory, code.message());
  }
  if (llvm::Error error = temporary->keep(target))
    return writeError(directory, llvm::toString(std::move(error)));
  makeRoom(target);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// The directory
//===----------------------------------------------------------------------===//

std::string ProgramCache::defaultDirectory() {
  SmallString<128> place;
  if (const char *home = std::getenv("XDG_CACHE_HOME");
      home && path::is_absolute(home))
    place = home; // A relative one is to be ignored, its standard says.
  else if (path::home_directory(place))
    path::append(place, ".cache");
  else
    return "";
  path::append(place, "tp-mlir");
  return std::string(place);
}

llvm::Expected<ProgramCache> ProgramCache::open(StringRef directory,
                                                uint64_t limit) {
  if (std::error_code code = fs::create_directories(
          directory, /*IgnoreExisting=*/true, fs::owner_all))
    return writeError(directory, code.message());
  if (!fs::is_directory(directory))
    return writeError(directory, "it is not a directory");
  if (std::error_code code = fs::access(directory, fs::AccessMode::Write))
    return writeError(directory, code.message());
  return ProgramCache(directory, limit);
}

FileHandle ProgramCache::lock(const CacheKey &key, double seconds) const {
  SmallString<128> name(directory);
  path::append(name, "lock");
  FileHandle file(
      ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0)
    return FileHandle();
  // A byte of one file for each key: nothing has to be tidied up. The lock is
  // this open file's, not the process's, and goes when that ends in any way.
  const CacheKey::Digest digest = key.digest();
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = off_t(llvm::support::endian::read64le(digest.data()) >> 2);
  range.l_len = 1;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  auto pause = std::chrono::milliseconds(1);
  while (fcntl(file.get(), F_OFD_SETLK, &range) != 0) {
    if ((errno != EAGAIN && errno != EACCES && errno != EINTR) ||
        Clock::now() >= end)
      return FileHandle();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  return file;
}

/// Another process may have done it, or what keeps this one from it may pass.
static void removeIfThere(StringRef path) {
  std::error_code ignored = fs::remove(path);
  (void)ignored;
}

/// Removes entries, but not `kept`, until the rest are within the limit; and
/// what was left by a process that ended while it wrote.
void ProgramCache::makeRoom(StringRef kept) const {
  struct Entry {
    llvm::sys::TimePoint<> used;
    uint64_t size;
    std::string path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  const auto yesterday =
      std::chrono::system_clock::now() - std::chrono::hours(24);
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; it != end && !code;
       it.increment(code)) {
    StringRef name = path::filename(it->path());
    if (!name.contains(kSuffix))
      continue;
    auto status = it->status();
    if (!status)
      continue; // Another process removed it.
    if (!name.ends_with(kSuffix)) {
      if (status->getLastModificationTime() < yesterday)
        removeIfThere(it->path());
      continue;
    }
    total += status->getSize();
    if (it->path() != kept)
      entries.push_back(
          {status->getLastModificationTime(), status->getSize(), it->path()});
  }
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return std::tie(a.used, a.path) < std::tie(b.used, b.path);
  });
  for (const Entry &entry : entries) {
    if (total <= limit)
      return;
    removeIfThere(entry.path);
    total -= entry.size;
  }
}
