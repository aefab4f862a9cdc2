//===- Manifest.cpp - what a compiled program says of itself -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "Checked.h"
#include "ManifestReader.h"
#include "Numeric.h"

#include <set>
#include <unordered_map>

using namespace tprt;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

std::vector<int64_t> ValueType::shape() const {
  std::vector<int64_t> result;
  for (const Dim &dim : dims)
    result.push_back(dim.size);
  return result;
}

int64_t ValueType::globalBytes() const {
  int64_t bytes = elementBytes(dtype);
  for (const Dim &dim : dims)
    bytes = multiply(bytes, dim.size, "the size");
  return bytes;
}

int64_t ValueType::localBytes() const {
  int64_t bytes = elementBytes(dtype);
  if (isStored(stored))
    bytes = storedInfo(stored).bytes;
  for (const Dim &dim : dims)
    bytes = multiply(bytes, dim.local(), "the local size");
  return isStored(stored) ? bytes / storedInfo(stored).elements : bytes;
}

bool ValueType::sameType(const ValueType &other) const {
  return dtype == other.dtype && stored == other.stored && dims == other.dims;
}

std::string ValueType::describe() const {
  std::vector<std::string> texts;
  for (const Dim &dim : dims) {
    std::string text = std::to_string(dim.size);
    if (dim.padded != dim.size)
      text += " padded to " + std::to_string(dim.padded);
    if (dim.shards != 1)
      text += " over " + std::to_string(dim.shards);
    texts.push_back(text);
  }
  std::string type = dtypeName(dtype);
  if (isStored(stored))
    type += std::string(" stored as ") + storedInfo(stored).name;
  if (interleavedLine(stored))
    type +=
        " in interleaved lines of " + std::to_string(interleavedLine(stored));
  return type + " " + joinSizes(texts);
}

//===----------------------------------------------------------------------===//
// Vocabulary
//===----------------------------------------------------------------------===//

static const char *const collectiveKinds[] = {
    "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "permute"};

const char *tprt::collectiveKindName(int64_t kind) {
  return kind >= 0 && kind < 5 ? collectiveKinds[kind] : "collective";
}

static tprt_collective_kind readCollectiveKind(ManifestReader reader) {
  std::string text = reader.string();
  for (int kind = 0; kind < 5; ++kind)
    if (text == collectiveKinds[kind])
      return tprt_collective_kind(kind);
  reader.fail("there is no collective '", text, "'");
}

static tprt_dtype readDtype(ManifestReader reader) {
  std::string text = reader.string();
  for (int64_t dtype = 0; isDtype(dtype); ++dtype)
    if (text == dtypeName(dtype))
      return tprt_dtype(dtype);
  reader.fail("there is no dtype '", text, "'");
}

//===----------------------------------------------------------------------===//
// Mesh
//===----------------------------------------------------------------------===//

static Mesh readMesh(ManifestReader reader) {
  std::vector<Axis> axes;
  std::set<std::string> names;
  int64_t ranks = 1;
  for (ManifestReader axis : reader.list("axes", "axis")) {
    Axis result{axis.stringAt("name"), axis.integerAt("size", 1)};
    if (!names.insert(result.name).second)
      axis.fail("a second axis '", result.name, "'");
    if (__builtin_mul_overflow(ranks, result.size, &ranks))
      axis.fail("the number of ranks overflows");
    axes.push_back(std::move(result));
  }
  return Mesh(std::move(axes));
}

/// Whether two sub-axes share a part of one axis.
static bool overlaps(const AxisPart &a, const AxisPart &b) {
  if (a.axis != b.axis || a.size == 1 || b.size == 1)
    return false;
  const AxisPart &major = a.pre <= b.pre ? a : b;
  const AxisPart &minor = a.pre <= b.pre ? b : a;
  return minor.pre % (major.pre * major.size) != 0;
}

static AxisPart readAxisPart(ManifestReader reader, const Mesh &mesh) {
  std::string name = reader.stringAt("axis");
  AxisPart part;
  part.axis = mesh.find(name);
  if (part.axis < 0)
    reader.fail("the mesh has no axis '", name, "'");
  part.pre = reader.integerAt("pre", 1);
  part.size = reader.integerAt("size", 1);
  int64_t size = mesh.axes()[part.axis].size;
  int64_t product;
  if (__builtin_mul_overflow(part.pre, part.size, &product) ||
      size % product != 0)
    reader.fail("pre ", part.pre, " * size ", part.size,
                " does not divide axis '", name, "' of size ", size);
  return part;
}

/// Appends a part unless it overlaps one that is already in use.
static void addPart(ManifestReader reader, const Mesh &mesh,
                    std::vector<AxisPart> &used, const AxisPart &part) {
  for (const AxisPart &other : used)
    if (overlaps(part, other))
      reader.fail("axis '", mesh.axes()[part.axis].name, "' occurs twice");
  used.push_back(part);
}

static std::vector<std::vector<AxisPart>> readGroups(ManifestReader reader,
                                                     const Mesh &mesh) {
  std::vector<std::vector<AxisPart>> groups;
  if (!reader.has("groups"))
    return groups;
  for (ManifestReader group : reader.list("groups", "group")) {
    std::vector<AxisPart> parts;
    for (const ManifestReader &part : group.elements("axis"))
      addPart(part, mesh, parts, readAxisPart(part, mesh));
    for (size_t i = 0; i < groups.size(); ++i)
      if (groups[i] == parts)
        group.fail("repeats group ", i);
    groups.push_back(std::move(parts));
  }
  return groups;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static Dim readDim(ManifestReader reader, const Mesh &mesh,
                   std::vector<AxisPart> &used) {
  Dim dim;
  dim.size = reader.integerAt("size", 0);
  dim.padded = reader.integerAt("padded", 0);
  if (dim.padded < dim.size)
    reader.fail("padded ", dim.padded, " is less than size ", dim.size);
  for (const ManifestReader &axis : reader.list("axes", "axis")) {
    AxisPart part = readAxisPart(axis, mesh);
    addPart(axis, mesh, used, part);
    dim.axes.push_back(part);
    dim.shards *= part.size; // disjoint parts of the mesh: cannot overflow
  }
  if (dim.padded % dim.shards != 0)
    reader.fail("padded ", dim.padded, " is not a multiple of ", dim.shards,
                ", the product of its axes");
  return dim;
}

static void readValueType(ManifestReader reader, const Mesh &mesh,
                          ValueType &type) {
  type.name = reader.stringAt("name");
  type.dtype = readDtype(reader.at("dtype"));
  std::vector<AxisPart> used;
  for (const ManifestReader &dim : reader.list("dims", "dim"))
    type.dims.push_back(readDim(dim, mesh, used));
  if (type.dims.size() > TPRT_MAX_RANK)
    reader.fail(type.dims.size(), " dims; the most is ", TPRT_MAX_RANK);
  int64_t bytes = elementBytes(type.dtype);
  for (const Dim &dim : type.dims)
    if (__builtin_mul_overflow(bytes, dim.padded, &bytes))
      reader.fail("the size overflows");
}

static void checkOriginRange(ManifestReader reader, const Argument &argument) {
  const Origin &origin = argument.origin;
  std::vector<int64_t> last = origin.offset;
  for (size_t k = 0; k < origin.terms.size(); ++k) {
    int64_t size = argument.dims[k].size, reach;
    if (size == 0)
      return;
    int64_t &end = last[origin.terms[k].dim];
    if (__builtin_mul_overflow(size - 1, origin.terms[k].stride, &reach) ||
        __builtin_add_overflow(end, reach, &end))
      reader.fail("dim ", k, ": the index overflows");
  }
  for (size_t d = 0; d < last.size(); ++d)
    if (last[d] >= origin.shape[d])
      reader.fail("reads index ", last[d], " of stored dim ", d, " of size ",
                  origin.shape[d]);
}

static void readOrigin(ManifestReader reader, Argument &argument) {
  Origin &origin = argument.origin;
  origin.tensor = reader.stringAt("tensor");
  int64_t elements = 1;
  for (ManifestReader size : reader.list("shape", "shape")) {
    origin.shape.push_back(size.integer(0));
    if (__builtin_mul_overflow(elements, origin.shape.back(), &elements))
      size.fail("the size overflows");
  }
  if (origin.shape.size() > TPRT_MAX_RANK)
    reader.fail(origin.shape.size(), " stored dims; the most is ",
                TPRT_MAX_RANK);
  for (ManifestReader offset : reader.list("offset", "offset"))
    origin.offset.push_back(offset.integer(0));
  if (origin.offset.size() != origin.shape.size())
    reader.fail(origin.offset.size(), " offsets for ", origin.shape.size(),
                " stored dims");
  for (ManifestReader term : reader.list("dims", "dim")) {
    Origin::Term result{term.integerAt("dim", 0), term.integerAt("stride", 0)};
    if (size_t(result.dim) >= origin.shape.size())
      term.fail("there is no stored dim ", result.dim);
    if (origin.terms.size() < argument.dims.size() && result.stride == 0 &&
        argument.dims[origin.terms.size()].size > 1)
      term.fail("stride 0 would read one element several times");
    origin.terms.push_back(result);
  }
  if (origin.terms.size() != argument.dims.size())
    reader.fail(origin.terms.size(), " dims for a parameter of ",
                argument.dims.size());
  checkOriginRange(reader, argument);
}

/// Groups of whole lines: so many of a rank's last dims are one.
static void readInterleaved(ManifestReader reader, Argument &argument) {
  const int64_t line = reader.integerAt("interleaved", 1);
  std::vector<int64_t> shape;
  for (const Dim &dim : argument.dims)
    shape.push_back(dim.local());
  if (!mayInterleave(argument.stored, line) ||
      !isInGroupsOfLines(shape.data(), shape.size(), line))
    reader.fail("interleaves lines of ", line, " elements of ",
                storedInfo(argument.stored).name,
                "; a rank's last dims are to make up a line, and the others a "
                "multiple of ",
                interleavedLines, " lines of a type that may be interleaved");
  argument.stored = interleavedStored(argument.stored, line);
}

/// Blocks are whole: they run along the fast dim of the stored tensor and along
/// the parameter's last dim, and no other dim cuts one.
static void readStored(ManifestReader reader, Argument &argument) {
  const std::string name = reader.stringAt("stored");
  const int64_t stored = storedByName(name);
  if (!isStored(stored))
    reader.fail("there is no stored type '", name, "'");
  if (argument.dtype != TPRT_F32)
    reader.fail("stored as ", name, ", which is for f32, not ",
                dtypeName(argument.dtype));
  argument.stored = stored;
  const Origin &origin = argument.origin;
  const int64_t block = storedInfo(stored).elements, fast = origin.shape.size();
  if (block == 1)
    return;
  bool whole = fast > 0 && origin.shape.back() % block == 0 &&
               origin.offset.back() % block == 0 && !argument.dims.empty();
  for (size_t k = 0; whole && k < argument.dims.size(); ++k) {
    const Dim &dim = argument.dims[k];
    const bool last = k + 1 == argument.dims.size();
    const Origin::Term &term = origin.terms[k];
    if (last)
      whole = term.dim == fast - 1 && term.stride == 1 &&
              dim.size % block == 0 && dim.local() % block == 0;
    else
      whole = term.dim != fast - 1 || term.stride % block == 0;
  }
  if (!whole)
    reader.fail("cuts blocks of ", name, ", which are ", block,
                " elements of the stored tensor's fast dim");
}

/// Without an origin a parameter is its stored tensor.
static void identityOrigin(Argument &argument) {
  argument.origin.tensor = argument.name;
  argument.origin.shape = argument.shape();
  argument.origin.offset.assign(argument.dims.size(), 0);
  for (size_t k = 0; k < argument.dims.size(); ++k)
    argument.origin.terms.push_back({int64_t(k), 1});
}

static Argument readArgument(ManifestReader reader, const Mesh &mesh) {
  Argument argument;
  reader =
      reader.named(join(reader.place(), " ('", reader.stringAt("name"), "')"));
  readValueType(reader, mesh, argument);
  std::string kind = reader.stringAt("kind");
  if (kind == "input") {
    argument.kind = Argument::Input;
    return argument;
  }
  if (kind == "state") {
    argument.kind = Argument::State;
    return argument;
  }
  if (kind != "parameter")
    reader.fail("there is no kind '", kind,
                "'; there are parameter, input and state");
  argument.kind = Argument::Parameter;
  if (reader.has("origin"))
    readOrigin(reader.at("origin"), argument);
  else
    identityOrigin(argument);
  if (reader.has("stored"))
    readStored(reader, argument);
  if (reader.has("interleaved"))
    readInterleaved(reader, argument);
  if (reader.has("initialisation")) {
    std::string how = reader.stringAt("initialisation");
    if (how != "normal" && how != "ones")
      reader.fail("there is no initialisation '", how,
                  "'; there are normal and ones");
    if (how == "ones")
      argument.initialisation = Initialisation::Ones;
  }
  return argument;
}

static Result readResult(ManifestReader reader, const Mesh &mesh,
                         const Entry &entry) {
  Result result;
  reader =
      reader.named(join(reader.place(), " ('", reader.stringAt("name"), "')"));
  readValueType(reader, mesh, result);
  std::string kind = reader.stringAt("kind");
  if (kind == "output")
    return result;
  if (kind != "state")
    reader.fail("there is no kind '", kind, "'; there are output and state");
  result.kind = Result::State;
  result.argument = reader.integerAt("argument", 0);
  if (size_t(result.argument) >= entry.arguments.size())
    reader.fail("there is no argument ", result.argument);
  const Argument &argument = entry.arguments[result.argument];
  if (argument.kind == Argument::Input)
    reader.fail("argument ", result.argument, " ('", argument.name,
                "') is an input; a state result lives in state or a parameter");
  if (argument.name != result.name)
    reader.fail("argument ", result.argument, " has another name, '",
                argument.name, "'");
  if (!argument.sameType(result))
    reader.fail("is ", result.describe(), ", but argument ", result.argument,
                " is ", argument.describe());
  for (const Result &other : entry.results)
    if (other.kind == Result::State && other.argument == result.argument)
      reader.fail("a second result in argument ", result.argument);
  return result;
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static void readCollectives(ManifestReader reader, Entry &entry) {
  if (!reader.has("collectives"))
    return;
  std::set<int64_t> ids;
  for (ManifestReader item : reader.list("collectives", "collective")) {
    CollectiveInfo info;
    info.id = item.integerAt("id", 0);
    info.kind = readCollectiveKind(item.at("kind"));
    info.name = item.stringAt("name");
    if (!ids.insert(info.id).second)
      item.fail("a second collective with id ", info.id);
    entry.collectives.push_back(std::move(info));
  }
}

static void readMarks(ManifestReader reader, Entry &entry) {
  entry.isMarked = reader.has("marks");
  if (!entry.isMarked)
    return;
  std::unordered_map<int64_t, int64_t> places;
  for (size_t i = 0; i < entry.collectives.size(); ++i)
    places[entry.collectives[i].id] = int64_t(i);
  for (ManifestReader item : reader.list("marks", "mark")) {
    MarkInfo mark;
    mark.op = item.stringAt("op");
    mark.module = item.stringAt("module");
    if (item.has("kernel"))
      mark.kernel = item.stringAt("kernel");
    if (item.has("collective")) {
      int64_t id = item.integerAt("collective", 0);
      auto found = places.find(id);
      if (found == places.end())
        item.fail("there is no collective ", id);
      mark.collective = found->second;
    }
    entry.marks.push_back(std::move(mark));
  }
}

static Entry readEntry(ManifestReader reader, const Mesh &mesh) {
  Entry entry;
  entry.name = reader.stringAt("name");
  reader = reader.named("entry '" + entry.name + "'");
  entry.symbol = reader.stringAt("symbol");
  entry.arenaBytes = reader.integerAt("arena_bytes", 0);
  std::set<std::string> names;
  for (ManifestReader item : reader.list("arguments", "argument")) {
    entry.arguments.push_back(readArgument(item, mesh));
    if (!names.insert(entry.arguments.back().name).second)
      item.fail("a second argument '", entry.arguments.back().name, "'");
  }
  std::set<std::string> outputs;
  for (ManifestReader item : reader.list("results", "result")) {
    entry.results.push_back(readResult(item, mesh, entry));
    const Result &result = entry.results.back();
    if (result.kind == Result::Output && !outputs.insert(result.name).second)
      item.fail("a second output '", result.name, "'");
  }
  readCollectives(reader, entry);
  readMarks(reader, entry);
  return entry;
}

/// Two uses of one name in different entries.
static void checkSameBuffer(const Entry &entry, const Argument &argument,
                            const Entry &otherEntry, const Argument &other) {
  auto kind = [](const Argument &of) {
    return of.kind == Argument::State ? "state " : "parameter ";
  };
  if (other.kind != argument.kind || !other.sameType(argument))
    raise(TPRT_INVALID, "manifest: '", argument.name, "' is ", kind(argument),
          argument.describe(), " in entry '", entry.name, "', but ",
          kind(other), other.describe(), " in entry '", otherEntry.name, "'");
  if (!(other.origin == argument.origin) ||
      other.initialisation != argument.initialisation)
    raise(TPRT_INVALID, "manifest: '", argument.name, "' comes from '",
          argument.origin.tensor, "' in entry '", entry.name,
          "', but otherwise from '", other.origin.tensor, "' in entry '",
          otherEntry.name, "'");
}

/// Parameters and state of one name are one buffer, whichever entry uses it.
static void checkShared(const Manifest &manifest) {
  std::unordered_map<std::string, std::pair<const Entry *, const Argument *>>
      first;
  for (const Entry &entry : manifest.entries)
    for (const Argument &argument : entry.arguments) {
      if (argument.kind == Argument::Input)
        continue;
      auto inserted = first.try_emplace(argument.name, &entry, &argument);
      const auto &other = inserted.first->second;
      if (!inserted.second)
        checkSameBuffer(entry, argument, *other.first, *other.second);
    }
}

Manifest tprt::parseManifest(const char *text) {
  if (!text)
    raise(TPRT_INVALID, "manifest: null");
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception &exception) {
    raise(TPRT_INVALID, "manifest: not JSON: ", exception.what());
  }
  ManifestReader reader(json, "");
  int64_t version = reader.integerAt("version", 0);
  if (version != TPRT_VERSION)
    reader.fail("made for version ", version,
                " of the runtime interface; this library has version ",
                TPRT_VERSION);
  Manifest manifest;
  if (reader.has("backend"))
    manifest.backend = reader.stringAt("backend");
  if (reader.has("checkpoint")) {
    ManifestReader checkpoint = reader.at("checkpoint");
    manifest.checkpoint = checkpoint.stringAt("path");
    if (checkpoint.has("checksum"))
      manifest.checksum = checkpoint.stringAt("checksum");
  }
  manifest.mesh = readMesh(reader.at("mesh"));
  manifest.groups = readGroups(reader, manifest.mesh);
  std::set<std::string> names;
  for (ManifestReader entry : reader.list("entries", "entry")) {
    manifest.entries.push_back(readEntry(entry, manifest.mesh));
    if (!names.insert(manifest.entries.back().name).second)
      entry.fail("a second entry '", manifest.entries.back().name, "'");
  }
  checkShared(manifest);
  return manifest;
}
