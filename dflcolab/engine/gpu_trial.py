"""One tiny computation on the GPU, before hours of work depend on it.

Some GPUs are newer than the installed TensorFlow: they are listed, and then fail at the first
kernel. A product, a convolution and a compiled function tell within seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.backend import tf


@dataclass(frozen=True)
class GpuTrial:
    """What came of it.

    Attributes:
        tensorflow: Version of TensorFlow.
        gpus: Names of the GPUs that TensorFlow lists.
        works: All of them computed correctly; False also if there is none.
        problem: One sentence if something is wrong; "" otherwise.
    """

    tensorflow: str
    gpus: tuple[str, ...]
    works: bool
    problem: str = ""


def try_gpus() -> GpuTrial:
    """Let every GPU compute once."""
    devices = tf.config.list_logical_devices("GPU")
    names = tuple(device.name for device in devices)
    if not devices:
        return GpuTrial(tf.__version__, (), works=False)
    for index, device in enumerate(devices):
        try:
            _compute_on(device.name)
        except (tf.errors.OpError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:160]
            return GpuTrial(
                tf.__version__,
                names,
                works=False,
                problem=(
                    f"{_card(index)} does not compute with TensorFlow {tf.__version__} ({reason}); "
                    "choose a T4, L4, A100 or H100, or train on the CPU."
                ),
            )
    return GpuTrial(tf.__version__, names, works=True)


def _card(index: int) -> str:
    """The GPU's name as people know it."""
    gpu = tf.config.list_physical_devices("GPU")[index]
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))


def _compute_on(device: str) -> None:
    @tf.function
    def work(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        features = tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
        flat = tf.reshape(features, [4, -1])
        return tf.reduce_sum(tf.matmul(flat, flat, transpose_b=True))

    with tf.device(device):
        result = work(tf.ones([4, 16, 16, 8]), tf.ones([3, 3, 8, 8]))
    if not bool(tf.math.is_finite(result)):
        raise RuntimeError("the result is not a number")
