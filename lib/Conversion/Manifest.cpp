//===- Manifest.cpp - what the runtime must know of a program -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Conversion/Manifest.h"
#include "PlannedMemory.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::tp;
namespace json = llvm::json;

namespace {

class ManifestWriter {
public:
  ManifestWriter(ModuleOp module, StringRef backend, llvm::raw_ostream &stream)
      : module(module), backend(backend), out(stream) {}

  LogicalResult write();

private:
  /// An argument or a result: its local type and its attributes.
  struct Slot {
    Type type;
    DictionaryAttr attributes;
  };

  LogicalResult findMesh();
  void writeAxes(StringRef key, ArrayRef<Axis> axes);
  void writeAxisList(ArrayRef<Axis> axes);
  void writeCheckpoint();
  LogicalResult writeEntry(func::FuncOp entry);
  LogicalResult writeArgument(func::FuncOp entry, unsigned index);
  LogicalResult writeResult(func::FuncOp entry, unsigned index);
  LogicalResult writeTensor(func::FuncOp entry, const Slot &slot,
                            StringRef name);
  LogicalResult writeDims(func::FuncOp entry, const Slot &slot, StringRef name);
  void writeOrigin(nn::ParameterAttr parameter);
  void writeCollectives(func::FuncOp entry);
  void writeMarks(func::FuncOp entry);
  void writeNumbers(StringRef key, ArrayRef<int64_t> numbers);

  ModuleOp module;
  StringRef backend;
  MeshAttr mesh;
  json::OStream out;
};

} // namespace

LogicalResult ManifestWriter::findMesh() {
  for (auto op : module.getOps<MeshOp>()) {
    if (mesh)
      return op.emitOpError("is a second mesh: a program runs on one");
    mesh = op.getMesh();
  }
  return success();
}

void ManifestWriter::writeNumbers(StringRef key, ArrayRef<int64_t> numbers) {
  out.attributeArray(key, [&] {
    for (int64_t number : numbers)
      out.value(number);
  });
}

void ManifestWriter::writeAxisList(ArrayRef<Axis> axes) {
  out.array([&] {
    for (const Axis &axis : axes)
      out.object([&] {
        out.attribute("axis", axis.name);
        out.attribute("pre", axis.pre);
        out.attribute("size", axis.size);
      });
  });
}

void ManifestWriter::writeAxes(StringRef key, ArrayRef<Axis> axes) {
  out.attributeBegin(key);
  writeAxisList(axes);
  out.attributeEnd();
}

void ManifestWriter::writeCheckpoint() {
  auto path = module->getAttrOfType<StringAttr>(nn::kCheckpointName);
  auto checksum = module->getAttrOfType<StringAttr>(nn::kChecksumName);
  if (!path)
    return;
  out.attributeObject("checkpoint", [&] {
    out.attribute("path", path.getValue());
    if (checksum)
      out.attribute("checksum", checksum.getValue());
  });
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// True sizes from the global type; padded ones and axes from the sharding.
LogicalResult ManifestWriter::writeDims(func::FuncOp entry, const Slot &slot,
                                        StringRef name) {
  auto local = cast<ShapedType>(slot.type);
  SmallVector<int64_t> sizes(local.getShape());
  if (auto global = slot.attributes.getAs<TypeAttr>(kGlobalName))
    if (auto tensor = dyn_cast<RankedTensorType>(global.getValue()))
      sizes.assign(tensor.getShape().begin(), tensor.getShape().end());
  Placement placement = Placement::replicated(sizes);
  if (auto sharding = slot.attributes.getAs<ShardingAttr>(kShardingName)) {
    if (!mesh || sharding.getDims().size() != sizes.size())
      return entry.emitError() << "\"" << name
                               << "\" has a sharding that does not "
                                  "fit it or no mesh";
    placement = toPlacement(sharding, mesh, sizes);
  }
  if (!placement.partial.empty())
    return entry.emitError()
           << "\"" << name
           << "\" is partial: the runtime takes and gives whole "
              "values";
  if (placement.localShape() != SmallVector<int64_t>(local.getShape()))
    return entry.emitError() << "\"" << name << "\" of type " << slot.type
                             << " is not what its sharding gives";
  out.attributeArray("dims", [&] {
    for (auto [size, pad, axes] :
         llvm::zip(sizes, placement.pads, placement.dims))
      out.object([&, size = size, pad = pad, &axes = axes] {
        out.attribute("size", size);
        out.attribute("padded", pad);
        writeAxes("axes", axes);
      });
  });
  return success();
}

LogicalResult ManifestWriter::writeTensor(func::FuncOp entry, const Slot &slot,
                                          StringRef name) {
  out.attribute("name", name);
  auto type = dyn_cast<ShapedType>(slot.type);
  auto stored =
      type ? dyn_cast<rt::StoredType>(type.getElementType()) : rt::StoredType();
  // Numbers of a stored type are f32.
  StringRef dtype = stored ? "f32"
                    : type ? rt::getDTypeName(type.getElementType())
                           : "";
  if (dtype.empty())
    return entry.emitError() << "\"" << name << "\" of type " << slot.type
                             << " cannot be given to the runtime";
  out.attribute("dtype", dtype);
  if (stored)
    out.attribute("stored", stored.getName());
  if (stored && stored.getLine())
    out.attribute("interleaved", stored.getLine());
  return writeDims(entry, slot, name);
}

/// Where the parameter is in its stored tensor.
void ManifestWriter::writeOrigin(nn::ParameterAttr parameter) {
  out.attributeObject("origin", [&] {
    out.attribute("tensor", parameter.getTensor().getValue());
    writeNumbers("shape", parameter.getShape().asArrayRef());
    writeNumbers("offset", parameter.getOffset().asArrayRef());
    out.attributeArray("dims", [&] {
      for (auto [dim, stride] : llvm::zip(parameter.getDims().asArrayRef(),
                                          parameter.getStrides().asArrayRef()))
        out.object([&, dim = dim, stride = stride] {
          out.attribute("dim", dim);
          out.attribute("stride", stride);
        });
    });
  });
  out.attribute("initialisation", parameter.getInitialisation().getValue());
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

LogicalResult ManifestWriter::writeArgument(func::FuncOp entry,
                                            unsigned index) {
  Slot slot{entry.getArgumentTypes()[index], getArgumentSlot(entry, index)};
  if (auto parameter =
          slot.attributes.getAs<nn::ParameterAttr>(nn::kParameterName)) {
    out.attribute("kind", "parameter");
    if (failed(writeTensor(entry, slot, parameter.getName().getValue())))
      return failure();
    writeOrigin(parameter);
    return success();
  }
  auto input = slot.attributes.getAs<StringAttr>(nn::kInputName);
  auto state = slot.attributes.getAs<StringAttr>(nn::kStateName);
  if (!input && !state)
    return entry.emitError()
           << "argument " << index
           << " is neither a parameter nor an input nor state";
  out.attribute("kind", input ? "input" : "state");
  return writeTensor(entry, slot, (input ? input : state).getValue());
}

LogicalResult ManifestWriter::writeResult(func::FuncOp entry, unsigned index) {
  DictionaryAttr attributes = getResultSlot(entry, index);
  Slot slot{entry.getResultTypes()[index], attributes};
  auto output = attributes.getAs<StringAttr>(nn::kOutputName);
  auto state = attributes.getAs<StringAttr>(nn::kStateName);
  if (!output && !state)
    return entry.emitError()
           << "result " << index << " is neither an output nor state";
  out.attribute("kind", output ? "output" : "state");
  if (state && !output) {
    std::optional<unsigned> argument = findStateArgument(entry, index);
    if (!argument)
      return entry.emitError() << "state " << state << " is no argument";
    out.attribute("argument", int64_t(*argument));
  }
  return writeTensor(entry, slot, (output ? output : state).getValue());
}

void ManifestWriter::writeCollectives(func::FuncOp entry) {
  out.attributeArray("collectives", [&] {
    for (auto op : entry.getOps<rt::CollectiveOp>())
      out.object([&] {
        out.attribute("id", int64_t(op.getId()));
        out.attribute("kind", rt::stringifyCollectiveKind(op.getKind()));
        out.attribute("name", op.getName());
      });
  });
}

/// In the order in which compiled code numbers them; nothing of an entry
/// without marks.
void ManifestWriter::writeMarks(func::FuncOp entry) {
  if (!entry->hasAttr(rt::kMarkedName))
    return;
  out.attributeArray("marks", [&] {
    for (auto mark : entry.getOps<rt::MarkOp>())
      out.object([&] {
        out.attribute("op", mark.getOp());
        out.attribute("module", mark.getModule());
        if (std::optional<int64_t> id = mark.getCollective())
          out.attribute("collective", *id);
        if (std::optional<StringRef> kernel = mark.getKernel())
          out.attribute("kernel", *kernel);
      });
  });
}

LogicalResult ManifestWriter::writeEntry(func::FuncOp entry) {
  auto arena = entry->getAttrOfType<IntegerAttr>(rt::kArenaBytesName);
  if (!arena)
    return entry.emitError("has no planned memory; run tp-lower-runtime first");
  LogicalResult result = success();
  // After a failure nothing is written, but the stream wants its brackets
  // closed.
  auto list = [&](StringRef key, unsigned count, auto writeOne) {
    out.attributeArray(key, [&] {
      for (unsigned i = 0; i < count && succeeded(result); ++i)
        out.object([&] { result = (this->*writeOne)(entry, i); });
    });
  };
  out.object([&] {
    out.attribute("name", entry.getName());
    out.attribute("symbol", entry.getName());
    out.attribute("arena_bytes", arena.getInt());
    list("arguments", entry.getNumArguments(), &ManifestWriter::writeArgument);
    list("results", entry.getNumResults(), &ManifestWriter::writeResult);
    writeCollectives(entry);
    writeMarks(entry);
  });
  return result;
}

LogicalResult ManifestWriter::write() {
  if (failed(findMesh()))
    return failure();
  LogicalResult result = success();
  out.object([&] {
    out.attribute("version", 1);
    if (backend != "cpu")
      out.attribute("backend", backend);
    out.attributeObject("mesh", [&] {
      out.attributeArray("axes", [&] {
        for (MeshAxisAttr axis :
             mesh ? mesh.getAxes() : ArrayRef<MeshAxisAttr>())
          out.object([&] {
            out.attribute("name", axis.getName());
            out.attribute("size", axis.getSize());
          });
      });
    });
    out.attributeArray("groups", [&] {
      if (auto groups = module->getAttrOfType<ArrayAttr>(rt::kGroupsName))
        for (ArrayAttr group : groups.getAsRange<ArrayAttr>())
          writeAxisList(toAxes(group, mesh));
    });
    writeCheckpoint();
    out.attributeArray("entries", [&] {
      for (auto entry : module.getOps<func::FuncOp>())
        if (!entry.isDeclaration() && !entry->hasAttr(rt::kKernelName) &&
            succeeded(result))
          result = writeEntry(entry);
    });
  });
  return result;
}

FailureOr<std::string> tp::buildManifest(ModuleOp module, StringRef backend) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(ManifestWriter(module, backend, stream).write()))
    return failure();
  return text;
}
