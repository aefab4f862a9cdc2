"""Planned memory against what is live at once, and memory while weights are loaded against what they take in the end.

    build/venv/bin/python3 bench/memory.py build/bin MODEL.gguf > bench/memory.md

**Planned.** For every entry of the programs of `test/Integration/memory.py`: the arena of one device over the bound, which is what is live
in it at one instant, with buffers rounded up to 64 bytes. Parameters, state, inputs and outputs have buffers of their own, with no gaps. A
test holds each below 1.02.

**Loading.** MODEL, a GGUF file, is loaded by a compiled program with a prefill of 128 tokens and a cache of 256, and looked at every few
milliseconds. `footprint` is what all ranks reserve: parameters, state, arena, inputs and outputs. `anonymous` is what is resident of the
process's own memory, less what it had before it opened MODEL: at the most while it loads, and when it has loaded, before it runs. `file` is
the most of MODEL that is resident at one time; the system takes such pages back when it needs them. `beside` is the most of both together
above what is there in the end.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "Integration"))  # before this folder, which has a memory.py too

from decode import WAYS  # noqa: E402
from memory import PROGRAMS, largest_tensor, planned, watch_load  # noqa: E402
from support import Tools  # noqa: E402


def print_planned(tools: Tools) -> None:
    print("## Planned\n\n| programs | entries | over the bound, at the most | largest arena, MB | its bound, MB |\n|---|---|---|---|---|")
    for name, programs in PROGRAMS.items():
        found = [entry for _, module in programs(tools) for entry in planned(tools, module)]
        arena, live = max(found)
        worst = max(arena / live for arena, live in found if live)
        print(f"| {name} | {len(found)} | {worst:.4f} | {arena / 1e6:.3f} | {live / 1e6:.3f} |", flush=True)


def print_loading(tools: Tools, model: Path) -> None:
    largest = largest_tensor(model)
    print(f"\n## Loading\n\nIn MB. The largest tensor of {model.name} takes {largest / 1e6:.1f}.\n")
    print("| ranks | weights | footprint | anonymous, at the most | when loaded | file, at the most | beside |\n|---|---|---|---|---|---|---|")
    for ranks in (1, 2):
        for way, options in WAYS.items():
            module = tools.import_model(model, "--entry=generate", "--seq=128", "--max-seq=256", *options)
            footprint = tools.report(tools.shard(module, f"tp={ranks}"))["memory"]["peak"] * ranks
            tools.output("tp-compile", module, f"--mesh=tp={ranks}", "-o", "program.so")
            load = watch_load(tools, tools.work / "program.so", model)
            row = [footprint, load.anonymous, load.loaded, load.file, load.beside]
            print(f"| {ranks} | {way} | " + " | ".join(f"{size / 1e6:.1f}" for size in row) + " |", flush=True)


def main() -> None:
    print("# Memory\n\n" + (__doc__ or ""))
    model = Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as work:
        tools = Tools(Path(sys.argv[1]), Path(work))
        print_planned(tools)
        print_loading(tools, model)


if __name__ == "__main__":
    main()
