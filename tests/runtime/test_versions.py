"""Versions are compared with what this package and TensorFlow require."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.runtime.versions import Unmet, Versions, read_versions

INSTALLED = {"tensorflow": "2.20.0", "numpy": "2.1.3", "protobuf": "4.21.0", "keras": "3.13.2"}
REQUIRED = {
    "dflcolab": ["av>=18", "opencv-python>=4.11", "pytest>=8; extra == 'test'"],
    "tensorflow": ["protobuf>=5.28.0", "numpy>=1.26.0", "tensorboard~=2.20.0", "keras>=3.10.0"],
}


def ask(installed: dict[str, str]) -> Versions:
    return read_versions(
        version=installed.get,
        requirements=lambda name: REQUIRED.get(name, []),
        environment={"TF_USE_LEGACY_KERAS": "1"},
    )


def test_what_is_missing_or_too_old_is_named_with_who_needs_it():
    found = ask({**INSTALLED, "opencv-python-headless": "5.0.0.93"})

    # Another build of OpenCV will do; extras and TensorBoard are nobody's business here.
    assert [(unmet.by.split()[0], unmet.requirement) for unmet in found.unmet] == [
        ("dflcolab", "av>=18"),
        ("TensorFlow", "protobuf>=5.28.0"),
    ]
    assert found.unmet[1] == Unmet("TensorFlow 2.20.0", "protobuf>=5.28.0", "4.21.0")
    assert found.legacy_keras
    assert (found.tensorflow, found.opencv) == ("2.20.0", "5.0.0.93")


def test_a_module_that_runs_in_another_version_than_is_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(np, "__version__", "1.0.0")

    assert ask(INSTALLED).replaced["numpy"] == ("1.0.0", "2.1.3")


def test_this_environment_goes_together():
    found = read_versions(environment={})

    assert found.unmet == ()
    assert found.replaced == {}
    assert found.ffmpeg["libavcodec"].count(".") == 2
    assert not found.legacy_keras
