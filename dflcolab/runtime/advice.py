# pyright: strict
"""What a user should know about the surroundings before starting, one sentence each.

Each sentence says what is wrong and what to do about it. What only a trial computation or the
workspace can tell is in `pipeline.doctor`.
"""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from dflcolab.runtime.description import Runtime
from dflcolab.runtime.machine import Gpu
from dflcolab.runtime.versions import OPENCV_BUILDS, Versions
from dflcolab.runtime.where import Place, Where

GOOD_CARDS = "a T4, L4, A100 or H100"

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 11), (3, 13)
# TensorFlow's own builds for pip hold code for these and newer ones (since its version 2.17).
_OLDEST_CAPABILITY = 6.0
# Blackwell: TensorFlow 2.20 fails at the first computation, 2.21 with XLA.
_BLACKWELL_CAPABILITY = 12.0
_LAST_WITHOUT_BLACKWELL, _LAST_WITHOUT_BLACKWELL_XLA = (2, 20), (2, 21)
_LITTLE_DISK = 5 << 30
_LITTLE_MEMORY = 2 << 30


def runtime_advice(runtime: Runtime) -> list[str]:
    """Sentences about packages, GPU, disk and memory; [] if all is well."""
    return [
        *_packages(runtime.versions, runtime.where),
        *_gpus(runtime),
        *_room(runtime),
    ]


def _packages(versions: Versions, where: Where) -> list[str]:
    restart = (
        "choose Runtime → Restart, then Run all" if where.in_notebook else "start the program again"
    )
    found = [
        f"{name} {running} is running but {installed} was installed meanwhile; {restart}."
        for name, (running, installed) in versions.replaced.items()
    ]
    python = _release(versions.python)
    if not _OLDEST_PYTHON <= python <= _NEWEST_PYTHON:
        found.append(
            f"This is Python {versions.python}, which dflcolab is not tested with; use Python 3.11, "
            "3.12 or 3.13."
        )
    for unmet in versions.unmet:
        present = f"{unmet.installed} is installed" if unmet.installed else "it is missing"
        then = f", then {restart}" if where.in_notebook else ""
        found.append(
            f"{unmet.by} needs {unmet.requirement}, but {present}; run "
            f'`pip install "{unmet.requirement}"`{then}.'
        )
    builds = {
        name: versions.installed[name] for name in OPENCV_BUILDS if name in versions.installed
    }
    # Colab's and Kaggle's own images hold several builds that work together.
    own_image = where.managed or where.place is Place.COLAB_LOCAL
    if len({_release(version) for version in builds.values()}) > 1 and not own_image:
        listed = " and ".join(f"{name} {version}" for name, version in builds.items())
        found.append(
            f"{listed} share one folder, so parts of them may be mixed; run "
            f"`pip uninstall -y {' '.join(builds)}`, then install one of them."
        )
    if versions.legacy_keras:
        found.append(
            "TF_USE_LEGACY_KERAS asks for Keras 2, but dflcolab works with Keras 3; unset that "
            "environment variable and start anew."
        )
    return found


def _gpus(runtime: Runtime) -> list[str]:
    if not runtime.machine.gpus:
        return [_no_gpu(runtime.where.place)]
    sentences = (_card(gpu, runtime) for gpu in runtime.machine.gpus)
    return list(dict.fromkeys(sentence for sentence in sentences if sentence))


def _no_gpu(place: Place) -> str:
    match place:
        case Place.COLAB_HOSTED:
            remedy = "choose Runtime → Change runtime type → T4 GPU"
        case Place.COLAB_ENTERPRISE:
            remedy = "connect to a runtime template with a GPU"
        case Place.KAGGLE:
            remedy = "choose Settings → Accelerator → GPU"
        case _:
            remedy = (
                "use a machine with an NVIDIA card whose driver is installed (`nvidia-smi` lists "
                "it), or a small model (`--preset light`)"
            )
    return f"There is no GPU: extracting and merging work well, training is slow; {remedy}."


def _card(gpu: Gpu, runtime: Runtime) -> str:
    """What is wrong with a card; "" if nothing is known."""
    version = runtime.versions.tensorflow
    if version is None:
        return ""
    other = (
        f"choose Runtime → Change runtime type → {GOOD_CARDS}"
        if runtime.where.place is Place.COLAB_HOSTED
        else f"use {GOOD_CARDS} or another card of these generations, or train on the CPU"
    )
    name = f"{gpu.name} (compute capability {gpu.compute_capability})"
    if gpu.compute_capability < _OLDEST_CAPABILITY:
        return (
            f"{name} is older than TensorFlow {version} supports ({_OLDEST_CAPABILITY}); {other}."
        )
    if gpu.compute_capability >= _BLACKWELL_CAPABILITY:
        if _release(version) <= _LAST_WITHOUT_BLACKWELL:
            return f"{name} is newer than TensorFlow {version} can compute on; {other}."
        if _release(version) <= _LAST_WITHOUT_BLACKWELL_XLA:
            return (
                f"{name} is newer than the compiler (XLA) of TensorFlow {version} knows; train "
                f"with `--xla off`, or {other}."
            )
    return ""


def _room(runtime: Runtime) -> list[str]:
    machine, found = runtime.machine, list[str]()
    if machine.free_disk_bytes < _LITTLE_DISK:
        found.append(
            f"Only {machine.free_disk_bytes / 2**30:.1f} GB of disk are free; frames and models "
            "need room, so delete what is not needed."
        )
    if machine.free_memory_bytes < _LITTLE_MEMORY:
        found.append(
            f"Only {machine.free_memory_bytes / 2**30:.1f} GB of memory are free; close other "
            "notebooks or choose a small model (`--preset light`)."
        )
    return found


def _release(version: str) -> tuple[int, int]:
    """Major and minor number; (0, 0) for what is no version."""
    try:
        numbers = Version(version).release
    except InvalidVersion:
        return (0, 0)
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0)
