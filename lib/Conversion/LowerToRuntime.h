//===- LowerToRuntime.h - patterns to the runtime level ---------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_LOWERTORUNTIME_H
#define TP_LIB_CONVERSION_LOWERTORUNTIME_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "tp/Dialect/RT/IR/RT.h"
#include <map>
#include <vector>

namespace mlir::tp {

/// The kernels of a module: bodies with the same structure are one function.
class KernelTable {
public:
  explicit KernelTable(ModuleOp module);

  /// The kernel with the body of `region`: ops on tensors that end in a
  /// terminator with the results. Made if there is none yet.
  FlatSymbolRefAttr getOrCreate(Region &region, Location loc);

private:
  FlatSymbolRefAttr create(Region &region, Location loc);

  ModuleOp module;
  SymbolTable symbols;
  unsigned count = 0;
  /// By structure: names, attributes, types and operand numbers, all unique
  /// pointers or numbers. Only ever looked up, never iterated.
  std::map<std::vector<uintptr_t>, FlatSymbolRefAttr> kernels;
};

/// What the patterns share over a module.
struct RuntimeLowering {
  explicit RuntimeLowering(ModuleOp module);

  /// The index of the group of devices over `axes`; added if it is new.
  int64_t getGroup(Operation *op, FlatSymbolRefAttr mesh, ArrayAttr axes);
  void writeGroups(ModuleOp module) const;

  KernelTable kernels;
  /// What fused ops launch, and pads fill their result with.
  DenseMap<Operation *, FlatSymbolRefAttr> kernelOf;
  /// The number of each collective, counted in its function, and of what each
  /// wait waits for.
  DenseMap<Operation *, int64_t> collectiveIds;
  SmallVector<Attribute> groups;
};

/// A pattern that has the buffers of an op's operands in its adaptor and can
/// make those of its results.
template <typename Op> class RuntimePattern : public OpConversionPattern<Op> {
public:
  RuntimePattern(const TypeConverter &converter, MLIRContext *context,
                 RuntimeLowering &lowering)
      : OpConversionPattern<Op>(converter, context), lowering(lowering) {}

protected:
  RuntimeLowering &lowering;
};

/// The buffers of the results of `op`, at their planned places; `operands` are
/// its converted operands. Fails with a diagnostic if there is no valid plan.
FailureOr<SmallVector<Value>>
getResultBuffers(Operation *op, ValueRange operands,
                 ConversionPatternRewriter &rewriter);

/// Elements from one index of each dim to the next in a dense tensor.
SmallVector<int64_t> getDenseStrides(ArrayRef<int64_t> shape);

/// Copies a whole dense buffer.
void copyDense(OpBuilder &builder, Location loc, Value from, Value to);

void populateOpLowerings(RewritePatternSet &patterns,
                         const TypeConverter &converter,
                         RuntimeLowering &lowering);
void populateLayoutLowerings(RewritePatternSet &patterns,
                             const TypeConverter &converter,
                             RuntimeLowering &lowering);
void populateCollectiveLowerings(RewritePatternSet &patterns,
                                 const TypeConverter &converter,
                                 RuntimeLowering &lowering);

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_LOWERTORUNTIME_H
