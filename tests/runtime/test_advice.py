"""Each thing that can be wrong with the surroundings has its sentence; a sound one has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dflcolab.runtime.advice import runtime_advice
from dflcolab.runtime.description import Runtime
from dflcolab.runtime.machine import Gpu
from dflcolab.runtime.versions import Unmet
from dflcolab.runtime.where import Place
from tests.runtime.runtimes import (
    BLACKWELL,
    COLAB,
    GB,
    JUPYTER,
    KAGGLE,
    T4,
    TERMINAL,
    with_machine,
    with_versions,
)


def with_tensorflow(runtime: Runtime, version: str, gpu: Gpu) -> Runtime:
    installed = {**runtime.versions.installed, "tensorflow": version}
    return with_machine(with_versions(runtime, installed=installed), gpus=(gpu,))


@pytest.mark.parametrize(
    "runtime", [COLAB, KAGGLE, JUPYTER, TERMINAL], ids=lambda runtime: runtime.where.place
)
def test_a_sound_runtime_needs_no_advice(runtime: Runtime):
    # Colab's own image holds three builds of OpenCV, and ipywidgets 7; both are fine there.
    assert runtime_advice(runtime) == []


OLD_CARD = Gpu("GeForce GTX 980", 4096, 5.2)
ENTERPRISE = replace(COLAB, where=replace(COLAB.where, place=Place.COLAB_ENTERPRISE))
MIXED_OPENCV = {**JUPYTER.versions.installed, "opencv-contrib-python": "4.11.0.86"}
CASES = {
    "no GPU on Colab": (
        with_machine(COLAB, gpus=()),
        ["extracting and merging work well", "Change runtime type → T4 GPU"],
    ),
    "no GPU on Colab Enterprise": (with_machine(ENTERPRISE, gpus=()), ["runtime template"]),
    "no GPU on Kaggle": (with_machine(KAGGLE, gpus=()), ["Settings → Accelerator"]),
    "no GPU at home": (with_machine(TERMINAL, gpus=()), ["`nvidia-smi`", "--preset light"]),
    "Blackwell, TensorFlow 2.20": (
        with_tensorflow(COLAB, "2.20.0", BLACKWELL),
        ["RTX PRO 6000", "newer than TensorFlow 2.20.0", "T4, L4, A100 or H100"],
    ),
    "Blackwell, TensorFlow 2.21": (
        with_tensorflow(COLAB, "2.21.0", BLACKWELL),
        ["XLA", "--xla off"],
    ),
    "Maxwell": (with_tensorflow(TERMINAL, "2.21.0", OLD_CARD), ["GTX 980", "older", "CPU"]),
    "numpy replaced in a notebook": (
        with_versions(COLAB, running={"numpy": "2.0.2"}),
        ["numpy 2.0.2 is running but 2.1.3", "Restart, then Run all"],
    ),
    "numpy replaced elsewhere": (
        with_versions(TERMINAL, running={"numpy": "2.0.2"}),
        ["start the program again"],
    ),
    "two builds of OpenCV": (
        with_versions(JUPYTER, installed=MIXED_OPENCV),
        ["opencv-python 5.0.0.93 and opencv-contrib-python 4.11.0.86", "pip uninstall -y"],
    ),
    "old protobuf": (
        with_versions(JUPYTER, unmet=(Unmet("TensorFlow 2.20.0", "protobuf>=5.28", "4.21.0"),)),
        ["TensorFlow 2.20.0 needs protobuf>=5.28, but 4.21.0", 'pip install "protobuf>=5.28"'],
    ),
    "missing library": (
        with_versions(TERMINAL, unmet=(Unmet("dflcolab 0.1.0", "av>=18", None),)),
        ["it is missing", 'pip install "av>=18"'],
    ),
    "Keras 2": (with_versions(COLAB, legacy_keras=True), ["TF_USE_LEGACY_KERAS", "unset"]),
    "Python too old": (with_versions(TERMINAL, python="3.10.12"), ["Python 3.10.12", "3.13"]),
    "Python too new": (with_versions(TERMINAL, python="3.14.0"), ["Python 3.14.0"]),
    "little disk": (with_machine(COLAB, free_disk_bytes=GB), ["1.0 GB of disk"]),
    "little memory": (with_machine(COLAB, free_memory_bytes=GB), ["1.0 GB of memory"]),
}


@pytest.mark.parametrize(("runtime", "words"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_one_sentence_with_its_remedy(runtime: Runtime, words: list[str]):
    (sentence,) = runtime_advice(runtime)

    assert sentence.endswith(".")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_newer_tensorflow_may_know_blackwell():
    assert runtime_advice(with_tensorflow(COLAB, "2.22.0", BLACKWELL)) == []


def test_two_cards_of_one_kind_are_named_once():
    assert len(runtime_advice(with_machine(COLAB, gpus=(BLACKWELL, BLACKWELL, T4)))) == 1
