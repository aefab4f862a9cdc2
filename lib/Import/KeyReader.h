//===- KeyReader.h - typed access to a configuration ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A configuration is an object of keys and values, be it a config.json or the
// key-values of a GGUF file. Lookups are typed and bounded. The first thing
// that is wrong is reported, and later lookups stay silent, so that a reader of
// a configuration asks for everything in sequence and checks once.
//
// The reader knows which keys were asked for. What is left at the end must be
// known to be harmless: a key that nobody understood may change the results.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_KEYREADER_H
#define TP_LIB_IMPORT_KEYREADER_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

#include <limits>
#include <optional>

namespace tprt {
class Metadata;
} // namespace tprt

namespace mlir::tp::importer {

/// The largest extent of a dim, and of everything that counts.
inline constexpr int64_t kMaxExtent = std::numeric_limits<int32_t>::max();

/// `text` in double quotes, fit for a message whatever it holds.
std::string quote(StringRef text);

/// A number as a configuration would spell it.
std::string spell(double value);

/// Inclusive bounds of a number.
struct Bounds {
  double low, high;
  static Bounds finite() { return {-1e300, 1e300}; }
  static Bounds positive() { return {1e-300, 1e300}; }
};

class KeyReader {
public:
  /// `file` is what messages begin with; `object` must outlive the reader.
  KeyReader(MLIRContext *context, StringRef file,
            const llvm::json::Object &object)
      : context(context), file(file.str()), object(&object) {}

  /// Whether the key is there and not null.
  bool has(StringRef key) const;

  // Lookups. Without a default, an absent key is an error. An explicit null
  // counts as absent.
  int64_t getInt(StringRef key, std::optional<int64_t> absent = std::nullopt,
                 int64_t low = 1, int64_t high = kMaxExtent);
  double getFloat(StringRef key, std::optional<double> absent = std::nullopt,
                  Bounds bounds = Bounds::finite());
  bool getBool(StringRef key, bool absent);
  std::string getString(StringRef key,
                        std::optional<StringRef> absent = std::nullopt);
  /// The first string of a list; empty if there is none.
  std::string getFirstString(StringRef key);

  /// A reader of a nested object, whose errors are this reader's too; of an
  /// empty one if the key is absent.
  KeyReader getObject(StringRef key);

  /// Marks a key as understood without reading it.
  void skip(StringRef key) { asked.insert(key); }

  /// Reports "FILE: key "KEY" MESSAGE", unless something was reported before.
  void fail(StringRef key, const Twine &message);
  bool failed() const { return parent ? parent->failed() : hasFailed; }

  /// Fails on the first key with this prefix that was not asked for, unless it
  /// is null or `isHarmless` says so.
  LogicalResult finish(function_ref<bool(StringRef)> isHarmless,
                       StringRef prefix = "");

private:
  const llvm::json::Value *find(StringRef key);
  void failType(StringRef key, StringRef wanted);

  MLIRContext *context;
  std::string file;
  std::string path; ///< of the nested object, "rope_scaling."
  const llvm::json::Object *object;
  KeyReader *parent = nullptr;
  llvm::StringSet<> asked;
  bool hasFailed = false;
};

/// The key-values of a GGUF file as such an object. Arrays come out empty: the
/// ones that models have are tokenizer tables.
llvm::json::Object toObject(const tprt::Metadata &metadata);

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_KEYREADER_H
