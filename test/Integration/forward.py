"""Logits of small random checkpoints on 1 to 4 ranks, against the NumPy reference."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from support import ROOT, Tools, check, check_close, main

from llama_numpy import Llama
from make_checkpoint import make_gguf, make_variant
from safetensors_writer import write_checkpoint
from variants import CONFIGS, VARIANTS

RANKS = (1, 2, 3, 4)
REFERENCE_TOLERANCE, RANKS_TOLERANCE = 1e-4, 1e-5


# Between layers the sequence is sharded, however short it is.
SEQUENCE_PARALLEL = {
    "model.embed_tokens": "rowwise_rep",
    "model.layers.*.input_layernorm": "sequence_parallel",
    "model.layers.*.post_attention_layernorm": "sequence_parallel",
    "model.layers.*.self_attn.[qkv]_proj": "colwise",
    "model.layers.*.self_attn.o_proj": "rowwise",
    "model.layers.*.mlp.gate_proj": "colwise",
    "model.layers.*.mlp.up_proj": "colwise",
    "model.layers.*.mlp.down_proj": "rowwise",
    "model.norm": "sequence_parallel",
    "lm_head": "colwise_rep",
}


def random_ids(length: int, batch: int = 2) -> np.ndarray:
    """int [batch, length], within every small vocabulary."""
    return np.random.default_rng(1).integers(0, 96, (batch, length))


def check_model(tools: Tools, model: Path, ids: np.ndarray, *options: str) -> None:
    expected = Llama(model, np.float64).logits(ids)
    single = tools.forward(model, ids, "--mesh=tp=1", *options)
    check_close(single, expected, REFERENCE_TOLERANCE, "1 rank against the reference")
    for ranks in RANKS[1:]:
        logits = tools.forward(model, ids, f"--mesh=tp={ranks}", *options)
        check_close(logits, expected, REFERENCE_TOLERANCE, f"{ranks} ranks against the reference")
        check_close(logits, single, RANKS_TOLERANCE, f"{ranks} ranks against 1")


def variant(name: str) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        made = make_variant(name, tools.work / "model")
        check_model(tools, tools.work / "model", random_ids(made.length), "--dtype=f32")

    return case


def gguf(**kind: bool | str) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        make_gguf(tools.work / "model.gguf", **kind)  # type: ignore[arg-type]
        check_model(tools, tools.work / "model.gguf", random_ids(13))

    return case


def double(tools: Tools) -> None:
    """--dtype=f64 is computed in f64."""
    make_variant("grouped", tools.work / "model")
    ids = random_ids(13)
    expected = Llama(tools.work / "model", np.float64).logits(ids)
    for ranks in (1, 3):
        logits = tools.forward(tools.work / "model", ids, f"--mesh=tp={ranks}", "--dtype=f64")
        check_close(logits, expected, 1e-9, f"{ranks} ranks in f64")


def stored_bf16(tools: Tools) -> None:
    """--dtype=auto follows the checkpoint: close, as far as bf16 goes."""
    make_variant("bf16", tools.work / "model")
    ids = random_ids(13)
    expected = Llama(tools.work / "model", np.float64).logits(ids)
    for ranks in (1, 2):
        logits = tools.forward(tools.work / "model", ids, f"--mesh=tp={ranks}")
        check_close(logits.astype(np.float32), expected, 0.05, f"{ranks} ranks in bf16")


def stored(tools: Tools) -> None:
    """Weights that stay as they are stored compute what widened ones do, in less memory, sharded or not."""
    make_gguf(tools.work / "model.gguf", types="blocks")
    make_variant("bf16", tools.work / "model")
    ids = random_ids(13)
    for model, options, saved in (("model.gguf", (), 0.6), ("model", ("--dtype=f32",), 0.8)):
        for ranks in (1, 2, 3):
            mesh = f"--mesh=tp={ranks}"
            parameters = []
            logits = []
            for how in ((), ("--dequantise",)):
                logits.append(tools.forward(model, ids, mesh, *options, *how, "--report=report.json"))
                parameters.append(json.loads((tools.work / "report.json").read_text())["memory"]["parameters"])
            check_close(logits[0], logits[1], RANKS_TOLERANCE, f"{model} on {ranks} ranks, as stored and widened")
            if ranks == 1:
                check(parameters[0] < saved * parameters[1], f"{model}: {parameters} bytes of parameters")
            module = tools.shard(tools.import_model(model, "--batch=2", "--seq=13", *options), f"tp={ranks}")
            predicted = tools.report(module)["memory"]["parameters"]
            check(predicted == parameters[0], f"{model} on {ranks} ranks: {predicted} predicted, {parameters[0]} held")


def two_axes(tools: Tools) -> None:
    """Batch over dp, the rest over tp."""
    make_variant("grouped", tools.work / "model")
    ids = random_ids(13)
    expected = Llama(tools.work / "model", np.float64).logits(ids)
    for mesh in ("dp=2", "dp=2,tp=2", "dp=2,tp=3"):
        logits = tools.forward(tools.work / "model", ids, f"--mesh={mesh}")
        check_close(logits, expected, REFERENCE_TOLERANCE, mesh)


def lengths(tools: Tools) -> None:
    """Sequences of one position, of several vectors, and of an odd length."""
    make_variant("grouped", tools.work / "model")
    for length in (1, 2, 37, 64):
        ids = random_ids(length, batch=1)
        expected = Llama(tools.work / "model", np.float64).logits(ids)
        logits = tools.forward(tools.work / "model", ids, "--mesh=tp=2")
        check_close(logits, expected, REFERENCE_TOLERANCE, f"{length} positions")


def uneven(ranks: int) -> Callable[[Tools], None]:
    """8 heads, 4 KV heads and no extent that divides; what a run has not written is NaN."""

    def case(tools: Tools) -> None:
        os.environ["TPRT_POISON"] = "1"
        make_variant("uneven", tools.work / "model")
        plan = tools.work / "plan.json"
        plan.write_text(json.dumps(SEQUENCE_PARALLEL))
        shapes = [(1, 1), (1, 2), (2, 5), (3, 13), (1, 37)]
        for batch, length in shapes:
            ids = random_ids(length, batch)
            expected = Llama(tools.work / "model", np.float64).logits(ids)
            logits = tools.forward(tools.work / "model", ids, f"--mesh=tp={ranks}")
            check_close(logits, expected, REFERENCE_TOLERANCE, f"{batch} x {length} positions")
            if length < 6:
                logits = tools.forward(tools.work / "model", ids, f"--mesh=tp={ranks}", f"--plan={plan}")
                check_close(logits, expected, REFERENCE_TOLERANCE, f"{batch} x {length} positions, sequence parallel")
        ids = random_ids(13, batch=3)
        expected = Llama(tools.work / "model", np.float64).logits(ids)
        logits = tools.forward(tools.work / "model", ids, f"--mesh=dp=2,tp={ranks}")
        check_close(logits, expected, REFERENCE_TOLERANCE, "a batch of 3 over 2")

    return case


def plans(tools: Tools) -> None:
    """Every example plan, and none, gives the same numbers."""
    make_variant("grouped", tools.work / "model")
    ids = random_ids(13)
    expected = Llama(tools.work / "model", np.float64).logits(ids)
    folder = ROOT / "examples" / "plans"
    choices = [
        ("--plan=none", "--mesh=tp=2"),
        (f"--plan={folder / 'llama-tensor-parallel.json'}", "--mesh=tp=2"),
        (f"--plan={folder / 'llama-vocabulary-parallel.json'}",),
        (f"--plan={folder / 'mlp-only.json'}",),
    ]
    for options in choices:
        logits = tools.forward(tools.work / "model", ids, *options)
        check_close(logits, expected, REFERENCE_TOLERANCE, " ".join(options))


def stages(tools: Tools) -> None:
    """Checkpoint, imported module and sharded module give the same bits."""
    make_variant("nine-heads", tools.work / "model")
    ids = random_ids(13)
    direct = tools.forward(tools.work / "model", ids, "--mesh=tp=2")
    module = tools.import_model("model", "--entry=forward", "--batch=2", "--seq=13")
    imported = tools.forward(module, ids, "--mesh=tp=2")
    sharded = tools.forward(tools.shard(module, "tp=2"), ids)
    check_close(imported, direct, 0, "an imported module")
    check_close(sharded, direct, 0, "a sharded module")


def other_weights(tools: Tools) -> None:
    """--weights replaces the checkpoint that a module records."""
    make_variant("grouped", tools.work / "model")
    ids = random_ids(13)
    expected = tools.forward(tools.work / "model", ids, "--mesh=tp=2")
    module = tools.import_model("model", "--entry=forward", "--batch=2", "--seq=13")
    (tools.work / "model").rename(tools.work / "moved")
    logits = tools.forward(module, ids, "--mesh=tp=2", "--weights=moved")
    check_close(logits, expected, 0, "weights from another place")


def random_weights(tools: Tools) -> None:
    """A configuration alone runs, with the same weights on every mesh."""
    config = CONFIGS["llama-3-8b"] | {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "head_dim": 16,
        "num_key_value_heads": 2,
        "vocab_size": 128,
        "torch_dtype": "float32",
    }
    write_checkpoint(tools.work / "model", config, {}, files=0)
    ids = random_ids(13)
    single = tools.forward(tools.work / "model", ids, "--mesh=tp=1", "--random-weights=7")
    for ranks in RANKS[1:]:
        logits = tools.forward(tools.work / "model", ids, f"--mesh=tp={ranks}", "--random-weights=7")
        check_close(logits, single, RANKS_TOLERANCE, f"{ranks} ranks against 1")


def check_option(tools: Tools) -> None:
    """--check compares with the unsharded program and passes."""
    make_variant("nine-heads", tools.work / "model")
    tools.forward(tools.work / "model", random_ids(13), "--mesh=tp=4", "--check")


CASES: dict[str, Callable[[Tools], None]] = {name: variant(name) for name in VARIANTS} | {
    "gguf-mixed": gguf(),
    "gguf-f32": gguf(types="f32"),
    "gguf-blocks": gguf(types="blocks"),
    "gguf-tied": gguf(tied=True),
    "stored": stored,
    "gguf-rope-factors": gguf(rope_factors=True),
    "f64": double,
    "bf16-auto": stored_bf16,
    "two-axes": two_axes,
    "lengths": lengths,
    **{f"uneven-{ranks}": uneven(ranks) for ranks in (3, 5, 6, 7)},
    "plans": plans,
    "stages": stages,
    "other-weights": other_weights,
    "random-weights": random_weights,
    "check": check_option,
}

if __name__ == "__main__":
    main(CASES)
