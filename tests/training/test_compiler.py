"""XLA is tried once, in a process of its own, within a time; nothing a trial does ends the run."""

from __future__ import annotations

import sys
import threading
import time

import pytest
import tensorflow as tf

from dflcolab.errors import Interrupted
from dflcolab.models.saehd.options import saehd_options
from dflcolab.progress import Progress
from dflcolab.training import compiler
from dflcolab.training.compiler import TRIAL_SECONDS, try_compiler, wants_trial
from dflcolab.training.trial import Cost
from dflcolab.training.trial_process import TrialFailed, TrialProcess

TINY = saehd_options(
    {"resolution": 64, "archi": "df-ud", "ae_dims": 8, "e_dims": 4, "d_dims": 4, "d_mask_dims": 4}
)


@pytest.mark.parametrize(
    ("wanted", "on_gpu", "iterations", "seconds", "tried"),
    [
        ("off", True, None, None, False),
        ("on", False, 10, 60.0, True),
        ("auto", True, None, None, True),
        ("auto", True, 200_000, 11.5 * 3600, True),
        ("auto", False, None, None, False),
        ("auto", True, 500, None, False),
        ("auto", True, None, 600.0, False),
    ],
)
def test_a_trial_is_made_where_it_can_pay(monkeypatch, wanted, on_gpu, iterations, seconds, tried):
    monkeypatch.setattr(compiler, "device_name", lambda: "Tesla T4" if on_gpu else "CPU")
    assert wants_trial(wanted, iterations=iterations, seconds=seconds) is tried


@pytest.mark.parametrize(("compiled", "used"), [(0.5, True), (0.99, False), (2.0, False)])
def test_xla_is_used_where_it_is_faster(compiled: float, used: bool):
    def trial(size: int, jit: bool, within: float) -> Cost:
        assert 0 < within <= TRIAL_SECONDS
        return Cost(compiled if jit else 1.0, 1)

    verdict = try_compiler(trial, 4)
    assert verdict.jit is used
    assert f"({compiled * 1e3:.0f} ms with it, 1000 without; the trial took 0 s)" in verdict.note


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrialFailed("CUDA_ERROR_INVALID_PTX: no kernel image"), "is not supported"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), "(OOM when"),
    ],
)
def test_what_goes_wrong_is_one_sentence_against_xla(error: Exception, words: str):
    def trial(size: int, jit: bool, within: float) -> Cost:
        if jit:
            raise error
        return Cost(1.0, 1)

    verdict = try_compiler(trial, 4)
    assert not verdict.jit
    assert verdict.note.startswith("XLA cannot compile this step (")
    assert words in verdict.note


def test_a_real_step_is_measured_in_another_process_which_is_gone_afterwards():
    with TrialProcess(TINY, "float32", Progress()) as trials:
        cost = trials.measure(1, within=300)
        process = trials._process
        assert process is not None
        assert process.poll() is None
    assert 0 < cost.seconds < 60
    assert 10**8 < cost.peak_bytes < 10**11
    assert process.returncode is not None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "ended with code"),
        ("import time; time.sleep(60)", "takes more than 1 s"),
        ('print(\'{"failed": "no compiler"}\'); input()', "no compiler"),
    ],
)
def test_a_trial_that_crashes_hangs_or_fails_is_a_failure_with_its_reason(code: str, words: str):
    command = (sys.executable, "-c", code)
    with (
        TrialProcess(TINY, "float32", Progress(), command=command) as trials,
        pytest.raises(TrialFailed, match=words),
    ):
        trials.measure(1, True, within=1 if "sleep" in code else 60)


def test_memory_that_runs_out_in_a_trial_is_known_as_such():
    code = 'print(\'{"memory": "OOM"}\'); input()'
    with (
        TrialProcess(TINY, "float32", Progress(), command=(sys.executable, "-c", code)) as trials,
        pytest.raises(tf.errors.ResourceExhaustedError, match="OOM"),
    ):
        trials.measure(1, within=60)


def test_a_wish_to_stop_ends_a_trial_at_once():
    progress = Progress()
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    threading.Timer(0.5, progress.request_stop).start()
    began = time.monotonic()
    with (
        TrialProcess(TINY, "float32", progress, command=command) as trials,
        pytest.raises(Interrupted),
    ):
        trials.measure(1, True, within=120)
    assert time.monotonic() - began < 30
