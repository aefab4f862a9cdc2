"""Planned memory of every model of these tests: against what is live at once, and what is copied.

The bound of a program is the most bytes that are live at one instant, as `tp-report` finds them again from the places and the uses of
values in the planned module, without the offsets; no plan for that program can do with less. Parameters, state, inputs and outputs have
buffers of their own and count on both sides.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from blocks import BLOCK, FAMILIES
from gradient import LAYOUT, MODEL
from support import Tools, check, main, smollm2

from make_checkpoint import CONFIGS, VARIANTS, make_config, make_variant

MOST = 1.02  # of the bound
RANKS = (1, 2, 3, 4)

Program = tuple[str, Path]  # what is said of it, and the sharded module


def smollm2_programs(tools: Tools) -> Iterator[Program]:
    kinds = {
        "forward": ["--entry=forward", "--seq=128"],
        "generate": ["--entry=generate", "--seq=128", "--max-seq=256"],
        "generate, f32": ["--entry=generate", "--seq=512", "--max-seq=512", "--dequantise"],
        "generate, bf16": ["--entry=generate", "--seq=64", "--max-seq=256", "--dtype=bf16"],
    }
    for name, options in kinds.items():
        module = tools.import_model(smollm2(), *options)
        for ranks in RANKS:
            yield f"SmolLM2 {name} on {ranks}", tools.shard(module, f"tp={ranks}")


def variant_programs(tools: Tools) -> Iterator[Program]:
    for name in VARIANTS:
        make_variant(name, tools.work / name)
        for entry in ("forward", "generate"):
            module = tools.import_model(name, f"--entry={entry}", "--batch=2", "--seq=8")
            for mesh in ("tp=1", "tp=2", "tp=3", "dp=2,tp=2"):
                yield f"{name}, {entry}, {mesh}", tools.shard(module, mesh)


def block_programs(tools: Tools) -> Iterator[Program]:
    for family in FAMILIES:
        for size in (["small"], []):
            command = [sys.executable, BLOCK, family, *size]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            (tools.work / "block.mlir").write_text(text)
            for ranks in RANKS:
                yield f"{family} {' '.join(size)} on {ranks}", tools.shard(tools.work / "block.mlir", f"tp={ranks}")


def large_programs(tools: Tools) -> Iterator[Program]:
    for name in CONFIGS:
        make_config(name, tools.work / name)
        module = tools.import_model(name, "--entry=forward", "--seq=128")
        yield f"{name} on 8", tools.shard(module, "tp=8")


def perceptrons(layers: int, rows: int, hidden: int, inner: int) -> str:
    """The second halves of so many Llama blocks, and a loss."""
    x, wide, narrow = f"tensor<{rows}x{hidden}xf32>", f"tensor<{rows}x{inner}xf32>", f"tensor<{inner}x{hidden}xf32>"
    norm, last = f"tensor<{hidden}xf32>", f"tensor<{hidden}x{inner}xf32>"
    weights = {"n": [hidden], "gate": [inner, hidden], "up": [inner, hidden], "down": [hidden, inner]}
    arguments, lines, value = [f'%x: {x} {{nn.input = "x"}}', f'%t: tensor<{rows}xi32> {{nn.input = "t"}}'], [], "%x"
    for i in range(layers):
        for name, shape in weights.items():
            dims, ones, zeros = list(range(len(shape))), [1] * len(shape), [0] * len(shape)
            parameter = f'name = "{name}.{i}", tensor = "{name}.{i}", shape = {shape}, offset = {zeros}, dims = {dims}, strides = {ones}, initialisation = "normal"'
            arguments.append(f"%{name}{i}: tensor<{'x'.join(map(str, shape))}xf32> {{nn.parameter = #nn.parameter<{parameter}>}}")
        lines.append(
            f"""
            %a{i} = nn.rms_norm {value}, %n{i} epsilon 1.0e-5 : ({x}, {norm}) -> {x}
            %b{i} = nn.contract %a{i}, %gate{i} "mk,nk->mn" : ({x}, {narrow}) -> {wide}
            %c{i} = nn.contract %a{i}, %up{i} "mk,nk->mn" : ({x}, {narrow}) -> {wide}
            %d{i} = math.tanh %b{i} : {wide}
            %e{i} = arith.mulf %c{i}, %d{i} : {wide}
            %f{i} = nn.contract %e{i}, %down{i} "mk,nk->mn" : ({wide}, {last}) -> {x}
            %g{i} = arith.addf {value}, %f{i} : {x}"""
        )
        value = f"%g{i}"
    lines.append(f'\n            %y = nn.cross_entropy {value}, %t reduction "mean" : ({x}, tensor<{rows}xi32>) -> tensor<f32>')
    return f"""
        func.func @loss({", ".join(arguments)}) -> (tensor<f32> {{nn.output = "y"}}) {{{"".join(lines)}
          return %y : tensor<f32>
        }}"""


def gradient_programs(tools: Tools) -> Iterator[Program]:
    graphs = {"model": MODEL.source(False), "layout": LAYOUT.source(False)}
    graphs |= {f"{layers} perceptrons": perceptrons(layers, 32, 64, 176) for layers in (1, 4, 24)}
    for name, text in graphs.items():
        (tools.work / "graph.mlir").write_text(text)
        tools.output("tp-opt", "graph.mlir", "--nn-differentiate", "-o", "gradient.mlir")
        for mesh in ("tp=1", "tp=2", "tp=3", "dp=2,tp=2"):
            yield f"gradient of {name}, {mesh}", tools.shard(tools.work / "gradient.mlir", mesh)


PROGRAMS = {
    "smollm2": smollm2_programs,
    "variants": variant_programs,
    "blocks": block_programs,
    "large": large_programs,
    "gradients": gradient_programs,
}


def planned(tools: Tools, module: Path) -> tuple[int, int]:
    """Bytes of one device that are planned, and the bound, of the entry with the most."""
    memory = tools.report(module)["memory"]
    fixed = memory["parameters"] + memory["state"]
    phases = [(fixed + phase["inputs"] + phase["outputs"], phase) for phase in memory["phases"]]
    check(bool(phases), "nothing was planned")
    peak = max(others + phase["arena"] for others, phase in phases)
    check(peak == memory["peak"], f"{memory['peak']} bytes are reported, the entries have {peak}")
    return peak, max(others + phase["live"] for others, phase in phases)


def check_planned(programs: Callable[[Tools], Iterator[Program]]) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        count = 0
        for name, module in programs(tools):
            peak, bound = planned(tools, module)
            check(bound <= peak <= MOST * bound, f"{name}: {peak} bytes are planned, {bound} are live at once")
            count += 1
        print(f"{count} programs")
        check(count > 0, "there are no programs")

    return case


def check_in_place(tools: Tools) -> None:
    """A step writes its keys and values into the caches where they are: nothing copies a cache, or anything of its type."""
    make_variant("grouped", tools.work / "grouped")
    models = {"grouped": tools.work / "grouped", "SmolLM2": smollm2()}
    for name, model in models.items():
        module = tools.import_model(model, "--entry=generate", "--seq=8", "--max-seq=40")
        for ranks in RANKS:
            sharded = tools.shard(module, f"tp={ranks}")
            lowered = tools.run("tp-opt", sharded, "--tp-lower-runtime")
            check(lowered.returncode == 0 and not lowered.stderr, f"{name} on {ranks}: {lowered.stderr}")
            caches = re.findall(r"%arg\d+: (memref<[^>]*>) \{[^{}]*\{[^{}]*nn\.state", lowered.stdout)
            updated = re.findall(r"rt\.cache_update (%\w+), .* : (memref<[^>]*>), memref", lowered.stdout)
            check(len(caches) > 1, f"{name} on {ranks}: no caches")
            check(len(updated) == len(caches), f"{name} on {ranks}: {len(updated)} updates of {len(caches)} caches")
            check(all(value.startswith("%arg") for value, _ in updated), f"{name} on {ranks}: what is updated is no argument")
            # No other buffer has a cache's type, and no other op takes one.
            users = {line.split()[0] for line in lowered.stdout.splitlines() if caches[0] in line}
            check(users == {"func.func", "rt.cache_update", "rt.attention", "return"}, f"{name} on {ranks}: {sorted(users)} take a cache")


if __name__ == "__main__":
    main({name: check_planned(programs) for name, programs in PROGRAMS.items()} | {"in-place": check_in_place})
