//===- ProgramCacheTest.cpp - programs kept from one run to the next ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/ProgramCache.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace mlir;
using namespace mlir::tp;
namespace fs = llvm::sys::fs;

namespace {

/// A cache in a folder of its own. What is stored need be no program here.
class ProgramCacheTest : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(fs::createUniqueDirectory("tp-cache-test", folder));
    cache.emplace(openCache(ProgramCache::defaultLimit));
  }
  void TearDown() override { (void)fs::remove_directories(folder); }

  ProgramCache openCache(uint64_t limit) const {
    return llvm::cantFail(ProgramCache::open(folder, limit));
  }

  static CacheKey keyOf(StringRef text) {
    CacheKey key = *CacheKey::ofThisProcess();
    key.add(text);
    return key;
  }

  CachedProgram program(StringRef code) const {
    CachedProgram result;
    SmallString<128> name;
    int descriptor = -1;
    EXPECT_FALSE(fs::createUniqueFile(folder + "/code-%%%%%%", descriptor, name,
                                      fs::OF_None,
                                      fs::owner_read | fs::owner_write));
    EXPECT_EQ(write(descriptor, code.data(), code.size()),
              ssize_t(code.size()));
    (void)fs::remove(name);
    result.file = FileHandle(descriptor);
    return result;
  }

  void store(const ProgramCache &where, StringRef key, StringRef code) const {
    llvm::Error error = where.store(keyOf(key), program(code));
    EXPECT_FALSE(bool(error)) << llvm::toString(std::move(error));
  }

  /// The code that is found, with "none" for nothing.
  std::string find(StringRef key) const {
    std::optional<CachedProgram> found = cache->find(keyOf(key));
    if (!found)
      return "none";
    auto buffer = llvm::MemoryBuffer::getFile(found->path());
    return buffer ? (*buffer)->getBuffer().take_front(4).str() : "closed";
  }

  std::vector<std::string> entries() const {
    std::vector<std::string> result;
    std::error_code code;
    for (fs::directory_iterator it(folder, code), end; it != end && !code;
         it.increment(code))
      if (llvm::sys::path::extension(it->path()) == ".tpprogram")
        result.push_back(it->path());
    return result;
  }

  static std::string read(StringRef path) {
    return (*llvm::MemoryBuffer::getFile(path))->getBuffer().str();
  }

  static void overwrite(StringRef path, StringRef bytes) {
    std::error_code code;
    llvm::raw_fd_ostream file(path, code);
    file << bytes;
  }

  SmallString<128> folder;
  std::optional<ProgramCache> cache;
};

} // namespace

TEST_F(ProgramCacheTest, GivesBackWhatWasStored) {
  EXPECT_EQ(find("a"), "none");
  CachedProgram stored = program("code");
  stored.said = "remark: one\nwarning: two\n";
  stored.fingerprint = 0x123456789abcdef0;
  ASSERT_FALSE(bool(cache->store(keyOf("a"), stored)));
  std::optional<CachedProgram> found = cache->find(keyOf("a"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->said, stored.said);
  EXPECT_EQ(found->fingerprint, stored.fingerprint);
  EXPECT_EQ(find("a"), "code");
  EXPECT_EQ(find("b"), "none");
  store(*cache, "a", "more");
  EXPECT_EQ(find("a"), "more");
  // Held open: no matter what becomes of the name.
  ASSERT_FALSE(fs::remove(entries()[0]));
  EXPECT_EQ(read(found->path()).substr(0, 4), "code");
}

TEST_F(ProgramCacheTest, DamageIsFoundOut) {
  store(*cache, "a", "code");
  std::string path = entries()[0], whole = read(path);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 1;
    overwrite(path, damaged);
    EXPECT_EQ(find("a"), "none") << "byte " << i;
    overwrite(path, StringRef(whole).take_front(i));
    EXPECT_EQ(find("a"), "none") << i << " bytes";
  }
  overwrite(path, whole + "x");
  EXPECT_EQ(find("a"), "none");
  overwrite(path, "x" + whole);
  EXPECT_EQ(find("a"), "none");
  overwrite(path, whole);
  EXPECT_EQ(find("a"), "code");
}

TEST_F(ProgramCacheTest, EntriesOfOthersAreNotTaken) {
  store(*cache, "a", "code");
  std::string first = entries()[0];
  std::string bytes = read(first);
  ASSERT_FALSE(fs::remove(first));
  store(*cache, "b", "code");
  // Whole, but of another key.
  overwrite(entries()[0], bytes);
  EXPECT_EQ(find("b"), "none");
  overwrite(first, bytes);
  ASSERT_EQ(chmod(first.c_str(), 0600), 0);
  EXPECT_EQ(find("a"), "code");
  for (mode_t mode : {0620, 0602}) {
    ASSERT_EQ(chmod(first.c_str(), mode), 0);
    EXPECT_EQ(find("a"), "none");
  }
  ASSERT_EQ(chmod(first.c_str(), 0600), 0);
  std::string target = (folder + "/elsewhere").str();
  ASSERT_FALSE(fs::rename(first, target));
  ASSERT_FALSE(fs::create_link(target, first));
  EXPECT_EQ(find("a"), "none");
  if (geteuid() != 0)
    return;
  ASSERT_FALSE(fs::remove(first));
  ASSERT_FALSE(fs::rename(target, first));
  EXPECT_EQ(find("a"), "code");
  ASSERT_EQ(chown(first.c_str(), 12345, gid_t(-1)), 0);
  EXPECT_EQ(find("a"), "none");
}

TEST_F(ProgramCacheTest, TheOldestMakeRoom) {
  std::string code(1000, 'c');
  ProgramCache small = openCache(3500); // three entries
  auto setAge = [&](StringRef key, int hours) {
    std::optional<CachedProgram> found = cache->find(keyOf(key));
    ASSERT_TRUE(found);
    timespec past[2] = {};
    past[0].tv_sec = past[1].tv_sec = time(nullptr) - hours * 3600;
    ASSERT_EQ(futimens(found->file.get(), past), 0);
  };
  store(small, "a", code);
  store(small, "b", code);
  store(small, "c", code);
  setAge("a", 3);
  setAge("b", 2);
  setAge("c", 1);
  EXPECT_EQ(find("a"), "cccc"); // And used just now.
  store(small, "d", code);
  EXPECT_EQ(find("b"), "none");
  EXPECT_EQ(find("a"), "cccc");
  EXPECT_EQ(find("c"), "cccc");
  EXPECT_EQ(find("d"), "cccc");
  // What is larger than the cache is all that it holds.
  store(small, "e", std::string(5000, 'e'));
  EXPECT_EQ(find("e"), "eeee");
  EXPECT_EQ(entries().size(), 1u);
}

TEST_F(ProgramCacheTest, LeftoversGo) {
  std::string old = (folder + "/aa.tpprogram.tmp-1").str();
  std::string young = (folder + "/aa.tpprogram.tmp-2").str();
  std::string other = (folder + "/mine").str();
  for (const std::string &path : {old, young, other})
    overwrite(path, "x");
  timespec past[2] = {};
  past[0].tv_sec = past[1].tv_sec = time(nullptr) - 25 * 3600;
  for (const std::string &path : {old, other})
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), past, 0), 0);
  store(*cache, "a", "code");
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(ProgramCacheTest, LocksAreOfOneKeyAndEnd) {
  FileHandle held = cache->lock(keyOf("a"), 0);
  EXPECT_GE(held.get(), 0);
  EXPECT_LT(cache->lock(keyOf("a"), 0.02).get(), 0);
  EXPECT_GE(cache->lock(keyOf("b"), 0).get(), 0);
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    held = FileHandle();
  });
  EXPECT_GE(cache->lock(keyOf("a"), 60).get(), 0);
  release.join();
  // That of a process that is killed ends too.
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    FileHandle lock = cache->lock(keyOf("a"), 0);
    char got = lock.get() >= 0 ? 'y' : 'n';
    if (write(ready[1], &got, 1) == 1)
      pause();
    _exit(1);
  }
  char got = 0;
  ASSERT_EQ(::read(ready[0], &got, 1), 1);
  EXPECT_EQ(got, 'y');
  EXPECT_LT(cache->lock(keyOf("a"), 0.02).get(), 0);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_GE(cache->lock(keyOf("a"), 60).get(), 0);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(ProgramCacheTest, ManyWritersAndReaders) {
  std::atomic<int> found{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        store(*cache, "a", std::string(1000 + 100 * t, char('a' + t)));
        std::optional<CachedProgram> entry = cache->find(keyOf("a"));
        if (!entry) {
          ++wrong;
          continue;
        }
        std::string bytes = read(entry->path());
        size_t size = 1000 + 100 * size_t(bytes[0] - 'a');
        ++(bytes.substr(0, size) == std::string(size, bytes[0]) ? found
                                                                : wrong);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(found, 400);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(entries().size(), 1u);
}

TEST_F(ProgramCacheTest, KeysTellPartsApart) {
  auto digest = [](ArrayRef<StringRef> parts) {
    CacheKey key = *CacheKey::ofThisProcess();
    for (StringRef part : parts)
      key.add(part);
    return key.digest();
  };
  EXPECT_EQ(digest({"a", "bc"}), digest({"a", "bc"}));
  EXPECT_NE(digest({"a", "bc"}), digest({"ab", "c"}));
  EXPECT_NE(digest({"a", ""}), digest({"a"}));
  std::string path = (folder + "/file").str();
  auto digestOfFile = [&](StringRef content) {
    overwrite(path, content);
    CacheKey key = *CacheKey::ofThisProcess();
    EXPECT_TRUE(key.addFile(path));
    return key.digest();
  };
  EXPECT_EQ(digestOfFile("x"), digestOfFile("x"));
  EXPECT_NE(digestOfFile("x"), digestOfFile("y"));
  CacheKey key = *CacheKey::ofThisProcess();
  EXPECT_FALSE(key.addFile(path + "/absent"));
}

TEST_F(ProgramCacheTest, PlacesThatCannotBe) {
  std::string file = (folder + "/file").str();
  overwrite(file, "x");
  for (const std::string &place : {file, file + "/below"}) {
    llvm::Expected<ProgramCache> opened = ProgramCache::open(place);
    ASSERT_FALSE(bool(opened));
    std::string message = llvm::toString(opened.takeError());
    EXPECT_EQ(message.find("cannot write to \"" + place + "\": "), 0u)
        << message;
  }
}
