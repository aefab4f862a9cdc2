"""The mixtures of experts of test/Plan/experts.mlir, run on 1 to 4 ranks, against NumPy.

Experts split over ranks (8 on 3 is uneven) or sharded inside, weighted by gates that are 0 for all but the best 2; and
groups of tokens (4 on 3 is uneven) sent to their experts' ranks with a capacity, beyond which they are dropped and counted.
"""

import numpy as np
from support import ROOT, Tools, check, check_close, main

HIDDEN, WIDTH, BEST = 16, 32, 2
PASSES = [
    "-tp-propagate", "-tp-decompose", "-tp-propagate", "-tp-insert-reshards", "-tp-keep-program", "-tp-partition",
    "-tp-verify-placements", "-tp-verify-erasure", "-tp-merge-collectives", "-tp-verify-placements", "-tp-verify-erasure=drop",
]  # fmt: skip


def program(name: str, ranks: int) -> str:
    """A part of the lit test, on a mesh of so many ranks."""
    text = (ROOT / "test" / "Plan" / "experts.mlir").read_text()
    part = text.split(f"//--- {name}.mlir\n")[1].split("//---")[0]
    axis = "ep" if name == "dispatch" else "tp"
    check(f'["{axis}"=4]' in part, f"no mesh in {name}")
    return part.replace(f'["{axis}"=4]', f'["{axis}"={ranks}]')


def run(tools: Tools, name: str, ranks: int, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    (tools.work / "f.mlir").write_text(program(name, ranks))
    tools.output("tp-opt", "f.mlir", *PASSES, "-o", "local.mlir")
    return tools.run_entry("local.mlir", "f", inputs, outputs)


def data(experts: int, *rows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    inputs = {
        "x": random.normal(size=(*rows, HIDDEN)),
        "router": random.normal(size=(experts, HIDDEN)),
        "gate": random.normal(size=(experts, WIDTH, HIDDEN)) / 4,
        "up": random.normal(size=(experts, WIDTH, HIDDEN)) / 4,
        "down": random.normal(size=(experts, HIDDEN, WIDTH)) / 4,
    }
    return {name: value.astype(np.float32) for name, value in inputs.items()}


def expert(inputs: dict[str, np.ndarray], number: int, x: np.ndarray) -> np.ndarray:
    gate, up, down = (inputs[name][number].astype(np.float64) for name in ("gate", "up", "down"))
    gated = gate @ x
    return down @ (gated / (1 + np.exp(-gated)) * (up @ x))


def chosen(inputs: dict[str, np.ndarray], x: np.ndarray) -> list[tuple[int, float]]:
    """The experts of one token and their shares."""
    logits = inputs["router"].astype(np.float64) @ x
    exponentials = np.exp(logits - logits.max())
    best = np.argsort(-exponentials, kind="stable")[:BEST]
    return [(int(i), float(exponentials[i] / exponentials[best].sum())) for i in best]


def check_dense(tools: Tools, name: str) -> None:
    inputs = data(8, 12)
    wanted = np.stack([sum(share * expert(inputs, i, x) for i, share in chosen(inputs, x)) for x in inputs["x"]])
    for ranks in (1, 2, 3, 4):
        (found,) = run(tools, name, ranks, inputs, ["y"])
        check_close(found, wanted, 1e-5, f"{name} on {ranks}")


def dispatch(tools: Tools) -> None:
    capacity, experts = 3, 12
    inputs = data(experts, 4, 12)
    wanted, lost = np.zeros_like(inputs["x"], dtype=np.float64), np.zeros(4)
    for group, tokens in enumerate(inputs["x"]):
        filled = [0] * experts
        for token, x in enumerate(tokens):
            for i, share in chosen(inputs, x):
                if filled[i] < capacity:
                    wanted[group, token] += share * expert(inputs, i, x)
                else:
                    lost[group] += 1
                filled[i] += 1
    check(lost.any() and lost.sum() < 48, f"the test drops {lost}")
    for ranks in (1, 2, 3, 4):
        found, overflow = run(tools, "dispatch", ranks, inputs, ["y", "overflow"])
        check_close(found, wanted, 1e-5, f"dispatch on {ranks}")
        check((overflow == lost).all(), f"{overflow} dropped on {ranks} ranks instead of {lost}")


if __name__ == "__main__":
    main({
        "split": lambda tools: check_dense(tools, "split"),
        "inside": lambda tools: check_dense(tools, "inside"),
        "dispatch": dispatch,
    })  # fmt: skip
