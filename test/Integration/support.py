"""What the integration tests share: running tools, making models, comparing.

Each test script is `SCRIPT BIN CASE`: it runs one named case with the tools in
BIN, in a temporary directory, and exits 0, 1 (failed) or 77 (skipped, because
data that the repository does not hold is absent).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "test" / "reference"), str(ROOT / "examples")]
SKIPPED = 77
SMOLLM2 = Path(os.environ.get("TP_MODEL") or ROOT / "build" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")


Run = subprocess.CompletedProcess[str]


class Failure(Exception):
    """A test that did not hold."""


def fail(message: str) -> NoReturn:
    raise Failure(message)


def check(condition: bool, message: str) -> None:
    if not condition:
        fail(message)


def skip(reason: str) -> NoReturn:
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


class Tools:
    """The tools of one build, run in one temporary directory."""

    def __init__(self, bin_directory: Path, work: Path) -> None:
        self.bin, self.work = bin_directory.resolve(), work

    def run(self, tool: str, *arguments: str | Path, timeout: float = 600, **options: Any) -> Run:
        """Runs a tool whatever its exit status."""
        path = self.bin / tool
        check(path.exists(), f"{path} is missing: build it first")
        command = [str(path), *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.work, capture_output=True, text=True, errors="replace", timeout=timeout, stdin=subprocess.DEVNULL, **options
        )

    def output(self, tool: str, *arguments: str | Path) -> str:
        """Standard output of a run that must succeed."""
        result = self.run(tool, *arguments)
        if result.returncode != 0:
            line = " ".join([tool, *map(str, arguments)])
            fail(f"{line}\nexit status {result.returncode}\n{result.stderr[-4000:]}")
        return result.stdout

    def forward(self, model: str | Path, ids: np.ndarray, *options: str) -> np.ndarray:
        """ids, int [batch, positions], to logits [batch, positions, vocabulary].

        Shapes are given to the importer when the model is a checkpoint.
        """
        np.save(self.work / "ids.npy", ids.astype(np.int32))
        shape = []
        if Path(model).suffix != ".mlir":
            shape = [f"--batch={ids.shape[0]}", f"--seq={ids.shape[1]}"]
        (self.work / "logits.npy").unlink(missing_ok=True)
        files = ("--input", "input_ids=ids.npy", "--output", "logits=logits.npy")
        self.output("tp-run", "forward", model, *files, *shape, *options)
        logits = np.load(self.work / "logits.npy")
        check(logits.shape[:2] == ids.shape, f"logits have shape {logits.shape} for ids {ids.shape}")
        return logits

    def run_entry(
        self, module: str | Path, entry: str, inputs: dict[str, np.ndarray], outputs: list[str]
    ) -> list[np.ndarray]:
        """The named outputs of one entry of a module, on named inputs."""
        arguments = ["forward", module, f"--entry={entry}", "--random-weights=0"]
        for name, value in inputs.items():
            np.save(self.work / f"{name}.npy", value)
            arguments += ["--input", f"{name}={name}.npy"]
        for name in outputs:
            arguments += ["--output", f"{name}={name}.out.npy"]
        self.output("tp-run", *arguments)
        return [np.load(self.work / f"{name}.out.npy") for name in outputs]

    def generate(self, model: str | Path, prompt: list[int], tokens: int, *options: str) -> list[int]:
        """The ids on standard output, which holds nothing else."""
        text = self.output(
            "tp-run", "generate", model, f"--prompt-ids={','.join(map(str, prompt))}", f"--tokens={tokens}", *options
        )
        check(all(word.isdigit() for word in text.split()), f"standard output holds more than ids: {text[:200]!r}")
        return [int(word) for word in text.split()]

    def import_model(self, model: str | Path, *options: str, name: str = "model.mlir") -> Path:
        self.output("tp-import", model, "-o", name, *options)
        return self.work / name

    def shard(self, module: Path, mesh: str, plan: str = "auto", name: str = "sharded.mlir") -> Path:
        self.output("tp-opt", module, f"--tp-shard=mesh={mesh} plan={plan}", "-o", name)
        return self.work / name

    def report(self, module: Path) -> dict[str, Any]:
        return json.loads(self.output("tp-report", module, "--format=json"))


def relative_error(a: Any, b: Any) -> float:
    """max|a - b| / max|b| of two arrays, infinite if anything is not finite."""
    a, b = np.asarray(a), np.asarray(b)
    check(a.shape == b.shape, f"shapes {a.shape} and {b.shape} differ")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(b).max())


def check_close(a: Any, b: Any, tolerance: float, what: str) -> None:
    error = relative_error(a, b)
    print(f"{what}: {error:.3g} (at most {tolerance:g})")
    check(error <= tolerance, f"{what}: relative error {error:.3g} is above {tolerance:g}")


def smollm2() -> Path:
    check(SMOLLM2.exists(), f"{SMOLLM2} is missing: ./test.sh fetches it")
    return SMOLLM2


def stories(work: Path) -> tuple[Path, list[int]]:
    """The converted stories260k checkpoint and its golden ids; skips without it."""
    import stories260k

    source = stories260k.data_directory()
    if source is None:
        skip("shared/data/stories260k is absent")
    stories260k.convert(source, work / "stories260k")
    return work / "stories260k", stories260k.golden_ids(source)


def main(cases: dict[str, Callable[[Tools], None]]) -> NoReturn:
    names = ", ".join(cases)
    if len(sys.argv) != 3 or sys.argv[2] not in cases:
        sys.exit(f"usage: {sys.argv[0]} BIN CASE, with CASE one of {names}")
    with tempfile.TemporaryDirectory(prefix="tp-test-") as work:
        # No test meets what another has compiled, or the user.
        os.environ["XDG_CACHE_HOME"] = str(Path(work) / "cache")
        try:
            cases[sys.argv[2]](Tools(Path(sys.argv[1]), Path(work)))
        except Failure as failure:
            sys.exit(f"failed: {failure}")
        except subprocess.TimeoutExpired as late:
            sys.exit(f"failed: no answer within {late.timeout} s: {' '.join(late.cmd)}")
    sys.exit(0)
