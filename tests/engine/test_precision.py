"""Precision is chosen by device, and the float16 loss scale follows overflows."""

from __future__ import annotations

import tensorflow as tf

from dflcolab.engine import precision
from dflcolab.engine.precision import LossScale, choose_precision, compute_dtype


def test_a_cpu_computes_in_float32_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind=None: [])
    assert choose_precision("auto") == "float32"
    assert choose_precision("mixed_bfloat16") == "mixed_bfloat16"
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: True)
    assert choose_precision("auto") == "float32"
    assert choose_precision("auto", half_on_cpu=True) == "mixed_bfloat16"
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: False)
    assert choose_precision("auto", half_on_cpu=True) == "float32"


def test_a_gpu_decides_by_its_generation(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind=None: ["gpu"])
    chosen = {}
    for name, capability in {"k80": (3, 7), "t4": (7, 5), "l4": (8, 9), "h100": (9, 0)}.items():
        details = {"compute_capability": capability}
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda _gpu, details=details: details
        )
        chosen[name] = choose_precision("auto")
    assert chosen == {
        "k80": "float32",
        "t4": "mixed_float16",
        "l4": "mixed_bfloat16",
        "h100": "mixed_bfloat16",
    }
    assert compute_dtype("mixed_float16") == tf.float16


def test_the_loss_scale_halves_on_overflow_and_grows_after_calm():
    scale = LossScale("mixed_float16")
    start = float(scale.scale.numpy())
    scale.update(tf.constant(False))
    assert float(scale.scale.numpy()) == start / 2
    for _ in range(2000):
        scale.update(tf.constant(True))
    assert float(scale.scale.numpy()) == start
    assert float(LossScale("float32").scale.numpy()) == 1
