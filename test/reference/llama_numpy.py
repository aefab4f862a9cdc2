#!/usr/bin/env python3
"""Llama in NumPy: an independent reference for logits and greedy ids.

Usage: llama_numpy.py MODEL --prompt-ids 1,2,3 --tokens 8 [--dtype f64]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from checkpoint_files import GgufFile, GgufTensors, SafeTensors, Tensors
from rope import rope_frequencies

Rotation = tuple[np.ndarray, np.ndarray]  # cosine and sine

# Hugging Face's names within a layer, and GGUF's.
_GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@dataclass(frozen=True)
class Config:
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    theta: float
    max_positions: int
    scaling: dict[str, Any] | None = None
    interleaved: bool = False  # rotary pairs are (2i, 2i + 1), not (i, i + head_dim / 2)


def _config_from_json(data: dict[str, Any]) -> Config:
    heads = data["num_attention_heads"]
    scaling = data.get("rope_parameters") or data.get("rope_scaling")
    theta = (scaling or {}).get("rope_theta") or data.get("rope_theta") or 10000.0
    return Config(
        layers=data["num_hidden_layers"],
        heads=heads,
        kv_heads=data.get("num_key_value_heads") or heads,
        head_dim=data.get("head_dim") or data["hidden_size"] // heads,
        eps=data.get("rms_norm_eps", 1e-6),
        theta=theta,
        max_positions=data.get("max_position_embeddings", 2048),
        scaling=scaling,
    )


def _config_from_gguf(data: dict[str, Any]) -> Config:
    if data["general.architecture"] != "llama":
        raise ValueError(f'architecture "{data["general.architecture"]}"')

    def get(key: str, default: Any = None) -> Any:
        return data.get("llama." + key, default)

    heads = get("attention.head_count")
    scaling = None
    if get("rope.scaling.type", "none") != "none":
        scaling = {
            "rope_type": get("rope.scaling.type"),
            "factor": get("rope.scaling.factor"),
            "original_max_position_embeddings": get("rope.scaling.original_context_length"),
        }
    return Config(
        layers=get("block_count"),
        heads=heads,
        kv_heads=get("attention.head_count_kv", heads),
        head_dim=get("attention.key_length", get("embedding_length") // heads),
        eps=get("attention.layer_norm_rms_epsilon"),
        theta=get("rope.freq_base", 10000.0),
        max_positions=get("context_length"),
        scaling=scaling,
        interleaved=True,
    )


class Cache:
    """Keys and values of each layer so far: [batch, positions, kv_heads, head_dim]."""

    def __init__(self) -> None:
        self.length = 0
        self.layers: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def extend(self, layer: int, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if layer in self.layers:
            old_key, old_value = self.layers[layer]
            key, value = np.concatenate([old_key, key], 1), np.concatenate([old_value, value], 1)
        self.layers[layer] = key, value
        return key, value


class Llama:
    def __init__(self, path: str | Path, dtype: Any = np.float32) -> None:
        path = Path(path)
        self.dtype = np.dtype(dtype)
        self._tensors: Tensors
        if path.is_dir():
            self.config = _config_from_json(json.loads((path / "config.json").read_text()))
            self._tensors = SafeTensors(path)
            self._gguf = False
        else:
            file = GgufFile(path)
            self.config = _config_from_gguf(file.metadata)
            self._tensors = GgufTensors(file)
            self._gguf = True
        self._loaded: dict[str, np.ndarray] = {}

    def _load(self, name: str) -> np.ndarray | None:
        if name not in self._loaded and name in self._tensors:
            self._loaded[name] = self._tensors[name].astype(self.dtype)
        return self._loaded.get(name)

    def _need(self, name: str) -> np.ndarray:
        tensor = self._load(name)
        if tensor is None:
            raise KeyError(name)
        return tensor

    def _linear(self, layer: int, module: str, x: np.ndarray) -> np.ndarray:
        """x [..., in] times weight [out, in], plus the bias if there is one."""
        prefix = f"blk.{layer}.{_GGUF_NAMES[module]}" if self._gguf else f"model.layers.{layer}.{module}"
        y = x @ self._need(prefix + ".weight").T
        bias = self._load(prefix + ".bias")
        return y if bias is None else y + bias

    def _norm(self, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.dtype.type(self.config.eps)) * weight

    def _layer_norm(self, layer: int, module: str, x: np.ndarray) -> np.ndarray:
        prefix = f"blk.{layer}.{_GGUF_NAMES[module]}" if self._gguf else f"model.layers.{layer}.{module}"
        return self._norm(self._need(prefix + ".weight"), x)

    def _rotation(self, start: int, count: int) -> Rotation:
        """Cosine and sine, each [count, head_dim / 2]."""
        c = self.config
        frequencies, factor = rope_frequencies(c.head_dim, c.theta, c.scaling, c.max_positions, start + count)
        if "rope_freqs.weight" in self._tensors:
            frequencies = frequencies / self._tensors["rope_freqs.weight"].astype(np.float64)
        angles = np.arange(start, start + count)[:, None] * frequencies
        return (np.cos(angles) * factor).astype(self.dtype), (np.sin(angles) * factor).astype(self.dtype)

    def _rotate(self, x: np.ndarray, rotation: Rotation) -> np.ndarray:
        """x [batch, positions, heads, head_dim]."""
        cos, sin = (table[None, :, None, :] for table in rotation)
        half = x.shape[-1] // 2
        first, second = slice(half), slice(half, None)
        if self.config.interleaved:
            first, second = slice(0, None, 2), slice(1, None, 2)
        y = np.empty_like(x)
        y[..., first] = x[..., first] * cos - x[..., second] * sin
        y[..., second] = x[..., second] * cos + x[..., first] * sin
        return y

    def _attention(self, layer: int, x: np.ndarray, rotation: Rotation, cache: Cache) -> np.ndarray:
        """x [batch, positions, hidden]; causal, kv_heads shared by groups of heads."""
        c = self.config
        b, s, _ = x.shape
        q = self._linear(layer, "self_attn.q_proj", x).reshape(b, s, c.heads, c.head_dim)
        k = self._linear(layer, "self_attn.k_proj", x).reshape(b, s, c.kv_heads, c.head_dim)
        v = self._linear(layer, "self_attn.v_proj", x).reshape(b, s, c.kv_heads, c.head_dim)
        q, k = self._rotate(q, rotation), self._rotate(k, rotation)
        k, v = cache.extend(layer, k, v)
        q = q.reshape(b, s, c.kv_heads, c.heads // c.kv_heads, c.head_dim)
        scores = np.einsum("bskgd,btkd->bkgst", q, k, optimize=True) / self.dtype.type(np.sqrt(c.head_dim))
        t = k.shape[1]
        visible = np.arange(t)[None, :] <= np.arange(t - s, t)[:, None]  # [s, t]
        scores = np.where(visible, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        y = np.einsum("bkgst,btkd->bskgd", weights, v, optimize=True)
        return self._linear(layer, "self_attn.o_proj", y.reshape(b, s, c.heads * c.head_dim))

    def _mlp(self, layer: int, x: np.ndarray) -> np.ndarray:
        gate = self._linear(layer, "mlp.gate_proj", x)
        with np.errstate(over="ignore"):
            gate = gate / (1 + np.exp(-gate))
        return self._linear(layer, "mlp.down_proj", gate * self._linear(layer, "mlp.up_proj", x))

    def logits(self, ids: np.ndarray, cache: Cache | None = None, last_only: bool = False) -> np.ndarray:
        """ids, int [batch, positions], to logits [batch, positions or 1, vocabulary]."""
        cache = cache or Cache()
        embedding, norm, head = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"
        if self._gguf:
            embedding, norm, head = "token_embd.weight", "output_norm.weight", "output.weight"
        x = self._need(embedding)[ids]
        rotation = self._rotation(cache.length, ids.shape[1])
        for layer in range(self.config.layers):
            x = x + self._attention(layer, self._layer_norm(layer, "input_layernorm", x), rotation, cache)
            x = x + self._mlp(layer, self._layer_norm(layer, "post_attention_layernorm", x))
        cache.length += ids.shape[1]
        if last_only:
            x = x[:, -1:]
        weight = self._need(head if head in self._tensors else embedding)
        return self._norm(self._need(norm), x) @ weight.T

    def greedy(self, prompt: list[int], tokens: int, eos: set[int] | None = None) -> tuple[list[int], list[float]]:
        """Greedy ids after the prompt, and by how much each beat the second best."""
        cache = Cache()
        ids: list[int] = []
        margins: list[float] = []
        step = np.array([prompt])
        while len(ids) < tokens:
            row = self.logits(step, cache, last_only=True)[0, -1]
            second, first = np.partition(row, -2)[-2:]
            ids.append(int(np.argmax(row)))  # the lowest id wins ties
            margins.append(float(first - second))
            if ids[-1] in (eos or ()):
                break
            step = np.array([[ids[-1]]])
        return ids, margins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--prompt-ids", required=True)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f32")
    options = parser.parse_args()
    model = Llama(options.model, np.float64 if options.dtype == "f64" else np.float32)
    ids, margins = model.greedy([int(i) for i in options.prompt_ids.split(",")], options.tokens)
    print(*ids)
    print(f"smallest margin {min(margins):.3g}")


if __name__ == "__main__":
    main()
