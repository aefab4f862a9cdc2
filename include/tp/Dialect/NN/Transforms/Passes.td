//===- Passes.td - passes on the Transformer graph ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_NN_TRANSFORMS_PASSES
#define TP_DIALECT_NN_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def NNNormalise : Pass<"nn-normalise", "::mlir::func::FuncOp"> {
  let summary = "moves shape ops on activations into the parameters";
  let description = [{
    Heads, KV heads and the query group become plain dims: a reshape between a
    projection and its use is hoisted through every op on the way, by splitting the
    factor it cuts, until it reaches parameters, which are simply loaded in another
    shape. Assumes and keeps value semantics; a reshape that cannot be hoisted (its
    origin is an input, or an op is positional in the dim) stays, and carries
    shardings by its compound factors.

    Before:
    ```mlir
    func.func @f(%x: tensor<1x8x64xf32>,
                 %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<...
                     dims = [0, 1], strides = [1, 1] ...>}) -> tensor<1x8x4x6xf32> {
      %0 = nn.contract %x, %w "bsk,nk->bsn" : ... -> tensor<1x8x24xf32>
      %1 = nn.reshape %0 : (tensor<1x8x24xf32>) -> tensor<1x8x4x6xf32>
      return %1 : tensor<1x8x4x6xf32>
    }
    ```
    After:
    ```mlir
    func.func @f(%x: tensor<1x8x64xf32>,
                 %w: tensor<4x6x64xf32> {nn.parameter = #nn.parameter<...
                     dims = [0, 0, 1], strides = [6, 1, 1] ...>}) -> tensor<1x8x4x6xf32> {
      %0 = nn.contract %x, %w "bsk,ack->bsac" : ... -> tensor<1x8x4x6xf32>
      return %0 : tensor<1x8x4x6xf32>
    }
    ```
    A value of which only slices along one dim are used, as of a fused projection,
    is computed in these parts from the beginning, from parts of the parameters,
    biases included: each is an argument of its own, at the end, called by its part.
    It stays whole if the slices overlap, if others use it or the parameters, or if
    it does not come from parameters in that dim.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>,
                 %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w",
                     offset = [0, 0] ...>}) -> (tensor<8x16xf32>, tensor<8x8xf32>) {
      %0 = nn.contract %x, %w "sk,nk->sn" : ... -> tensor<8x24xf32>
      %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : ... -> tensor<8x16xf32>
      %2 = nn.slice %0 offsets [0, 16] strides [1, 1] : ... -> tensor<8x8xf32>
      return %1, %2 : tensor<8x16xf32>, tensor<8x8xf32>
    }
    ```
    After:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>,
                 %w0: tensor<16x64xf32> {nn.parameter = #nn.parameter<name = "w[0:16]",
                     offset = [0, 0] ...>},
                 %w1: tensor<8x64xf32> {nn.parameter = #nn.parameter<name = "w[16:24]",
                     offset = [16, 0] ...>}) -> (tensor<8x16xf32>, tensor<8x8xf32>) {
      %0 = nn.contract %x, %w0 "sk,nk->sn" : ... -> tensor<8x16xf32>
      %1 = nn.contract %x, %w1 "sk,nk->sn" : ... -> tensor<8x8xf32>
      return %0, %1 : tensor<8x16xf32>, tensor<8x8xf32>
    }
    ```
  }];
}

def NNDifferentiate : Pass<"nn-differentiate", "::mlir::ModuleOp"> {
  let summary = "adds the gradient of every function, in reverse mode";
  let description = [{
    Beside each function @f a function @f_gradient: it takes @f's arguments and the
    gradient of each of its floating-point results, and returns the gradient of each
    floating-point argument. On the global graph, before sharding; an op on the way
    without DerivativeOpInterface is an error that names it.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>, %w: tensor<24x64xf32>) -> tensor<8x24xf32> {
      %0 = nn.contract %x, %w "sk,nk->sn" : ...
      return %0 : tensor<8x24xf32>
    }
    ```
    After, added:
    ```mlir
    func.func @f_gradient(%x: tensor<8x64xf32>, %w: tensor<24x64xf32>,
                          %g: tensor<8x24xf32>) -> (tensor<8x64xf32>, tensor<24x64xf32>) {
      %1 = nn.contract %g, %w "sn,nk->sk" : ...
      %2 = nn.contract %g, %x "sn,sk->nk" : ...
      return %1, %2 : tensor<8x64xf32>, tensor<24x64xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def NNWindowCollectives : Pass<"tp-window-collectives", "::mlir::func::FuncOp"> {
  let summary = "collectives and what computes before or after them, in parts";
  let description = [{
    After tp-insert-reshards, on the global graph. Where a reshard gathers one dim, or
    reduces or scatters a partial value, and the ops after it (of a reduction, the op
    before it) pass a factor of it, that factor is cut in parts: each part is sent by
    itself, so that tp-schedule-collectives can compute one part while another is on
    its way. Which ops can be cut is asked of their sharding rule and `splitFactor`.
    A sharded dim becomes two, the sharded one and the one that is cut.

    Done only where the model of the machine predicts less time, copies included,
    and with as many parts, up to `chunks`, as it likes best.

    Before, a contraction of 8192 rows, sharded over "tp" and gathered:
    ```mlir
    %1 = tp.reshard %0 from <@mesh, [{"tp"}, {} ]> to <@mesh, [{}, {} ]> : tensor<8192x4096xbf16>
    %2 = nn.contract %1, %w "sk,nk->sn" : ... -> tensor<8192x8192xbf16>
    ```
    After, with two parts of 4 x 1024 rows:
    ```mlir
    %1 = nn.reshape %0 : (tensor<8192x4096xbf16>) -> tensor<4x2048x4096xbf16>
    %2 = nn.slice %1 offsets [0, 0, 0] ... -> tensor<4x1024x4096xbf16>
    %3 = nn.slice %1 offsets [0, 1024, 0] ... -> tensor<4x1024x4096xbf16>
    %4 = tp.reshard %2 from <@mesh, [{"tp"}, {}, {} ]> to <@mesh, [{}, {}, {} ]> : tensor<4x1024x4096xbf16>
    %5 = tp.reshard %3 from <@mesh, [{"tp"}, {}, {} ]> to <@mesh, [{}, {}, {} ]> : tensor<4x1024x4096xbf16>
    %6 = nn.contract %4, %w "abk,nk->abn" : ... -> tensor<4x1024x8192xbf16>
    %7 = nn.contract %5, %w "abk,nk->abn" : ... -> tensor<4x1024x8192xbf16>
    %8 = nn.concat %6, %7 dim 1 : ... -> tensor<4x2048x8192xbf16>
    %9 = nn.reshape %8 : (tensor<4x2048x8192xbf16>) -> tensor<8192x8192xbf16>
    ```
  }];
  let dependentDialects = ["::mlir::nn::NNDialect", "::mlir::tp::TPDialect"];
  let options = [
    Option<"machine", "machine", "std::string", "\"\"",
           "how fast the device is, as tp-schedule-collectives has it">,
    Option<"chunks", "chunks", "int64_t", "4", "the most parts">
  ];
}

#endif // TP_DIALECT_NN_TRANSFORMS_PASSES
