# pyright: strict
"""A model's training as the page shows it: judgement, curves, what happened, previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.engine.checkpoint import PREVIEW
from dflcolab.errors import DFLColabError
from dflcolab.media.frame_sequence import read_image
from dflcolab.pipeline.loss_chart import LossChart, loss_chart
from dflcolab.pipeline.page import picture_uri
from dflcolab.pipeline.training_charts import SMALL, WIDE, CurveChart, curve_of, draw
from dflcolab.pipeline.training_history import ModelHistory
from dflcolab.pipeline.training_report import BEGINNINGS, TrainingReport, kind_of
from dflcolab.watch.looks import Look

_PREVIEWS = 10
_PREVIEW_WIDTH = 640
_QUALITY = 74

PHASES = {
    "warp": "random warp",
    "lr_dropout": "learning-rate dropout",
    "no_warp": "without random warp",
    "gan": "GAN",
    "manual": "options set by hand",
    "pretraining": "pretraining",
    "masks": "masks",
}
"""What the phases of the schedule are called."""

SWAP_MEASURES = (
    ("identity_src", "Likeness to src", "cosine; more is better; one person has 0.53 and more", False),
    ("identity_dst", "Likeness to dst", "cosine; less is better", False),
    ("landmarks", "Landmarks off dst's", "distances of the eyes; less is better", False),
    ("pose", "Pose off dst's", "degrees; less is better", False),
    ("presence", "Sureness of a face", "0 to 1; more is better", False),
    ("sharpness", "Sharpness", "less that of src; at -1 visibly softer", False),
    ("steadiness", "Steadiness", "1: as steady as the footage; a half: twice as restless", False),
)  # fmt: skip
"""Of swapped faces: name, title, what more of it means, and whether ratios tell."""

_SWAP_PREVIEW = (
    "Columns: src, src as the model paints it, dst, dst as the model paints it, and dst with the face "
    "of src; the lowest rows are neighboring dst frames, with the face of src below."
)
_MASK_PREVIEW = (
    "Columns: the face under the drawn mask, the learned mask, the face under the learned mask; faces "
    "that are learned from first, then held-out ones, then such without labels."
)

MASK_MEASURES = (
    ("iou", "Overlap of the masks", "1 is all", False),
    ("boundary_f", "Edges", "share within 2.7 of 256 pixels; 1 is all", False),
)
"""Of labels held out of mask training."""

FACE_MEASURES = (
    ("dssim", "10 DSSIM", "less is better", True),
    ("square", "10 mean squares", "less is better", True),
    ("mask", "Loss of the mask", "less is better", True),
    ("eyes_mouth", "Loss of eyes and mouth", "less is better", True),
    ("psnr", "PSNR", "dB inside of the mask; more is better", False),
    ("mask_iou", "Overlap of the masks", "1 is all", False),
    ("color", "Distance of the colors", "Lab; less is better", False),
    ("identity", "Likeness to the face itself", "cosine; more is better", False),
    ("variety", "Variety", "1: as varied as the faces; near 0: one face for all", False),
)
"""Of faces painted as they are."""


@dataclass(frozen=True)
class ShownEvent:
    """A line of what happened; `number` is its mark in the curves, 0 without one."""

    number: int
    iteration: str
    kind: str
    text: str


@dataclass(frozen=True)
class ShownPreview:
    """A preview inside the page."""

    caption: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class ShownVerdict:
    """A judgement with its reasons."""

    call: str
    evidence: str
    advice: str


@dataclass(frozen=True)
class ShownTraining:
    """Everything that the page shows of a model."""

    name: str
    kind: str
    headline: str
    verdicts: Sequence[ShownVerdict]
    best: str
    facts: Mapping[str, str]
    charts: Sequence[CurveChart]
    phases: Sequence[str]
    swap: Sequence[CurveChart]
    details: Sequence[CurveChart]
    losses: LossChart | None
    events: Sequence[ShownEvent]
    previews: Sequence[ShownPreview]
    preview_words: str
    options: Mapping[str, str]
    run: Mapping[str, str]
    problems: Sequence[str]


def shown_training(report: TrainingReport, history: ModelHistory) -> ShownTraining:
    """What the page shows of a model."""
    events = _events(report.events)
    marks = [
        (int(event.get("iteration", 0)), shown.number, shown.kind)
        for event, shown in zip(report.events, events, strict=True)
        if shown.number
    ]
    looks, end = history.looks, report.iteration
    masks = report.architecture == "xseg"
    # Labels are drawn in the color of src.
    sides = {"masks": "src"} if masks else {"src": "src", "dst": "dst"}
    wide = (
        draw(
            f"{side}: faces it learns from, and faces kept from it",
            [
                curve_of(looks, f"{side}/training/loss", "training faces", f"{css} seen"),
                curve_of(looks, f"{side}/held_out/loss", "held-out faces", f"{css} kept"),
            ],
            frame=WIDE,
            hint="Loss without warp; less is better.",
            marks=marks,
            log=True,
            until=end,
        )
        for side, css in sides.items()
    )
    swap = (
        draw(
            title,
            [curve_of(looks, f"swap/held_out/{name}", title, "swap kept")],
            frame=SMALL,
            hint=hint,
            log=log,
            until=end,
        )
        for name, title, hint, log in SWAP_MEASURES
    )
    details = (
        draw(
            title,
            [
                curve_of(looks, f"{side}/held_out/{name}", side, f"{css} kept")
                for side, css in sides.items()
            ],
            frame=SMALL,
            hint=hint,
            log=log,
            until=end,
        )
        for name, title, hint, log in (MASK_MEASURES if masks else FACE_MEASURES)
    )
    return ShownTraining(
        name=report.model,
        kind=kind_of(report.verdicts) if report.looks else "fair",
        headline=report.headline(),
        verdicts=[
            ShownVerdict(str(v.call), v.evidence, v.advice)
            for v in (report.verdicts if report.looks else ())
        ],
        best=report.best_words(),
        facts=_facts(report),
        charts=[chart for chart in wide if chart is not None],
        phases=_phases(looks),
        swap=[chart for chart in swap if chart is not None],
        details=[chart for chart in details if chart is not None],
        losses=loss_chart(history.losses),
        events=events,
        previews=_previews(history),
        preview_words=_MASK_PREVIEW if masks else _SWAP_PREVIEW,
        options={name: text_of(value) for name, value in report.options.items()},
        run=_run(report.run),
        problems=report.problems,
    )


def _facts(report: TrainingReport) -> dict[str, str]:
    options = report.options
    facts = {
        "Iteration": f"{report.iteration:,}",
        "Model": f"{report.architecture.upper()} {options.get('archi', '')}".strip()
        + (f", {options['resolution']} px" if "resolution" in options else ""),
        "Faces per side and step": str(options.get("batch_size", "–")),
    }
    if report.phase:
        facts["Phase"] = PHASES.get(report.phase, report.phase)
    for side, counts in report.faces.items():
        facts[f"{side} faces"] = (
            f"{counts.get('training', 0):,} learned from, {counts.get('held_out', 0):,} held out"
        )
    facts["Last checkpoint"] = _checkpoint(report.latest.iteration, report.latest.held_out_loss)
    if report.best is not None:
        facts["Best checkpoint"] = _checkpoint(report.best.iteration, report.best.held_out_loss)
    if report.latest.saved_at:
        facts["Saved"] = report.latest.saved_at.replace("T", " ").replace("Z", " UTC")
    return facts


def _checkpoint(iteration: int, score: float | None) -> str:
    known = "" if score is None else f", held-out loss {score:.4g}"
    return f"iteration {iteration:,}{known}"


def _phases(looks: Sequence[Look]) -> list[str]:
    """Each phase with its iterations, such as `random warp: 0 to 12,000`."""
    said: list[str] = []
    for phase, group in groupby(looks, key=lambda look: look.phase):
        part = list(group)
        span = f"{part[0].iteration:,} to {part[-1].iteration:,}"
        said.append(f"{PHASES.get(phase, phase)}: {span}")
    return said


def _events(events: Sequence[Mapping[str, Any]]) -> list[ShownEvent]:
    shown: list[ShownEvent] = []
    number = 0
    for event in events:
        kind = str(event.get("kind", ""))
        marked = kind not in BEGINNINGS
        number += marked
        iteration = event.get("iteration", 0)
        shown.append(
            ShownEvent(
                number if marked else 0,
                f"{iteration:,}" if isinstance(iteration, int) else str(iteration),
                kind,
                str(event.get("text", "")),
            )
        )
    return shown


def _run(run: Mapping[str, Any]) -> dict[str, str]:
    """What the last run was begun with, besides the model's options."""
    left_out = ("iteration", "kind", "text", "options", "command", "versions", "faces")
    flat: dict[str, Any] = {k: v for k, v in run.items() if k not in left_out}
    for group in ("versions", "command"):
        values: Any = run.get(group)
        flat |= cast(dict[str, Any], values) if isinstance(values, dict) else {}
    return {name: text_of(value) for name, value in flat.items()}


def text_of(value: object) -> str:
    """An option's value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == [] or value == "":
        return "–"
    if isinstance(value, list):
        return ", ".join(str(item) for item in cast(list[Any], value))
    return str(value)


def _previews(history: ModelHistory) -> list[ShownPreview]:
    """Some of the kept previews, evenly spread, and the last checkpoint's."""
    found = list(history.previews)
    latest = history.latest
    if not found or found[-1][0] < latest.iteration:
        found.append((latest.iteration, history.folder / latest.name / PREVIEW))
    places = np.linspace(0, len(found) - 1, min(len(found), _PREVIEWS)).round().tolist()
    shown = (shown_preview(*found[int(place)]) for place in places)
    return [preview for preview in shown if preview is not None]


def shown_preview(iteration: int, path: Path, caption: str = "") -> ShownPreview | None:
    """A preview, small, inside the page; None if it cannot be read."""
    try:
        image = small(read_image(path), _PREVIEW_WIDTH)
    except DFLColabError:
        return None
    caption = caption or f"Iteration {iteration:,}"
    uri = picture_uri(image, quality=_QUALITY)
    return ShownPreview(caption, uri, image.shape[1], image.shape[0])


def small(image: Image, widest: int) -> Image:
    """At most so many pixels wide."""
    height, width = image.shape[:2]
    if width <= widest:
        return image
    size = (widest, max(1, round(height * widest / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
