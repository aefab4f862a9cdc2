"""Gradients against central differences, in f64.

A graph is differentiated by nn-differentiate. For a random gradient g of its result y and a random direction v of each
argument x, <gradient of x, v> must be the central difference of <y, g> along v. Every graph also runs sharded over two
ranks: `model` along the hidden dim, so that the norm is written out and reduced; `layout` along an uneven one.
"""

from dataclasses import dataclass

import numpy as np
from support import Tools, fail, main


@dataclass
class Graph:
    shapes: dict[str, tuple[int, ...]]  # of arguments
    shardings: dict[str, str]
    result: tuple[int, ...]
    body: str  # ends with %y
    ids: np.ndarray | None = None

    def source(self, sharded: bool) -> str:
        """The module; with shardings on its arguments if `sharded`."""

        def argument(name: str) -> str:
            sharding = f", tp.sharding = #tp.sharding<@mesh, {self.shardings[name]}>" if sharded else ""
            return f'%{name}: {tensor(self.shapes[name])} {{nn.input = "{name}"{sharding}}}'

        arguments = [argument(name) for name in self.shapes]
        if self.ids is not None:
            arguments.append(f'%ids: {tensor(self.ids.shape, "i32")} {{nn.input = "ids"}}')
        return f"""
        {'tp.mesh @mesh = <["tp"=2]>' if sharded else ''}
        func.func @forward({", ".join(arguments)}) -> ({tensor(self.result)} {{nn.output = "y"}}) {{
          {self.body}
          return %y : {tensor(self.result)}
        }}
        """


def tensor(shape: tuple[int, ...], element: str = "f64") -> str:
    return f"tensor<{''.join(f'{size}x' for size in shape)}{element}>"


MODEL = Graph(
    shapes={"table": (7, 4), "weight": (4,), "projection": (5, 4)},
    shardings={"table": '[{}, {"tp"}]', "weight": '[{"tp"}]', "projection": '[{}, {"tp"}]'},
    result=(2, 3, 5),
    ids=np.array([[0, 6, 3], [3, 3, 1]], np.int32),
    body="""
      %0 = nn.embedding %ids, %table : (tensor<2x3xi32>, tensor<7x4xf64>) -> tensor<2x3x4xf64>
      %1 = nn.rms_norm %0, %weight epsilon 1.0e-5 : (tensor<2x3x4xf64>, tensor<4xf64>) -> tensor<2x3x4xf64>
      %y = nn.contract %1, %projection "bsk,nk->bsn" : (tensor<2x3x4xf64>, tensor<5x4xf64>) -> tensor<2x3x5xf64>
    """,
)

LAYOUT = Graph(
    shapes={"x": (2, 3, 5), "cosine": (3, 2), "sine": (3, 2), "scale": (4, 15)},
    shardings={"x": '[{}, {"tp"}, {}]', "cosine": '[{"tp"}, {}]', "sine": "[{}, {}]", "scale": '[{}, {"tp"}]'},
    result=(15,),
    body="""
      %0 = nn.rotary %x, %cosine, %sine
          : (tensor<2x3x5xf64>, tensor<3x2xf64>, tensor<3x2xf64>) -> tensor<2x3x5xf64>
      %1 = nn.rotary %0, %sine, %cosine interleaved
          : (tensor<2x3x5xf64>, tensor<3x2xf64>, tensor<3x2xf64>) -> tensor<2x3x5xf64>
      %2 = nn.transpose %1 [1, 0, 2] : (tensor<2x3x5xf64>) -> tensor<3x2x5xf64>
      %3 = nn.reshape %2 : (tensor<3x2x5xf64>) -> tensor<3x10xf64>
      %4 = nn.slice %3 offsets [0, 1] strides [1, 4] : (tensor<3x10xf64>) -> tensor<3x3xf64>
      %5 = nn.concat %3, %4 dim 1 : (tensor<3x10xf64>, tensor<3x3xf64>) -> tensor<3x13xf64>
      %6 = nn.pad %5 low [1, 0] high [0, 2] value 0.5 : (tensor<3x13xf64>) -> tensor<4x15xf64>
      %7 = nn.reduce %6 "max" dims [1] : (tensor<4x15xf64>) -> tensor<4xf64>
      %8 = nn.broadcast %7 dims [0] : (tensor<4xf64>) -> tensor<4x15xf64>
      %9 = arith.subf %6, %8 : tensor<4x15xf64>
      %10 = math.exp %9 : tensor<4x15xf64>
      %11 = math.sqrt %10 : tensor<4x15xf64>
      %12 = math.rsqrt %10 : tensor<4x15xf64>
      %13 = arith.divf %6, %12 : tensor<4x15xf64>
      %14 = math.tanh %13 : tensor<4x15xf64>
      %15 = arith.negf %14 : tensor<4x15xf64>
      %16 = arith.mulf %15, %scale : tensor<4x15xf64>
      %17 = arith.addf %16, %11 : tensor<4x15xf64>
      %18 = math.log %10 : tensor<4x15xf64>
      %zero = arith.constant dense<0.0> : tensor<4x15xf64>
      %19 = arith.cmpf ogt, %scale, %zero : tensor<4x15xf64>
      %20 = arith.select %19, %17, %18 : tensor<4x15xi1>, tensor<4x15xf64>
      %y = nn.reduce %20 "sum" dims [0] : (tensor<4x15xf64>) -> tensor<15xf64>
    """,
)


def run(tools: Tools, entry: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    """The outputs of one entry of the differentiated module."""
    return tools.run_entry("gradient.mlir", entry, inputs, outputs)


def check(tools: Tools, graph: Graph, sharded: bool) -> None:
    (tools.work / "f.mlir").write_text(graph.source(sharded))
    tools.output("tp-opt", "f.mlir", "--nn-differentiate", "-o", "gradient.mlir")
    random = np.random.default_rng(1)
    x = {name: random.normal(size=shape) for name, shape in graph.shapes.items()}
    ids = {} if graph.ids is None else {"ids": graph.ids}
    g = random.normal(size=graph.result)
    names = [f"{name}.gradient" for name in graph.shapes]
    gradients = run(tools, "forward_gradient", {**ids, **x, "y.gradient": g}, names)
    step = 1e-5
    for name, gradient in zip(graph.shapes, gradients):
        v = random.normal(size=graph.shapes[name])
        ends = []
        for sign in (1, -1):
            moved = {**x, name: x[name] + sign * step * v}
            (y,) = run(tools, "forward", {**ids, **moved}, ["y"])
            ends.append(float(np.sum(y * g)))
        wanted = (ends[0] - ends[1]) / (2 * step)
        got = float(np.sum(gradient * v))
        if abs(got - wanted) > 1e-8 * max(1, abs(wanted)):
            fail(f"{name}: the derivative along v is {got}, central differences give {wanted}")


if __name__ == "__main__":
    main(
        {
            "model": lambda tools: check(tools, MODEL, False),
            "model-sharded": lambda tools: check(tools, MODEL, True),
            "layout": lambda tools: check(tools, LAYOUT, False),
            "layout-sharded": lambda tools: check(tools, LAYOUT, True),
        }
    )
