"""TFLite files on the CPU: one interpreter per thread, one thread per interpreter.

The extraction runs several small networks side by side; letting each of them spread over all
cores makes them wait for each other. So an interpreter keeps to its thread, and every thread that
calls gets its own.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.detection.models import model_bytes
from dflcolab.errors import MissingDependencyError
from dflcolab.quiet import native_messages_hidden

FloatArray = npt.NDArray[np.float32]


class LiteModel:
    """A bundled TFLite model with one float32 input; safe to call from any thread.

    Args:
        name: File name among the bundled models.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._local = threading.local()

    def __call__(self, batch: FloatArray) -> list[FloatArray]:
        """Run the network.

        Args:
            batch: The input tensor, of the shape the model declares.

        Returns:
            Copies of all outputs, in the order the model declares.
        """
        interpreter = getattr(self._local, "interpreter", None)
        if interpreter is None:
            interpreter = _interpreter(model_bytes(self._name))
            self._local.interpreter = interpreter
            self._local.input = interpreter.get_input_details()[0]["index"]
            self._local.outputs = [item["index"] for item in interpreter.get_output_details()]
        interpreter.set_tensor(self._local.input, batch)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._local.outputs]


def _interpreter(content: bytes) -> Any:
    """An interpreter of LiteRT, or of TensorFlow where LiteRT is not installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = _tensorflow_interpreter()  # noqa: N806 - it is a class
    global _greeted
    with _CREATING, contextlib.nullcontext() if _greeted else native_messages_hidden():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        _greeted = True
    return interpreter


_CREATING = threading.Lock()
_greeted = False


def _tensorflow_interpreter() -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError(
            "Neither ai-edge-litert nor TensorFlow is installed, and face detection needs one of "
            "them; run: pip install ai-edge-litert"
        ) from error
    lite: Any = getattr(tf, "lite", None)
    if lite is None:
        raise MissingDependencyError(
            "This TensorFlow has no Lite interpreter; run: pip install ai-edge-litert"
        )
    return lite.Interpreter
