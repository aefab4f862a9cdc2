"""Ranks that die, stop, differ or cannot read: the run ends everywhere, in time, and one line says why."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
from launch import SLACK, TIMEOUT, TORCHRUN, Job, long_model
from support import Tools, check, main

# One that runs until somebody ends it.
ENDLESS = ("generate", "model", "--prompt-ids=5,6", "--tokens=30000", "--max-seq=30100", "--seq=4", "--mesh=tp=*", f"--timeout={TIMEOUT}")

SILENT = "rank {} does not answer: killed, stopped or cut off"
WHERE = r"(in all_\w+ '[\w.@]+' of entry 'decode', step \d+|waiting for the others .*); the last step completed by all is \d+, all_\w+ '[\w.@]+'"


def forward(output: str = "logits.npy", *options: str, ids: str = "ids.npy", model: str = "model", mesh: str = "tp=*") -> list[str]:
    files = ["--input", f"input_ids={ids}", "--output", f"logits={output}"]
    return ["forward", model, *files, f"--mesh={mesh}", f"--timeout={TIMEOUT}", *options]


def prepare(tools: Tools) -> None:
    long_model(tools.work / "model")
    for name, length in (("ids", 13), ("shorter", 12)):
        np.save(tools.work / f"{name}.npy", np.random.default_rng(1).integers(0, 96, (2, length)).astype(np.int32))
    other = np.load(tools.work / "ids.npy")
    other[1, 5] += 1
    np.save(tools.work / "other.npy", other)


def killed(tools: Tools) -> None:
    """Ten times over."""
    prepare(tools)
    draw = random.Random(5)
    for i in range(10):
        ranks = (2, 3, 4)[i % 3]
        victim = draw.randrange(ranks)
        job = Job(tools, [ENDLESS] * ranks)
        job.await_tokens()
        time.sleep(draw.uniform(0, 0.5))
        os.kill(job.pid(victim), signal.SIGKILL)
        job.expect_failure(SILENT.format(victim), WHERE)


def stopped(tools: Tools) -> None:
    prepare(tools)
    for ranks, victim in ((2, 1), (4, 0)):
        job = Job(tools, [ENDLESS] * ranks)
        job.await_tokens()
        os.kill(job.pid(victim), signal.SIGSTOP)
        job.expect_failure(SILENT.format(victim), WHERE)


def torchrun(tools: Tools) -> None:
    """Over TCP: killed, stopped, diverged, and a rank that never comes."""
    prepare(tools)
    for victim, which in ((1, signal.SIGKILL), (0, signal.SIGKILL), (2, signal.SIGSTOP)):
        job = Job(tools, [ENDLESS] * 3, TORCHRUN)
        job.await_tokens()
        os.kill(job.pid(victim), which)
        job.expect_failure(SILENT.format(victim), WHERE)
    Job(tools, [forward(), forward(ids="shorter.npy")], TORCHRUN).expect_failure("rank 1")


def torchrun_alone(tools: Tools) -> None:
    """Nobody listens where rank 1 calls."""
    prepare(tools)
    environment = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    result = tools.run("tp-run", *forward(), env=os.environ | environment)
    check(result.returncode != 0 and re.fullmatch("error: .*joining the other processes.*\n", result.stderr) is not None, result.stderr)


def at_random(tools: Tools, times: int, seed: int) -> None:
    """At any moment, from the first instruction on: never a hang, and no output that is half there."""
    prepare(tools)
    draw = random.Random(seed)
    explained = 0
    for _ in range(times):
        ranks = draw.choice((2, 3, 4))
        victim, which = draw.randrange(ranks), draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
        delay = draw.uniform(0, 3)
        job = Job(tools, [ENDLESS] * ranks)
        pid = job.pid(victim)
        time.sleep(delay)
        os.kill(pid, which)
        result = job.wait(10 * TIMEOUT + SLACK)
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        print(f"{which.name} of rank {victim} of {ranks} after {delay:.2f} s: {time.monotonic() - job.began - delay:.1f} s, {lines}")
        check(result.returncode != 0, f"succeeded\n{result.stderr[-3000:]}")
        # Before the processes have met the launcher alone may tell.
        check(len(lines) <= 1, f"{len(lines)} lines of errors\n{result.stderr[-3000:]}")
        explained += sum(SILENT.format(victim) in line for line in lines)
    print(f"explained {explained} of {times}")


def weights(tools: Tools) -> None:
    """A rank with another checkpoint, and one that cannot read its own."""
    prepare(tools)
    other = tools.work / "other"
    shutil.copytree(tools.work / "model", other)
    path = other / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    Job(tools, [forward()] * 2 + [forward(model="other")]).expect_failure("the ranks differ: rank 2 has weights fnv1a64:.*, rank 0 has weights fnv1a64:")
    path.write_bytes(data[:-100])
    Job(tools, [forward(), forward(model="other"), forward()]).expect_failure("^error: rank 1: ")
    check(not (tools.work / "logits.npy").exists(), "an output was written")


def parameter(tools: Tools) -> None:
    """One bit of a replicated parameter that the checkpoint's checksum does not see."""
    prepare(tools)
    other = tools.work / "other"
    shutil.copytree(tools.work / "model", other)
    path = other / "model.safetensors"
    data = bytearray(path.read_bytes())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    start = 8 + int.from_bytes(data[:8], "little") + header["model.embed_tokens.weight"]["data_offsets"][0]
    data[start + 4 * 1000] ^= 1
    path.write_bytes(data)
    line = [forward("logits.npy", "--plan=none", mesh="tp=3")]
    bad = [forward("logits.npy", "--plan=none", mesh="tp=3", model="other")]
    Job(tools, line + bad + line).expect_failure(
        r"rank 1 and rank 0 should hold the same values of 'model.embed_tokens.weight' and do not; "
        r"is the file of the weights whole and the same for both\?"
    )
    Job(tools, bad + line * 2).expect_failure("rank 0 and rank 1 should hold the same values of 'model.embed_tokens.weight'")


def program(tools: Tools) -> None:
    """A rank with another mesh, another plan or another model."""
    prepare(tools)
    command = forward(mesh="dp=2,tp=2")
    Job(tools, [command] * 2 + [forward(mesh="tp=4")] + [command]).expect_failure("rank 2 has mesh tp=4, rank 0 has mesh dp=2,tp=2")
    Job(tools, [forward(), forward("logits.npy", "--plan=none")]).expect_failure("rank 1 has the program [0-9a-f]+, rank 0 has the program")
    other = long_model(tools.work / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    Job(tools, [forward(), forward(model="other")]).expect_failure("rank 1 has the program [0-9a-f]+, rank 0 has the program")


def inputs(tools: Tools) -> None:
    """A rank with another input, or one of another shape."""
    prepare(tools)
    Job(tools, [forward()] * 2 + [forward(ids="shorter.npy")]).expect_failure(r"rank 2 has input 'input_ids' i32 \[2, 12\], rank 0 has input 'input_ids' i32 \[2, 13\]")
    Job(tools, [forward(ids="other.npy")] + [forward()] * 2).expect_failure("rank 0 has input 'input_ids' with the hash")
    # One that wants to go on when the others are done.
    fewer = ["--tokens=3" if word.startswith("--tokens") else word for word in ENDLESS]
    Job(tools, [ENDLESS, fewer]).expect_failure("rank 1 has come to the end, rank 0 to comparing inputs")


def files(tools: Tools) -> None:
    """A rank that cannot read its files or its command line."""
    prepare(tools)
    Job(tools, [forward(), forward(ids="missing.npy")]).expect_failure('^error: rank 1: "missing.npy": No such file')
    Job(tools, [forward(), forward(model="missing")]).expect_failure("^error: rank 1: .*missing")
    Job(tools, [forward(ids="missing.npy")] * 3).expect_failure('^error: "missing.npy": No such file')
    Job(tools, [forward(), [*forward(), "--nonsense"]]).expect_failure("^error: rank 1: .*--nonsense")


def host_error(tools: Tools) -> None:
    """What compiled code finds wrong is told as with threads."""
    prepare(tools)
    ids = np.load(tools.work / "ids.npy")
    ids[0, 3] = 5000
    np.save(tools.work / "ids.npy", ids)
    Job(tools, [forward()] * 3).expect_failure("^error: entry 'forward': rank 0: .*5000")
    check(not (tools.work / "logits.npy").exists(), "an output was written")


def outputs(tools: Tools) -> None:
    """An output that cannot be written fails the run; one that was there before stays whole."""
    prepare(tools)
    Job(tools, [forward("nowhere/logits.npy")] * 2).expect_failure("nowhere/logits.npy")
    (tools.work / "logits.npy").write_bytes(b"before")
    job = Job(tools, [forward()] * 3)
    os.kill(job.pid(1), signal.SIGKILL)
    job.wait(TIMEOUT + SLACK)
    check((tools.work / "logits.npy").read_bytes() == b"before", "the output has changed")
    check(not list(tools.work.glob("logits.npy.*")), "a temporary file is left")


def recorder(tools: Tools) -> None:
    """The file of each rank that could still write: what it did last."""
    prepare(tools)
    job = Job(tools, [ENDLESS] * 3)
    job.await_tokens()
    os.kill(job.pid(1), signal.SIGSTOP)
    line = job.expect_failure(SILENT.format(1), "the last collectives are in ")
    folder = Path(line.rsplit(" ", 1)[1])
    check(folder.parent == job.flight, f"{folder} is not in {job.flight}")
    common = int(re.search(r"completed by all is (\d+)", line)[1])  # type: ignore[index]
    steps = []
    for rank in (0, 2):
        head, *records = map(json.loads, (folder / f"rank-{rank}.jsonl").read_text().splitlines())
        check(head["rank"] == rank and head["ranks"] == 3, str(head))
        check(10 < len(records) <= 256, f"{len(records)} records")
        check([r["step"] for r in records] == list(range(records[0]["step"], records[-1]["step"] + 1)), "steps are missing")
        check(all(r["state"] == "done" and r["ended"] >= r["began"] and r["bytes"] > 0 for r in records[:-1]), "a record is not done")
        # In a collective, or between two: inputs are compared before each step.
        last = records[-1]
        waits = last["state"] == "waiting"
        check(waits or last["state"] == "done", str(last))
        check(("ended" in last) != waits, str(last))
        check({r["entry"] for r in records} <= {"prefill", "decode"}, "an entry has another name")
        steps.append(last["step"] - waits)
    check(min(steps) == common, f"steps {steps}, but {common} in the message")


if __name__ == "__main__":
    main(
        {
            "killed": killed,
            "stopped": stopped,
            "torchrun": torchrun,
            "torchrun-alone": torchrun_alone,
            "random": lambda tools: at_random(tools, 4, 1),
            "random-many": lambda tools: at_random(tools, 60, 2),
            "weights": weights,
            "parameter": parameter,
            "program": program,
            "inputs": inputs,
            "files": files,
            "host-error": host_error,
            "outputs": outputs,
            "recorder": recorder,
        }
    )
