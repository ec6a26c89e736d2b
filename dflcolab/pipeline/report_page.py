# pyright: strict
"""A run as one HTML file that can be sent around: pictures, losses, stages, rights.

Everything is inside the file: pictures as JPEG data, the loss curves as a drawing, the style as
text. It loads nothing, so it opens anywhere and tells nobody that it was opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.pipeline.loss_chart import loss_chart
from dflcolab.pipeline.page import picture_uri, write_page

_WIDEST = 1600
_TALLEST = 3200
_QUALITY = 86
_NARROW_WIDTH = 900


@dataclass(frozen=True)
class StageRow:
    """One stage of the run.

    Attributes:
        name: Its name.
        seconds: How long it took.
        note: What came of it, in a sentence.
    """

    name: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class _Picture:
    caption: str
    uri: str
    width: int
    height: int

    @property
    def narrow(self) -> bool:
        """Small or upright pictures keep their size, others fill the page."""
        return self.width < _NARROW_WIDTH or self.height > 1.2 * self.width


@dataclass(frozen=True)
class _ShownStage:
    name: str
    note: str
    time: str
    percent: float


def render_report(
    path: Path,
    *,
    title: str,
    stages: Sequence[StageRow] = (),
    losses: npt.NDArray[np.floating] | None = None,
    pictures: Sequence[tuple[str, Image]] = (),
    notes: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write the page (atomic). Parts that are empty are left out.

    Args:
        path: Where to, `….html`.
        title: Heading.
        stages: Stages in order, with their times.
        losses: `[N, 2]`, src and dst by iteration; NaN where unknown.
        pictures: Captions and BGR pictures, the most telling first; large ones are scaled down.
        notes: Sentences on rights and provenance.
        facts: Short facts by name: model, batch, faces …

    Raises:
        StorageError: Disk full or read-only.
    """
    total = sum(stage.seconds for stage in stages)
    longest = max((stage.seconds for stage in stages), default=0.0)
    write_page(
        path,
        "report.html",
        title=title,
        lead=f"Made on {dt.date.today():%d %B %Y}.",
        facts=dict(facts or {}),
        pictures=[_embedded(caption, image) for caption, image in pictures],
        chart=None if losses is None else loss_chart(losses),
        stages=[_shown(stage, longest) for stage in stages],
        total_time=_duration(total),
        notes=list(notes),
    )


def _embedded(caption: str, image: Image) -> _Picture:
    height, width = image.shape[:2]
    shrink = min(_WIDEST / width, _TALLEST / height, 1.0)
    if shrink < 1.0:
        size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    uri = picture_uri(image, quality=_QUALITY)
    return _Picture(caption, uri, image.shape[1], image.shape[0])


def _shown(stage: StageRow, longest: float) -> _ShownStage:
    percent = round(100.0 * stage.seconds / longest, 1) if longest > 0 else 0.0
    return _ShownStage(stage.name, stage.note, _duration(stage.seconds), percent)


def _duration(seconds: float) -> str:
    """`0.4 s`, `38 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
