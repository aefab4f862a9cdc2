"""Gradients of contraction, RMSNorm and embedding against central differences, in f64.

The graph y = contract(rms_norm(embedding(ids, table), weight), projection) is differentiated by nn-differentiate. For a
random gradient g of y and a random direction v of each argument x, <gradient of x, v> must be the central difference of
<y, g> along v. `sharded` places the hidden dim over two ranks, so that the norm is written out and reduced.
"""

from pathlib import Path

import numpy as np
from support import Tools, fail, main

SHAPES = {"table": (7, 4), "weight": (4,), "projection": (5, 4)}
HIDDEN = {"table": "[{}, {\"tp\"}]", "weight": "[{\"tp\"}]", "projection": "[{}, {\"tp\"}]"}


def source(sharded: bool) -> str:
    """The module; with shardings on its arguments if `sharded`."""

    def argument(name: str) -> str:
        shape = "x".join(map(str, SHAPES[name]))
        sharding = f", tp.sharding = #tp.sharding<@mesh, {HIDDEN[name]}>" if sharded else ""
        return f'%{name}: tensor<{shape}xf64> {{nn.input = "{name}"{sharding}}}'

    return f"""
    {'tp.mesh @mesh = <["tp"=2]>' if sharded else ''}
    func.func @forward(%ids: tensor<2x3xi32> {{nn.input = "ids"}}, {", ".join(map(argument, SHAPES))})
        -> (tensor<2x3x5xf64> {{nn.output = "y"}}) {{
      %0 = nn.embedding %ids, %table : (tensor<2x3xi32>, tensor<7x4xf64>) -> tensor<2x3x4xf64>
      %1 = nn.rms_norm %0, %weight epsilon 1.0e-5 : (tensor<2x3x4xf64>, tensor<4xf64>) -> tensor<2x3x4xf64>
      %2 = nn.contract %1, %projection "bsk,nk->bsn" : (tensor<2x3x4xf64>, tensor<5x4xf64>) -> tensor<2x3x5xf64>
      return %2 : tensor<2x3x5xf64>
    }}
    """


def run(tools: Tools, entry: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    """The outputs of one entry of the differentiated module."""
    return tools.run_entry("gradient.mlir", entry, inputs, outputs)


def check(tools: Tools, sharded: bool) -> None:
    (tools.work / "f.mlir").write_text(source(sharded))
    tools.output("tp-opt", "f.mlir", "--nn-differentiate", "-o", "gradient.mlir")
    random = np.random.default_rng(1)
    ids = np.array([[0, 6, 3], [3, 3, 1]], np.int32)
    x = {name: random.normal(size=shape) for name, shape in SHAPES.items()}
    g = random.normal(size=(2, 3, 5))
    names = [f"{name}.gradient" for name in SHAPES]
    gradients = run(tools, "forward_gradient", {"ids": ids, **x, "y.gradient": g}, names)
    step = 1e-5
    for name, gradient in zip(SHAPES, gradients):
        v = random.normal(size=SHAPES[name])
        ends = []
        for sign in (1, -1):
            moved = {**x, name: x[name] + sign * step * v}
            (y,) = run(tools, "forward", {"ids": ids, **moved}, ["y"])
            ends.append(float(np.sum(y * g)))
        wanted = (ends[0] - ends[1]) / (2 * step)
        got = float(np.sum(gradient * v))
        if abs(got - wanted) > 1e-8 * max(1, abs(wanted)):
            fail(f"{name}: the derivative along v is {got}, central differences give {wanted}")


if __name__ == "__main__":
    main({"whole": lambda tools: check(tools, False), "sharded": lambda tools: check(tools, True)})
