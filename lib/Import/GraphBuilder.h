//===- GraphBuilder.h - building a model's function -------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What the graphs of all families have in common: how arguments and results are
// marked, how modules are, and the idioms that are not ops of their own.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_GRAPHBUILDER_H
#define TP_LIB_IMPORT_GRAPHBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"

namespace mlir::tp::importer {

/// A function under construction. Arguments are added first, in order; the
/// function's type follows from them and from the results.
class GraphBuilder {
public:
  /// `element` is the type of parameters, state and activations.
  GraphBuilder(ModuleOp module, StringRef name, FloatType element);

  //===--------------------------------------------------------------------===//
  // Arguments and results
  //===--------------------------------------------------------------------===//

  void addParameter(nn::ParameterAttr parameter);
  Value addInput(StringRef name, ArrayRef<int64_t> shape, Type type,
                 ArrayRef<StringRef> dims);
  Value addState(StringRef name, ArrayRef<int64_t> shape,
                 ArrayRef<StringRef> dims);
  void addOutput(StringRef name, Value value, ArrayRef<StringRef> dims);
  void addStateResult(StringRef name, Value value, ArrayRef<StringRef> dims);
  void finish();

  /// The parameter of this published name; null if there is none.
  Value getParameter(StringRef name) const { return parameters.lookup(name); }

  //===--------------------------------------------------------------------===//
  // Types and locations
  //===--------------------------------------------------------------------===//

  FloatType getElementType() const { return element; }
  /// What is computed in more than bf16 is computed in this type; outputs have
  /// it, too.
  FloatType getWideType();
  RankedTensorType getType(ArrayRef<int64_t> shape, Type type = {}) const;
  Location at(StringRef module);

  //===--------------------------------------------------------------------===//
  // Modules and idioms
  //===--------------------------------------------------------------------===//

  /// Marks an input or the output of a module.
  Value enter(StringRef module, Value value, StringRef name = "0");
  Value leave(StringRef module, Value value);

  // Whole modules: a linear layer with "MODULE.weight" and, where there is such
  // a parameter, "MODULE.bias"; an embedding; an RMS norm.
  Value linear(StringRef module, Value input);
  Value embedding(StringRef module, Value ids);
  Value rmsNorm(StringRef module, Value input, double epsilon);

  Value reshape(Location loc, Value value, ArrayRef<int64_t> shape);
  /// Repeats a value along the dims of `shape` that `dims` does not name.
  Value broadcast(Location loc, Value value, ArrayRef<int64_t> shape,
                  ArrayRef<int64_t> dims);
  Value cast(Location loc, Value value, FloatType type);
  /// A constant tensor filled with one number.
  Value splat(Location loc, RankedTensorType type, double value);
  Value constant(Location loc, FloatType type, ArrayRef<double> values);
  /// x / (1 + exp(-x)), rounded once.
  Value silu(Location loc, Value value);

  OpBuilder builder;

private:
  Value addArgument(RankedTensorType type, StringRef kind, Attribute value,
                    ArrayRef<StringRef> dims, StringRef module = "");
  void addResult(StringRef kind, StringRef name, Value value,
                 ArrayRef<StringRef> dims);
  Value boundary(StringRef module, Value value, StringRef direction,
                 StringRef name);

  FloatType element;
  func::FuncOp function;
  Block *body;
  llvm::StringMap<Value> parameters;
  SmallVector<DictionaryAttr> argumentAttrs, resultAttrs;
  SmallVector<Value> results;
};

inline ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_GRAPHBUILDER_H
