//===- ProgramTest.cpp - opening programs compiled ahead of time ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace tprt::test;
namespace fs = std::filesystem;

namespace {

struct Opened {
  explicit Opened(const std::string &path) {
    status = tprt_program_open(path.c_str(), &program, &error);
  }
  ~Opened() { tprt_program_close(program); }
  Opened(const Opened &) = delete;
  std::string message() const { return error.message; }

  tprt_program *program = nullptr;
  tprt_status status;
  tprt_error error = {};
};

/// A library of this folder, built from ProgramFixture.c.
std::string fixture(const std::string &name) {
  return std::string(TPRT_FIXTURES) + "/libtprt_fixture_" + name + ".so";
}

/// The content of a file that a test changes, in a file of its own.
class Changed {
public:
  explicit Changed(const std::string &name)
      : path((fs::temp_directory_path() /
              ("tprt-program-" + std::to_string(getpid()) + ".so"))
                 .string()) {
    std::ifstream file(fixture(name), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  ~Changed() { fs::remove(path); }

  const std::string &write() const {
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string bytes;

private:
  std::string path;
};

TEST(Program, opens) {
  Opened opened(fixture("good"));
  ASSERT_EQ(opened.status, TPRT_OK) << opened.message();
  EXPECT_NE(std::string(tprt_program_manifest(opened.program)).find("entry0"),
            std::string::npos);
  EXPECT_NE(tprt_program_lookup("entry0", opened.program), nullptr);
  EXPECT_EQ(tprt_program_lookup("entry1", opened.program), nullptr);
  EXPECT_EQ(tprt_program_lookup(nullptr, opened.program), nullptr);
  char *weights = nullptr;
  EXPECT_EQ(tprt_program_weights(opened.program, &weights, &opened.error),
            TPRT_OK);
  EXPECT_EQ(weights, nullptr);
}

TEST(Program, runsAndDescribesItself) {
  Opened opened(fixture("good"));
  ASSERT_EQ(opened.status, TPRT_OK) << opened.message();
  tprt_session *session = nullptr;
  tprt_error error = {};
  ASSERT_EQ(tprt_session_create(tprt_program_manifest(opened.program),
                                tprt_program_lookup, opened.program, nullptr,
                                &session, &error),
            TPRT_OK)
      << error.message;
  ASSERT_EQ(tprt_session_load(session, nullptr, 0, &error), TPRT_OK)
      << error.message;
  EXPECT_STREQ(tprt_session_entry(session, 0), "entry0");
  EXPECT_EQ(tprt_session_entry(session, 1), nullptr);
  EXPECT_EQ(tprt_session_inputs(session, "none", nullptr, 0), 0u);
  ASSERT_EQ(tprt_session_inputs(session, "entry0", nullptr, 0), 1u);
  ASSERT_EQ(tprt_session_outputs(session, "entry0", nullptr, 0), 1u);
  tprt_buffer input = {}, output = {};
  tprt_session_inputs(session, "entry0", &input, 1);
  tprt_session_outputs(session, "entry0", &output, 1);
  EXPECT_STREQ(input.name, "x");
  EXPECT_EQ(input.dtype, TPRT_F32);
  EXPECT_EQ(input.rank, 1);
  EXPECT_EQ(input.shape[0], 3);
  EXPECT_EQ(input.data, nullptr);
  EXPECT_STREQ(output.name, "y");
  std::vector<float> x{1, 2, 3}, y(3);
  input.data = x.data();
  output.data = y.data();
  EXPECT_EQ(tprt_session_run(session, "entry0", &input, 1, &output, 1, &error),
            TPRT_OK)
      << error.message;
  EXPECT_EQ(y, (std::vector<float>{2, 4, 6}));
  tprt_session_destroy(session);
}

TEST(Program, anotherVersion) {
  Opened opened(fixture("version"));
  EXPECT_EQ(opened.status, TPRT_UNSUPPORTED);
  EXPECT_EQ(opened.message(),
            "\"" + fixture("version") +
                "\" was compiled for version 99 of the runtime interface; this "
                "library has version 1; compile it again");
}

TEST(Program, anotherInstructionSet) {
  Opened opened(fixture("cpu"));
  EXPECT_EQ(opened.status, TPRT_UNSUPPORTED);
  EXPECT_NE(opened.message().find("lacks: nosuch, neither; compile it here"),
            std::string::npos)
      << opened.message();
}

TEST(Program, damagedTable) {
  Opened opened(fixture("damaged"));
  EXPECT_EQ(opened.status, TPRT_INVALID);
  EXPECT_EQ(opened.message(),
            "\"" + fixture("damaged") + "\" has a damaged table of contents");
}

TEST(Program, noTable) {
  Opened opened(fixture("none"));
  EXPECT_EQ(opened.status, TPRT_INVALID);
  EXPECT_EQ(opened.message(),
            "\"" + fixture("none") +
                "\" is not a compiled program: it has no 'tp_program'");
}

TEST(Program, noFile) {
  Opened missing("/nonexistent/program.so");
  EXPECT_EQ(missing.status, TPRT_IO);
  EXPECT_EQ(missing.message(), "cannot read \"/nonexistent/program.so\"");
  Opened folder("/");
  EXPECT_EQ(folder.status, TPRT_IO);
  tprt_error error = {};
  EXPECT_EQ(tprt_program_open(nullptr, nullptr, &error), TPRT_INVALID);
}

TEST(Program, cutAnywhere) {
  Changed changed("good");
  const std::string whole = changed.bytes;
  // Pages that are missing would be a fault, not a status.
  for (size_t size = 0; size < whole.size(); size += 1 + size / 16) {
    changed.bytes = whole.substr(0, size);
    Opened opened(changed.write());
    EXPECT_EQ(opened.status, size < 4 ? TPRT_INVALID : TPRT_IO) << size;
  }
}

TEST(Program, anotherArchitecture) {
  Changed changed("good");
  changed.bytes[18] = 8; // MIPS
  Opened opened(changed.write());
  EXPECT_EQ(opened.status, TPRT_UNSUPPORTED);
  EXPECT_NE(opened.message().find("for another architecture (ELF machine 8;"),
            std::string::npos)
      << opened.message();
  changed.bytes[4] = 1; // 32 bits
  Opened narrow(changed.write());
  EXPECT_EQ(narrow.status, TPRT_INVALID);
}

} // namespace
