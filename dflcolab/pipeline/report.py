"""`report`: what facesets and trainings show and lack, as sentences, page and numbers."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dflcolab.config import to_plain
from dflcolab.errors import ConfigError, DFLColabError, FacesetError, ModelError, StorageError
from dflcolab.faceset.coverage import FacesetSummary, Region
from dflcolab.faceset.face_source import FaceSource, open_faces
from dflcolab.faceset.findings import Finding, counted, faces, findings_of, in_order
from dflcolab.faceset.limits import FEW_IN_REGION, Limit, all_limits
from dflcolab.faceset.pair import PairSummary, compare
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.faceset.verdict import Verdict, judge_pair
from dflcolab.files import storage_errors, write_text
from dflcolab.media.provenance import SIGNABLE_SUFFIXES
from dflcolab.pipeline.provenance_report import provenance_report
from dflcolab.pipeline.report_look import SideLook, look_at_side
from dflcolab.pipeline.report_view import write_report_page
from dflcolab.pipeline.training_history import (
    ModelHistory,
    models_with_checkpoints,
    read_history,
)
from dflcolab.pipeline.training_report import TrainingReport, training_report
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

VERSION = 1
"""Of the JSON; grows when a number changes its name or meaning."""


@dataclass(frozen=True)
class SideReport:
    """One faceset: numbers and what they mean.

    Attributes:
        summary: The numbers.
        findings: What is wrong or missing, the most important first.
    """

    summary: FacesetSummary
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class PairReport:
    """src and dst beside each other."""

    summary: PairSummary
    verdict: Verdict


@dataclass(frozen=True)
class ResultMark:
    """What the signed note of the finished video says.

    Attributes:
        file: Name of the video.
        state: "valid", "trusted", "invalid", or "none" for a video without a note.
        synthetic: The note says that the video is synthetic.
        text: The same as a sentence.
    """

    file: str
    state: str
    synthetic: bool
    text: str


@dataclass(frozen=True)
class Report:
    """What `report` found.

    Attributes:
        version: Of this form.
        workspace: Name of the project.
        made_on: Date and time, ISO.
        src: The src faceset; None if it was not looked at.
        dst: The dst faceset.
        pair: How they fit; None if one is missing.
        trainings: The models' trainings.
        results: The marks of finished videos.
        notes: What the reader should know about the report itself.
        html: The page.
        json: The numbers.
        limits: The limits that were judged by.
    """

    version: int
    workspace: str
    made_on: str
    src: SideReport | None
    dst: SideReport | None
    pair: PairReport | None
    trainings: tuple[TrainingReport, ...]
    results: tuple[ResultMark, ...]
    notes: tuple[str, ...]
    html: Path
    json: Path
    limits: Mapping[str, Limit]

    def summary(self) -> str:
        """The report in sentences."""
        lines: list[str] = []
        for side in (self.src, self.dst):
            if side is not None:
                lines += [headline(side.summary), *_sentences(side.findings)]
        if self.pair is not None:
            verdict = self.pair.verdict
            lines += [verdict.text, *_sentences(verdict.findings)]
            if verdict.helps_most:
                lines.append(f"What would help most: {verdict.helps_most}")
        for training in self.trainings:
            lines += training.sentences()
        lines += [mark.text for mark in self.results]
        lines += self.notes
        lines.append(f"The whole report: {self.html}")
        return "\n".join(lines)


def report(
    workspace: Workspace, config: ReportConfig, *, progress: Progress | None = None
) -> Report:
    """Look at the facesets and trainings of a workspace and write the report. Nothing is changed.

    Raises:
        ConfigError: The page's name does not end with .html.
        FacesetError: There are neither faces nor models, or no faces on the named side.
        ModelError: There is no model of the given name, or none at all where only trainings are asked for.
        FormatError: A pack is damaged as a whole.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; nothing was written.
    """
    progress = progress or Progress()
    page = page_path(config.html, workspace.history_dir / "report.html")
    _check_place(page)
    histories = _histories(workspace, config)
    with contextlib.ExitStack() as stack:
        sources, notes = _open_sides(workspace, config, stack, progress, bool(histories))
        looks = {
            side: look_at_side(side.value, source, sample=config.sample, progress=progress)
            for side, source in sources.items()
        }
        pair_summary = _compared(looks)
        sides = _judged(looks, notes)
        pair = None
        if pair_summary is not None:
            verdict = judge_pair(pair_summary, src_findings=sides[Side.SRC].findings)
            pair = PairReport(pair_summary, verdict)
            if any(look.strangers for look in looks.values()):
                notes.append("The pair is judged by the person seen most on each side.")
        found = Report(
            version=VERSION,
            workspace=workspace.settings.name,
            made_on=dt.datetime.now(dt.UTC).replace(microsecond=0).isoformat(),
            src=sides.get(Side.SRC),
            dst=sides.get(Side.DST),
            pair=pair,
            trainings=tuple(training_report(history) for history in histories),
            results=_marks(workspace) if config.about != "training" else (),
            notes=tuple(notes),
            html=page,
            json=page.with_suffix(".json"),
            limits=all_limits(),
        )
        progress.raise_if_stopped()
        _write_numbers(found)
        write_report_page(page, found, looks, histories)
    return found


def page_path(given: Path | None, usual: Path) -> Path:
    """Where the page goes.

    Raises:
        ConfigError: Its name does not end with .html.
    """
    page = given or usual
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page} is no name for a page; let it end with .html.")
    return page


def _check_place(page: Path) -> None:
    """Find out whether the page can be written before minutes are spent on it.

    Raises:
        StorageError: Its folder takes no files.
    """
    with storage_errors(page):
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=page.parent):
                pass
        except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
            raise StorageError(
                f"{page} cannot be written, for {page.parent} takes no files; choose another folder."
            ) from error


def headline(summary: FacesetSummary) -> str:
    """How much there is, in a sentence."""
    text = f"{summary.side}: {faces(summary.faces)}"
    if summary.near_duplicates and summary.side == "src":  # every frame of dst needs its face
        text += f", {counted(summary.distinct)} of them distinct"
    sizes = ", ".join(f"{size}" for size in list(summary.sizes)[:3])
    kinds = ", ".join(kind.replace("_", " ") for kind in summary.face_types)
    return f"{text}; {kinds}, {sizes} pixels." if summary.faces else f"{text}."


def _histories(workspace: Workspace, config: ReportConfig) -> list[ModelHistory]:
    """What is known of the models that are asked for."""
    if config.about == "faces" or (config.side is not None and config.model is None):
        return []
    names = [config.model] if config.model else models_with_checkpoints(workspace)
    if not names and config.about == "training":
        raise ModelError(
            f"There is no model in {workspace.root} yet; train one with `dflcolab train`."
        )
    return [read_history(workspace, name) for name in names]


def _open_sides(
    workspace: Workspace,
    config: ReportConfig,
    stack: contextlib.ExitStack,
    progress: Progress,
    has_models: bool,
) -> tuple[dict[Side, FaceSource], list[str]]:
    """The facesets that are there, and a note for a side that is not."""
    sources: dict[Side, FaceSource] = {}
    notes: list[str] = []
    if config.about == "training":
        return sources, notes
    for side in Side:
        if config.side not in (None, side):
            continue
        try:
            sources[side] = stack.enter_context(
                open_faces(workspace.aligned_dir(side), progress=progress)
            )
        except FacesetError as error:
            if config.side is side:
                raise
            notes.append(str(error))
            continue
        notes += sources[side].unused
    if not sources and not has_models:
        raise FacesetError(
            f"There are no faces in {workspace.root}; run `dflcolab extract -w {workspace.root} "
            "--side src` and the same for dst first."
        )
    return sources, notes


def _compared(looks: Mapping[Side, SideLook]) -> PairSummary | None:
    """The main people of both sides beside each other; None unless both have usable faces."""
    if len(looks) < 2 or not all(look.summary.faces for look in looks.values()):
        return None
    src, dst = looks[Side.SRC], looks[Side.DST]
    likeness = None
    if src.main_person is not None and dst.main_person is not None:
        likeness = float(src.main_person @ dst.main_person)
    own = [(i, m) for i, m in enumerate(src.measures) if i not in src.strangers]
    return compare(
        [m for _, m in own],
        [m for i, m in enumerate(dst.measures) if i not in dst.strangers],
        src_copies=[place for place, (i, _) in enumerate(own) if i in src.duplicates],
        src_name=src.name,
        dst_name=dst.name,
        likeness=likeness,
    )


def _judged(looks: Mapping[Side, SideLook], notes: list[str]) -> dict[Side, SideReport]:
    """Findings of every side; poses that dst does not show are no gap of src."""
    needed = None
    if Side.DST in looks and looks[Side.DST].summary.faces:
        shown = looks[Side.DST].summary.regions
        dst_faces = looks[Side.DST].summary.faces
        few = min(FEW_IN_REGION.value, max(0.01 * dst_faces, 1))
        needed = {region for region in Region if shown.get(region.value, 0) >= few}
    sides: dict[Side, SideReport] = {}
    for side, look in looks.items():
        sides[side] = SideReport(
            look.summary, tuple(in_order(findings_of(look.summary, needed=needed)))
        )
        people = look.summary.people
        if people is not None and people.looked_at < look.summary.faces:
            notes.append(
                f"Of the {counted(look.summary.faces)} {side.value} faces, "
                f"{counted(people.looked_at)}, evenly spread, were looked at for people and "
                "landmarks (--sample N looks at more)."
            )
    return sides


def _marks(workspace: Workspace) -> tuple[ResultMark, ...]:
    """The signed notes of finished videos."""
    found: list[ResultMark] = []
    for suffix in SIGNABLE_SUFFIXES:
        path = workspace.result_path(suffix)
        if path.is_file():
            found.append(_mark(path))
    return tuple(found)


def _mark(path: Path) -> ResultMark:
    try:
        found = provenance_report(path)
    except DFLColabError as error:
        return ResultMark(path.name, "invalid", False, f"{path.name}: {error}")
    text = found.text
    if found.state == "none":
        text = (
            f"{path.name} carries no signed note that says it is synthetic; `dflcolab encode` "
            "writes one."
        )
    return ResultMark(path.name, found.state, found.synthetic, text)


def _sentences(findings: tuple[Finding, ...]) -> list[str]:
    return [f"  {finding.text} {finding.advice}" for finding in findings]


def _write_numbers(found: Report) -> None:
    text = json.dumps(to_plain(found), ensure_ascii=False, indent=1, allow_nan=False)
    with storage_errors(found.json):
        found.json.parent.mkdir(parents=True, exist_ok=True)
    write_text(found.json, text + "\n")
