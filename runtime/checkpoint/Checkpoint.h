//===- Checkpoint.h - reading model checkpoints -----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// One interface to a GGUF file, a safetensors file and a Hugging Face
// directory: which tensors there are, what the file says about the model, and
// any strided part of a tensor, converted to the type that the program
// computes in.
//
// Files are memory-mapped and read in place. Whatever is wrong with a file is
// found when it is opened and is one Status with a message; a Checkpoint that
// opened can be read without surprises, by several threads at once. A file that
// shrinks while it is open is outside this promise.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_CHECKPOINT_H
#define TPRT_CHECKPOINT_CHECKPOINT_H

#include "tprt/tprt.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace tprt {

//===----------------------------------------------------------------------===//
// Status
//===----------------------------------------------------------------------===//

/// Success, or what went wrong in words for the user.
struct [[nodiscard]] Status {
  tprt_status code = TPRT_OK;
  std::string message;

  bool ok() const { return code == TPRT_OK; }
  static Status error(tprt_status code, std::string message) {
    return {code, std::move(message)};
  }
};

//===----------------------------------------------------------------------===//
// Stored types
//===----------------------------------------------------------------------===//

/// How the elements of a tensor are stored. The Q types are GGUF's blocks along
/// the fast dim, of 32 elements or, the K types, of 256.
enum class StoredType {
  F32,
  F16,
  BF16,
  F64,
  I8,
  I16,
  I32,
  I64,
  U8,
  U16,
  U32,
  Bool,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q4_K,
  Q5_K,
  Q6_K
};

enum class StoredKind { Float, Integer, Quantised };

struct StoredTypeInfo {
  const char *name; ///< as the formats spell it: "F32", "Q4_1"
  StoredKind kind;
  int64_t blockElements; ///< 1 for types that are not block-quantised
  int64_t blockBytes;
};

const StoredTypeInfo &storedTypeInfo(StoredType type);
std::optional<StoredType> storedTypeByName(std::string_view name);

//===----------------------------------------------------------------------===//
// Tensors and views
//===----------------------------------------------------------------------===//

struct TensorInfo {
  std::string name;
  StoredType type = StoredType::F32;
  std::vector<int64_t> shape; ///< slowest dim first; at most TPRT_MAX_RANK dims
  size_t file = 0;            ///< index of the file that holds it
  uint64_t offset = 0;        ///< of its first byte in that file
  uint64_t bytes = 0;
};

/// One dim of what is read. Position p of the dim, start <= p < start + extent,
/// adds p * stride to the index along dim `dim` of the stored tensor; positions
/// at or beyond `size` are padding.
struct ViewDim {
  int dim = 0;        ///< of the stored tensor
  int64_t stride = 1; ///< may be zero or negative
  int64_t size = 0;   ///< true extent of the whole dim
  int64_t start = 0;  ///< first position to read
  int64_t extent = 0; ///< how many positions to read, padding included
};

//===----------------------------------------------------------------------===//
// Metadata
//===----------------------------------------------------------------------===//

namespace checkpoint {
class Builder;
class MappedFile;
} // namespace checkpoint

/// What a file says about itself: GGUF's key-values, or the strings under
/// "__metadata__" of a safetensors file. Empty for a Hugging Face directory.
class Metadata {
public:
  /// An array, left in the mapped file until somebody asks for its elements.
  /// Valid as long as the Checkpoint.
  struct Array {
    uint32_t type = 0; ///< GGUF value type of the elements
    uint64_t count = 0;
    const uint8_t *data = nullptr;
  };
  using Value =
      std::variant<int64_t, uint64_t, double, bool, std::string, Array>;

  bool contains(std::string_view key) const;
  const Value *find(std::string_view key) const;
  const std::map<std::string, Value, std::less<>> &entries() const {
    return values;
  }

  // Typed lookups. TPRT_INVALID, with the key and both types, if the key is
  // absent or its value is of another type or does not fit.
  Status getInt(std::string_view key, int64_t &out) const;
  Status getFloat(std::string_view key, double &out) const; ///< integers too
  Status getBool(std::string_view key, bool &out) const;
  Status getString(std::string_view key, std::string &out) const;
  Status getInts(std::string_view key, std::vector<int64_t> &out) const;
  Status getFloats(std::string_view key, std::vector<double> &out) const;
  Status getBools(std::string_view key, std::vector<bool> &out) const;
  Status getStrings(std::string_view key, std::vector<std::string> &out) const;

private:
  friend class checkpoint::Builder;
  const Array *findArray(std::string_view key, const char *wanted,
                         Status &status) const;
  Status mismatch(std::string_view key, const char *wanted) const;

  std::string fileName;
  std::map<std::string, Value, std::less<>> values;
};

//===----------------------------------------------------------------------===//
// Checkpoint
//===----------------------------------------------------------------------===//

class Checkpoint {
public:
  enum class Format { GGUF, SafeTensors, HuggingFace };

  /// Opens a .gguf file, a .safetensors file or a Hugging Face directory:
  /// config.json with model.safetensors, or with model.safetensors.index.json
  /// and its shards, or alone (then there are no tensors).
  static Status open(const std::string &path, std::unique_ptr<Checkpoint> &out);

  /// The same for a file in memory, which must outlive the Checkpoint. `name`
  /// stands for the file's name in messages. Not for Format::HuggingFace.
  static Status openBuffer(Format format, const void *data, size_t bytes,
                           const std::string &name,
                           std::unique_ptr<Checkpoint> &out);

  ~Checkpoint();
  Checkpoint(const Checkpoint &) = delete;
  Checkpoint &operator=(const Checkpoint &) = delete;

  Format format() const { return fileFormat; }

  /// In the order of the file; shard after shard, by file name.
  const std::vector<TensorInfo> &tensors() const { return infos; }
  const TensorInfo *find(std::string_view name) const;

  const Metadata &metadata() const { return keyValues; }

  /// The text of config.json, a valid JSON object; empty for single files.
  const std::string &configText() const { return config; }

  /// "fnv1a64:" and 16 hexadecimal digits, a function of content alone, not of
  /// paths or times: FNV-1a-64 over config.json and, for each file, its size,
  /// its header (names, types, shapes and offsets, key-values) and up to three
  /// blocks of 512 bytes of every tensor: its first, middle and last. Cheap,
  /// and it tells checkpoints apart that differ in training; a change of a few
  /// elements inside a large tensor can go unnoticed, malice will.
  std::string checksum() const;

  /// Reads part of a tensor into `destination`, dense and row-major over the
  /// dims' extents. Element (i0, i1, ...) is, if start_k + i_k < size_k for
  /// every k, the stored element whose index along stored dim d is offset[d] +
  /// the sum of (start_k + i_k) * stride_k over the k with dims[k].dim == d;
  /// otherwise it is zero. `offset` has one entry for each stored dim;
  /// `destination` is aligned for `dtype`.
  ///
  /// Floating-point and quantised tensors convert to the four float dtypes,
  /// rounding to nearest, ties to even (blocks are dequantised in f32); integer
  /// tensors convert to the two integer dtypes, and a value that does not fit
  /// is an error. Nothing is touched before all indices are known to be inside
  /// the tensor. `tensor` is one of tensors(), or a copy: its name counts.
  Status read(const TensorInfo &tensor, const std::vector<ViewDim> &dims,
              const std::vector<int64_t> &offset, tprt_dtype dtype,
              void *destination) const;

  /// The same without conversion: `destination` has the tensor's own blocks, in
  /// the same order; padding is blocks of zero bytes. TPRT_INVALID if a block
  /// would be cut: the last dim runs along the fast stored dim with stride 1 and
  /// whole blocks, and the other dims and the offset along it are multiples of a
  /// block.
  Status readStored(const TensorInfo &tensor, const std::vector<ViewDim> &dims,
                    const std::vector<int64_t> &offset,
                    void *destination) const;

private:
  friend class checkpoint::Builder;
  Checkpoint();
  const TensorInfo *findOwn(const TensorInfo &tensor, Status &status) const;

  Format fileFormat = Format::GGUF;
  std::vector<std::unique_ptr<checkpoint::MappedFile>> files;
  std::vector<uint64_t> headerBytes; ///< of each file, for the checksum
  std::vector<TensorInfo> infos;
  std::unordered_map<std::string_view, size_t> byName; ///< names of `infos`
  Metadata keyValues;
  std::string config;
};

} // namespace tprt

#endif // TPRT_CHECKPOINT_CHECKPOINT_H
