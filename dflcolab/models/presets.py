# pyright: strict
"""Named starting points for a new model: sizes that fit together for a kind of machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Preset = Literal["tiny", "demo", "light", "standard", "high"]

_SAEHD: Mapping[Preset, Mapping[str, object]] = {
    # The smallest network that still learns; for tests and for trying the steps.
    "tiny": {
        "resolution": 64, "archi": "df-ud", "ae_dims": 32, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 2,
    },
    # Minutes on two CPU cores: few iterations, so small batches and large steps. Twice this rate
    # saturates the output at the start and the model never recovers.
    "demo": {
        "resolution": 96, "archi": "df-ud", "ae_dims": 96, "e_dims": 24, "d_dims": 24,
        "d_mask_dims": 8, "batch_size": 4, "face_type": "full_face", "learning_rate": 2.5e-4,
    },
    # Small GPUs and patient CPUs.
    "light": {
        "resolution": 128, "archi": "liae-ud", "ae_dims": 192, "e_dims": 48, "d_dims": 48,
        "d_mask_dims": 16, "batch_size": 8,
    },
    # A 15 GB GPU, such as Colab's T4.
    "standard": {
        "resolution": 192, "archi": "liae-ud", "ae_dims": 256, "e_dims": 64, "d_dims": 64,
        "d_mask_dims": 22, "batch_size": 8,
    },
    # 24 GB and more.
    "high": {
        "resolution": 320, "archi": "liae-udt", "ae_dims": 320, "e_dims": 72, "d_dims": 72,
        "d_mask_dims": 24, "batch_size": 8,
    },
}  # fmt: skip

_AMP: Mapping[Preset, Mapping[str, object]] = {
    "tiny": {
        "resolution": 64, "ae_dims": 32, "inter_dims": 64, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 2,
    },
    "demo": {
        "resolution": 96, "ae_dims": 96, "inter_dims": 192, "e_dims": 16, "d_dims": 16,
        "d_mask_dims": 8, "batch_size": 4, "face_type": "full_face", "learning_rate": 2.5e-4,
    },
    "light": {
        "resolution": 128, "ae_dims": 192, "inter_dims": 512, "e_dims": 32, "d_dims": 32,
        "d_mask_dims": 16, "batch_size": 8,
    },
    "standard": {
        "resolution": 192, "ae_dims": 256, "inter_dims": 1024, "e_dims": 48, "d_dims": 48,
        "d_mask_dims": 16, "batch_size": 8,
    },
    "high": {
        "resolution": 320, "ae_dims": 320, "inter_dims": 1280, "e_dims": 64, "d_dims": 64,
        "d_mask_dims": 22, "batch_size": 8,
    },
}  # fmt: skip

# Nothing of Quick96 can be chosen but its batch.
_QUICK96: Mapping[Preset, Mapping[str, object]] = {
    "tiny": {"batch_size": 2},
    "demo": {"batch_size": 4},
    "light": {"batch_size": 4},
    "standard": {"batch_size": 8},
    "high": {"batch_size": 16},
}

PRESETS: Mapping[str, Mapping[Preset, Mapping[str, object]]] = {
    "saehd": _SAEHD,
    "quick96": _QUICK96,
    "amp": _AMP,
}
"""Option values per kind of model and preset; everything else keeps DFL's default."""

FAST_ON_CPU = frozenset({"demo"})
"""Presets that compute in bfloat16 on CPUs that have it, where others stay exact in float32."""
