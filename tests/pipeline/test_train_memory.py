"""`train --batch auto` on the real machine: measured once, kept by the model."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.long
def test_a_measured_batch_is_said_and_kept(face_workspace: Path, cli):
    words = ("train", "--workspace", face_workspace, "--model", "m", "--preset", "tiny")
    first = cli.report(*words, "--batch", "auto", "--accumulate", "1", "--target-iter", "2")
    said = [text for text in first["problems"] if "was measured" in text]
    assert len(said) == 1
    assert said[0].startswith(f"Batch {first['batch_size']} was measured: ")
    assert 1 <= first["batch_size"] <= 4
    again = cli.report(*words, "--batch", "auto", "--target-iter", "3")
    assert again["batch_size"] == first["batch_size"]
    assert not [text for text in again["problems"] if "measured" in text]
