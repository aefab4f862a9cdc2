"""NaN and infinities in sharded programs: where the unsharded program has them, and nowhere else.

Rows of ordinary numbers get some of NaN, infinity and minus infinity at random. Every op is run as it is, and on 2, 3 and 4 ranks with the
dim of 7 over them, which pads it, with the rows over them, and with the columns of the result. Results must be NaN at the same places and
infinite with the same sign at the same places; other numbers agree as far as the order of additions lets them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from support import Tools, check, main

from checkpoint_files import BLOCKS, Q4_0, Q4_1, Q8_0
from gguf_file import GgufFile
from gguf_writer import write_gguf
from make_checkpoint import GGUF_CONFIG, gguf_metadata, gguf_tensors

ROWS, COLUMNS, WIDTH, KEYS = 96, 5, 7, 6
RANKS = (2, 3, 4)

# Outputs and the op that gives them, of %x [rows, 7], %w [5, 7], %n [7], %t [rows], and of %q, %k and %v for attention.
OPS = {
    "sum": ("%y = nn.reduce %x \"sum\" dims [1] : (@x) -> @r", {"y": "@r"}),
    "max": ("%y = nn.reduce %x \"max\" dims [1] : (@x) -> @r", {"y": "@r"}),
    "min": ("%y = nn.reduce %x \"min\" dims [1] : (@x) -> @r", {"y": "@r"}),
    "softmax": ("%y = nn.softmax %x dim 1 : @x", {"y": "@x"}),
    "rms-norm": ("%y = nn.rms_norm %x, %n epsilon 1.0e-5 : (@x, @n) -> @x", {"y": "@x"}),
    "contract": ("%y = nn.contract %x, %w \"mk,nk->mn\" : (@x, @w) -> @y", {"y": "@y"}),
    "cross-entropy": ("%y = nn.cross_entropy %x, %t reduction \"none\" : (@x, @t) -> @r", {"y": "@r"}),
    "top-k": ("%y, %z = nn.top_k %x k 3 : (@x) -> (@k, @i)", {"y": "@k", "z": "@i"}),
    "causal": ("%y = nn.attention %q, %k, %v scale 0.5 causal : (@q, @v, @v) -> @q", {"y": "@q"}),
    "attention": ("%y = nn.attention %q, %k, %v scale 0.5 : (@q, @v, @v) -> @q", {"y": "@q"}),
}
PLACEMENTS = {
    "contracted": {"x": '[{}, {"tp"}]', "w": '[{}, {"tp"}]', "n": '[{"tp"}]', "k": '[{}, {"tp"}, {}, {}]', "v": '[{}, {"tp"}, {}, {}]'},
    "rows": {"x": '[{"tp"}, {}]', "t": '[{"tp"}]', "q": '[{"tp"}, {}, {}, {}, {}]'},
    "columns": {"w": '[{"tp"}, {}]', "q": '[{}, {}, {}, {"tp"}, {}]'},
    "queries": {"q": '[{}, {"tp"}, {}, {}, {}]'},
}

# With sharded keys attention is written out: the weight of a key that a query does not see is zero, and zero times infinity is NaN.
EXCEPT = {("causal", "contracted")}


def types(element: str) -> dict[str, str]:
    shapes = {
        "x": (ROWS, WIDTH), "w": (COLUMNS, WIDTH), "n": (WIDTH,), "y": (ROWS, COLUMNS), "r": (ROWS,), "k": (ROWS, 3),
        "q": (ROWS, KEYS, 1, 3, 4), "v": (ROWS, KEYS, 1, 4),
    }  # fmt: skip
    found = {name: f"tensor<{'x'.join(map(str, shape))}x{element}>" for name, shape in shapes.items()}
    return found | {"t": f"tensor<{ROWS}xi32>", "i": f"tensor<{ROWS}x3xi32>"}


ARGUMENTS = {"x": "x", "w": "w", "n": "n", "t": "t", "q": "q", "k": "v", "v": "v"}


def source(op: str, ranks: int, placement: str, element: str) -> str:
    body, outputs = OPS[op]
    known = types(element)
    for name, type in known.items():
        body = body.replace(f"@{name}", type)
    arguments = []
    for name, kind in ARGUMENTS.items():
        if f"%{name}," not in body and f"%{name} " not in body:
            continue
        wanted = PLACEMENTS[placement].get(name) if ranks > 1 else None
        sharding = f", tp.sharding = #tp.sharding<@mesh, {wanted}>" if wanted else ""
        arguments.append(f'%{name}: {known[kind]} {{nn.input = "{name}"{sharding}}}')
    results = {name: known[kind[1:]] for name, kind in outputs.items()}
    returned = ", ".join(f'{type} {{nn.output = "{name}.result"}}' for name, type in results.items())
    return f"""
        {f'tp.mesh @mesh = <["tp"={ranks}]>' if ranks > 1 else ""}
        func.func @f({", ".join(arguments)}) -> ({returned}) {{
          {body}
          return {", ".join(f"%{name}" for name in results)} : {", ".join(results.values())}
        }}"""


def spoil(random: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """About half of the rows get special numbers, most of them one or two, some nothing else."""
    rows = values.reshape(-1, values.shape[-1])
    for row in rows:
        kind = random.integers(8)
        some = [np.nan, np.inf, -np.inf]
        if kind < 4:
            for place in random.integers(0, len(row), random.integers(1, 3)):
                row[place] = random.choice(some)
        elif kind == 4:
            row[:] = random.choice(some, len(row)) if random.integers(2) else random.choice(some)
    return values


def inputs_of(element: type) -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)
    shapes = {"x": (ROWS, WIDTH), "w": (COLUMNS, WIDTH), "n": (WIDTH,), "q": (ROWS, KEYS, 1, 3, 4), "k": (ROWS, KEYS, 1, 4)}
    shapes["v"] = shapes["k"]
    made = {name: random.normal(size=shape).astype(element) for name, shape in shapes.items()}
    for name in ("x", "q"):
        spoil(random, made[name])
    for name, place, value in (("w", (1, 3), np.inf), ("w", (2, 6), np.nan), ("w", (3, 0), -np.inf), ("n", (2,), np.inf)):
        made[name][place] = value
    for name in ("k", "v"):  # of some rows, so that others show what comes from the queries alone
        spoil(random, made[name][: ROWS // 3])
    return made | {"t": random.integers(0, WIDTH, ROWS).astype(np.int32)}


def check_alike(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    kinds = (("NaN", np.isnan), ("infinity", np.isposinf), ("minus infinity", np.isneginf))
    for name, is_kind in kinds:
        different = np.argwhere(is_kind(found) != is_kind(wanted))
        check(not len(different), f"{what}: {len(different)} differ in {name}, the first at {different[:1]}")
    finite = np.isfinite(wanted)
    error = np.abs(found[finite] - wanted[finite]).max(initial=0)
    check(error <= 1e-5 * (1 + np.abs(wanted[finite]).max(initial=0)), f"{what}: finite numbers differ by {error}")


def run(tools: Tools, text: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    (tools.work / "f.mlir").write_text(text)
    wanted = {name: value for name, value in inputs.items() if f'nn.input = "{name}"' in text}
    return tools.run_entry("f.mlir", "f", wanted, outputs)


def op_case(op: str) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        os.environ["TPRT_POISON"] = "1"  # padding and what nobody has written is NaN
        outputs = [f"{name}.result" for name in OPS[op][1]]
        for element, dtype in (("f32", np.float32), ("f64", np.float64)):
            inputs = inputs_of(dtype)
            expected = run(tools, source(op, 1, "rows", element), inputs, outputs)
            floats = np.concatenate([value.ravel() for value in expected if value.dtype.kind == "f"])
            check(not np.isfinite(floats).all() and np.isfinite(floats).any(), f"{op}: nothing special comes out, or nothing else")
            for placement in PLACEMENTS:
                if (op, placement) in EXCEPT:
                    continue
                for ranks in RANKS:
                    found = run(tools, source(op, ranks, placement, element), inputs, outputs)
                    for name, a, b in zip(outputs, found, expected):
                        check_alike(a, b, f"{op}, {name}, {element}, {placement} over {ranks}")

    return case


def stored(tools: Tools) -> None:
    """Weights as a file stores them, with blocks whose scale is NaN or infinite: the logits of those rows, on any number of ranks."""
    for type_ in (Q4_0, Q4_1, Q8_0):
        model = tools.work / "model.gguf"
        config = GGUF_CONFIG | {"tie_word_embeddings": False}
        tensors = gguf_tensors(config)
        for tensor in tensors:
            if tensor.name == "output.weight":
                tensor.type = type_
        write_gguf(model, gguf_metadata(config), tensors)
        info = GgufFile(model).tensors["output.weight"]
        rows, width = info.shape
        elements, size = BLOCKS[type_]
        data = bytearray(model.read_bytes())
        spoilt = {1: 0x7E00, rows // 2: 0x7C00, rows - 2: 0xFC00}  # rows and half-precision NaN and infinities
        for row, bits in spoilt.items():
            at = info.offset + row * (width // elements) * size
            data[at : at + 2] = bits.to_bytes(2, "little")
        model.write_bytes(data)
        for shape in ((2, 13), (1, 3)):  # few rows are multiplied by the blocks as they are
            what = f"type {type_}, {shape}"
            ids = np.random.default_rng(5).integers(0, rows, shape)
            expected = tools.forward(model, ids, "--mesh=tp=1")
            special = set(np.argwhere(~np.isfinite(expected).all(axis=(0, 1))).ravel())
            check(special == set(spoilt), f"{what}: columns {special} instead of {set(spoilt)}")
            widened = tools.forward(model, ids, "--mesh=tp=1", "--dequantise")
            check((np.isfinite(widened) == np.isfinite(expected)).all(), f"{what}: other logits are spoilt when weights are widened")
            for ranks in RANKS:
                check_alike(tools.forward(model, ids, f"--mesh=tp={ranks}"), expected, f"{what} on {ranks}")


if __name__ == "__main__":
    main({op: op_case(op) for op in OPS} | {"stored": stored})
