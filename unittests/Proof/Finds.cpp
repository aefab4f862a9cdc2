//===- Finds.cpp - programs that once went wrong --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What the random programs found, shrunk; without a mistake in common.
//
//===----------------------------------------------------------------------===//

#include "RandomProgram.h"

using namespace mlir;
using namespace mlir::tp;

ArrayRef<StringRef> proof::finds() {
  static const StringRef texts[] = {
      // A mask on a splat.
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%g: tensor<3xf32>) -> (tensor<3xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}, tensor<3x3xf32>) {
           %c = arith.constant dense<1.0> : tensor<3x3xf32>
           %0 = nn.rms_norm %c, %g epsilon 0.25 : (tensor<3x3xf32>, tensor<3xf32>) -> tensor<3x3xf32>
           return %g, %0 : tensor<3xf32>, tensor<3x3xf32>
         })",
      // A splat exchanged, gathered, reduced, searched, looked up in.
      R"(tp.mesh @mesh = <["x"=2, "y"=2, "z"=2]>
         func.func @f(%x: tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}, %y: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>) {
           %0 = nn.contract %x, %y "a,na->n" : (tensor<2xf32>, tensor<2x2xf32>) -> tensor<2xf32>
           %c = arith.constant dense<1.0> : tensor<2x2xf32>
           %1 = math.powf %y, %c : tensor<2x2xf32>
           %2 = tp.constraint %c to <@mesh, [{"x"}, {}]> : tensor<2x2xf32>
           return %2, %1, %0 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>
         })",
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%x: tensor<2x1x2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}, {}, {}]>}, %ids: tensor<2x1x2xi32>) -> (tensor<2x1x1xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}, {}]>}, tensor<2x1x1xf32>) {
           %v, %i = nn.top_k %x ids %ids k 1 : (tensor<2x1x2xf32>, tensor<2x1x2xi32>) -> (tensor<2x1x1xf32>, tensor<2x1x1xi32>)
           %c = arith.constant dense<1.0> : tensor<2x1x1xf32>
           %0 = arith.addf %v, %c : tensor<2x1x1xf32>
           return %c, %0 : tensor<2x1x1xf32>, tensor<2x1x1xf32>
         })",
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%g: tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) -> tensor<2x2xf32> {
           %c = arith.constant dense<1.0> : tensor<2x2xf32>
           %0 = nn.rms_norm %c, %g epsilon 0.25 : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
           return %0 : tensor<2x2xf32>
         })",
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) -> (tensor<1xi32>, tensor<4xf32>) {
           %0 = arith.addf %x, %y : tensor<4xf32>
           %c = arith.constant dense<1.0> : tensor<4xf32>
           %1 = arith.addf %0, %c : tensor<4xf32>
           %v, %i = nn.top_k %c k 1 : (tensor<4xf32>) -> (tensor<1xf32>, tensor<1xi32>)
           return %i, %1 : tensor<1xi32>, tensor<4xf32>
         })",
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%id: tensor<i32>) -> tensor<2xf32> {
           %c = arith.constant dense<1.0> : tensor<2x2xf32>
           %0 = tp.constraint %c to <@mesh, [{"x"}, {}]> : tensor<2x2xf32>
           %1 = nn.embedding %id, %0 : (tensor<i32>, tensor<2x2xf32>) -> tensor<2xf32>
           return %1 : tensor<2xf32>
         })",
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%x: tensor<3xf32>) -> tensor<12xf32> {
           %0 = nn.broadcast %x dims [1] : (tensor<3xf32>) -> tensor<4x3xf32>
           %1 = tp.constraint %0 to <@mesh, [{"x"}, {}]> : tensor<4x3xf32>
           %2 = nn.reshape %1 : (tensor<4x3xf32>) -> tensor<12xf32>
           return %2 : tensor<12xf32>
         })",
      // State with another padding than the result that it becomes.
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%s: tensor<1x1xf32> {nn.state = "s"}, %ids: tensor<1x1xi32>) -> (tensor<1x1xf32> {nn.state = "s"}, tensor<1x1x1xf32>) {
           %z = arith.constant dense<0> : tensor<1x1xi32>
           %0 = nn.embedding %z, %s : (tensor<1x1xi32>, tensor<1x1xf32>) -> tensor<1x1x1xf32>
           %1 = nn.reduce %0 "sum" dims [1] : (tensor<1x1x1xf32>) -> tensor<1x1xf32>
           %2 = tp.constraint %0 to <@mesh, [{"x"}, {}, {}]> : tensor<1x1x1xf32>
           return %1, %2 : tensor<1x1xf32>, tensor<1x1x1xf32>
         })",
      // A partial maximum asked for as a partial sum.
      R"(tp.mesh @mesh = <["x"=2, "y"=2]>
         func.func @f(%x: tensor<4x2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}, {}]>}) -> (tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"y"}>}) {
           %0 = nn.reduce %x "max" dims [0] : (tensor<4x2xf32>) -> tensor<2xf32>
           return %0 : tensor<2xf32>
         })",
      // A partial maximum and a partial sum in one addition.
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%x: tensor<2x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"x"}]>}, %m: tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"x"}>}, %w: tensor<2xf32>) -> tensor<f32> {
           %0 = nn.reduce %x "sum" dims [1] : (tensor<2x4xf32>) -> tensor<2xf32>
           %1 = arith.addf %0, %m : tensor<2xf32>
           %2 = nn.contract %1, %w "a,a->" : (tensor<2xf32>, tensor<2xf32>) -> tensor<f32>
           return %2 : tensor<f32>
         })",
      // The minor part of a merged dim, alone.
      R"(tp.mesh @mesh = <["x"=4, "y"=2]>
         func.func @f(%x: tensor<2x6xi32>, %y: tensor<2x3x2xi32> {tp.sharding = #tp.sharding<@mesh, [{}, {}, {"y"}]>}) -> tensor<2x3x2xi32> {
           %0 = nn.reshape %x : (tensor<2x6xi32>) -> tensor<2x3x2xi32>
           %1 = arith.muli %0, %y : tensor<2x3x2xi32>
           return %1 : tensor<2x3x2xi32>
         })",
      // An axis that ends within a part of a merged dim.
      R"(tp.mesh @mesh = <["x"=4]>
         func.func @f(%x: tensor<2x2x4xf32>) -> tensor<4x2x2xf32> {
           %0 = nn.reshape %x : (tensor<2x2x4xf32>) -> tensor<4x2x2xf32>
           %1 = tp.constraint %0 to <@mesh, [{}, {"x":(1)2}, {"x":(2)2}]> : tensor<4x2x2xf32>
           return %1 : tensor<4x2x2xf32>
         })",
      // One norm after the other.
      R"(tp.mesh @mesh = <["x"=4]>
         func.func @f(%g: tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) -> tensor<2xf32> {
           %0 = nn.rms_norm %g, %g epsilon 0.25 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
           %1 = nn.rms_norm %0, %0 epsilon 0.25 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
           return %1 : tensor<2xf32>
         })",
      // Padding of what is an argument of the function.
      R"(tp.mesh @mesh = <["x"=3]>
         func.func @f(%q: tensor<2x1x2x1x1xf32>, %k: tensor<2x2x2x1xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {} pad 3, {}, {}]>}) -> tensor<2x1x2x1x1xf32> {
           %0 = nn.attention %q, %k, %k scale 0.125 : (tensor<2x1x2x1x1xf32>, tensor<2x2x2x1xf32>, tensor<2x2x2x1xf32>) -> tensor<2x1x2x1x1xf32>
           return %0 : tensor<2x1x2x1x1xf32>
         })",
      // Shards that have, with their padding, as many rows as the whole.
      R"(tp.mesh @mesh = <["x"=4]>
         func.func @f(%c: tensor<1x2x1xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"x":(1)2} pad 4, {}]>}, %u: tensor<1x1x1xf32>, %i: tensor<i32>) -> tensor<1x2x1xf32> {
           %0 = nn.cache_update %c, %u at %i length %i : (tensor<1x2x1xf32>, tensor<1x1x1xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2x1xf32>
           return %0 : tensor<1x2x1xf32>
         })",
      // Reshards by hand: padded, and of one dim with what follows.
      R"(tp.mesh @mesh = <["x"=2]>
         func.func @f(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
           %0 = tp.reshard %x to <@mesh, [{}, {} pad 3]> : tensor<2x2xf32>
           return %0 : tensor<2x2xf32>
         })",
      R"(tp.mesh @mesh = <["x"=4, "y"=2]>
         func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) {
           %0 = tp.reshard %x to <@mesh, [{}]> : tensor<2xf32>
           %1 = math.absf %0 : tensor<2xf32>
           return %1 : tensor<2xf32>
         })",
      R"(tp.mesh @mesh = <["x"=4, "y"=2]>
         func.func @f(%x: tensor<3x2xf32>) -> (tensor<3x2xf32> {tp.sharding = #tp.sharding<@mesh, [{"x":(2)2}, {}]>}) {
           %0 = tp.reshard %x from <@mesh, [{"y"} pad 4, {}]> to <@mesh, [{} pad 4, {"x":(1)2}]> : tensor<3x2xf32>
           return %0 : tensor<3x2xf32>
         })",
  };
  return texts;
}
