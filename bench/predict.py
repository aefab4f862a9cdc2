"""Predicted times of a step against measured ones: SmolLM2's prefill of 512 tokens and decode, on 1 and 2 ranks.

    build/venv/bin/python3 bench/predict.py build/bin MODEL [--processor-time] > bench/predict.md

The machine is described by `tp-bench machine`, with as many ranks at work; `tp-report` predicts from that and the sharded module alone.
`tp-bench steps` runs the compiled program: the cache holds 512 tokens, prefill fills it, and decode stands at its last position.
What memory gives here changes between minutes: each of five rounds describes the machine and then runs the steps, and the table has the
medians of the rounds, with the least and the most that a round predicted and measured; what a round measured is itself the median of its
runs. Processor time is what the threads of the process ran, over the ranks: on a machine that others use it is the fairer one, and
`--processor-time` describes the machine by it too; waiting for another rank is then left out of both, but for its spinning.
"""

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

TOKENS = 512
SHAPES = [f"--seq={TOKENS}", f"--max-seq={TOKENS}"]
ROUNDS = 5
PHASES = {"prefill": (0, 3), "decode": (TOKENS - 1, 30)}  # position, runs


class Tools:
    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder.resolve(), work

    def run(self, tool: str, *arguments: str) -> str:
        command = [str(self.folder / tool), *arguments]
        result = subprocess.run(command, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"failed: {' '.join(command)}\n{result.stderr}")
        return result.stdout


def step(tools: Tools, program: str, entry: str) -> tuple[float, float]:
    """Milliseconds, medians: by the wall clock, and of all processors."""
    position, runs = PHASES[entry]
    inputs = [f"--input=position={position}", "--input=length=1"]
    text = tools.run("tp-bench", "steps", program, f"--entry={entry}", f"--repetitions={runs}", *inputs)
    wall, processors = re.findall(r"median ([\d.]+) ms, processors ([\d.]+) ms$", text, re.M)[0]
    return float(wall), float(processors)


@dataclass
class Measured:
    """Milliseconds of each round."""

    predicted: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def span(times: list[float]) -> str:
    return f"{median(times):.1f} ms ({min(times):.1f} to {max(times):.1f})"


def main() -> None:
    options = [argument for argument in sys.argv[3:] if argument.startswith("--")]
    rows = {(ranks, phase): Measured() for ranks in (1, 2) for phase in PHASES}
    machines = {}
    with tempfile.TemporaryDirectory() as directory:
        tools = Tools(Path(sys.argv[1]), Path(directory))
        model = str(Path(sys.argv[2]).resolve())
        tools.run("tp-import", model, "--entry=generate", *SHAPES, "-o", "model.mlir")
        for ranks in (1, 2):
            tools.run("tp-opt", "model.mlir", f"--tp-shard=mesh=tp={ranks} plan=auto", "-o", f"sharded{ranks}.mlir")
            tools.run("tp-compile", "model.mlir", f"--mesh=tp={ranks}", "-o", f"program{ranks}.so")
        for ranks in [1, 2] * ROUNDS:
            tools.run("tp-bench", "machine", f"--ranks={ranks}", "-o", "machine.json", *options)
            machines[ranks] = (tools.work / "machine.json").read_text()
            report = json.loads(tools.run("tp-report", f"sharded{ranks}.mlir", "--machine=machine.json", "--format=json"))
            predicted = {phase["phase"]: phase["microseconds"] / 1e3 for phase in report["time"]}
            for phase in PHASES:
                wall, processors = step(tools, f"./program{ranks}.so", phase)
                row = rows[ranks, phase]
                row.predicted.append(predicted[phase])
                row.wall.append(wall)
                row.processor.append(processors / ranks)
    print("# Predicted and measured steps\n\n" + (__doc__ or ""))
    print("| ranks | phase | predicted | measured | off by | processor time a rank | off by |")
    print("|---|---|---|---|---|---|---|")
    for (ranks, phase), row in rows.items():
        off = [median(row.predicted) / median(times) - 1 for times in (row.wall, row.processor)]
        print(
            f"| {ranks} | {phase} | {span(row.predicted)} | {span(row.wall)} | {off[0]:+.0%} | {span(row.processor)} | {off[1]:+.0%} |"
        )
    print("\nThe machines of the last round:")
    for text in machines.values():
        print("\n```json\n" + text.rstrip() + "\n```")


if __name__ == "__main__":
    main()
