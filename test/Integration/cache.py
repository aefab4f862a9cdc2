"""Programs kept from one start to the next: the same answers and words, and nothing trusted that is not whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from launch import require_mpi, run_processes
from support import Run, Tools, check, main

from make_checkpoint import make_variant

FILES = ("--input", "input_ids=ids.npy", "--output", "logits=logits.npy")
KEPT = "program from the cache"


class Cache:
    """The entries of one directory, and runs that use it."""

    def __init__(self, tools: Tools, name: str = "programs") -> None:
        self.tools, self.path = tools, tools.work / name

    def entries(self) -> list[Path]:
        return sorted(self.path.glob("*.tpprogram")) if self.path.is_dir() else []

    def run(self, *options: str | Path) -> Run:
        (self.tools.work / "logits.npy").unlink(missing_ok=True)
        return self.tools.run("tp-run", "forward", *FILES, f"--cache={self.path}", *options)

    def logits(self, kept: bool, *options: str | Path) -> bytes:
        """Of a run that must succeed, with its program taken from the cache or not."""
        result = self.run(*options)
        check(result.returncode == 0, result.stderr)
        check((KEPT in result.stderr) == kept, f"kept should be {kept}:\n{result.stderr}")
        return (self.tools.work / "logits.npy").read_bytes()


def model(tools: Tools, name: str = "grouped", folder: str = "model") -> None:
    shutil.rmtree(tools.work / folder, ignore_errors=True)
    make_variant(name, tools.work / folder)
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 13)).astype(np.int32))


def same(tools: Tools) -> None:
    """The second start says and answers what the first did, of a checkpoint and of a module, and needs no linker."""
    model(tools, "f16")
    tools.import_model("model", "--batch=2", "--seq=13", "--dtype=f32")
    for source in (("model", "--mesh=tp=3"), ("model.mlir", "--mesh=dp=2,tp=2"), ("model.mlir",)):
        cache = Cache(tools, f"cache{len(source)}-{source[0]}")
        first = cache.run(*source)
        check(first.returncode == 0 and len(cache.entries()) == 1, first.stderr)
        logits = (tools.work / "logits.npy").read_bytes()
        second = cache.run(*source)
        check(second.stderr.replace(f", {KEPT}", "") == first.stderr, f"{first.stderr}\nand then\n{second.stderr}")
        check((KEPT in second.stderr) == (len(source) > 1), second.stderr)
        check((tools.work / "logits.npy").read_bytes() == logits, "the second start answers something else")
        check(len(cache.entries()) == 1, "one program has two entries")
        if source == ("model", "--mesh=tp=3"):
            check("remark: model: F16 tensors are computed in f32" in second.stderr, second.stderr)
    generate = ("generate", "model", "--prompt-ids=5,6,7", "--tokens=9", "--mesh=tp=2", "--max-seq=64", "--cache=programs")
    ids = tools.output("tp-run", *generate)
    again = tools.run("tp-run", *generate, env=os.environ | {"PATH": "/nonexistent"})
    check(again.stdout == ids and KEPT in again.stderr, again.stderr)


def keys(tools: Tools) -> None:
    """What a program is made from makes another entry; weights are read anew."""
    model(tools)
    cache = Cache(tools)
    base = ("model", "--mesh=tp=2")
    plan = tools.work / "plan.json"
    plan.write_text(json.dumps({"model.layers.*.mlp.gate_proj": "colwise"}))
    different: Sequence[Sequence[str | Path]] = (
        base,
        ("model", "--mesh=tp=3"),
        (*base, "--plan=none"),
        (*base, f"--plan={plan}"),
        (*base, "--dtype=f64"),
        (*base, "--max-seq=32"),
    )
    for options in different:
        cache.logits(False, *options)
    check(len(cache.entries()) == len(different), f"{len(cache.entries())} entries")
    for options in different:
        cache.logits(True, *options)
    plan.write_text(json.dumps({"model.layers.*.mlp.up_proj": "colwise"}))
    cache.logits(False, *base, f"--plan={plan}")
    # Other weights under the same name, and other weights for the same program.
    first = cache.logits(True, *base)
    # Random weights have no file to be stored as: another program.
    random = cache.logits(False, *base, "--random-weights=3")
    check(cache.logits(True, *base, "--random-weights=4") != random, "the seed has no effect")
    check(random != first, "--random-weights has no effect")
    make_variant("grouped", tools.work / "other")
    raw = bytearray((tools.work / "other" / "model.safetensors").read_bytes())
    raw[-1] ^= 0x80
    (tools.work / "other" / "model.safetensors").write_bytes(raw)
    other = cache.logits(True, *base, "--weights=other")
    check(other != first, "--weights has no effect")
    (tools.work / "model" / "model.safetensors").write_bytes(raw)
    check(cache.logits(False, *base) == other, "the weights are not those of the changed checkpoint")


def checksum(tools: Tools) -> None:
    """A module whose weights have changed, or have gone, is refused on every start alike."""
    model(tools)
    tools.import_model("model", "--batch=2", "--seq=13")
    cache = Cache(tools)
    logits = cache.logits(False, "model.mlir", "--mesh=tp=2")
    check(cache.logits(True, "model.mlir", "--mesh=tp=2") == logits, "the second start answers something else")
    weights = tools.work / "model" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 0x80
    weights.write_bytes(raw)
    changed = cache.run("model.mlir", "--mesh=tp=2")
    check(changed.returncode == 1 and "has changed since the module was imported" in changed.stderr, changed.stderr)
    cache.logits(True, "model.mlir", "--mesh=tp=2", "--weights=model")
    shutil.rmtree(tools.work / "model")
    gone = cache.run("model.mlir", "--mesh=tp=2")
    check(gone.returncode == 1 and "--weights=PATH names another place" in gone.stderr, gone.stderr)
    cache.logits(False, "model.mlir", "--mesh=tp=2", "--random-weights=1")
    cache.logits(True, "model.mlir", "--mesh=tp=2", "--random-weights=2")


def damaged(tools: Tools) -> None:
    """Entries that are damaged, cut, foreign or no programs are made anew without a word."""
    model(tools)
    cache = Cache(tools)
    base = ("model", "--mesh=tp=2")
    first = cache.run(*base)
    logits = (tools.work / "logits.npy").read_bytes()
    (entry,) = cache.entries()
    whole = entry.read_bytes()
    cache.logits(False, "model", "--mesh=tp=3")
    (foreign,) = (path.read_bytes() for path in cache.entries() if path != entry)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for what, bytes_ in {
        "empty": b"",
        "text": b"not a program",
        "cut": whole[:-1],
        "half": whole[: len(whole) // 2],
        "flipped": bytes(flipped),
        "of another mesh": foreign,
        "a plain shared object": (tools.bin.parent / "lib" / "libtprt.so").read_bytes(),
    }.items():
        entry.write_bytes(bytes_)
        result = cache.run(*base)
        check(result.stderr == first.stderr, f"{what}: {result.stderr}")
        check((tools.work / "logits.npy").read_bytes() == logits, f"{what}: another answer")
        check(cache.logits(True, *base) == logits, f"{what}: not mended")
    entry.chmod(0o666)
    check(cache.logits(False, *base) == logits, "writable by others: another answer")
    check(cache.logits(True, *base) == logits, "writable by others: not mended")


def places(tools: Tools) -> None:
    """Where the cache is, what does without it, and what happens where there cannot be one."""
    model(tools)
    base = ("tp-run", "forward", "model", "--mesh=tp=2", *FILES)
    own = tools.work / "own"

    def run(*options: str, **environment: str) -> Run:
        result = tools.run(*base, *options, env=os.environ | {"XDG_CACHE_HOME": str(own)} | environment)
        check(result.returncode == 0, result.stderr)
        return result

    for option in ("--cache=off", "--check", "--report=report.json"):
        run(option)
        check(not own.exists(), f"{option} leaves {list(own.rglob('*'))}")
    run()
    check(len(list((own / "tp-mlir").glob("*.tpprogram"))) == 1, "nothing was kept")
    check((own / "tp-mlir").stat().st_mode & 0o77 == 0, "the cache is open to others")
    check(KEPT in run().stderr and KEPT not in run("--cache=off").stderr, "kept, or not")
    for option in ("--check", "--report=report.json"):
        check(KEPT not in run(option).stderr, f"{option} needs the module")
    home = {"XDG_CACHE_HOME": "relative/is/ignored", "HOME": str(tools.work / "home")}
    run(**home)
    check(KEPT in run(**home).stderr, "~/.cache/tp-mlir has nothing")
    check(len(list((tools.work / "home/.cache/tp-mlir").glob("*.tpprogram"))) == 1, "nothing was kept in ~/.cache")
    # No place, or no linker: every start compiles, without a word.
    quiet = run("--cache=off").stderr
    for _ in range(2):
        check(run(XDG_CACHE_HOME="/dev/null").stderr == quiet, "a place that cannot be")
        check(run("--cache=empty", PATH="/nonexistent").stderr == quiet, "no linker")
    check(not list((tools.work / "empty").glob("*.tpprogram")), "kept without a linker")
    result = tools.run(*base, "--cache=/dev/null")
    check(result.returncode == 1 and re.fullmatch('error: --cache: cannot write to "/dev/null": .*\n', result.stderr) is not None, result.stderr)
    # A limit of nothing keeps the last program alone.
    for mesh in ("tp=1", "tp=2", "tp=3"):
        tools.output("tp-run", "forward", "model", f"--mesh={mesh}", *FILES, "--cache=small", "--cache-limit=0")
    check(len(list((tools.work / "small").glob("*.tpprogram"))) == 1, "the limit is not kept")


def together(tools: Tools) -> None:
    """Of starts at the same time, and of the processes of one run, one compiles."""
    model(tools)
    command = ("forward", "model", "--mesh=tp=2", "--input", "input_ids=ids.npy", "--cache=shared")
    runs = [
        subprocess.Popen(
            [tools.bin / "tp-run", *command, "--output", f"logits=logits{i}.npy"], cwd=tools.work, stderr=subprocess.PIPE, text=True
        )
        for i in range(4)
    ]
    said = [run.communicate(timeout=120)[1] for run in runs]
    check(all(run.returncode == 0 for run in runs), "\n".join(said))
    check(sum(KEPT not in text for text in said) == 1, "\n".join(said))
    check(len({(tools.work / f"logits{i}.npy").read_bytes() for i in range(4)}) == 1, "the answers differ")
    check(len(list((tools.work / "shared").glob("*"))) == 2, "more than the program and the lock is left")
    require_mpi(tools)
    files = (*FILES, "--cache=processes")
    first = run_processes(tools, 3, "forward", "model", "--mesh=tp=3", *files)
    logits = (tools.work / "logits.npy").read_bytes()
    check(len(list((tools.work / "processes").glob("*.tpprogram"))) == 1, first.stderr)
    second = run_processes(tools, 3, "forward", "model", "--mesh=tp=3", *files)
    check(KEPT in second.stderr, second.stderr)
    check((tools.work / "logits.npy").read_bytes() == logits, "the second start answers something else")
    # One rank with a program of its own makes no difference: it is the same program.
    plain = tools.run("tp-run", "forward", "model", "--mesh=tp=3", *FILES, "--cache=off")
    check(plain.returncode == 0 and (tools.work / "logits.npy").read_bytes() == logits, "threads and processes differ")


if __name__ == "__main__":
    main({"same": same, "keys": keys, "checksum": checksum, "damaged": damaged, "places": places, "together": together})
