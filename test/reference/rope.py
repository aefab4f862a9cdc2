"""Frequencies of the rotary embedding under each kind of scaling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _yarn(frequencies: np.ndarray, scaling: dict[str, Any], theta: float, original: int) -> tuple[np.ndarray, float]:
    """Blends interpolated (low) and original (high) frequencies; scales attention."""
    dim, factor = 2 * len(frequencies), scaling["factor"]

    def dim_of(rotations: float) -> float:
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dim_of(scaling.get("beta_fast") or 32), dim_of(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)

    def mscale(multiplier: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * multiplier * math.log(factor) + 1.0

    attention = scaling.get("attention_factor")
    if attention is None:
        over, under = scaling.get("mscale"), scaling.get("mscale_all_dim")
        attention = mscale(over) / mscale(under) if over and under else mscale(1.0)
    return frequencies / factor * ramp + frequencies * (1 - ramp), attention


def _llama3(frequencies: np.ndarray, scaling: dict[str, Any], original: int) -> np.ndarray:
    low, high, factor = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["factor"]
    turns = original * frequencies / (2 * math.pi)  # rotations within the original context
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return frequencies * (smooth + (1 - smooth) / factor)


def rope_frequencies(
    dim: int, theta: float, scaling: dict[str, Any] | None, max_positions: int, length: int
) -> tuple[np.ndarray, float]:
    """Angles per position, f64 [dim / 2], and the factor on cosine and sine.

    `length` is the sequence's length, which only dynamic scaling looks at.
    """
    scaling = scaling or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "dynamic":
        stretch = scaling["factor"] * max(length, max_positions) / max_positions - (scaling["factor"] - 1)
        theta *= stretch ** (dim / (dim - 2))
    frequencies = theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    original = scaling.get("original_max_position_embeddings") or max_positions
    if kind == "linear":
        return frequencies / scaling["factor"], 1.0
    if kind == "llama3":
        return _llama3(frequencies, scaling, original), 1.0
    if kind == "yarn":
        return _yarn(frequencies, scaling, theta, original)
    if kind not in {"default", "dynamic"}:
        raise ValueError(f'rope scaling of kind "{kind}"')
    return frequencies, 1.0
