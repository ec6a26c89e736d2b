"""The report as a page: what its template shows, worked out beforehand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.faceset.bones import ShapeDistance
from dflcolab.faceset.coverage import FacesetSummary, Region
from dflcolab.faceset.findings import Finding, Weight, counted
from dflcolab.faceset.limits import POSES_WELL, Limit
from dflcolab.faceset.measures import FaceMeasure
from dflcolab.faceset.pair import Coverage
from dflcolab.faceset.verdict import Promise
from dflcolab.pipeline.page import picture_uri, write_page
from dflcolab.pipeline.report_charts import Histogram, PoseChart, histograms, pose_chart
from dflcolab.pipeline.report_look import SideLook
from dflcolab.pipeline.training_history import ModelHistory
from dflcolab.pipeline.training_view import shown_training
from dflcolab.workspace.workspace import Side

if TYPE_CHECKING:
    from dflcolab.pipeline.report import PairReport, Report, SideReport

_FACE_SIZE = 144
_QUALITY = 80
_PEOPLE_SHOWN = 6
_WORST_SHOWN = 6

_WEIGHTS = {Weight.SERIOUS: "serious", Weight.GAP: "gap", Weight.NOTE: "note"}
_PROMISES = {Promise.PROMISING: "good", Promise.WORKABLE: "fair", Promise.NOT_YET: "poor"}


@dataclass(frozen=True)
class _Face:
    """An example: what it shows, which file it is, and its picture."""

    caption: str
    name: str
    uri: str


@dataclass(frozen=True)
class _Remark:
    weight: str
    text: str
    advice: str


@dataclass(frozen=True)
class _GapFaces:
    """A missing region: a dst face that src has nothing like, and the nearest of src."""

    words: str
    count: str
    example: _Face
    nearest: _Face


@dataclass(frozen=True)
class _Meter:
    name: str
    percent: int
    mirrored: int


@dataclass(frozen=True)
class _ShownSide:
    name: str
    facts: Mapping[str, str]
    remarks: Sequence[_Remark]
    chart: PoseChart
    examples: Sequence[_Face]
    people: Sequence[_Face]
    failed: Sequence[_Face]
    origins: Sequence[tuple[str, str]]
    damaged: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _ShownPair:
    promise: str
    kind: str
    text: str
    helps_most: str
    remarks: Sequence[_Remark]
    meters: Sequence[_Meter]
    chart: PoseChart
    gaps: Sequence[_GapFaces]
    shape: ShapeDistance | None
    proportions: Sequence[tuple[str, str, str]]


def write_report_page(
    path: Path,
    report: Report,
    looks: Mapping[Side, SideLook],
    histories: Sequence[ModelHistory] = (),
) -> None:
    """Write the page (atomic).

    Args:
        path: Where to.
        report: What was found.
        looks: The faces themselves, for charts and examples.
        histories: Those of `report.trainings`, for curves and previews.

    Raises:
        StorageError: Disk full or read-only.
    """
    sides = [
        _shown_side(found, looks[side])
        for side, found in ((Side.SRC, report.src), (Side.DST, report.dst))
        if found is not None
    ]
    pair = None if report.pair is None else _shown_pair(report.pair, looks)
    made = dt.datetime.fromisoformat(report.made_on)
    write_page(
        path,
        "faceset_report.html",
        title=f"{_title(report)} of {report.workspace}",
        lead=f"Made on {made:%d %B %Y}. Nothing in facesets and models was changed.",
        models=[
            shown_training(training, history)
            for training, history in zip(report.trainings, histories, strict=True)
        ],
        pair=pair,
        sides=sides,
        histograms=_histograms(looks),
        marks=[mark.text for mark in report.results],
        notes=report.notes,
        limits=[_shown_limit(name, limit) for name, limit in report.limits.items()],
    )


def _title(report: Report) -> str:
    parts = ["Training"] if report.trainings else []
    if report.src is not None or report.dst is not None:
        parts.append("Facesets")
    return " and ".join(parts).capitalize()


def _shown_side(found: SideReport, look: SideLook) -> _ShownSide:
    summary = found.summary
    return _ShownSide(
        name=summary.side,
        facts=_facts(summary),
        remarks=_remarks(found.findings),
        chart=pose_chart(summary.pose_map, f"Poses of {summary.side}"),
        examples=_examples(look),
        people=_people(look),
        failed=_faces(
            look,
            [] if summary.landmarks is None else summary.landmarks.failed.names[:_WORST_SHOWN],
            "landmarks off",
        ),
        origins=[(name, counted(count)) for name, count in list(summary.origins.items())[:40]],
        damaged=[(item.name, item.problem) for item in summary.damaged_files],
    )


def _facts(summary: FacesetSummary) -> dict[str, str]:
    facts = {"Faces": counted(summary.faces)}
    if summary.near_duplicates is not None and summary.side == "src":
        facts["Distinct"] = counted(summary.distinct)
    facts["Face type"] = ", ".join(kind.replace("_", " ") for kind in summary.face_types) or "–"
    sizes = list(summary.sizes)
    facts["Picture size"] = ", ".join(sizes[:3]) + (" …" if len(sizes) > 3 else "") + " px"
    if summary.frame_pixels is not None:
        facts["Brow to chin in the frame"] = f"{summary.frame_pixels.median:.0f} px"
        facts["Enlarged"] = f"{_share(summary.enlarged, summary.faces)}"
    facts["Masks"] = (
        f"{counted(summary.xseg_masks)} XSeg, {counted(summary.polygons)} drawn, "
        f"{counted(summary.hull_only)} hull only"
    )
    if summary.people is not None:
        facts["People"] = counted(len(summary.people.people))
    if summary.landmarks is not None:
        facts["Landmarks off"] = counted(
            summary.landmarks.failed.count, summary.landmarks.looked_at
        )
    if summary.mouth is not None:
        facts["Mouth open"] = _share(summary.regions[Region.OPEN_MOUTH.value], summary.faces)
        facts["Eyes shut"] = _share(summary.regions[Region.SHUT_EYES.value], summary.faces)
    if summary.damaged:
        facts["Cannot be used"] = counted(summary.damaged, summary.files)
    facts["Kept as"] = "faceset.pak" if summary.packed else "loose files"
    return facts


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.0f} %" if of else "–"


def _remarks(findings: Sequence[Finding]) -> list[_Remark]:
    return [_Remark(_WEIGHTS[f.weight], f.text, f.advice) for f in findings]


def _examples(look: SideLook) -> list[_Face]:
    """The ends of every scale: what the numbers look like."""
    usable = [m for m in look.measures if not m.problem]
    ends: list[tuple[str, Callable[[FaceMeasure], float]]] = [
        ("sharpest", lambda m: m.sharpness if m.sharpness is not None else -np.inf),
        ("softest", lambda m: -m.sharpness if m.sharpness is not None else -np.inf),
        ("darkest", lambda m: -m.light.brightness if m.light else -np.inf),
        ("brightest", lambda m: m.light.brightness if m.light else -np.inf),
        ("farthest to the left", lambda m: m.pose.yaw if m.pose else -np.inf),
        ("farthest to the right", lambda m: -m.pose.yaw if m.pose else -np.inf),
        ("farthest up", lambda m: m.pose.pitch if m.pose else -np.inf),
        ("farthest down", lambda m: -m.pose.pitch if m.pose else -np.inf),
        ("mouth widest open", lambda m: m.mouth if m.mouth is not None else -np.inf),
        ("eyes most shut", lambda m: -m.eyes if m.eyes is not None else -np.inf),
    ]
    found: list[_Face] = []
    for caption, value in ends:
        known = [m for m in usable if np.isfinite(value(m))]
        if known:
            found += _faces(look, [look.name(max(known, key=value))], caption)
    return found


def _people(look: SideLook) -> list[_Face]:
    people = look.summary.people
    if people is None:
        return []
    found: list[_Face] = []
    for person in people.people[:_PEOPLE_SHOWN]:
        share = f"{100 * person.share:.0f} %" if person.share >= 0.01 else "under 1 %"
        found += _faces(look, [person.typical], f"person {person.number}: {share}")
    return found


def _faces(look: SideLook, names: Sequence[str], caption: str) -> list[_Face]:
    """Examples by name; those that cannot be read any more are left out."""
    found: list[_Face] = []
    for name in names:
        image = look.picture(name)
        if image is not None:
            found.append(_Face(caption, name, picture_uri(_small(image), quality=_QUALITY)))
    return found


def _small(image: Image) -> Image:
    """At most `_FACE_SIZE` on the longer side."""
    height, width = image.shape[:2]
    shrink = _FACE_SIZE / max(height, width)
    if shrink >= 1.0:
        return image
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _shown_pair(pair: PairReport, looks: Mapping[Side, SideLook]) -> _ShownPair:
    summary, verdict = pair.summary, pair.verdict
    parts = (
        ("poses", summary.poses),
        ("light", summary.light),
        ("expressions", summary.expressions),
    )
    shape = summary.shape
    return _ShownPair(
        promise=verdict.promise.value,
        kind=_PROMISES[verdict.promise],
        text=verdict.text,
        helps_most=verdict.helps_most,
        remarks=_remarks(verdict.findings),
        meters=[
            _Meter(name, int(100 * part.share), int(100 * part.mirrored)) for name, part in parts
        ],
        chart=pose_chart(summary.uncovered_map, "dst poses that src does not cover"),
        gaps=[
            gap
            for _, part in parts
            if part.share < POSES_WELL.value
            for gap in _gap_faces(part, looks)
        ],
        shape=shape,
        proportions=[]
        if shape is None
        else [
            (p.name, f"{100 * p.difference:+.1f} %", f"± {100 * p.error:.1f}")
            for p in shape.proportions
        ],
    )


def _gap_faces(coverage: Coverage, looks: Mapping[Side, SideLook]) -> list[_GapFaces]:
    found: list[_GapFaces] = []
    for gap in coverage.gaps[:3]:
        example = _faces(looks[Side.DST], [gap.example], "dst")
        nearest = _faces(looks[Side.SRC], [gap.nearest], "nearest in src")
        if example and nearest:
            found.append(_GapFaces(gap.words, counted(gap.faces), example[0], nearest[0]))
    return found


def _histograms(looks: Mapping[Side, SideLook]) -> list[Histogram]:
    return histograms(
        {side.value: [m for m in look.measures if not m.problem] for side, look in looks.items()}
    )


def _shown_limit(name: str, limit: Limit) -> tuple[str, str, str, str, str]:
    return name, limit.text(), limit.meaning, limit.basis.value, limit.evidence
