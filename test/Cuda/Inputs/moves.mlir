// Every collective: between placements, and of sums that are partial. All sums
// are exact.
tp.mesh @mesh = <["a"=2, "b"=2]>
func.func @forward(
    %ids: tensor<24x8xi32> {nn.input = "ids", tp.sharding = #tp.sharding<@mesh, [{"a", "b"}, {}]>})
    -> (tensor<24x8xf32> {nn.output = "split", tp.sharding = #tp.sharding<@mesh, [{}, {"b", "a"}]>},
        tensor<24xf32> {nn.output = "exchanged", tp.sharding = #tp.sharding<@mesh, [{"b", "a"}]>},
        tensor<24x8xf32> {nn.output = "whole", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
        tensor<8xf32> {nn.output = "sum", tp.sharding = #tp.sharding<@mesh, [{"a", "b"}]>},
        tensor<8xf32> {nn.output = "largest", tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  %scale = arith.constant dense<0.125> : tensor<24x8xf32>
  %numbers = arith.sitofp %ids : tensor<24x8xi32> to tensor<24x8xf32>
  %x = arith.mulf %numbers, %scale : tensor<24x8xf32>
  %0 = nn.reduce %x "sum" dims [1] : (tensor<24x8xf32>) -> tensor<24xf32>
  %1 = nn.reduce %x "sum" dims [0] : (tensor<24x8xf32>) -> tensor<8xf32>
  %2 = nn.reduce %x "max" dims [0] : (tensor<24x8xf32>) -> tensor<8xf32>
  return %x, %0, %x, %1, %2 : tensor<24x8xf32>, tensor<24xf32>, tensor<24x8xf32>, tensor<8xf32>, tensor<8xf32>
}
