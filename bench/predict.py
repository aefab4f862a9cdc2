"""Predicted times of a step against measured ones: SmolLM2's prefill of 512 tokens and decode, on 1 and 2 ranks.

    build/venv/bin/python3 bench/predict.py build/bin MODEL [--processor-time] > bench/predict.md

The machine is described by `tp-bench machine`, with as many ranks at work; `tp-report` predicts from that and the sharded module alone.
`tp-bench steps` runs the compiled program: the cache holds 512 tokens, prefill fills it, and decode stands at its last position.
Measured are medians. Processor time is what the threads of the process ran, over the ranks: on a machine that others use it is the fairer
one, and `--processor-time` describes the machine by it too; waiting for another rank is then left out of both, but for its spinning.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOKENS = 512
SHAPES = [f"--seq={TOKENS}", f"--max-seq={TOKENS}"]
REPETITIONS = 8


class Tools:
    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder.resolve(), work

    def run(self, tool: str, *arguments: str) -> str:
        command = [str(self.folder / tool), *arguments]
        result = subprocess.run(command, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"failed: {' '.join(command)}\n{result.stderr}")
        return result.stdout


def steps(tools: Tools, program: str, position: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each entry, medians: by the wall clock, and of all processors."""
    text = tools.run(
        "tp-bench", "steps", program, f"--repetitions={REPETITIONS}", f"--input=position={position}", "--input=length=1"
    )
    found = re.findall(r"^(\w+): least [\d.]+ ms, median ([\d.]+) ms, processors ([\d.]+) ms$", text, re.M)
    return {name: (float(wall), float(processors)) for name, wall, processors in found}


def main() -> None:
    options = [argument for argument in sys.argv[3:] if argument.startswith("--")]
    with tempfile.TemporaryDirectory() as directory:
        tools = Tools(Path(sys.argv[1]), Path(directory))
        model = str(Path(sys.argv[2]).resolve())
        tools.run("tp-import", model, "--entry=generate", *SHAPES, "-o", "model.mlir")
        print("# Predicted and measured steps\n\n" + (__doc__ or ""))
        print("| ranks | phase | predicted | measured | off by | processor time a rank | off by |")
        print("|---|---|---|---|---|---|---|")
        machines = []
        for ranks in (1, 2):
            tools.run("tp-bench", "machine", f"--ranks={ranks}", "-o", "machine.json", *options)
            machines.append((tools.work / "machine.json").read_text())
            tools.run("tp-opt", "model.mlir", f"--tp-shard=mesh=tp={ranks} plan=auto", "-o", "sharded.mlir")
            report = json.loads(tools.run("tp-report", "sharded.mlir", "--machine=machine.json", "--format=json"))
            predicted = {phase["phase"]: phase["microseconds"] / 1e3 for phase in report["time"]}
            tools.run("tp-compile", "model.mlir", f"--mesh=tp={ranks}", "-o", "program.so")
            measured = {
                "prefill": steps(tools, "./program.so", 0)["prefill"],
                "decode": steps(tools, "./program.so", TOKENS - 1)["decode"],
            }
            for phase, (wall, processors) in measured.items():
                time, own = predicted[phase], processors / ranks
                print(
                    f"| {ranks} | {phase} | {time:.1f} ms | {wall:.1f} ms | {time / wall - 1:+.0%} | {own:.1f} ms | {time / own - 1:+.0%} |"
                )
        for text in machines:
            print("\n```json\n" + text.rstrip() + "\n```")


if __name__ == "__main__":
    main()
