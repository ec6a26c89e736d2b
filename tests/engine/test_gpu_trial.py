"""A GPU that cannot compute is named before hours of work depend on it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tensorflow as tf

from dflcolab.engine import gpu_trial


def test_an_unsupported_card_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    device = SimpleNamespace(name="/device:GPU:0")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [device])
    monkeypatch.setattr(gpu_trial, "_card", lambda index: "NVIDIA Imaginary 9090")

    def fails(_: str) -> None:
        raise tf.errors.InternalError(
            None, None, "'cuLaunchKernel' failed with 'CUDA_ERROR_INVALID_PTX'\nmore lines"
        )

    monkeypatch.setattr(gpu_trial, "_compute_on", fails)
    trial = gpu_trial.try_gpus()
    assert not trial.works
    assert "NVIDIA Imaginary 9090 does not compute with TensorFlow" in trial.problem
    assert "CUDA_ERROR_INVALID_PTX" in trial.problem
    assert "more lines" not in trial.problem


def test_the_computation_itself_works_on_a_device_that_is_there():
    gpu_trial._compute_on("/device:CPU:0")
