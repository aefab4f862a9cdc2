// One test for each rule of parameters and of the other attributes.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{parameter "w": 'shape' and 'offset' differ in length}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0, 0], dims = [0], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": 'dims' and 'strides' differ in length}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1, 1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": no stored dim 1}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [1], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": no stored dim -1}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [-1], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": stored sizes must be positive, got 0}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [0], offset = [0], dims = [0], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": initialisation is "normal" or "ones", got "zeros"}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "zeros">})

// -----

// expected-error @+1 {{parameter "w": aliases are names}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "normal", aliases = [1]>})

// -----

// expected-error @+1 {{struct is missing required parameter: strides}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], initialisation = "normal">})

// -----

// expected-error @+1 {{argument 0: 'nn.parameter': expects #nn.parameter}}
func.func private @f(tensor<8xf32> {nn.parameter = "w"})

// -----

// expected-error @+1 {{argument 0: 'nn.parameter': a parameter is a tensor of static shape}}
func.func private @f(tensor<?xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{a parameter is a tensor of static shape}}
func.func private @f(index {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{argument 0: 'nn.parameter': parameter "w" maps 1 dims, the tensor has 2}}
func.func private @f(tensor<2x4xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w": strides overflow}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [9223372036854775807], initialisation = "normal">})

// -----

// The reach of each dim fits 64 bits, their sum does not.
// expected-error @+1 {{parameter "w": strides overflow}}
func.func private @f(tensor<2x2xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0, 0], strides = [9223372036854775807, 1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w" reaches index 8 of stored dim 0 of size 8}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [1], dims = [0], strides = [1], initialisation = "normal">})

// -----

// Two dims of the parameter along one stored dim.
// expected-error @+1 {{parameter "w" reaches index 11 of stored dim 0 of size 8}}
func.func private @f(tensor<2x4xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0, 0], strides = [8, 1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w" reaches index -1 of stored dim 0 of size 8}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [6], dims = [0], strides = [-1], initialisation = "normal">})

// -----

// expected-error @+1 {{parameter "w" reaches index -1 of stored dim 0 of size 8}}
func.func private @f(tensor<f32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [-1], dims = [], strides = [], initialisation = "normal">})

// -----

// A local argument is checked by its global type.
tp.mesh @mesh = <["tp"=2]>
// expected-error @+1 {{parameter "w" reaches index 15 of stored dim 0 of size 8}}
func.func private @f(tensor<8xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [8], offset = [0], dims = [0], strides = [1], initialisation = "normal">,
                     tp.global = tensor<16xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})

// -----

// expected-error @+1 {{argument 0: 'nn.input': expects a name}}
func.func private @f(tensor<8xf32> {nn.input = 1 : i64})

// -----

// expected-error @+1 {{argument 1: 'nn.state': expects a name}}
func.func private @f(tensor<8xf32>, tensor<8xf32> {nn.state})

// -----

// expected-error @+1 {{'nn.checkpoint' expects a string}}
module attributes {nn.checkpoint = 1 : i64} {}

// -----

// expected-error @+1 {{'nn.checksum' expects a string}}
module attributes {nn.checksum} {}
