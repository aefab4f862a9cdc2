"""Cross-entropy over sharded classes and rows against NumPy, with its gradients.

The reference follows torch.nn.functional.cross_entropy, in f64: class weights, ids that are ignored, label smoothing, ids
or probabilities, each reduction. The one difference is meant: the mean of a batch that is ignored altogether is 0.
Classes, 7, are spread over `tp` ranks and rows, 2 x 5, over `dp`; gradients are held against central differences of the
reference.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from support import Tools, check, main

ROWS, CLASSES, IGNORED = (2, 5), 7, -100
MESHES = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 2)]


@dataclass(frozen=True)
class Kind:
    """One cross-entropy, as its attributes say."""

    reduction: str
    has_ids: bool = True
    has_weights: bool = False
    ignores: bool = False
    smoothing: float = 0.0

    @property
    def options(self) -> str:
        text = " weights %w" if self.has_weights else ""
        text += f" ignore_index {IGNORED}" if self.ignores else ""
        text += f" label_smoothing {self.smoothing}" if self.smoothing else ""
        return f'{text} reduction "{self.reduction}"'


def kinds() -> list[Kind]:
    no_yes = (False, True)
    every = [Kind(*values) for values in product(("none", "sum", "mean"), no_yes, no_yes, no_yes, (0.0, 0.25))]
    return [kind for kind in every if kind.has_ids or not kind.ignores]


def reference(kind: Kind, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The loss in f64."""
    x, t, w = inputs["x"], inputs["t"] if kind.has_ids else inputs["p"], inputs["w"]
    shifted = x - x.max(-1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    w = w if kind.has_weights else np.ones(CLASSES)
    counts = np.ones(ROWS)
    targets = t
    if kind.has_ids:
        is_ignored = (t == IGNORED) & kind.ignores
        targets = np.eye(CLASSES)[np.where(is_ignored, 0, t)]
        counts = np.where(is_ignored, 0, targets @ w)
    targets = (1 - kind.smoothing) * targets + kind.smoothing / CLASSES
    losses = -(w * targets * logarithms).sum(-1)
    if kind.has_ids:
        losses = np.where(is_ignored, 0, losses)
    if kind.reduction == "none":
        return losses
    if kind.reduction == "sum":
        return losses.sum()
    return losses.sum() / counts.sum() if counts.sum() else np.zeros(())


def source(cases: list[Kind], mesh: tuple[int, int]) -> str:
    """A function with a result for each case."""
    rows, logits = "x".join(map(str, ROWS)), "x".join(map(str, (*ROWS, CLASSES)))
    x, w = f"tensor<{logits}xf64>", f"tensor<{CLASSES}xf64>"
    lines, results = [], []
    for number, kind in enumerate(cases):
        target, targets = ("%t", f"tensor<{rows}xi32>") if kind.has_ids else ("%p", x)
        results.append(f"tensor<{rows}xf64>" if kind.reduction == "none" else "tensor<f64>")
        types = f"{x}, {targets}" + (f", {w}" if kind.has_weights else "")
        lines.append(f"%y{number} = nn.cross_entropy %x, {target}{kind.options} : ({types}) -> {results[-1]}")
    outputs = ", ".join(f'{result} {{nn.output = "y{number}"}}' for number, result in enumerate(results))
    values = ", ".join(f"%y{number}" for number in range(len(cases)))
    body = "\n".join(lines)
    return f"""
    tp.mesh @mesh = <["dp"={mesh[0]}, "tp"={mesh[1]}]>
    func.func @f(
        %x: {x} {{nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{{}}, {{"dp"}}, {{"tp"}}]>}},
        %t: tensor<{rows}xi32> {{nn.input = "t"}}, %p: {x} {{nn.input = "p"}}, %w: {w} {{nn.input = "w"}}) -> ({outputs}) {{
      {body}
      return {values} : {", ".join(results)}
    }}"""


def data(all_ignored: bool = False) -> dict[str, np.ndarray]:
    """Some ids are ignored, or all."""
    random = np.random.default_rng(3)
    ids = random.integers(0, CLASSES, ROWS).astype(np.int32)
    ids[0, 1:4] = ids[1, 4] = IGNORED
    if all_ignored:
        ids[:] = IGNORED
    return {
        "x": random.normal(size=(*ROWS, CLASSES)) * 20,
        "t": ids,
        "p": random.dirichlet(np.ones(CLASSES), ROWS),
        "w": random.uniform(0.5, 2, CLASSES),
    }


def run(tools: Tools, entry: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    return tools.run_entry("loss.mlir", entry, inputs, outputs)


def losses(tools: Tools, cases: list[Kind], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return run(tools, "f", inputs, [f"y{number}" for number in range(len(cases))])


def check_near(found: np.ndarray, wanted: np.ndarray, tolerance: float, what: str) -> None:
    error = np.abs(found - wanted).max()
    check(error < tolerance * (1 + np.abs(wanted).max()), f"{what}: {found} instead of {wanted}")


def no_logit_travels(tools: Tools, mesh: tuple[int, int]) -> None:
    """All that is sent are sums and maxima: at most 2 numbers a row in a message of one loss."""
    tools.output("tp-opt", "loss.mlir", "--tp-shard", "-o", "local.mlir")
    rows = ROWS[0] * -(-ROWS[1] // mesh[0])
    for collective in tools.report(tools.work / "local.mlir")["collectives"]:
        sizes = [int(np.prod(tensor["shape"])) for tensor in collective["tensors"]]
        is_small = collective["kind"] == "all_reduce" and max(sizes) <= rows
        check(is_small, f"{collective['kind']} of {sizes} numbers: {collective['reason']}")


def forward(tools: Tools) -> None:
    inputs = data()
    for ignores in (False, True):
        cases = [kind for kind in kinds() if kind.ignores == ignores]
        if not ignores:
            inputs["t"] = np.where(inputs["t"] == IGNORED, 2, inputs["t"])
        for mesh in MESHES:
            (tools.work / "loss.mlir").write_text(source(cases, mesh))
            no_logit_travels(tools, mesh)
            for kind, loss in zip(cases, losses(tools, cases, inputs)):
                check_near(loss, reference(kind, inputs), 1e-10, f"{kind} on {mesh}")
        inputs = data()


def ignored(tools: Tools) -> None:
    """A batch without a target: every loss is 0, and so are the gradients."""
    cases = [kind for kind in kinds() if kind.ignores]
    inputs = data(all_ignored=True)
    for mesh in [(1, 1), (2, 2)]:
        (tools.work / "f.mlir").write_text(source(cases, mesh))
        tools.output("tp-opt", "f.mlir", "--nn-differentiate", "-o", "loss.mlir")
        found = losses(tools, cases, inputs)
        for kind, loss in zip(cases, found):
            check(not loss.any(), f"{kind} on {mesh}: {loss}")
        ones = {f"y{number}.gradient": np.ones_like(loss) for number, loss in enumerate(found)}
        for gradient in run(tools, "f_gradient", {**inputs, **ones}, ["x.gradient", "w.gradient"]):
            check(not gradient.any(), f"{mesh}: gradient {gradient}")


def gradients(tools: Tools) -> None:
    """Of all cases together, each times random numbers."""
    cases = [kind for kind in kinds() if kind.ignores or not kind.has_ids]
    inputs = data()
    inputs["x"] /= 10  # So that differences are not lost in rounding.
    random = np.random.default_rng(5)
    scales = [random.normal(size=reference(kind, inputs).shape) for kind in cases]

    def total(name: str, place: tuple[int, ...], step: float) -> float:
        moved = {**inputs, name: inputs[name].copy()}
        moved[name][place] += step
        return sum(float((reference(kind, moved) * scale).sum()) for kind, scale in zip(cases, scales))

    step = 1e-6
    wanted = {name: np.zeros_like(inputs[name]) for name in "xpw"}
    for name, gradient in wanted.items():
        for place in np.ndindex(gradient.shape):
            gradient[place] = (total(name, place, step) - total(name, place, -step)) / (2 * step)
    for mesh in [(1, 1), (1, 3), (2, 2)]:
        (tools.work / "f.mlir").write_text(source(cases, mesh))
        tools.output("tp-opt", "f.mlir", "--nn-differentiate", "-o", "loss.mlir")
        given = {f"y{number}.gradient": scale for number, scale in enumerate(scales)}
        found = run(tools, "f_gradient", {**inputs, **given}, [f"{name}.gradient" for name in wanted])
        for (name, gradient), mine in zip(wanted.items(), found):
            check_near(mine, gradient, 1e-7, f"gradient of {name} on {mesh}")


if __name__ == "__main__":
    main({"forward": forward, "ignored": ignored, "gradients": gradients})
