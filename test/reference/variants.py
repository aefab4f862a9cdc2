"""The model configurations that tests know by name; make_checkpoint.py makes checkpoints of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BASE: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}


@dataclass(frozen=True)
class Variant:
    config: dict[str, Any] = field(default_factory=dict)  # over BASE
    dtype: str = "F32"
    files: int = 1
    length: int = 13  # of the sequence that shows what is special


def _rope(kind: str, **keys: Any) -> dict[str, Any]:
    return {"rope_scaling": {"rope_type": kind, **keys}}


VARIANTS = {
    "grouped": Variant(),
    "every-head-its-own": Variant({"num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": True}),
    "one-kv-head": Variant({"num_attention_heads": 8, "num_key_value_heads": 1, "hidden_size": 64}),
    "nine-heads": Variant({"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 72}),
    "five-heads": Variant({"num_attention_heads": 5, "num_key_value_heads": 5, "hidden_size": 40}),
    "uneven": Variant(
        {"num_attention_heads": 8, "num_key_value_heads": 4, "hidden_size": 40, "head_dim": 6, "intermediate_size": 50, "vocab_size": 97}
    ),
    "head-dim": Variant({"head_dim": 16}),
    "attention-bias": Variant({"attention_bias": True}),
    "mlp-bias": Variant({"mlp_bias": True, "attention_bias": True}),
    "tied": Variant({"tie_word_embeddings": True}),
    "rope-linear": Variant(_rope("linear", factor=4.0)),
    "rope-linear-old-key": Variant({"rope_scaling": {"type": "linear", "factor": 2.5}}),
    "rope-dynamic-short": Variant(_rope("dynamic", factor=2.0)),
    "rope-dynamic-long": Variant(_rope("dynamic", factor=2.0) | {"max_position_embeddings": 8}),
    "rope-llama3": Variant(
        _rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
        | {"head_dim": 16}
    ),
    "rope-yarn": Variant(_rope("yarn", factor=4.0, original_max_position_embeddings=32) | {"head_dim": 32}),
    "rope-yarn-factors": Variant(
        _rope(
            "yarn",
            factor=4.0,
            original_max_position_embeddings=64,
            beta_fast=16.0,
            beta_slow=2.0,
            attention_factor=1.25,
        )
        | {"head_dim": 32}
    ),
    "bf16": Variant({"torch_dtype": "bfloat16"}, dtype="BF16"),
    "f16": Variant({"torch_dtype": "float16"}, dtype="F16"),
    "several-files": Variant(files=3),
}

_LLAMA3 = BASE | {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "torch_dtype": "bfloat16",
}
CONFIGS = {
    "llama-3-8b": _LLAMA3,
    "llama-3-70b": _LLAMA3
    | {
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
    },
    "llama-3-405b": _LLAMA3
    | {
        "hidden_size": 16384,
        "intermediate_size": 53248,
        "num_hidden_layers": 126,
        "num_attention_heads": 128,
        "max_position_embeddings": 131072,
    }
    | _rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192),
}
