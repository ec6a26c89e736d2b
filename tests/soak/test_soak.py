"""A sample of the long run (`make soak`): killed training and sync lose nothing that they acknowledged."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_every_kill():
    words = ["--kills", "5", "--processes", "0", "--seed", "11"]
    # A program of its own: children are forked, which one that has computed with TensorFlow cannot do.
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *words], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
