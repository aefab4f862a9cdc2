#!/usr/bin/env python3
"""Converts the llama2.c checkpoint stories260K to a Hugging Face directory.

    stories260k.py OUTPUT

The files are looked for in $TP_SHARED/data/stories260k, by default in
`shared` beside the repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from safetensors_writer import write_checkpoint


def data_directory() -> Path | None:
    """The folder of the original files, or None where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    directory = Path(os.environ.get("TP_SHARED") or beside) / "data" / "stories260k"
    return directory if (directory / "stories260K.bin").exists() else None


def golden_ids(directory: Path) -> list[int]:
    return [int(word) for word in (directory / "golden_greedy_ids.txt").read_text().replace(",", " ").split()]


def half_rotated(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorders rows [heads * d, in] so that pairs (2i, 2i+1) become (i, i + d/2)."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def convert(source: Path, target: Path) -> None:
    raw = (source / "stories260K.bin").read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, positions = np.frombuffer(raw, "<i4", 7).tolist()
    values, at = np.frombuffer(raw, "<f4", offset=28), 0

    def take(*shape: int) -> np.ndarray:
        nonlocal at
        at += int(np.prod(shape))
        return values[at - int(np.prod(shape)) : at].reshape(shape)

    kv = dim // heads * kv_heads
    tensors = {"model.embed_tokens.weight": take(vocab, dim)}
    stacked = {
        "input_layernorm": take(layers, dim),
        "self_attn.q_proj": take(layers, dim, dim),
        "self_attn.k_proj": take(layers, kv, dim),
        "self_attn.v_proj": take(layers, kv, dim),
        "self_attn.o_proj": take(layers, dim, dim),
        "post_attention_layernorm": take(layers, dim),
        "mlp.gate_proj": take(layers, hidden, dim),
        "mlp.down_proj": take(layers, dim, hidden),
        "mlp.up_proj": take(layers, hidden, dim),
    }
    tensors["model.norm.weight"] = take(dim)
    rotated = {"self_attn.q_proj": heads, "self_attn.k_proj": kv_heads}
    for layer in range(layers):
        for module, stack in stacked.items():
            weight = stack[layer]
            if module in rotated:
                weight = half_rotated(weight, rotated[module])
            tensors[f"model.layers.{layer}.{module}.weight"] = weight
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": dim,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocab,
        "max_position_embeddings": positions,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
    write_checkpoint(target, config, tensors)


if __name__ == "__main__":
    found = data_directory()
    if found is None:
        sys.exit("error: shared/data/stories260k is absent")
    convert(found, Path(sys.argv[1]))
