"""Networks without compiling: tracing takes ten times as long as the few steps of these tests."""

from __future__ import annotations

import pytest
import tensorflow as tf


@pytest.fixture
def eager():
    """TensorFlow runs every operation at once; the numbers are those of equal programs."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
