"""The loss history only grows, and follows a resume back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dflcolab.engine.loss_history import LossHistory, read_losses


def test_losses_come_back_in_order(tmp_path: Path):
    history = LossHistory(tmp_path / "m" / "losses.bin")
    history.append([[1, 2], [3, 4]])
    history.flush()
    history.append([[5, 6]])
    history.flush()
    history.force()
    np.testing.assert_array_equal(read_losses(history.path), [[1, 2], [3, 4], [5, 6]])


def test_a_resume_cuts_off_what_was_never_saved(tmp_path: Path):
    path = tmp_path / "losses.bin"
    path.write_bytes(np.arange(10, dtype="<f4").tobytes() + b"abc")  # killed inside a write
    history = LossHistory(path)
    history.start_at(3)
    history.append([[7, 7]])
    history.flush()
    np.testing.assert_array_equal(read_losses(path), [[0, 1], [2, 3], [4, 5], [7, 7]])


def test_lost_entries_are_marked_and_do_not_shift_the_others(tmp_path: Path):
    path = tmp_path / "losses.bin"
    path.write_bytes(np.arange(2, dtype="<f4").tobytes())
    LossHistory(path).start_at(3)
    values = read_losses(path)
    np.testing.assert_array_equal(values[0], [0, 1])
    assert np.isnan(values[1:]).all()
    assert len(values) == 3
