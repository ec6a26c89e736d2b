"""A few steps of the real kind on made-up faces, to learn what they cost on this machine."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psutil

from dflcolab.backend import tf
from dflcolab.config import updated
from dflcolab.engine.precision import Precision
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.training.augment import PADDING
from dflcolab.training.model_state import ModelState
from dflcolab.training.step import TrainingStep

_GPU = "GPU:0"
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Cost:
    """What a step costs.

    Attributes:
        seconds: Of one step, compilation not counted.
        peak_bytes: Most memory in use: of the GPU, else of this process.
    """

    seconds: float
    peak_bytes: int


def measure_step(
    options: SwapModelOptions, precision: Precision, batch: int, *, jit: bool = False
) -> Cost:
    """Build a model of this kind, let it step, and throw it away.

    Args:
        options: The model.
        precision: Type its networks compute in.
        batch: Faces per side.
        jit: Compile by XLA.

    Raises:
        tf.errors.ResourceExhaustedError: It does not fit.
        tf.errors.OpError: The device cannot run it.
    """
    gc.collect()
    options = updated(options, {"batch_size": str(batch)})
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    if on_gpu:
        tf.config.experimental.reset_memory_stats(_GPU)
    step = TrainingStep(options, ModelState(options, seed=0), precision=precision, jit=jit)
    size = options.resolution + 2 * PADDING
    faces = np.random.default_rng(0).integers(0, 256, (batch, size, size, 5), dtype=np.uint8)

    def run(number: int) -> float:
        began = time.perf_counter()
        step.step(faces, faces, tf.constant(number, tf.int64)).numpy()
        return time.perf_counter() - began

    with _HighestMemory(on_gpu) as memory:
        run(1)
        seconds = min(run(number) for number in (2, 3))
    return Cost(seconds, memory.peak())


class _HighestMemory:
    """Watches memory while it is open."""

    def __init__(self, on_gpu: bool) -> None:
        self._on_gpu = on_gpu
        self._closed = threading.Event()
        self._highest = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _HighestMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def peak(self) -> int:
        """Bytes."""
        if self._on_gpu:
            return int(tf.config.experimental.get_memory_info(_GPU)["peak"])
        return self._highest

    def _look(self) -> None:
        process = psutil.Process()
        while not self._closed.wait(_LOOK_SECONDS):
            self._highest = max(self._highest, process.memory_info().rss)


def memory_limit() -> int | None:
    """Bytes that a step may take on a CPU: what this process has and could still get.

    None on GPUs: they say themselves when they are full, and no harm is done.
    """
    if tf.config.list_physical_devices("GPU"):
        return None
    return psutil.Process().memory_info().rss + psutil.virtual_memory().available


Trial = Callable[[int], Cost]
"""From faces per side to the cost."""
