//===- Machine.cpp - the devices, hosts and links of a machine ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Machine.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Support/Json.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;

static LinkLevel linkOf(const MachineModel &model, StringRef name) {
  return {name.str(), 0, model.reduceLatency, model.latency, model.link};
}

Machine Machine::standard() {
  Machine machine;
  machine.name = "H200, 8 on NVLink 4";
  machine.devicesPerHost = 8;
  machine.deviceMemory = 141'000'000'000;
  machine.links.push_back(linkOf(machine.model, "NVLink 4"));
  machine.links.back().devices = 8;
  // Not measured: 400 Gbit/s for each device, and what a switch or two add.
  machine.links.push_back({"InfiniBand NDR", 0, 30.0, 20.0, 50.0});
  return machine;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

std::optional<int64_t> tp::parseBytes(StringRef text) {
  text = text.trim();
  size_t digits = text.find_first_not_of("0123456789.");
  StringRef number = text.take_front(digits);
  StringRef unit = digits == StringRef::npos ? "" : text.drop_front(digits);
  static const std::pair<StringRef, double> units[] = {
      {"", 1},         {"B", 1},        {"kB", 1e3},    {"KB", 1e3},
      {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},   {"KiB", 0x1p10},
      {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  const auto *it = llvm::find_if(
      units, [&](const auto &known) { return known.first == unit.trim(); });
  double value = 0;
  if (it == std::end(units) || number.getAsDouble(value))
    return std::nullopt;
  value *= it->second;
  if (!std::isfinite(value) || value < 1 || value > 0x1p60)
    return std::nullopt;
  return int64_t(value);
}

/// A file is nowhere in the program.
static InFlightDiagnostic errorOn(Operation *op) {
  return emitError(UnknownLoc::get(op->getContext()));
}

namespace {

/// Reads one JSON object; the first thing that is wrong is an error.
class Reader {
public:
  Reader(const llvm::json::Object &object, std::string where, Operation *op)
      : object(object), where(std::move(where)), op(op) {}

  InFlightDiagnostic fail() {
    failed = true;
    return errorOn(op) << "machine file '" << where << "': ";
  }

  /// Errors on a key that is none of these.
  void allow(ArrayRef<StringRef> keys) {
    for (const auto &entry : object) {
      StringRef key = entry.first;
      if (failed || llvm::is_contained(keys, key))
        continue;
      InFlightDiagnostic error = fail();
      error << "there is no '" << key << "'; there are";
      for (auto [i, known] : llvm::enumerate(keys))
        error << (i ? ", " : " ") << known;
    }
  }

  void readText(StringRef key, std::string &text) {
    const llvm::json::Value *value = object.get(key);
    if (!value || failed)
      return;
    if (std::optional<StringRef> found = value->getAsString())
      text = found->str();
    else
      fail() << "'" << key << "' must be a text";
  }

  /// A positive number; 0 too if `mayBeZero`. Required unless it has a default.
  void readNumber(StringRef key, double &number, bool mayBeZero,
                  bool isRequired) {
    if (failed)
      return;
    const llvm::json::Value *value = object.get(key);
    std::optional<double> found = value ? value->getAsNumber() : std::nullopt;
    bool isGood = found && std::isfinite(*found) &&
                  (*found > 0 || (mayBeZero && *found == 0));
    if (isGood)
      number = *found;
    else if (value || isRequired)
      fail() << "'" << key << "' must be a positive number";
  }

  /// Positive numbers by names of stored types.
  void readStoredRates(StringRef key, llvm::StringMap<double> &rates) {
    const llvm::json::Value *value = failed ? nullptr : object.get(key);
    if (!value)
      return;
    const llvm::json::Object *given = value->getAsObject();
    if (!given) {
      fail() << "'" << key << "' must be an object of stored types and numbers";
      return;
    }
    for (const auto &[type, number] : *given) {
      std::optional<double> rate = number.getAsNumber();
      if (!rt::getBlockElements(type)) {
        fail() << "'" << key << "' has '" << StringRef(type)
               << "', which is no stored type";
        return;
      }
      if (!rate || !std::isfinite(*rate) || *rate <= 0) {
        fail() << "'" << key << "' of " << StringRef(type)
               << " must be a positive number";
        return;
      }
      rates[StringRef(type)] = *rate;
    }
  }

  void readCount(StringRef key, int64_t &count, bool isRequired) {
    double number = double(count);
    readNumber(key, number, /*mayBeZero=*/false, isRequired);
    if (failed || !object.get(key))
      return;
    if (number != std::floor(number) || number > 0x1p40)
      fail() << "'" << key << "' must be a whole number";
    else
      count = int64_t(number);
  }

  const llvm::json::Object &object;
  std::string where;
  Operation *op;
  bool failed = false;
};

} // namespace

static bool readLink(Reader &reader, LinkLevel &link) {
  reader.allow(
      {"name", "devices", "alpha_us", "all_reduce_alpha_us", "gb_per_s"});
  reader.readText("name", link.name);
  reader.readCount("devices", link.devices, /*isRequired=*/false);
  reader.readNumber("alpha_us", link.latency, /*mayBeZero=*/true,
                    /*isRequired=*/true);
  link.reduceLatency = link.latency;
  reader.readNumber("all_reduce_alpha_us", link.reduceLatency,
                    /*mayBeZero=*/true, /*isRequired=*/false);
  reader.readNumber("gb_per_s", link.gigabytesPerSecond, /*mayBeZero=*/false,
                    /*isRequired=*/true);
  return !reader.failed;
}

static bool readLinks(Reader &reader, Machine &machine) {
  const llvm::json::Array *links = reader.object.getArray("links");
  if (!links || links->empty()) {
    reader.fail() << "'links' must be a list of levels, from the nearest on";
    return false;
  }
  for (auto [i, value] : llvm::enumerate(*links)) {
    const llvm::json::Object *object = value.getAsObject();
    if (!object) {
      reader.fail() << "'links' must be a list of objects";
      return false;
    }
    Reader entry(*object, reader.where, reader.op);
    LinkLevel link;
    if (!readLink(entry, link))
      return false;
    bool isLast = i + 1 == links->size();
    int64_t before = machine.links.empty() ? 0 : machine.links.back().devices;
    if (!isLast && link.devices <= before) {
      entry.fail() << "each level of 'links' but the last must say how many "
                      "'devices' it connects, more than the one before";
      return false;
    }
    if (isLast)
      link.devices = 0; // What is farther is as near as this.
    machine.links.push_back(link);
  }
  return true;
}

FailureOr<Machine> Machine::parse(StringRef json, StringRef path,
                                  Operation *op) {
  llvm::Expected<llvm::json::Value> value = parseJson(json);
  if (!value)
    return errorOn(op) << "machine file '" << path
                       << "': " << llvm::toString(value.takeError());
  const llvm::json::Object *object = value->getAsObject();
  if (!object)
    return errorOn(op) << "machine file '" << path << "' must be a JSON object";
  Reader reader(*object, path.str(), op);
  Machine machine;
  machine.name = path.str();
  reader.allow({"name", "devices_per_host", "memory", "matmul_tflop_per_s",
                "memory_gb_per_s", "copy_gb_per_s", "stored_gb_per_s",
                "attention_gb_per_s", "links"});
  reader.readText("name", machine.name);
  reader.readCount("devices_per_host", machine.devicesPerHost,
                   /*isRequired=*/true);
  reader.readNumber("matmul_tflop_per_s", machine.model.compute,
                    /*mayBeZero=*/false, /*isRequired=*/true);
  reader.readNumber("memory_gb_per_s", machine.model.memory,
                    /*mayBeZero=*/false, /*isRequired=*/true);
  reader.readNumber("copy_gb_per_s", machine.copyGigabytes,
                    /*mayBeZero=*/false, /*isRequired=*/false);
  reader.readStoredRates("stored_gb_per_s", machine.storedGigabytes);
  reader.readNumber("attention_gb_per_s", machine.attentionGigabytes,
                    /*mayBeZero=*/false, /*isRequired=*/false);
  std::string memory;
  reader.readText("memory", memory);
  if (reader.failed)
    return failure();
  if (!memory.empty()) {
    std::optional<int64_t> bytes = parseBytes(memory);
    if (!bytes)
      return reader.fail() << "'memory' must be an amount such as \"80GB\" or "
                              "\"80GiB\", got \""
                           << memory << "\"";
    machine.deviceMemory = *bytes;
  }
  if (!readLinks(reader, machine))
    return failure();
  const LinkLevel &first = machine.links.front();
  machine.model.latency = first.latency;
  machine.model.reduceLatency = first.reduceLatency;
  machine.model.link = first.gigabytesPerSecond;
  return machine;
}

FailureOr<Machine> Machine::read(StringRef pathOrText, Operation *op) {
  if (pathOrText.empty())
    return standard();
  auto buffer = llvm::MemoryBuffer::getFile(pathOrText);
  if (buffer)
    return parse((*buffer)->getBuffer(), pathOrText, op);
  if (!pathOrText.contains('='))
    return errorOn(op) << "cannot read the machine file '" << pathOrText
                       << "': " << buffer.getError().message();
  FailureOr<MachineModel> model = MachineModel::parse(pathOrText, op);
  if (failed(model))
    return failure();
  Machine machine = standard();
  machine.name = pathOrText.str();
  machine.model = *model;
  machine.links = {linkOf(*model, "link")};
  return machine;
}

//===----------------------------------------------------------------------===//
// Links
//===----------------------------------------------------------------------===//

const LinkLevel &Machine::linkFor(int64_t span) const {
  for (const LinkLevel &link : links)
    if (!link.devices || span <= link.devices)
      return link;
  return links.back();
}

MachineModel Machine::modelFor(int64_t span) const {
  const LinkLevel &link = linkFor(span);
  MachineModel result = model;
  result.latency = link.latency;
  result.reduceLatency = link.reduceLatency;
  result.link = link.gigabytesPerSecond;
  return result;
}

int64_t tp::spanOf(ArrayRef<Axis> axes, MeshAttr mesh) {
  int64_t span = 1;
  for (const Axis &axis : axes) {
    int64_t minor = 1; // devices between neighbours along the whole axis
    for (MeshAxisAttr whole : llvm::reverse(mesh.getAxes())) {
      if (whole.getName() == axis.name) {
        span = std::max(span, minor * (whole.getSize() / axis.pre));
        break;
      }
      minor *= whole.getSize();
    }
  }
  return span;
}
