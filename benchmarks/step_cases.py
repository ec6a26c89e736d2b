"""The models whose training steps are timed: those of the architecture's table, and AMP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True)
class Case:
    """A model and what is known of DeepFaceLab's step.

    Attributes:
        title: For tables.
        arch: Kind of the model.
        values: Its options; everything else as by default.
        dfl_ms: DeepFaceLab's milliseconds per step in float32; None where nobody measured it.
        dfl_mb: Its peak memory.
    """

    title: str
    arch: str
    values: Mapping[str, object] = field(default_factory=dict)
    dfl_ms: float | None = None
    dfl_mb: float | None = None


DFL_RATE = 413.0
"""GFLOP/s of the convolution of `machine.Convolution` where DeepFaceLab was measured, float32."""

CASES: Mapping[str, Case] = {
    "a": Case(
        "SAEHD liae-ud 128, batch 4", "saehd",
        {"resolution": 128, "archi": "liae-ud", "ae_dims": 256, "e_dims": 64, "d_dims": 64,
         "d_mask_dims": 22, "batch_size": 4, "adabelief": True},
        dfl_ms=1765, dfl_mb=3326,
    ),
    "b": Case(
        "SAEHD df 96, batch 8", "saehd",
        {"resolution": 96, "archi": "df", "ae_dims": 128, "e_dims": 32, "d_dims": 32,
         "d_mask_dims": 16, "batch_size": 8, "adabelief": True},
        dfl_ms=1125, dfl_mb=1601,
    ),
    "c": Case("Quick96, batch 4", "quick96", {"batch_size": 4}, dfl_ms=775, dfl_mb=1803),
    "d": Case("XSeg, batch 4", "xseg", {"batch_size": 4}, dfl_ms=1446, dfl_mb=2434),
    "amp": Case(
        "AMP 128, batch 4", "amp",
        {"resolution": 128, "ae_dims": 192, "inter_dims": 512, "e_dims": 32, "d_dims": 32,
         "d_mask_dims": 16, "batch_size": 4},
    ),
}  # fmt: skip


@contextmanager
def counted_operations() -> Iterator[list[float]]:
    """Count what layers cost while networks are called once, forward, inside of the context.

    Yields:
        A list that gets, for each call of a layer, the multiplications and additions of a training
        step: those of the output, of the input's gradient and of the weights' gradient, which are
        equally many. The first layer of a network needs no gradient of its input, the picture.
    """
    from dflcolab.models.layers import Conv, ConvTranspose, Dense

    counts: list[float] = []
    with ExitStack() as stack:
        for kind in (Conv, ConvTranspose, Dense):
            original = kind.__call__

            def call(layer: Any, weights: Any, x: Any, original: Any = original) -> Any:
                y = original(layer, weights, x)
                # A product per weight and position: of the output, or, transposed, of the input.
                positions = x if isinstance(layer, ConvTranspose) else y
                products = layer.n_in * layer.n_out * getattr(layer, "kernel", 1) ** 2
                for size in positions.shape[:-1]:
                    products *= size
                counts.append(2.0 * products * (2 if layer.n_in == _PICTURE else 3))
                return y

            stack.enter_context(patch.object(kind, "__call__", call))
        yield counts


_PICTURE = 3  # channels
