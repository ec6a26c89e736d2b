"""Two models beside each other as a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dflcolab.pipeline.page import picture_uri, write_page
from dflcolab.pipeline.training_charts import (
    WIDE,
    CurveChart,
    curve_of,
    draw,
    number,
)
from dflcolab.pipeline.training_history import ModelHistory
from dflcolab.pipeline.training_report import Measured
from dflcolab.pipeline.training_view import (
    FACE_MEASURES,
    SWAP_MEASURES,
    ShownPreview,
    small,
    text_of,
)

if TYPE_CHECKING:
    from dflcolab.pipeline.compare import ComparedModel, ComparisonReport, Difference
    from dflcolab.training.comparison import Compare

_PICTURE_WIDTH = 600
_QUALITY = 84
_NAMES = {
    "loss": ("Loss", "less is better"),
    **{name: (title, hint) for name, title, hint, _ in (*FACE_MEASURES, *SWAP_MEASURES)},
}

_NEITHER = ("sharpness", "steadiness", "variety")
"""Measures of which neither more nor less is better."""


@dataclass(frozen=True)
class _Row:
    """A measure in words: its name, what more of it means, both values, the difference."""

    name: str
    hint: str
    a: str
    b: str
    difference: str
    better: str
    sure: bool


@dataclass(frozen=True)
class _Group:
    title: str
    rows: Sequence[_Row]


def write_comparison_page(
    path: Path,
    report: ComparisonReport,
    histories: tuple[ModelHistory, ModelHistory],
    compared: Sequence[Compare],
) -> None:
    """Write the page (atomic).

    Args:
        path: Where to.
        report: What was found.
        histories: Of both models, for the curves.
        compared: What both painted, for the pictures.

    Raises:
        StorageError: Disk full or read-only.
    """
    made = dt.datetime.fromisoformat(report.made_on)
    charts, same_loss = _charts(histories)
    write_page(
        path,
        "comparison.html",
        title=f"{report.a.label} and {report.b.label}",
        lead=f"Compared on {made:%d %B %Y}, on held-out faces that neither was trained on.",
        models=[("a", "A", _facts(report.a)), ("b", "B", _facts(report.b))],
        faces=[
            f"{side}: {part.faces} faces from {part.stretches} stretches of frames"
            for side, part in report.faces.items()
        ],
        findings=report.findings,
        notes=report.notes,
        groups=_groups(report),
        pictures=_pictures(report, compared),
        charts=charts,
        same_loss=same_loss,
        options=[(name, text_of(a), text_of(b)) for name, (a, b) in report.options.items()],
    )


def _facts(model: ComparedModel) -> dict[str, str]:
    facts = {
        "Model": model.label,
        "Kind": f"{model.architecture.upper()}, {model.resolution} px",
        "Checkpoint": f"iteration {model.iteration:,}",
        "Pretrained": f"{model.pretrained:,} iterations" if model.pretrained else "no",
    }
    for side, counts in model.faces.items():
        facts[f"{side} faces"] = (
            f"{counts.get('training', 0):,} learned from, {counts.get('held_out', 0):,} held out"
        )
    return facts


def _groups(report: ComparisonReport) -> list[_Group]:
    titles = {
        "src": "src faces, painted as they are",
        "dst": "dst faces, painted as they are",
        "swap": "dst faces with the face of src",
    }
    found: list[_Group] = []
    for key, title in titles.items():
        prefix = f"{key}/held_out/"
        names = [name for name in _NAMES if prefix + name in report.measures]
        rows = [_row(name, report.measures[prefix + name]) for name in names]
        if rows:
            found.append(_Group(title, rows))
    return found


def _row(name: str, difference: Difference) -> _Row:
    title, hint = _NAMES[name]
    if difference.percent is not None:
        change = _signed(difference.percent, "{:+.1f}", " %")
    else:
        change = _signed(difference.difference, "{:+.3f}", "")
    return _Row(
        title,
        hint,
        _value(difference.a),
        _value(difference.b),
        change,
        difference.better.upper() or ("–" if name in _NEITHER else "not sure"),
        bool(difference.better),
    )


def _value(measured: Measured) -> str:
    return "–" if measured.value is None else number(measured.value)


def _signed(change: Measured, form: str, unit: str) -> str:
    if change.value is None:
        return "–"
    text = form.format(change.value) + unit
    if change.low is None or change.high is None:
        return text
    return f"{text} ({form.format(change.low)} to {form.format(change.high)})"


def _charts(histories: tuple[ModelHistory, ModelHistory]) -> tuple[list[CurveChart], bool]:
    """Curves of both in one field: of the losses if they compare, else of PSNR."""
    looks = [history.looks for history in histories]
    same = all(looks) and looks[0][-1].comparable == looks[1][-1].comparable
    measure, title = ("loss", "loss") if same else ("psnr", "PSNR")
    charts = (
        draw(
            f"{side}: {title} of each model's held-out faces",
            [
                curve_of(seen, f"{side}/held_out/{measure}", name, f"{css} kept")
                for seen, name, css in zip(looks, ("A", "B"), ("a", "b"), strict=True)
            ],
            frame=WIDE,
            hint="less is better" if same else "dB; more is better",
            log=same,
        )
        for side in ("src", "dst")
    )
    return [chart for chart in charts if chart is not None], bool(same)


def _pictures(report: ComparisonReport, compared: Sequence[Compare]) -> list[ShownPreview]:
    """The same faces as both paint them: the face, A, B."""
    a, b = compared
    columns = {
        "src": ("src, as A paints it, as B paints it", a.src[0], a.src[1], b.src[1]),
        "dst": ("dst, as A paints it, as B paints it", a.dst[0], a.dst[1], b.dst[1]),
    }
    shown = [grid for side, grid in columns.items() if _was_shown(report, side)]
    if all(_was_shown(report, side) for side in ("src", "dst")):
        shown.append(("dst, with the face of src by A, by B", a.dst[0], a.swap, b.swap))
    return [_grid(caption, *pictures) for caption, *pictures in shown]


def _was_shown(report: ComparisonReport, side: str) -> bool:
    return side in report.faces and report.faces[side].faces > 0


def _grid(caption: str, *columns: npt.NDArray[np.uint8]) -> ShownPreview:
    picture = np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)
    image = small(picture, _PICTURE_WIDTH)
    uri = picture_uri(image, quality=_QUALITY)
    return ShownPreview(caption, uri, image.shape[1], image.shape[0])
