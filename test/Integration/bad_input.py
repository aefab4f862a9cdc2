"""Whatever is wrong with the input: one line that says so, and a non-zero exit.

Each case tries many inputs and names all that were not refused properly.
"""

from __future__ import annotations

import json
import os
import resource
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from support import Tools, fail, main

from gguf_writer import Tensor, gguf_bytes
from make_checkpoint import GGUF_CONFIG, gguf_metadata, gguf_tensors, make_variant, random_tensors
from safetensors_writer import write_checkpoint
from variants import BASE, CONFIGS, VARIANTS

TIMEOUT = 60
GENERATE = ("tp-run", "generate", "--mesh=tp=2", "--prompt-ids=1", "--tokens=1")


class Attempts:
    """Collects what was not refused with one clear error."""

    def __init__(self, tools: Tools) -> None:
        self.tools, self.wrong, self.count = tools, list[str](), 0

    def refused(self, what: str, tool: str, *arguments: str | Path, says: str = "", **options: Any) -> None:
        """The run must fail with exactly one error, which contains `says`."""
        self.count += 1
        result = self.tools.run(tool, *arguments, timeout=TIMEOUT, **options)
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        problem = ""
        if not 1 <= result.returncode <= 127:
            problem = f"exit status {result.returncode}"
        elif len(errors) != 1:
            problem = f"{len(errors)} error lines"
        elif "Sanitizer" in result.stderr or "runtime error:" in result.stderr:
            problem = "a sanitizer's report"
        elif "LLVM ERROR" in result.stderr or "Stack dump" in result.stderr:
            problem = "a crash of the compiler"
        elif says not in errors[0]:
            problem = f'the error does not contain "{says}"'
        if problem:
            end = "\n    ".join(result.stderr.strip().splitlines()[-4:])
            self.wrong.append(f"{what}: {problem}\n    {end}")

    def close(self) -> None:
        print(f"{self.count - len(self.wrong)} of {self.count} refused properly")
        if self.wrong:
            fail(f"{len(self.wrong)} of {self.count} inputs were not refused properly\n" + "\n".join(self.wrong))


@contextmanager
def attempts(tools: Tools) -> Iterator[Attempts]:
    result = Attempts(tools)
    yield result
    result.close()


def model(tools: Tools, name: str = "grouped") -> str:
    make_variant(name, tools.work / "model")
    return "model"


# GGUF and safetensors ---------------------------------------------------------


def gguf(tools: Tools) -> None:
    metadata, tensors = gguf_metadata(GGUF_CONFIG), gguf_tensors(GGUF_CONFIG)
    good = gguf_bytes(metadata, tensors)

    def changed(at: int, new: bytes) -> bytes:
        return good[:at] + new + good[at + len(new) :]

    def lying(**lie: Any) -> bytes:
        first = Tensor(tensors[0].name, tensors[0].values, tensors[0].type, **lie)
        return gguf_bytes(metadata, [first, *tensors[1:]])

    def key(name: str, value: Any) -> bytes:
        return gguf_bytes(metadata | {name: value}, tensors)

    files = {
        "empty": b"",
        "only the magic": good[:4],
        "truncated header": good[:20],
        "truncated metadata": good[:200],
        "truncated tensor table": good[: good.index(b"blk.1.attn_q") + 5],
        "truncated data": good[:-1000],
        "no data": good[: len(good) // 20],
        "wrong magic": changed(0, b"GGML"),
        "version 99": changed(4, struct.pack("<I", 99)),
        "version 0": changed(4, struct.pack("<I", 0)),
        "2^60 tensors": changed(8, struct.pack("<Q", 1 << 60)),
        "2^64-1 keys": changed(16, b"\xff" * 8),
        "a key of 2^63 bytes": changed(24, struct.pack("<Q", 1 << 63)),
        "a value of unknown type": changed(24 + 8 + len("general.architecture"), struct.pack("<I", 77)),
        "dims whose product overflows": lying(stated_dims=[1 << 33, 1 << 33]),
        "dims whose bytes overflow": lying(stated_dims=[1 << 62, 1]),
        "a dim of zero": lying(stated_dims=[0, 96]),
        "nine dims": lying(stated_dims=[2] * 9),
        "an unknown tensor type": lying(stated_type=9999),
        "a known tensor type that is not supported": lying(stated_type=10),
        "rows that are no whole blocks": lying(stated_dims=[65, 96]),
        "rows that are no whole blocks of 256": lying(stated_type=14, stated_dims=[64, 96]),
        "an offset beyond the file": lying(stated_offset=1 << 40),
        "an offset that overflows": lying(stated_offset=(1 << 64) - 32),
        "an offset that is not aligned": lying(stated_offset=1),
        "alignment 0": key("general.alignment", 0),
        "alignment 3": key("general.alignment", 3),
        "alignment as text": key("general.alignment", "32"),
        "a tensor twice": gguf_bytes(metadata, [*tensors, tensors[0]]),
        "a tensor missing": gguf_bytes(metadata, [t for t in tensors if t.name != "blk.1.ffn_up.weight"]),
        "a tensor of the wrong shape": gguf_bytes(
            metadata, [Tensor(t.name, t.values[:-1]) if t.name == "blk.0.ffn_up.weight" else t for t in tensors]
        ),
        "an unknown architecture": key("general.architecture", "mamba"),
        "no architecture": gguf_bytes({k: v for k, v in metadata.items() if k != "general.architecture"}, tensors),
        "no head count": gguf_bytes({k: v for k, v in metadata.items() if "head_count" not in k}, tensors),
        "zero heads": key("llama.attention.head_count", 0),
        "heads as text": key("llama.attention.head_count", "four"),
        "3 heads that share 2 KV heads": key("llama.attention.head_count", 3),
        "2^32-1 layers": key("llama.block_count", (1 << 32) - 1),
        "an unknown rope scaling": key("llama.rope.scaling.type", "spiral"),
        "experts": key("llama.expert_count", 8),
    }
    with attempts(tools) as a:
        for what, data in files.items():
            (tools.work / "bad.gguf").write_bytes(data)
            a.refused(what, "tp-import", "bad.gguf", "-o", "out.mlir")
        (tools.work / "bad.gguf").write_bytes(good[:-1000])
        a.refused("running a truncated file", *GENERATE, "bad.gguf")


def safetensors(tools: Tools) -> None:
    tensors = random_tensors(BASE)
    directory = tools.work / "model"
    write_checkpoint(directory, BASE, tensors)
    path = directory / "model.safetensors"
    good = path.read_bytes()
    size = int.from_bytes(good[:8], "little")
    header, data = json.loads(good[8 : 8 + size]), good[8 + size :]
    name = "model.layers.0.mlp.up_proj.weight"

    def file(text: bytes, stated: int | None = None) -> bytes:
        return struct.pack("<Q", len(text) if stated is None else stated) + text + data

    def entry(**change: Any) -> bytes:
        return file(json.dumps(header | {name: header[name] | change}).encode())

    begin, end = header[name]["data_offsets"]
    files = {
        "empty": b"",
        "5 bytes": good[:5],
        "truncated header": good[:100],
        "truncated data": good[:-1],
        "a header of 2^63 bytes": file(b"{}", 1 << 63),
        "a header of 0 bytes": file(b""),
        "a header that is not JSON": file(b"{]" + b" " * 30),
        "a header that is a list": file(b"[1, 2]"),
        "a header of 10000 brackets": file(b'{"a":' + b"[" * 10000),
        "no tensors": file(b"{}"),
        "an unknown dtype": entry(dtype="F7"),
        "an integer dtype": entry(dtype="I32"),
        "a shape that overflows": entry(shape=[1 << 33, 1 << 33]),
        "a negative shape": entry(shape=[-80, -48]),
        "a shape with a fraction": entry(shape=[80.5, 48]),
        "a shape that does not fit its bytes": entry(shape=[80, 49]),
        "offsets beyond the file": entry(data_offsets=[begin + (1 << 40), end + (1 << 40)]),
        "offsets that run backwards": entry(data_offsets=[end, begin]),
        "negative offsets": entry(data_offsets=[-4, end - begin - 4]),
        "one offset": entry(data_offsets=[begin]),
        "no offsets": file(json.dumps(header | {name: {"dtype": "F32", "shape": [80, 48]}}).encode()),
    }
    with attempts(tools) as a:
        for what, content in files.items():
            path.write_bytes(content)
            a.refused(what, "tp-import", "model", "-o", "out.mlir")
        without = {k: v for k, v in tensors.items() if k != name}
        for what, changed in {
            "a tensor missing": without,
            "a tensor of the wrong shape": tensors | {name: tensors[name].T},
            "a tensor of another rank": tensors | {name: tensors[name].ravel()},
        }.items():
            write_checkpoint(directory, BASE, changed)
            a.refused(what, "tp-import", "model", "-o", "out.mlir", says="mlp.up_proj")


def index(tools: Tools) -> None:
    made = VARIANTS["several-files"]
    directory = tools.work / "model"

    def fresh() -> dict[str, Any]:
        write_checkpoint(directory, BASE | made.config, random_tensors(BASE), files=made.files)
        return json.loads((directory / "model.safetensors.index.json").read_text())

    name = "model.layers.1.mlp.down_proj.weight"
    with attempts(tools) as a:
        good = fresh()

        def refused(what: str, content: str) -> None:
            (directory / "model.safetensors.index.json").write_text(content)
            a.refused(what, "tp-import", "model", "-o", "out.mlir")

        refused("an index that is not JSON", "{")
        refused("an index without a map", "{}")
        refused("a map that is a list", json.dumps({"weight_map": []}))
        refused("a map to numbers", json.dumps({"weight_map": {name: 3}}))
        elsewhere = {k: v for k, v in good["weight_map"].items()}
        elsewhere[name] = next(v for v in elsewhere.values() if v != elsewhere[name])
        refused("a tensor that is in another file", json.dumps({"weight_map": elsewhere}))
        outside = good["weight_map"] | {name: "../../etc/passwd"}
        refused("a path out of the directory", json.dumps({"weight_map": outside}))
        fresh()
        (directory / good["weight_map"][name]).unlink()
        a.refused("a file missing", "tp-import", "model", "-o", "out.mlir", says=good["weight_map"][name])


# Configurations, meshes, plans, ids ------------------------------------------


def config(tools: Tools) -> None:
    directory = tools.work / "model"
    directory.mkdir()
    changes: dict[str, dict[str, Any]] = {
        "an unknown architecture": {"model_type": "mamba", "architectures": ["MambaForCausalLM"]},
        "no hidden size": {"hidden_size": None},
        "a hidden size of 0": {"hidden_size": 0},
        "a negative hidden size": {"hidden_size": -48},
        "a hidden size as text": {"hidden_size": "48"},
        "a hidden size that overflows": {"hidden_size": 1 << 62},
        "6 heads that share 4 KV heads": {"num_key_value_heads": 4},
        "0 KV heads": {"num_key_value_heads": 0},
        "heads that do not divide the hidden size": {"num_attention_heads": 7, "num_key_value_heads": 7},
        "an odd head_dim": {"head_dim": 7},
        "10^18 layers": {"num_hidden_layers": 10**18},
        "an unknown activation": {"hidden_act": "snake"},
        "an unknown rope scaling": {"rope_scaling": {"rope_type": "spiral", "factor": 2.0}},
        "a rope scaling without its factor": {"rope_scaling": {"rope_type": "linear"}},
        "a rope factor of 0": {"rope_scaling": {"rope_type": "linear", "factor": 0.0}},
        "a rope scaling as text": {"rope_scaling": "linear"},
        "an unknown key of a rope scaling": {"rope_scaling": {"rope_type": "linear", "factor": 2.0, "twist": 3.0}},
        "a rope theta of 0": {"rope_theta": 0.0},
        "quantised weights": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        "a key that is not understood": {"logit_scale": 0.0625},
        "a negative epsilon": {"rms_norm_eps": -1.0},
    }
    with attempts(tools) as a:
        for what, change in changes.items():
            content = {k: v for k, v in (BASE | change).items() if v is not None}
            (directory / "config.json").write_text(json.dumps(content))
            a.refused(what, "tp-import", "model", "-o", "out.mlir")
        for what, text in {"empty": "", "not JSON": "{,}", "a list": "[]", "nested": "[" * 100000}.items():
            (directory / "config.json").write_text(text)
            a.refused(f"a configuration that is {what}", "tp-import", "model", "-o", "out.mlir")
        (directory / "config.json").write_text(json.dumps(BASE))
        huge = "--batch=99999999999999999999"
        for option in ("--entry=backward", "--batch=0", "--seq=-1", "--seq=many", "--dtype=f7", huge):
            a.refused(option, "tp-import", "model", "-o", "out.mlir", option)
        a.refused("running without weights", *GENERATE, "model")


def mesh(tools: Tools) -> None:
    path = model(tools)
    module = tools.import_model(path, "--entry=forward", "--seq=8")
    wrong = ["tp=0", "tp=-2", "tp=2,tp=2", "tp=two", "tp=", "tp", "=2", "tp=2.5", "tp=2,,dp=2"]
    too_many = ["tp=1000", "tp=16384", "tp=9223372036854775807", "tp=99999999999999999999"]
    overflow = "dp=4294967296,tp=4294967296"
    np.save(tools.work / "ids.npy", np.ones((1, 8), np.int32))
    files = ("--input", "input_ids=ids.npy", "--output", "logits=logits.npy")
    with attempts(tools) as a:
        for text in (*wrong, *too_many, overflow):
            a.refused(f"tp-opt {text}", "tp-opt", module, f"--tp-shard=mesh={text} plan=auto", "-o", "out.mlir")
        for text in ("tp=0", "tp=2,tp=2", "tp=two", "tp=1000"):
            a.refused(f"tp-run {text}", "tp-run", "forward", module, f"--mesh={text}", *files)


def plan(tools: Tools) -> None:
    path = model(tools)
    module = tools.import_model(path, "--entry=forward", "--seq=8")
    up = "model.layers.*.mlp.up_proj"
    plans = {
        "empty": ("", ""),
        "not JSON": ("{'a': 1}", ""),
        "a list": ("[]", ""),
        "a number": ("3", ""),
        "a style that is not a string": (json.dumps({up: 3}), "up_proj"),
        "an unknown style": (json.dumps({up: "diagonal"}), "diagonal"),
        "a module that is misspelt": (json.dumps({"model.layers.*.mlp.up_prj": "colwise"}), 'did you mean "'),
        "a module that is far from any": (json.dumps({"encoder": "colwise"}), "encoder"),
        "a mesh that is not the mesh": (json.dumps({"mesh": {"tp": 4}, "plan": {up: "colwise"}}), ""),
        "a mesh of size 0": (json.dumps({"mesh": {"tp": 0}, "plan": {up: "colwise"}}), ""),
        "a mesh of text": (json.dumps({"mesh": {"tp": "two"}, "plan": {up: "colwise"}}), ""),
        "an unknown field": (json.dumps({"mash": {"tp": 2}, "plan": {up: "colwise"}}), "mash"),
        "10000 brackets": ("[" * 10000, ""),
    }
    with attempts(tools) as a:
        for what, (text, says) in plans.items():
            (tools.work / "plan.json").write_text(text)
            a.refused(what, "tp-opt", module, "--tp-shard=mesh=tp=2 plan=plan.json", "-o", "out.mlir", says=says)
        for name in ("absent.json", ".", "automatic"):
            a.refused(f"plan={name}", "tp-opt", module, f"--tp-shard=mesh=tp=2 plan={name}", "-o", "out.mlir")
        (tools.work / "plan.json").write_text(json.dumps({"model.layers.*.mlp.up_prj": "colwise"}))
        a.refused("the same in tp-run", *GENERATE, path, "--plan=plan.json", says='did you mean "')


def ids(tools: Tools) -> None:
    path = model(tools)
    vocabulary = BASE["vocab_size"]
    run = ("tp-run", "generate", path, "--mesh=tp=2", "--max-seq=16")
    with attempts(tools) as a:
        for text in (str(vocabulary), "-1", "1,2,4294967297", "1,99999999999999999999", "one", "", "1,,2", "1.5"):
            a.refused(f"prompt ids {text!r}", *run, f"--prompt-ids={text}", "--tokens=2")
        a.refused("a prompt longer than the cache", *run, "--prompt-ids=" + ",".join(["1"] * 17), "--tokens=1")
        a.refused("no prompt", *run, "--tokens=2")
        for option in ("--tokens=-1", "--tokens=x", "--temperature=-1", "--top-p=2", "--top-k=-3", "--eos-ids=x"):
            a.refused(option, *run, "--prompt-ids=1", *([] if "tokens" in option else ["--tokens=2"]), option)

        forward = ("tp-run", "forward", path, "--mesh=tp=2", "--batch=1", "--seq=4", "--output", "logits=out.npy")
        arrays = {
            "an id outside the vocabulary": np.array([[1, 2, 3, vocabulary]]),
            "a negative id": np.array([[1, 2, 3, -1]]),
            "an id beyond 32 bits": np.array([[1, 2, 3, (1 << 32) + 1]]),
            "fractions": np.ones((1, 4)),
            "text": np.array([["a", "b", "c", "d"]]),
            "another shape": np.ones((1, 5), np.int32),
            "another rank": np.ones(4, np.int32),
            "nothing": np.ones((1, 0), np.int32),
        }
        for what, array in arrays.items():
            np.save(tools.work / "bad.npy", array)
            a.refused(what, *forward, "--input", "input_ids=bad.npy")
        np.save(tools.work / "bad.npy", np.ones((1, 4), np.int32))
        good = (tools.work / "bad.npy").read_bytes()
        for what, data in {
            "empty": b"",
            "truncated": good[:-3],
            "not .npy": b"hello" * 40,
            "a header of 64 KB": good[:8] + b"\xff\xff" + good[10:],
        }.items():
            (tools.work / "bad.npy").write_bytes(data)
            a.refused(f"an array file that is {what}", *forward, "--input", "input_ids=bad.npy")
        (tools.work / "bad.npy").write_bytes(good)
        a.refused("an input of another name", *forward, "--input", "tokens=bad.npy")
        a.refused("an input without a name", *forward, "--input", "bad.npy")
        a.refused("no input", *forward)
        wrong = (*forward[:-1], "losses=out.npy")
        a.refused("an output of another name", *wrong, "--input", "input_ids=bad.npy")


# Paths and memory -------------------------------------------------------------


def paths(tools: Tools) -> None:
    path = model(tools)
    module = tools.import_model(path, "--entry=forward", "--seq=4")
    sharded = tools.shard(module, "tp=2")
    np.save(tools.work / "ids.npy", np.ones((1, 4), np.int32))
    (tools.work / "empty").mkdir()
    # Through a link, so that a tool that replaces its output cannot harm the device.
    (tools.work / "full").symlink_to("/dev/full")
    (tools.work / "text.mlir").write_text("this is no module\n")
    (tools.work / "bytes.mlir").write_bytes(os.urandom(4096))
    (tools.work / "cut.mlir").write_text(sharded.read_text()[:-200])
    forward = ("tp-run", "forward", sharded)
    files = ("--input", "input_ids=ids.npy", "--output", "logits=logits.npy")
    with attempts(tools) as a:
        for name in ("absent", "absent.gguf", "empty", "/dev/null", "text.mlir"):
            a.refused(f"importing {name}", "tp-import", name, "-o", "out.mlir")
        for output in ("absent/out.mlir", "empty", "full"):
            a.refused(f"importing to {output}", "tp-import", path, "-o", output)
            a.refused(f"sharding to {output}", "tp-opt", module, "--tp-shard=mesh=tp=2 plan=auto", "-o", output)
        for name in ("absent.mlir", "empty", "text.mlir", "bytes.mlir", "cut.mlir"):
            a.refused(f"tp-opt {name}", "tp-opt", name, "--tp-shard=mesh=tp=2 plan=auto", "-o", "out.mlir")
            a.refused(f"tp-report {name}", "tp-report", name)
            a.refused(f"tp-run {name}", "tp-run", "forward", name, *files)
        a.refused("an input that is absent", *forward, "--input", "input_ids=absent.npy", *files[2:])
        for output in ("absent/logits.npy", "empty", "full"):
            a.refused(f"logits to {output}", *forward, *files[:3], f"logits={output}")
            a.refused(f"a report to {output}", *forward, *files, f"--report={output}")
        a.refused("weights that are absent", *forward, *files, "--weights=absent")
        make_variant("head-dim", tools.work / "other")
        a.refused("weights of another model", *forward, *files, "--weights=other")
        (tools.work / "model" / "model.safetensors").write_bytes(b"changed")
        a.refused("weights that have changed", *forward, *files)
        (tools.work / "model" / "model.safetensors").unlink()
        a.refused("weights that are gone", *forward, *files)
        a.refused("an unknown command", "tp-run", "backward", sharded)


def out_of_memory(tools: Tools) -> None:
    """A model that does not fit an address space of 8 GB."""
    write_checkpoint(tools.work / "large", CONFIGS["llama-3-70b"], {}, files=0)
    model(tools)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    with attempts(tools) as a:
        a.refused(
            "parameters of 70 GB a rank",
            *("tp-run", "generate", "large", "--mesh=tp=2", "--max-seq=16", "--random-weights=1"),
            *("--prompt-ids=1", "--tokens=1"),
            says="memory",
            preexec_fn=limit,
        )


if __name__ == "__main__":
    main(
        {
            "gguf": gguf,
            "safetensors": safetensors,
            "index": index,
            "config": config,
            "mesh": mesh,
            "plan": plan,
            "ids": ids,
            "paths": paths,
            "out-of-memory": out_of_memory,
        }
    )
