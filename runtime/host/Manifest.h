//===- Manifest.h - what a compiled program says of itself ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The parsed and fully checked form of the JSON described in docs/manifest.md.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_MANIFEST_H
#define TPRT_HOST_MANIFEST_H

#include "Mesh.h"

#include <string>
#include <vector>

namespace tprt {

/// Name, element type and sharded dims of a value at an entry's boundary.
struct ValueType {
  std::string name;
  tprt_dtype dtype = TPRT_F32;
  int64_t stored = TPRT_STORED_AS_DTYPE; ///< how it lies in memory
  std::vector<Dim> dims;

  std::vector<int64_t> shape() const; ///< true sizes
  int64_t globalBytes() const;        ///< of the true sizes
  int64_t localBytes() const;         ///< of one rank's block
  bool sameType(const ValueType &other) const;
  std::string describe() const; ///< "f32 [2, 3 padded to 4]"
};

/// The map of a parameter from its tensor in the checkpoint.
struct Origin {
  struct Term {
    int64_t dim = 0;
    int64_t stride = 1;

    bool operator==(const Term &other) const {
      return dim == other.dim && stride == other.stride;
    }
  };
  std::string tensor;
  std::vector<int64_t> shape;
  std::vector<int64_t> offset; ///< one for each stored dim
  std::vector<Term> terms;     ///< one for each dim of the parameter

  bool operator==(const Origin &other) const {
    return tensor == other.tensor && shape == other.shape &&
           offset == other.offset && terms == other.terms;
  }
};

enum class Initialisation { Normal, Ones };

struct Argument : ValueType {
  enum Kind { Parameter, Input, State } kind = Input;
  Origin origin; ///< of a parameter
  Initialisation initialisation = Initialisation::Normal;
};

struct Result : ValueType {
  enum Kind { Output, State } kind = Output;
  int64_t argument = -1; ///< of a State: the argument whose buffer it is
};

struct CollectiveInfo {
  int64_t id = 0;
  tprt_collective_kind kind = TPRT_ALL_REDUCE;
  std::string name;
};

/// Where a span of a timeline begins; it lasts until the next mark.
struct MarkInfo {
  std::string op, module;
  int64_t collective = -1; ///< its place among the entry's; -1: none
  std::string kernel;      ///< that is launched; may be empty
};

struct Entry {
  std::string name;
  std::string symbol;
  int64_t arenaBytes = 0;
  std::vector<Argument> arguments;
  std::vector<Result> results;
  std::vector<CollectiveInfo> collectives;
  bool isMarked = false;       ///< whether compiled code makes marks
  std::vector<MarkInfo> marks; ///< by the number that it gives
};

struct Manifest {
  std::string backend = "cpu"; ///< what the program runs on
  std::string checkpoint;      ///< path; empty if the program names none
  std::string checksum;        ///< of the checkpoint; empty if unknown
  Mesh mesh;
  std::vector<std::vector<AxisPart>> groups;
  std::vector<Entry> entries;
};

/// "all_reduce" and so on.
const char *collectiveKindName(int64_t kind);

/// Parses and checks a manifest; an Error that says where it is wrong.
Manifest parseManifest(const char *text);

} // namespace tprt

#endif // TPRT_HOST_MANIFEST_H
