"""TensorFlow, loaded without its greetings. Network code writes `from dflcolab.backend import tf`.

TensorFlow writes lines about its build and about drivers that a CPU machine does not have; users
would take them for errors, and no setting turns the first of them off.
"""

from __future__ import annotations

from dflcolab.quiet import native_messages_hidden

with native_messages_hidden():
    import tensorflow as tf

    # The first look for devices is what talks most.
    tf.config.list_physical_devices()

__all__ = ["tf"]
