"""Descriptions of runtimes, as the machines themselves would give them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dflcolab.runtime.description import Runtime
from dflcolab.runtime.machine import Gpu, Machine
from dflcolab.runtime.versions import Versions
from dflcolab.runtime.where import Place, Where

GB = 1 << 30
T4 = Gpu("Tesla T4", 15360, 7.5)
BLACKWELL = Gpu("NVIDIA RTX PRO 6000 Blackwell", 97887, 12.0)

# Colab's default image since August 2026; it holds three builds of OpenCV.
COLAB_VERSIONS = Versions(
    package="0.1.0",
    python="3.13.5",
    installed={
        "tensorflow": "2.20.0",
        "keras": "3.13.2",
        "tf-keras": "2.20.1",
        "numpy": "2.1.3",
        "opencv-python": "5.0.0.93",
        "opencv-contrib-python": "4.14.0.94",
        "opencv-python-headless": "5.0.0.93",
        "protobuf": "5.29.6",
        "ipywidgets": "7.7.1",
    },
    running={"numpy": "2.1.3"},
)
VERSIONS = replace(
    COLAB_VERSIONS,
    installed={
        "tensorflow": "2.21.0",
        "keras": "3.15.1",
        "numpy": "2.4.6",
        "opencv-python": "5.0.0.93",
        "protobuf": "7.36.2",
        "ipywidgets": "8.1.9",
    },
    running={"numpy": "2.4.6"},
)
MACHINE = Machine(2, 12 * GB, 9 * GB, 110 * GB, 70 * GB, (T4,))

COLAB = Runtime(Where(Place.COLAB_HOSTED, True, True, 6, 7), COLAB_VERSIONS, MACHINE)
KAGGLE = Runtime(Where(Place.KAGGLE, False, False, 6, 8), COLAB_VERSIONS, MACHINE)
JUPYTER = Runtime(Where(Place.JUPYTER, False, False, 7, 8), VERSIONS, MACHINE)
TERMINAL = Runtime(Where(Place.TERMINAL, False, False, None, 8), VERSIONS, MACHINE)


def with_machine(runtime: Runtime, **changes: Any) -> Runtime:
    """The same runtime on another machine."""
    return replace(runtime, machine=replace(runtime.machine, **changes))


def with_versions(runtime: Runtime, **changes: Any) -> Runtime:
    """The same runtime with other packages."""
    return replace(runtime, versions=replace(runtime.versions, **changes))
