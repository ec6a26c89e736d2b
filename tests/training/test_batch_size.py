"""The batch fits the machine, by measured steps."""

from __future__ import annotations

import pytest
import tensorflow as tf

from dflcolab.training.batch_size import choose_batch, largest_batch
from dflcolab.training.trial import Cost


def _machine(fits: int, *, overhead: float = 1.0, per_face_bytes: int = 10**9):
    """A trial on a machine that holds so many faces; a step costs `overhead` + 0.1 s per face."""
    tried: list[int] = []

    def trial(size: int) -> Cost:
        tried.append(size)
        if size > fits:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return Cost(overhead + 0.1 * size, 2 * 10**9 + size * per_face_bytes)

    return trial, tried


def test_the_largest_batch_before_memory_runs_out_is_taken():
    trial, tried = _machine(5)
    batch, sentence = choose_batch(trial, 32, None)
    assert (batch, tried) == (4, [1, 2, 4, 8])
    assert sentence == (
        "Batch 4 was measured: 2.9 faces per second and side, 6.0 GB of memory; "
        "a larger one does not fit into memory."
    )


def test_a_batch_that_would_exceed_the_memory_is_not_even_tried():
    trial, tried = _machine(1000)
    # 2 GB and 1 GB per face: 4 faces need 6 GB, 8 need 10, more than four fifths of 12.
    batch, sentence = choose_batch(trial, 32, 12 * 10**9)
    assert (batch, tried) == (4, [1, 2, 4])
    assert "too much memory" in sentence


def test_a_larger_batch_must_be_faster_per_face():
    trial, tried = _machine(1000, overhead=0.0)
    assert choose_batch(trial, 8, None)[0] == 1
    assert tried == [1, 2, 4, 8]


def test_a_single_face_that_does_not_fit_is_an_error():
    with pytest.raises(tf.errors.ResourceExhaustedError):
        choose_batch(_machine(0)[0], 8, None)


def test_cpus_stay_at_the_preset_and_gpus_may_go_beyond():
    assert largest_batch(192, 8, on_gpu=False) == 8
    assert largest_batch(192, 8, on_gpu=True) == 16
    assert largest_batch(320, 12, on_gpu=True) == 12
