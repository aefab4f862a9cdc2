#!/usr/bin/env python3
"""Small random Llama checkpoints of every kind, and configurations of large ones.

Usage: make_checkpoint.py KIND OUTPUT, with KIND a name in VARIANTS or CONFIGS, or "gguf".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from checkpoint_files import BF16, F16, F32, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0
from gguf_writer import Tensor, Value, random_blocks, write_gguf
from safetensors_writer import write_checkpoint
from variants import BASE, CONFIGS, VARIANTS, Variant


def random_tensors(config: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that keep activations near 1, under their Hugging Face names."""
    rng = np.random.default_rng(seed)
    hidden, ffn, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    q, kv = heads * head_dim, config["num_key_value_heads"] * head_dim
    tensors: dict[str, np.ndarray] = {}

    def linear(name: str, rows: int, columns: int, bias: bool = False) -> None:
        tensors[name + ".weight"] = rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)
        if bias:
            tensors[name + ".bias"] = rng.normal(0, 0.2, rows).astype(np.float32)

    def norm(name: str) -> None:
        tensors[name + ".weight"] = rng.normal(1, 0.2, hidden).astype(np.float32)

    tensors["model.embed_tokens.weight"] = rng.normal(0, 1, (config["vocab_size"], hidden)).astype(np.float32)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        norm(prefix + "input_layernorm")
        for name, rows, columns in (("q", q, hidden), ("k", kv, hidden), ("v", kv, hidden), ("o", hidden, q)):
            linear(f"{prefix}self_attn.{name}_proj", rows, columns, config["attention_bias"])
        norm(prefix + "post_attention_layernorm")
        for name, rows, columns in (("gate", ffn, hidden), ("up", ffn, hidden), ("down", hidden, ffn)):
            linear(f"{prefix}mlp.{name}_proj", rows, columns, config["mlp_bias"])
    norm("model.norm")
    if not config["tie_word_embeddings"]:
        linear("lm_head", config["vocab_size"], hidden)
    return tensors


def make_variant(name: str, directory: Path) -> Variant:
    variant = VARIANTS[name]
    config = BASE | variant.config
    write_checkpoint(directory, config, random_tensors(config), variant.dtype, variant.files)
    return variant


def make_config(name: str, directory: Path) -> None:
    """config.json and nothing else."""
    write_checkpoint(directory, CONFIGS[name], {}, files=0)


GGUF_CONFIG = BASE | {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "vocab_size": 96,
}
_GGUF_MODULES = {
    "self_attn.q_proj": ("attn_q", Q4_0),
    "self_attn.k_proj": ("attn_k", F16),
    "self_attn.v_proj": ("attn_v", BF16),
    "self_attn.o_proj": ("attn_output", Q4_1),
    "mlp.gate_proj": ("ffn_gate", Q4_0),
    "mlp.up_proj": ("ffn_up", Q8_0),
    "mlp.down_proj": ("ffn_down", Q4_1),
    "input_layernorm": ("attn_norm", F32),
    "post_attention_layernorm": ("ffn_norm", F32),
}
_GGUF_TOP = {
    "model.embed_tokens.weight": ("token_embd.weight", Q8_0),
    "model.norm.weight": ("output_norm.weight", F32),
    "lm_head.weight": ("output.weight", Q4_1),
}
# Blocks of 256 want rows of as many; the types that random_blocks makes.
GGUF_BLOCKS_CONFIG = GGUF_CONFIG | {"hidden_size": 256, "intermediate_size": 512}
_GGUF_BLOCKS = {
    "attn_q": Q4_K,
    "attn_k": Q5_0,
    "attn_v": Q6_K,
    "attn_output": Q5_K,
    "ffn_gate": Q4_K,
    "ffn_up": Q5_1,
    "ffn_down": Q6_K,
    "token_embd.weight": Q5_K,
    "output.weight": Q6_K,
}


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorders rows [heads * d, in] as GGUF's converter does for q and k."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_metadata(config: dict[str, Any]) -> dict[str, Value]:
    prefix = "llama."
    return {
        "general.architecture": "llama",
        "general.name": "random",
        prefix + "context_length": config["max_position_embeddings"],
        prefix + "embedding_length": config["hidden_size"],
        prefix + "block_count": config["num_hidden_layers"],
        prefix + "feed_forward_length": config["intermediate_size"],
        prefix + "rope.dimension_count": config["hidden_size"] // config["num_attention_heads"],
        prefix + "attention.head_count": config["num_attention_heads"],
        prefix + "attention.head_count_kv": config["num_key_value_heads"],
        prefix + "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        prefix + "rope.freq_base": config["rope_theta"],
    }


def gguf_tensors(config: dict[str, Any], types: str = "mixed", rope_factors: bool = False) -> list[Tensor]:
    """`types` is "mixed", "f32" or "blocks"."""
    rng = np.random.default_rng(0)
    heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
    result = []
    for name, values in random_tensors(config).items():
        if name in _GGUF_TOP:
            gguf_name, type_ = _GGUF_TOP[name]
            short = gguf_name
        else:
            _, _, layer, module = name.removesuffix(".weight").split(".", 3)
            short, type_ = _GGUF_MODULES[module]
            gguf_name = f"blk.{layer}.{short}.weight"
            if module in heads:
                values = interleaved(values, heads[module])
        tensor = Tensor(gguf_name, values, F32 if types == "f32" else type_)
        if types == "blocks" and short in _GGUF_BLOCKS:
            tensor.type = _GGUF_BLOCKS[short]
            tensor.content = random_blocks(tensor.type, values.shape, float(values.std()), rng)
        result.append(tensor)
    if rope_factors:
        pairs = config["hidden_size"] // config["num_attention_heads"] // 2
        result.append(Tensor("rope_freqs.weight", np.linspace(1, 4, pairs, dtype=np.float32)))
    return result


def make_gguf(path: Path, types: str = "mixed", rope_factors: bool = False, tied: bool = False) -> None:
    config = (GGUF_BLOCKS_CONFIG if types == "blocks" else GGUF_CONFIG) | {"tie_word_embeddings": tied}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(path, gguf_metadata(config), gguf_tensors(config, types, rope_factors))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    kind, output = sys.argv[1], Path(sys.argv[2])
    if kind in VARIANTS:
        make_variant(kind, output)
    elif kind in CONFIGS:
        make_config(kind, output)
    elif kind == "gguf":
        make_gguf(output)
    else:
        sys.exit(f"error: {kind} is none of {', '.join([*VARIANTS, *CONFIGS, 'gguf'])}")
