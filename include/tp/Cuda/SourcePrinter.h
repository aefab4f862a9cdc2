//===- SourcePrinter.h - writes ops as CUDA source --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CUDA_SOURCEPRINTER_H
#define TP_CUDA_SOURCEPRINTER_H

#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::tp {

/// What the functions of a program need beside their own text.
struct SourceTables {
  /// Initialisers of tprt_cuda::MatmulShape, each once, and their numbers.
  SmallVector<std::string> matmuls;
  llvm::StringMap<unsigned> matmulNumbers;
  /// Descriptors of calls of the runtime, each once, with the C++ name of the
  /// type that has it, how many calls there are, and the module of the first.
  struct Call {
    std::string name, text, firstModule;
    unsigned count = 0;
  };
  SmallVector<Call> calls;
  llvm::StringMap<unsigned> callNumbers, calleeCounts;
  int64_t scratchBytes = 0; ///< of collectives that pack what they send
  int64_t events = 0;       ///< of collectives that are awaited later
  /// The collectives of the current entry that are started, and whether there
  /// is an event to wait for.
  llvm::SmallDenseMap<int64_t, bool> started;
  /// "tp", "dp x tp": the axes of each group, and how many ranks it has.
  SmallVector<std::string> groupNames;
  SmallVector<int64_t> groupSizes;
  /// "kernel_0<<<16, 256, 0, rank->compute>>>" of each kernel.
  llvm::StringMap<std::string> launches;

  unsigned addMatmul(const std::string &initialiser) {
    auto [it, isNew] =
        matmulNumbers.try_emplace(initialiser, unsigned(matmuls.size()));
    if (isNew)
      matmuls.push_back(initialiser);
    return it->second;
  }

  /// The type that describes a call of `callee`, "copy", by `op`: `words` are
  /// the initialisers of its descriptor, and all buffers begin at multiples of
  /// `alignment` bytes. "calls::copy_0".
  std::string addCall(StringRef callee, StringRef words, int64_t alignment,
                      Operation *op);
};

/// The multiple of bytes at which all buffers among `values` begin.
int64_t alignmentOf(ValueRange values);

/// Writes the statements of one function. Every value has a name, which is an
/// expression: a variable, a literal, a pointer.
class SourcePrinter {
public:
  SourcePrinter(raw_ostream &os, SourceTables &tables)
      : tables(tables), os(os) {}

  /// An indented line.
  void line(const Twine &text);
  /// A line of comment; names in it may hold anything.
  void comment(const Twine &text);
  /// Between braces: `head {` and `}`.
  LogicalResult braces(const Twine &head, function_ref<LogicalResult()> body);

  std::string nameOf(Value value) const { return names.lookup(value); }
  void setName(Value value, const Twine &name) { names[value] = name.str(); }
  /// A name that the function does not have yet, `wanted` or like it.
  std::string freshName(StringRef wanted);

  /// `const T v3 = expression;`. Fails if its type has no name here.
  LogicalResult define(Value result, const Twine &expression,
                       bool isConstant = true);

  /// The C++ type of a value: a scalar, a vector, or a pointer for a buffer.
  /// Fails with a diagnostic on `op`.
  FailureOr<std::string> typeOf(Type type, Operation *op) const;

  /// An op that has a source form; else fails with a diagnostic.
  LogicalResult printOp(Operation &op);
  /// All ops of a block but its terminator.
  LogicalResult printOps(Block &block);

  SourceTables &tables;

private:
  raw_ostream &os;
  DenseMap<Value, std::string> names;
  llvm::StringSet<> taken;
  unsigned depth = 0, numVariables = 0;
};

} // namespace mlir::tp

#include "tp/Cuda/SourceOpInterface.h.inc"

#endif // TP_CUDA_SOURCEPRINTER_H
