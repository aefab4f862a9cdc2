//===- Program.cpp - programs compiled ahead of time ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The dynamic linker trusts a file: one that is cut short is a fault when its
// missing pages are touched, and code for another CPU a fault when it runs. So
// the file's own table of contents is checked before it is mapped, and what the
// program says of itself before any of its code runs.
//
//===----------------------------------------------------------------------===//

#include "ApiGuard.h"
#include "Manifest.h"
#include "checkpoint/Checkpoint.h"
#include "tprt/InstructionSets.h"

#include <cstdlib>
#include <dlfcn.h>
#include <elf.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

using namespace tprt;
namespace fs = std::filesystem;

struct tprt_program {
  std::string path;
  const tprt_program_table *table = nullptr;
};

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)
static constexpr int ownMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr int ownMachine = EM_AARCH64;
#else
static constexpr int ownMachine = EM_NONE; // unknown: the linker decides
#endif

namespace {

/// An ELF file by its headers alone.
class ElfFile {
public:
  explicit ElfFile(const std::string &path)
      : path(path), file(path, std::ios::binary) {
    std::error_code code;
    if (fs::is_regular_file(path, code))
      size = fs::file_size(path, code);
    if (code || !file || !fs::is_regular_file(path, code))
      raise(TPRT_IO, "cannot read \"", path, "\"");
  }

  /// An Error unless this is a whole shared object for this machine.
  void check() {
    Elf64_Ehdr header;
    if (size < SELFMAG || !read(0, header.e_ident, SELFMAG) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
      raise(TPRT_INVALID, "\"", path,
            "\" is not a compiled program: it is no ELF file");
    if (!read(0, &header, sizeof header))
      raiseShort();
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN ||
        header.e_phentsize != sizeof(Elf64_Phdr))
      raise(TPRT_INVALID, "\"", path,
            "\" is not a compiled program: it is no 64-bit shared object");
    if (ownMachine != EM_NONE && header.e_machine != ownMachine)
      raise(TPRT_UNSUPPORTED, "\"", path,
            "\" was compiled for another architecture (ELF machine ",
            header.e_machine, "; this is ", ownMachine, ")");
    // The table of sections is the last thing in the file.
    wantBytes(header.e_shoff,
              uint64_t(header.e_shnum) * uint64_t(header.e_shentsize));
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      if (!read(header.e_phoff + i * sizeof segment, &segment, sizeof segment))
        raiseShort();
      wantBytes(segment.p_offset, segment.p_filesz);
    }
  }

private:
  bool read(uint64_t offset, void *target, size_t bytes) {
    file.clear();
    file.seekg(std::streamoff(offset));
    file.read(static_cast<char *>(target), std::streamsize(bytes));
    return bool(file);
  }

  void wantBytes(uint64_t offset, uint64_t bytes) const {
    if (offset > size || bytes > size - offset)
      raiseShort();
  }

  [[noreturn]] void raiseShort() const {
    raise(TPRT_IO, "\"", path, "\" is cut short: it has ", size, " bytes");
  }

  std::string path;
  std::ifstream file;
  uint64_t size = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// What the program says of itself
//===----------------------------------------------------------------------===//

/// The instruction sets of this CPU, among those that programs may ask for.
static std::set<std::string> instructionSets() {
  std::set<std::string> names;
#if defined(__x86_64__)
  __builtin_cpu_init();
#define TPRT_ADD(name)                                                         \
  if (__builtin_cpu_supports(name))                                            \
    names.insert(name);
  TPRT_X86_INSTRUCTION_SETS(TPRT_ADD)
#undef TPRT_ADD
#endif
  return names;
}

static void checkInstructionSets(const std::string &path, const char *wanted) {
  const std::set<std::string> known = instructionSets();
  std::string missing, name;
  std::istringstream list(wanted);
  while (std::getline(list, name, ','))
    if (!known.count(name))
      missing += (missing.empty() ? "" : ", ") + name;
  if (!missing.empty())
    raise(TPRT_UNSUPPORTED, "\"", path,
          "\" was compiled for a CPU with instruction sets that this one "
          "lacks: ",
          missing, "; compile it here, or with a lesser --cpu");
}

static void checkTable(const std::string &path,
                       const tprt_program_table *table) {
  if (!table)
    raise(TPRT_INVALID, "\"", path,
          "\" is not a compiled program: it has no '" TPRT_PROGRAM_SYMBOL "'");
  if (table->version != TPRT_VERSION)
    raise(TPRT_UNSUPPORTED, "\"", path, "\" was compiled for version ",
          table->version,
          " of the runtime interface; this library has version ", TPRT_VERSION,
          "; compile it again");
  if (!table->instruction_sets || !table->manifest || table->num_entries < 0 ||
      (table->num_entries > 0 && !table->entries))
    raise(TPRT_INVALID, "\"", path, "\" has a damaged table of contents");
  checkInstructionSets(path, table->instruction_sets);
}

static const tprt_program_table *map(const std::string &path) {
  struct Close {
    void operator()(void *handle) const { dlclose(handle); }
  };
  // Never searched for along the library path.
  const std::string whole = fs::absolute(path).string();
  std::unique_ptr<void, Close> handle(
      dlopen(whole.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!handle) {
    const char *reason = dlerror();
    raise(TPRT_INVALID, "cannot load \"", path,
          "\": ", reason ? reason : "the dynamic linker does not say why");
  }
  const auto *table = static_cast<const tprt_program_table *>(
      dlsym(handle.get(), TPRT_PROGRAM_SYMBOL));
  checkTable(path, table);
  // Stays mapped, see tprt_program_close.
  [[maybe_unused]] void *mapped = handle.release();
  return table;
}

//===----------------------------------------------------------------------===//
// The C ABI
//===----------------------------------------------------------------------===//

tprt_status tprt_program_open(const char *path, tprt_program **program,
                              tprt_error *error) {
  if (program)
    *program = nullptr;
  return callGuarded(error, [&] {
    if (!program || !path)
      raise(TPRT_INVALID, "no path, or nowhere to put the program");
    ElfFile(path).check();
    auto opened = std::make_unique<tprt_program>();
    opened->path = path;
    opened->table = map(path);
    *program = opened.release();
  });
}

const char *tprt_program_manifest(const tprt_program *program) {
  return program ? program->table->manifest : nullptr;
}

tprt_entry tprt_program_lookup(const char *symbol, void *program) {
  if (!symbol || !program)
    return nullptr;
  const tprt_program_table &table =
      *static_cast<tprt_program *>(program)->table;
  for (int64_t i = 0; i < table.num_entries; ++i)
    if (std::strcmp(table.entries[i].symbol, symbol) == 0)
      return table.entries[i].code;
  return nullptr;
}

/// Where the weights of a program are, unchanged since it was compiled; empty
/// if it names none.
static std::string findWeights(const tprt_program &program) {
  Manifest manifest = parseManifest(program.table->manifest);
  if (manifest.checkpoint.empty())
    return "";
  // An absolute path replaces the directory.
  std::string path =
      (fs::path(program.path).parent_path() / manifest.checkpoint).string();
  std::unique_ptr<Checkpoint> checkpoint;
  Status status = Checkpoint::open(path, checkpoint);
  if (!status.ok())
    raise(status.code, status.message);
  if (!manifest.checksum.empty() && checkpoint->checksum() != manifest.checksum)
    raise(TPRT_INVALID, "\"", path,
          "\" has changed since the program was compiled");
  return path;
}

tprt_status tprt_program_weights(const tprt_program *program, char **path,
                                 tprt_error *error) {
  if (path)
    *path = nullptr;
  return callGuarded(error, [&] {
    if (!program || !path)
      raise(TPRT_INVALID, "no program, or nowhere to put the path");
    std::string found = findWeights(*program);
    if (found.empty())
      return;
    *path = static_cast<char *>(std::malloc(found.size() + 1));
    if (!*path)
      throw std::bad_alloc();
    std::memcpy(*path, found.c_str(), found.size() + 1);
  });
}

void tprt_program_close(tprt_program *program) { delete program; }
