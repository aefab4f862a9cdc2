// The automatic plan: what is between two contractions is shared out, and uneven
// heads go to the split with the fewest query heads on a rank.
// RUN: tp-opt %s --tp-apply-plan="mesh=tp=2" --tp-place-parameters | FileCheck %s --check-prefix=TWO
// RUN: tp-opt %s --tp-apply-plan="mesh=tp=6" --tp-place-parameters | FileCheck %s --check-prefix=SIX
// RUN: tp-opt %s --tp-shard="mesh=tp=6" | FileCheck %s --check-prefix=SHARD

// 3 KV heads x 3 groups on 2: KV heads padded to 4, 6 query heads a rank; split in
// groups it would be 6 too, with more KV heads.
// TWO: name = "q.weight"
// TWO-SAME: tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4, {}, {}, {}]>
// TWO: name = "k.weight"
// TWO-SAME: tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4, {}, {}]>
// TWO: name = "o.weight"
// TWO-SAME: tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 4, {}, {}]>

// On 6: 3 x 2, two query heads a rank; a KV head lives on two ranks.
// SIX: name = "q.weight"
// SIX-SAME: tp.sharding = #tp.sharding<@mesh, [{"tp":(1)3}, {"tp":(3)2} pad 4, {}, {}]>
// SIX: name = "k.weight"
// SIX-SAME: tp.sharding = #tp.sharding<@mesh, [{"tp":(1)3}, {}, {}]>

// SHARD: nn.attention
// SHARD: tp.mask
// SHARD-COUNT-1: tp.all_reduce
// SHARD-NOT: tp.all_
func.func @f(%x: tensor<1x4x8xf32>,
    %q: tensor<3x3x2x8xf32> {nn.parameter = #nn.parameter<name = "q.weight", tensor = "q", shape = [18, 8], offset = [0, 0], dims = [0, 0, 0, 1], strides = [6, 2, 1, 1], initialisation = "normal">},
    %k: tensor<3x2x8xf32> {nn.parameter = #nn.parameter<name = "k.weight", tensor = "k", shape = [6, 8], offset = [0, 0], dims = [0, 0, 1], strides = [2, 1, 1], initialisation = "normal">},
    %o: tensor<8x3x3x2xf32> {nn.parameter = #nn.parameter<name = "o.weight", tensor = "o", shape = [8, 18], offset = [0, 0], dims = [0, 1, 1, 1], strides = [1, 6, 2, 1], initialisation = "normal">}) -> tensor<1x4x8xf32> {
  %0 = nn.contract %x, %q "bsk,hgdk->bshgd" : (tensor<1x4x8xf32>, tensor<3x3x2x8xf32>) -> tensor<1x4x3x3x2xf32>
  %1 = nn.contract %x, %k "bsk,hdk->bshd" : (tensor<1x4x8xf32>, tensor<3x2x8xf32>) -> tensor<1x4x3x2xf32>
  %2 = nn.attention %0, %1, %1 scale 1.0 causal : (tensor<1x4x3x3x2xf32>, tensor<1x4x3x2xf32>, tensor<1x4x3x2xf32>) -> tensor<1x4x3x3x2xf32>
  %3 = nn.contract %2, %o "bshgd,nhgd->bsn" : (tensor<1x4x3x3x2xf32>, tensor<8x3x3x2xf32>) -> tensor<1x4x8xf32>
  %4 = arith.addf %3, %x : tensor<1x4x8xf32>
  return %4 : tensor<1x4x8xf32>
}
