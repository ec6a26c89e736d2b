"""TensorFlow, loaded without its greetings. Network code writes `from dflcolab.backend import tf`.

TensorFlow writes lines about its build and about drivers that a CPU machine does not have; users
would take them for errors, and no setting turns the first of them off.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

from dflcolab.quiet import native_messages_hidden


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Objects that stay are made by the hundred thousand; searching them for rubbish takes a sixth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# Later notes (an XLA compilation, a missing driver) obey this; a user's own wish comes first.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with native_messages_hidden(), _nothing_collected():
    import tensorflow as tf

    # The first look for devices is what talks most.
    tf.config.list_physical_devices()

__all__ = ["fused", "per_face", "tf"]

_LOG = logging.getLogger(__name__)


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled to few passes over memory, on CPUs where TensorFlow can do that.

    For long chains of small operations on large arrays, which otherwise cost a pass each. GPUs have
    the bandwidth and run the plain operations. Draw random numbers outside: compiled code draws
    others.

    Args:
        function: Of tensors with known shapes; computes and returns tensors.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return (compiled if _can_fuse() else function)(*arguments)

    return call


def per_face(draw: Callable[[int], Any], count: int, axis: int = 0) -> Any:
    """Random numbers of some faces, the same however many devices share the batch.

    Drawn for the whole batch; a device keeps those of its own faces.

    Args:
        draw: From a number of faces to numbers.
        count: Faces of this device.
        axis: Axis of the numbers that counts faces.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(count)
    drawn = draw(count * context.num_replicas_in_sync)
    start, size = [0] * len(drawn.shape), drawn.shape.as_list()
    start[axis], size[axis] = context.replica_id_in_sync_group * count, count
    return tf.slice(drawn, start, size)


@functools.cache
def _can_fuse() -> bool:
    if tf.config.list_physical_devices("GPU"):
        return False
    try:
        with tf.init_scope(), native_messages_hidden():
            tf.function(lambda x: x * 2 + 1, jit_compile=True)(tf.ones([4]))
    except (tf.errors.OpError, ValueError):
        _LOG.info("This TensorFlow cannot fuse operations; they run singly.")
        return False
    return True
