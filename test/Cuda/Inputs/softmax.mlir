// Reductions of rows that no vector divides, and of everything.
func.func @forward(%ids: tensor<6x7xi32> {nn.input = "ids"})
    -> (tensor<6x7xf32> {nn.output = "y"}, tensor<6xf32> {nn.output = "rows"}, tensor<f32> {nn.output = "all"}) {
  %scale = arith.constant dense<0.1> : tensor<6x7xf32>
  %numbers = arith.sitofp %ids : tensor<6x7xi32> to tensor<6x7xf32>
  %x = arith.mulf %numbers, %scale : tensor<6x7xf32>
  %0 = nn.reduce %x "max" dims [1] : (tensor<6x7xf32>) -> tensor<6xf32>
  %1 = nn.broadcast %0 dims [0] : (tensor<6xf32>) -> tensor<6x7xf32>
  %2 = arith.subf %x, %1 : tensor<6x7xf32>
  %3 = math.exp %2 : tensor<6x7xf32>
  %4 = nn.reduce %3 "sum" dims [1] : (tensor<6x7xf32>) -> tensor<6xf32>
  %5 = nn.broadcast %4 dims [0] : (tensor<6xf32>) -> tensor<6x7xf32>
  %6 = arith.divf %3, %5 : tensor<6x7xf32>
  %7 = nn.reduce %x "sum" dims [0, 1] : (tensor<6x7xf32>) -> tensor<f32>
  return %6, %4, %7 : tensor<6x7xf32>, tensor<6xf32>, tensor<f32>
}
