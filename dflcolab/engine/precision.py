"""In which number type a step computes, and the loss scale that float16 needs.

Weights, optimizer slots and losses are float32 whatever is chosen here; only the networks between
input and head compute in the chosen type.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from dflcolab.arrays import Tensor
from dflcolab.backend import tf

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]

_LOG = logging.getLogger(__name__)
_TENSOR_CORES_FLOAT16 = (7, 0)
_TENSOR_CORES_BFLOAT16 = (8, 0)


def choose_precision(wanted: str, *, half_on_cpu: bool = False) -> Precision:
    """The precision to use; `auto` is decided by the device.

    GPU of compute capability 8.0 and more (A100, L4, RTX 30): bfloat16. 7.0 and 7.5 (V100, T4):
    float16. Older GPUs: float32. CPUs: float32, as DeepFaceLab.

    Args:
        wanted: `auto`, `float32`, `mixed_float16` or `mixed_bfloat16`.
        half_on_cpu: `auto` takes bfloat16 on CPUs that compute in it (about twice as fast there).
    """
    if wanted != "auto":
        return wanted  # pyright: ignore[reportReturnType]
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "mixed_bfloat16" if half_on_cpu and _cpu_has_bfloat16() else "float32"
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    if capability >= _TENSOR_CORES_BFLOAT16:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= _TENSOR_CORES_FLOAT16 else "float32"


def _cpu_has_bfloat16() -> bool:
    """True if the processor multiplies in bfloat16 (AVX-512 or AMX); else it would be slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def prepare_device() -> None:
    """Set what holds for the whole process; harmless to call again.

    TF32 rounds float32 products to 10 bits, which DSSIM's small differences do not survive. GPU
    memory is taken as needed, so that other programs on the GPU live on.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            _LOG.debug("The GPU was in use before its memory policy could be set.")


def compute_dtype(precision: Precision) -> tf.DType:
    """The type networks compute in."""
    types = {
        "float32": tf.float32,
        "mixed_float16": tf.float16,
        "mixed_bfloat16": tf.bfloat16,
    }
    return types[precision]


class LossScale:
    """Factor on the loss that keeps float16 gradients from vanishing; 1 for other types.

    It is halved when a gradient overflows (that step is left out) and doubled after 2000 steps
    without an overflow.

    Args:
        precision: Only `mixed_float16` scales.
    """

    _START = 2.0**15
    _PATIENCE = 2000

    def __init__(self, precision: Precision) -> None:
        self.active = precision == "mixed_float16"
        start = self._START if self.active else 1.0
        self.scale = tf.Variable(tf.constant(start), trainable=False)
        self.good_steps = tf.Variable(tf.zeros([], tf.int64), trainable=False)

    def update(self, finite: Tensor) -> None:
        """Adapt the factor after a step whose gradients were finite, or were not."""
        grow = tf.logical_and(finite, self.good_steps + 1 >= self._PATIENCE)
        scale = tf.where(grow, self.scale * 2, tf.where(finite, self.scale, self.scale / 2))
        self.scale.assign(tf.clip_by_value(scale, 1.0, 2.0**24))
        self.good_steps.assign(
            tf.where(tf.logical_and(finite, tf.logical_not(grow)), self.good_steps + 1, 0)
        )
