"""SmolLM2-135M-Instruct: greedy ids, logits, a chat, and memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from support import ROOT, Tools, check, check_close, fail, main, skip, smollm2

from chat import load_chat
from llama_numpy import Llama

RANKS = (1, 2, 3, 4)
QUESTIONS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "List three primary colours.",
)
END_OF_TURN = 2


def greedy(tools: Tools) -> None:
    """Ids identical to the reference's on every number of ranks."""
    model = smollm2()
    chat, reference = load_chat(model), Llama(model, np.float32)
    module = tools.import_model(model, "--entry=generate", "--max-seq=128")
    sharded = {n: tools.shard(module, f"tp={n}", name=f"tp{n}.mlir") for n in RANKS}
    for question in QUESTIONS:
        prompt = chat.encode([{"role": "user", "content": question}])
        expected, margins = reference.greedy(prompt, 24, {END_OF_TURN})
        print(f"{question} smallest margin {min(margins):.3g}")
        check(min(margins) >= 1e-3, "the prompt does not decide clearly: choose another")
        if expected[-1] == END_OF_TURN:
            expected.pop()
        for ranks, path in sharded.items():
            ids = tools.generate(path, prompt, 24, f"--eos-ids={END_OF_TURN}")
            if ids[-1:] == [END_OF_TURN]:
                ids.pop()
            check(ids == expected, f"{question} on {ranks} ranks\n{ids}\ninstead of\n{expected}")


def logits(tools: Tools) -> None:
    model = smollm2()
    prompt = load_chat(model).encode([{"role": "user", "content": QUESTIONS[1]}])
    ids = np.array([prompt])
    expected = Llama(model, np.float32).logits(ids)
    single = tools.forward(model, ids, "--mesh=tp=1")
    check_close(single, expected, 1e-4, "1 rank against the reference")
    for ranks in RANKS[1:]:
        sharded = tools.forward(model, ids, f"--mesh=tp={ranks}")
        check_close(sharded, expected, 1e-4, f"{ranks} ranks against the reference")
        check_close(sharded, single, 1e-5, f"{ranks} ranks against 1")


def chat_example(tools: Tools) -> None:
    """The example streams the answer and nothing else."""
    model = smollm2()
    script = ROOT / "examples" / "chat.py"
    command: list[str | Path] = [sys.executable, script, "--bin", tools.bin, "--model", model]
    result = subprocess.run(
        [*command, "--mesh", "tp=3", "--tokens", "24", QUESTIONS[0]], capture_output=True, text=True, timeout=300
    )
    check(result.returncode == 0, result.stderr)
    check("Paris" in result.stdout, f"the answer is {result.stdout!r}")
    wrong = subprocess.run([*command, "--mesh", "tp=0", QUESTIONS[0]], capture_output=True, text=True, timeout=300)
    check(wrong.returncode != 0 and "error:" in wrong.stderr, "an error of tp-run is not passed on")


def mapping_sizes(process: int, model: Path) -> tuple[int, int]:
    """Bytes of anonymous memory, and of the model's file, that are resident."""
    anonymous = resident = 0
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        key, _, rest = line.partition(":")
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(model.name)
        elif key == "Anonymous":
            anonymous += int(rest.split()[0]) * 1024
        elif key == "Rss" and inside:
            resident += int(rest.split()[0]) * 1024
    return anonymous, resident


def memory(tools: Tools) -> None:
    """Peak anonymous memory, less what there was before loading, is as reported.

    Loading starts when pages of the model's file appear in a process that runs
    a sharded module: until then only the module was read and compiled.
    """
    model, ranks = smollm2(), 3
    module = tools.shard(tools.import_model(model, "--entry=generate", "--max-seq=256"), f"tp={ranks}")
    prompt = ",".join(map(str, range(100, 228)))
    with open(tools.work / "stderr", "w") as errors:
        process = subprocess.Popen(
            [tools.bin / "tp-run", "generate", module, f"--prompt-ids={prompt}", "--tokens=32", "--report=report.json"],
            cwd=tools.work,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        before = peak = 0
        loading = False
        while process.poll() is None:
            try:
                anonymous, resident = mapping_sizes(process.pid, model)
            except (FileNotFoundError, ProcessLookupError):
                break
            loading = loading or resident > 1 << 20
            if not loading:
                before = anonymous
            peak = max(peak, anonymous)
            time.sleep(0.01)
    check(process.wait() == 0, (tools.work / "stderr").read_text())
    check(loading, "the weights were never seen mapped: they must be memory-mapped")
    reported = json.loads((tools.work / "report.json").read_text())["memory"]["peak"] * ranks
    measured = peak - before
    line = f"measured {measured / 1e6:.1f} MB over {before / 1e6:.1f} MB, reported {reported / 1e6:.1f} MB"
    print(line)
    # What is not counted is small and does not grow with the model: tiles, BLAS's buffers for packing, stacks.
    if abs(measured - reported) > ranks * 16e6:
        fail(line)


def compiled(tools: Tools) -> None:
    """Compiled ahead of time: the ids of the program that is compiled just in time."""
    model = smollm2()
    prompt = load_chat(model).encode([{"role": "user", "content": QUESTIONS[0]}])
    module = tools.import_model(model, "--entry=generate", "--max-seq=128")
    expected = tools.generate(module, prompt, 16, "--mesh=tp=3")
    tools.output("tp-compile", module, "--mesh=tp=3", "-o", "program.so")
    check(tools.generate("program.so", prompt, 16) == expected, "tp-run")
    text = tools.output("tp-example-generate", "program.so", "16", *map(str, prompt))
    check([int(word) for word in text.split()] == expected, "the host in C")


def cuda(tools: Tools) -> None:
    """A CUDA program on a simulated GPU, which two ranks share: the same ids again."""
    compiler = next(filter(None, map(shutil.which, ("clang++-22", "clang++", "g++"))), None)
    if not compiler:
        skip("there is no C++ compiler")
    model = smollm2()
    prompt = load_chat(model).encode([{"role": "user", "content": QUESTIONS[0]}])
    module = tools.import_model(model, "--entry=generate", "--max-seq=128")
    expected = tools.generate(module, prompt, 8, "--mesh=tp=2")
    os.environ["CXX"] = compiler
    nvcc = ROOT / "test" / "Cuda" / "Inputs" / "simulation" / "nvcc"
    simulation = str(tools.bin.parent / "test" / "Cuda" / "simulation")
    tools.output(
        "tp-compile", module, "--mesh=tp=2", "--backend=cuda", f"--nvcc={nvcc}", "-o", "program.so"
    )
    os.environ.update(TPRT_PLUGIN_PATH=simulation, LD_LIBRARY_PATH=simulation)
    check(tools.generate("program.so", prompt, 8) == expected, "the simulated GPU")


if __name__ == "__main__":
    main({"greedy": greedy, "logits": logits, "chat": chat_example, "memory": memory, "compiled": compiled, "cuda": cuda})
