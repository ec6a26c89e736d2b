"""Whether XLA compiles the step: by a trial that is bounded in time, and made once.

Its result is stored in the checkpoint under what it depends on, so that a run that goes on, also
on a kind of machine that it was on before, does not try again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from dflcolab.backend import tf
from dflcolab.training.step_plan import Verdict, device_name
from dflcolab.training.trial import Cost
from dflcolab.training.trial_process import TrialFailed

Wish = Literal["auto", "on", "off"]

TRIAL_SECONDS = 180.0
"""What a trial may take."""

_ITERATIONS_WORTH_IT = 5_000
_SECONDS_WORTH_IT = 20 * TRIAL_SECONDS
_GAIN = 0.97


BoundedTrial = Callable[[int, bool, float], Cost]
"""From faces per side, whether XLA compiles, and seconds that it may take, to the cost."""


def wants_trial(wanted: Wish, *, iterations: int | None, seconds: float | None) -> bool:
    """True if a trial can pay in a run like this.

    `off`: never. `on`: always. `auto`: on GPUs, in runs that are not sure to be short. On CPUs XLA
    has been slower in every case that was measured (docs/benchmarks.md).

    Args:
        wanted: The user's wish.
        iterations: How many lie ahead; None = nobody knows.
        seconds: Until the run's deadline; None = it has none.
    """
    if wanted != "auto":
        return wanted == "on"
    few = iterations is not None and iterations < _ITERATIONS_WORTH_IT
    short = seconds is not None and seconds < _SECONDS_WORTH_IT
    return device_name() != "CPU" and not few and not short


def try_compiler(trial: BoundedTrial, batch: int) -> Verdict:
    """Measure the step with and without XLA; whatever goes wrong is a verdict against XLA.

    Args:
        trial: Measures steps.
        batch: Faces per side that are worked on at once.

    Raises:
        Interrupted: Somebody asked to stop.
    """
    began = time.monotonic()

    def left() -> float:
        return TRIAL_SECONDS - (time.monotonic() - began)

    try:
        plain = trial(batch, False, left())
        compiled = trial(batch, True, left())
    except (TrialFailed, tf.errors.ResourceExhaustedError) as error:
        text = str(error).splitlines()[0]
        card = (
            " The GPU is not supported by this TensorFlow; run `dflcolab doctor`."
            if "CUDA_ERROR_INVALID_PTX" in text
            else ""
        )
        return Verdict(False, f"XLA cannot compile this step ({text}); it runs without.{card}")
    took = f"the trial took {time.monotonic() - began:.0f} s"
    times = f"{compiled.seconds * 1e3:.0f} ms with it, {plain.seconds * 1e3:.0f} without; {took}"
    if compiled.seconds > _GAIN * plain.seconds:
        return Verdict(False, f"XLA is no faster ({times}); it is left out.")
    return Verdict(True, f"XLA compiles the step ({times}).")
