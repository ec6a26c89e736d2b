"""Reading the model vectors: the deterministic weight formula, settings, relative differences."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dflcolab.models.architecture import Architecture
from dflcolab.models.saehd.network import Saehd, SaehdSize


def meta_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """The settings stored beside the arrays of a case."""
    return json.loads(str(case["meta"]))


def formula_weights(shapes: Mapping[str, Any], seed: int, gain: float = 1.0) -> dict[str, Any]:
    """Weights that anybody can compute from a variable's name (README of the vectors)."""
    return {name: _formula(name, tuple(shape), seed, gain) for name, shape in shapes.items()}


def _formula(name: str, shape: tuple[int, ...], seed: int, gain: float) -> np.ndarray:
    start = np.uint64(zlib.crc32(f"s{seed}/{name}".encode()) << 32)
    h = start + np.arange(int(np.prod(shape)), dtype=np.uint64)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    v = 2 * (h >> np.uint64(40)).astype(np.float64) / 2**24 - 1
    kind = name.rsplit("/", 1)[-1].removesuffix(":0")
    if kind == "weight":
        v = v * gain * np.sqrt(4 / np.prod(shape[:-1])) if len(shape) >= 2 else 1 + 0.2 * v
    elif kind == "eps":
        v = np.full_like(v, 1e-6)
    elif kind == "running_var":
        v = 1 + 0.5 * v
    else:
        v = 0.1 * v
    return v.reshape(shape).astype(np.float32)


def model_of(settings: Mapping[str, Any]) -> Saehd:
    """The model with the sizes that a case names."""
    return Saehd(
        SaehdSize(
            architecture=Architecture.parse(settings["archi"]),
            resolution=settings["resolution"],
            ae_dims=settings["ae_dims"],
            e_dims=settings["e_dims"],
            d_dims=settings["d_dims"],
            d_mask_dims=settings["d_mask_dims"],
        )
    )


def picture(u8: np.ndarray) -> Any:
    """Stored uint8 as the float32 that was fed."""
    return tf.constant(u8.astype(np.float32) / 255)


def difference(ours: Any, theirs: Any) -> float:
    """Largest absolute difference over max(1, largest absolute value), as the README defines it."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, f"shape {ours.shape} instead of {theirs.shape}"
    return float(np.max(np.abs(ours - theirs)) / max(1.0, np.max(np.abs(theirs))))
