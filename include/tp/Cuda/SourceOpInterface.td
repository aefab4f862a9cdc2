//===- SourceOpInterface.td - ops that are written as source --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CUDA_SOURCEOPINTERFACE
#define TP_CUDA_SOURCEOPINTERFACE

include "mlir/IR/OpBase.td"

def SourceOpInterface : OpInterface<"SourceOpInterface"> {
  let description = [{
    An op that can be written as CUDA C++. Ops of other dialects get it as external
    models (lib/Cuda/*Source.cpp); one without it is an error where it stands.
  }];
  let cppNamespace = "::mlir::tp";
  let methods = [
    InterfaceMethod<[{
        Writes the op: statements, with names for its results, or only names. Fails
        with a diagnostic on an op that has no such form.
      }], "::llvm::LogicalResult", "printSource",
      (ins "::mlir::tp::SourcePrinter &":$printer)>
  ];
}

#endif // TP_CUDA_SOURCEOPINTERFACE
