// Attention with a sharded sequence or sharded keys.
// RUN: tp-opt %s -tp-propagate -tp-decompose | FileCheck %s
// RUN: tp-opt %s -tp-propagate -tp-decompose -tp-propagate -tp-insert-reshards \
// RUN:   -tp-partition -tp-merge-collectives -tp-verify-placements \
// RUN:   | FileCheck %s --check-prefix=LOCAL

tp.mesh @mesh = <["y"=4]>

// Each device attends to its own keys. Padding, the causal mask and the window
// hide keys by their global position; a query that sees none divides by one.
// CHECK-LABEL: func.func @keys
// CHECK: %[[Q:.*]] = arith.extf %arg0
// CHECK: %[[SCALED:.*]] = arith.mulf %[[Q]]
// CHECK: %[[K:.*]] = arith.extf %arg1
// CHECK: %[[PRODUCT:.*]] = nn.contract %[[SCALED]], %[[K]] "bshgd,bthd->bshgt"
// CHECK: %[[TANH:.*]] = math.tanh
// CHECK: %[[CAPPED:.*]] = arith.mulf %{{.*}}, %[[TANH]]
// CHECK: %[[KEY:.*]] = nn.iota dim 4
// CHECK: %[[QUERY:.*]] = nn.iota dim 1
// CHECK: %[[OFFSET:.*]] = nn.broadcast %arg3 dims [] : (tensor<i32>)
// CHECK: %[[POSITION:.*]] = arith.addi %[[QUERY]], %[[OFFSET]]
// CHECK: %[[BEFORE:.*]] = arith.cmpi sle, %[[KEY]], %[[POSITION]]
// CHECK: %[[CAUSAL:.*]] = arith.select %[[BEFORE]], %[[CAPPED]]
// CHECK: %[[WIDTH:.*]] = arith.constant dense<4>
// CHECK: %[[EDGE:.*]] = arith.subi %[[POSITION]], %[[WIDTH]]
// CHECK: %[[INSIDE:.*]] = arith.cmpi sgt, %[[KEY]], %[[EDGE]]
// CHECK: %[[SCORES:.*]] = arith.select %[[INSIDE]], %[[CAUSAL]]
// CHECK: %[[MAX:.*]] = nn.reduce %[[SCORES]] "max" dims [4]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[MAX]]
// CHECK: %[[SHIFT:.*]] = arith.select %[[NONE]], %{{.*}}, %[[MAX]]
// CHECK: nn.broadcast %[[SHIFT]] dims [0, 1, 2, 3]
// CHECK: %[[WEIGHTS:.*]] = math.exp
// CHECK: %[[SUM:.*]] = nn.reduce %[[WEIGHTS]] "sum" dims [4]
// CHECK: %[[V:.*]] = arith.extf %arg2
// CHECK: %[[WEIGHTED:.*]] = nn.contract %[[WEIGHTS]], %[[V]] "bshgt,bthd->bshgd"
// CHECK: %[[DIVISOR:.*]] = arith.select %[[NONE]], %{{.*}}, %[[SUM]]
// CHECK: %[[WIDE:.*]] = nn.broadcast %[[DIVISOR]] dims [0, 1, 2, 3]
// CHECK: arith.divf %[[WEIGHTED]], %[[WIDE]]
// A number for each query twice, and the result; keys and values stay.
// LOCAL-LABEL: func.func @keys
// LOCAL: nn.iota from %{{.*}} dim 4
// LOCAL: tp.all_reduce {{.*}} max {{.*}} : (tensor<1x5x2x3xf32>) -> tensor<1x5x2x3xf32>
// LOCAL: tp.all_reduce {{.*}} sum {{.*}} : (tensor<1x5x2x3xf32>) -> tensor<1x5x2x3xf32>
// LOCAL: tp.all_reduce {{.*}} sum {{.*}} : (tensor<1x5x2x3x16xbf16>) -> tensor<1x5x2x3x16xbf16>
// LOCAL-NOT: tp.all
// LOCAL: return
func.func @keys(%q: tensor<1x5x2x3x16xbf16>,
                %k: tensor<1x7x2x16xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}]>},
                %v: tensor<1x7x2x16xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}]>},
                %p: tensor<i32>) -> tensor<1x5x2x3x16xbf16> {
  %0 = nn.attention %q, %k, %v at %p scale 0.25 causal window 4 soft_cap 30.0 : (tensor<1x5x2x3x16xbf16>, tensor<1x7x2x16xbf16>, tensor<1x7x2x16xbf16>, tensor<i32>) -> tensor<1x5x2x3x16xbf16>
  return %0 : tensor<1x5x2x3x16xbf16>
}

// Without a mask no position is asked for.
// CHECK-LABEL: func.func @all_keys
// CHECK-NOT: nn.iota
// CHECK: return
// LOCAL-LABEL: func.func @all_keys
func.func @all_keys(%q: tensor<1x5x2x3x16xf32>,
                    %k: tensor<1x8x2x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}]>}) -> tensor<1x5x2x3x16xf32> {
  %0 = nn.attention %q, %k, %k scale 0.25 : (tensor<1x5x2x3x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>) -> tensor<1x5x2x3x16xf32>
  return %0 : tensor<1x5x2x3x16xf32>
}

// Sharded queries are told where they begin; nothing is sent.
// CHECK-LABEL: func.func @queries
// CHECK: nn.attention
// LOCAL-LABEL: func.func @queries
// LOCAL: %[[START:.*]] = tp.shard_start [#tp.axis<"y">] of @mesh block 2
// LOCAL-NOT: tp.all
// LOCAL: nn.attention %arg0, %arg1, %arg1 from %[[START]] scale 2.500000e-01 causal :
// LOCAL-NOT: tp.all
// LOCAL: return
func.func @queries(%q: tensor<1x7x2x3x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}, {}]>},
                   %k: tensor<1x7x2x16xf32>) -> tensor<1x7x2x3x16xf32> {
  %0 = nn.attention %q, %k, %k scale 0.25 causal : (tensor<1x7x2x3x16xf32>, tensor<1x7x2x16xf32>, tensor<1x7x2x16xf32>) -> tensor<1x7x2x3x16xf32>
  return %0 : tensor<1x7x2x3x16xf32>
}

// Queries and keys of one sequence share an axis: the queries keep it. The keys
// come with their padding, and the op is told how many they are.
// CHECK-LABEL: func.func @sequence
// CHECK: nn.attention
// LOCAL-LABEL: func.func @sequence
// LOCAL: %[[START:.*]] = tp.shard_start
// LOCAL: %[[KEYS:.*]] = tp.all_gather %arg1 {{.*}} -> tensor<1x8x2x16xf32>
// LOCAL: nn.attention %arg0, %[[KEYS]], %[[KEYS]] from %[[START]] scale 2.500000e-01 of 7 :
func.func @sequence(%x: tensor<1x7x2x3x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}, {}]>},
                    %k: tensor<1x7x2x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"y"}, {}, {}]>}) -> tensor<1x7x2x3x16xf32> {
  %0 = nn.attention %x, %k, %k scale 0.25 : (tensor<1x7x2x3x16xf32>, tensor<1x7x2x16xf32>, tensor<1x7x2x16xf32>) -> tensor<1x7x2x3x16xf32>
  return %0 : tensor<1x7x2x3x16xf32>
}
