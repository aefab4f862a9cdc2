//===- SessionBuffers.cpp - the host's buffers of a session --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Numeric.h"
#include "Session.h"
#include "Transfer.h"

#include <algorithm>

using namespace tprt;

size_t Session::findEntry(const char *name) const {
  std::string names;
  for (size_t i = 0; i < manifest.entries.size(); ++i) {
    if (name && manifest.entries[i].name == name)
      return i;
    names += (i ? ", '" : "'") + manifest.entries[i].name + "'";
  }
  raise(TPRT_INVALID, "there is no entry '", name ? name : "(null)",
        "'; there are ", names.empty() ? "none" : names);
}

/// An Error unless a buffer of the host is what the program takes or gives.
static void checkBuffer(const std::string &where, const tprt_buffer &buffer,
                        const ValueType &type, bool hasData = true) {
  if (buffer.dtype != type.dtype)
    raise(TPRT_INVALID, where, " has dtype ", dtypeName(buffer.dtype),
          "; the program has ", dtypeName(type.dtype));
  if (buffer.rank < 0 || buffer.rank > TPRT_MAX_RANK)
    raise(TPRT_INVALID, where, " has ", buffer.rank, " dims; the most is ",
          TPRT_MAX_RANK);
  std::vector<int64_t> shape(buffer.shape, buffer.shape + buffer.rank);
  if (shape != type.shape())
    raise(TPRT_INVALID, where, " has shape ", joinSizes(shape),
          "; the program has ", joinSizes(type.shape()));
  if (hasData && !buffer.data && type.globalBytes() > 0)
    raise(TPRT_INVALID, where, " has no data");
}

/// Finds a value by name among those for which `wanted` holds.
template <typename Values, typename Wanted>
static size_t findValue(const std::string &where, const Values &values,
                        const char *name, const Wanted &wanted) {
  std::string names;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!wanted(values[i]))
      continue;
    if (name && values[i].name == name)
      return i;
    names += (names.empty() ? "'" : ", '") + values[i].name + "'";
  }
  raise(TPRT_INVALID, where, " '", name ? name : "(null)", "'; there are ",
        names.empty() ? "none" : names);
}

std::vector<Session::Binding> Session::bindInputs(size_t index,
                                                  const tprt_buffer *inputs,
                                                  size_t count) const {
  const Entry &entry = manifest.entries[index];
  const std::string where = "entry '" + entry.name + "': ";
  auto isInput = [](const Argument &argument) {
    return argument.kind == Argument::Input;
  };
  std::vector<bool> given(entry.arguments.size());
  std::vector<Binding> bindings;
  for (size_t i = 0; i < count; ++i) {
    size_t argument = findValue(where + "there is no input", entry.arguments,
                                inputs[i].name, isInput);
    const Argument &type = entry.arguments[argument];
    checkBuffer(where + "input '" + type.name + "'", inputs[i], type);
    if (given[argument])
      raise(TPRT_INVALID, where, "input '", type.name, "' is given twice");
    given[argument] = true;
    bindings.push_back(
        {&type, layout.entries[index].arguments[argument], inputs[i].data});
  }
  for (size_t i = 0; i < entry.arguments.size(); ++i)
    if (isInput(entry.arguments[i]) && !given[i])
      raise(TPRT_INVALID, where, "input '", entry.arguments[i].name,
            "' is missing; it is ", dtypeName(entry.arguments[i].dtype), " ",
            joinSizes(entry.arguments[i].shape()));
  return bindings;
}

std::vector<Session::Binding> Session::bindOutputs(size_t index,
                                                   const tprt_buffer *outputs,
                                                   size_t count) const {
  const Entry &entry = manifest.entries[index];
  const std::string where = "entry '" + entry.name + "': ";
  std::vector<Binding> bindings;
  for (size_t i = 0; i < count; ++i) {
    size_t result =
        findValue(where + "there is no output", entry.results, outputs[i].name,
                  [](const Result &of) { return of.kind == Result::Output; });
    const Result &type = entry.results[result];
    // Of several processes the first gets the outputs.
    checkBuffer(where + "output '" + type.name + "'", outputs[i], type,
                /*hasData=*/!world || world->rank() == 0);
    bindings.push_back(
        {&type, layout.entries[index].results[result], outputs[i].data});
  }
  return bindings;
}

const char *Session::entryName(size_t index) const {
  return index < manifest.entries.size() ? manifest.entries[index].name.c_str()
                                         : nullptr;
}

static tprt_buffer describe(const ValueType &type) {
  tprt_buffer buffer = {};
  buffer.name = type.name.c_str();
  buffer.dtype = type.dtype;
  std::vector<int64_t> shape = type.shape();
  buffer.rank = int64_t(shape.size());
  std::copy(shape.begin(), shape.end(), buffer.shape);
  return buffer;
}

std::vector<tprt_buffer> Session::describeInputs(const char *name) const {
  std::vector<tprt_buffer> inputs;
  for (const Argument &argument : manifest.entries[findEntry(name)].arguments)
    if (argument.kind == Argument::Input)
      inputs.push_back(describe(argument));
  return inputs;
}

std::vector<tprt_buffer> Session::describeOutputs(const char *name) const {
  std::vector<tprt_buffer> outputs;
  for (const Result &result : manifest.entries[findEntry(name)].results)
    if (result.kind == Result::Output)
      outputs.push_back(describe(result));
  return outputs;
}

// The host's own thread touches the host's buffers, and no other: a rank that
// does not come back cannot write to memory that the host has freed meanwhile.

void Session::sendInputs(const std::vector<Binding> &inputs) {
  for (const Binding &input : inputs)
    for (size_t slot = 0; slot < ranks.size(); ++slot)
      forEachPiece(blockOf(slot, input.type->dims),
                   elementBytes(input.type->dtype), device->mostStaged(),
                   [&](const Block &piece, int64_t before, int64_t bytes) {
                     char *target = block(slot) + input.offset + before;
                     cutBlock(*input.type, piece, input.data,
                              device->stage(slot, target, bytes));
                     device->put(slot, target, bytes);
                   });
}

void Session::fetchOutputs(const std::vector<Binding> &outputs) {
  for (const Binding &output : outputs)
    for (int64_t rank : blockOwners(manifest.mesh, output.type->dims))
      putBlock(*output.type, manifest.mesh.block(rank, output.type->dims),
               device->get(size_t(rank), block(size_t(rank)) + output.offset,
                           output.type->localBytes()),
               output.data);
}
