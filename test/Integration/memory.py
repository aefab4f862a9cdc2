"""Planned memory of every model of these tests, against what is live at once; what is copied; what loading takes.

The bound of a program is the most bytes that are live at one instant, as `tp-report` finds them again from the places and the uses of
values in the planned module, without the offsets; no plan for that program can do with less. It is held against the arena alone:
parameters, state, inputs and outputs have buffers of their own.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blocks import BLOCK, FAMILIES
from gradient import LAYOUT, MODEL
from support import Tools, check, fail, main, smollm2

from checkpoint_files import BLOCKS
from gguf_file import GgufFile, TensorInfo
from make_checkpoint import make_config, make_variant
from variants import CONFIGS, VARIANTS

MOST = 1.02  # of the bound
RANKS = (1, 2, 3, 4)
SMALL = 4 << 20

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
            parameter = f'name = "{name}.{i}", tensor = "{name}.{i}", shape = {shape}, offset = {zeros}, dims = {dims}, strides = {ones}'
            parameter += ', initialisation = "normal"'
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


def planned(tools: Tools, module: Path) -> list[tuple[int, int]]:
    """Of each entry, bytes of one device: of its arena, and those of it that are live at one instant."""
    memory = tools.report(module)["memory"]
    phases = memory["phases"]
    others = memory["parameters"] + memory["state"]
    peak = max(others + phase["inputs"] + phase["outputs"] + phase["arena"] for phase in phases)
    check(peak == memory["peak"], f"{memory['peak']} bytes are reported, the entries have {peak}")
    return [(phase["arena"], phase["live"]) for phase in phases]


def check_planned(programs: Callable[[Tools], Iterator[Program]]) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        count = 0
        for name, module in programs(tools):
            for arena, live in planned(tools, module):
                check(live <= arena <= MOST * live, f"{name}: the arena has {arena} bytes, {live} are live at once")
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


def resident(process: int, model: Path) -> tuple[int, int]:
    """Bytes of anonymous memory, and of the model's file; -1 where that is not mapped."""
    anonymous, file, inside, mapped = 0, 0, False, False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        if line[0] in "0123456789abcdef":
            inside = line.endswith(model.name)
            mapped |= inside
        elif line.startswith("Anonymous:"):
            anonymous += int(line.split()[1]) * 1024
        elif inside and line.startswith("Rss:"):
            file += int(line.split()[1]) * 1024
    return anonymous, file if mapped else -1


@dataclass
class Load:
    """Resident bytes while a program's weights are loaded, less what there was before."""

    anonymous: int  # at the most
    loaded: int  # anonymous in the end
    file: int  # of the model's file, at the most
    beside: int  # both together at the most, above `loaded`


def watch_load(tools: Tools, program: Path, model: Path) -> Load:
    """Runs a compiled program and looks at the process every few milliseconds."""
    command = [tools.bin / "tp-bench", "steps", program, "--repetitions=1", "--input=length=1"]
    before, samples, closed = 0, [], 0.0
    with subprocess.Popen(command, cwd=tools.work, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                anonymous, file = resident(process.pid, model)
            except (FileNotFoundError, ProcessLookupError):
                break
            if file >= 0:
                samples.append((anonymous, file))
                closed = time.monotonic()
            elif not samples:
                before = anonymous
            elif time.monotonic() > closed + 0.5:  # the file is opened twice: its header is read first
                break
            time.sleep(0.002)
    if process.returncode or not samples:
        fail(f"{' '.join(map(str, command))}: exit status {process.returncode}, {len(samples)} samples")
    anonymous, files = zip(*samples)
    return Load(max(anonymous) - before, anonymous[-1] - before, max(files), max(map(sum, samples)) - anonymous[-1])


def largest_tensor(model: Path) -> int:
    """Its bytes in the file."""

    def size(info: TensorInfo) -> int:
        elements, block = BLOCKS[info.type]
        return math.prod(info.shape) // elements * block

    return max(map(size, GgufFile(model).tensors.values()))


def check_loading(tools: Tools) -> None:
    """Weights go from the mapped file to where they stay: beside them there is never more than the largest tensor."""
    model = smollm2()
    largest = largest_tensor(model)
    for ranks, options in ((1, ["--dequantise"]), (2, ["--dtype=bf16"]), (2, [])):
        module = tools.import_model(model, "--entry=generate", "--seq=8", "--max-seq=64", *options)
        footprint = tools.report(tools.shard(module, f"tp={ranks}"))["memory"]["peak"] * ranks
        tools.output("tp-compile", module, f"--mesh=tp={ranks}", "-o", "program.so")
        load = watch_load(tools, tools.work / "program.so", model)
        print(f"{ranks} ranks, {options}: {load}, {footprint} reserved, {largest} in the largest tensor")
        check(load.loaded > footprint / 2, "the weights were not seen being loaded")
        # Stacks and what else is small and does not grow with the model.
        check(load.anonymous <= footprint + ranks * SMALL, "more is resident than is reserved")
        check(load.beside <= largest + ranks * SMALL, "more than one tensor lies beside the weights")


if __name__ == "__main__":
    main({name: check_planned(programs) for name, programs in PROGRAMS.items()} | {"in-place": check_in_place, "loading": check_loading})
