"""The batch fits the machine, by measured steps; XLA is used where it works and helps."""

from __future__ import annotations

import pytest
import tensorflow as tf

from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.batch_size import choose_batch, choose_jit, largest_batch
from dflcolab.training.trial import Cost, measure_step


def _machine(fits: int, *, overhead: float = 1.0, per_face_bytes: int = 10**9):
    """A trial on a machine that holds so many faces; a step costs `overhead` + 0.1 s per face."""
    tried: list[int] = []

    def trial(size: int, jit: bool) -> Cost:
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


def test_a_real_step_is_measured():
    options = saehd_options(
        {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
         "d_mask_dims": 4}
    )  # fmt: skip
    cost = measure_step(options, "float32", 2)
    assert 0 < cost.seconds < 60
    assert 10**8 < cost.peak_bytes < 10**11


@pytest.mark.parametrize(
    ("wanted", "on_gpu", "seconds", "used", "word"),
    [
        ("off", True, 0.1, False, ""),
        ("auto", False, 0.1, False, ""),
        ("auto", True, 0.1, True, "XLA compiles the step (100 ms with it, 1000 without)."),
        ("on", False, 0.1, True, "XLA compiles the step (100 ms with it, 1000 without)."),
        ("auto", True, 2.0, False, "XLA is no faster (2000 ms with it, 1000 without)"),
    ],
)
def test_xla_is_used_where_it_is_faster(wanted, on_gpu, seconds, used, word):
    def trial(size: int, jit: bool) -> Cost:
        return Cost(seconds if jit else 1.0, 1)

    jit, sentence = choose_jit(trial, 4, wanted, on_gpu=on_gpu)
    assert jit is used
    assert sentence.startswith(word)
    assert bool(sentence) == bool(word)


def test_an_unsupported_card_is_named_in_one_sentence_and_training_goes_on_without_xla():
    def trial(size: int, jit: bool) -> Cost:
        if jit:
            raise tf.errors.InternalError(None, None, "CUDA_ERROR_INVALID_PTX: no kernel image")
        return Cost(1.0, 1)

    jit, sentence = choose_jit(trial, 4, "auto", on_gpu=True)
    assert not jit
    assert "CUDA_ERROR_INVALID_PTX" in sentence
    assert "not supported" in sentence
