// RUN: tp-opt %s -split-input-file -tp-window-collectives="machine=link=-1" -verify-diagnostics
// RUN: tp-opt %s -split-input-file -tp-window-collectives -allow-unregistered-dialect | FileCheck %s

// What is not understood is left alone.
// CHECK-LABEL: func.func @no_mesh
// CHECK-NEXT: arith.negf
// expected-error @+1 {{in the option 'machine': the machine's 'link' must be a positive number, got '-1'}}
func.func @no_mesh(%x: tensor<?xf32>) -> tensor<?xf32> {
  %0 = arith.negf %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Uneven rows, and values of which nothing is known.
tp.mesh @mesh = <["tp"=4]>
// CHECK-LABEL: func.func @uneven
// CHECK-NEXT: tp.reshard
// CHECK-NEXT: nn.contract
// CHECK-NEXT: tp.reshard
// CHECK-NEXT: return
// expected-error @+1 {{in the option 'machine'}}
func.func @uneven(%x: tensor<8190x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8192, {}]>}, %w: tensor<8192x4096xbf16>) -> tensor<8190x8192xbf16> {
  %1 = tp.reshard %x from <@mesh, [{"tp"} pad 8192, {}]> to <@mesh, [{} pad 8192, {}]> {tp.shardings = [#tp.sharding<@mesh, [{} pad 8192, {}]>]} : tensor<8190x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" : (tensor<8190x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8190x8192xbf16>
  %3 = tp.reshard %2 to <@mesh, [{}, {}]> : tensor<8190x8192xbf16>
  return %3 : tensor<8190x8192xbf16>
}

// -----

// A padded dim of one element, of which reshapes know nothing.
tp.mesh @mesh = <["dp"=2, "tp"=4]>
// CHECK-LABEL: func.func @padded_one
// CHECK-NEXT: tp.reshard
// CHECK-NEXT: nn.contract
// CHECK-NEXT: return
// expected-error @+1 {{in the option 'machine'}}
func.func @padded_one(%x: tensor<8192x4096x1xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {"dp"} pad 2]>},
                      %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) -> tensor<8192x1x8192xbf16> {
  %1 = tp.reshard %x from <@mesh, [{"tp"}, {}, {"dp"} pad 2]> to <@mesh, [{}, {}, {"dp"} pad 2]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}, {"dp"} pad 2]>]} : tensor<8192x4096x1xbf16>
  %2 = nn.contract %1, %w "ska,nk->san" {tp.shardings = [#tp.sharding<@mesh, [{}, {"dp"} pad 2, {}]>]} : (tensor<8192x4096x1xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x1x8192xbf16>
  return %2 : tensor<8192x1x8192xbf16>
}
