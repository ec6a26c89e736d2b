"""`demo`: the whole job on two shipped clips, with the same verbs that a user calls.

Training is measured in minutes, so a faster machine gets further in the same time. Each finished
stage is noted in `history/demo.json`; started again, the demo goes on with the first unfinished one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.arrays import Image
from dflcolab.engine.checkpoint import PREVIEW, latest_checkpoint
from dflcolab.engine.loss_history import losses_name, read_losses
from dflcolab.errors import Interrupted
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.files import read_facts, write_bytes, write_text
from dflcolab.media.config import EncodeConfig
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.provenance import read_provenance
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.demo_config import RIGHTS_NOTE, DemoConfig, sample_workspace
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge import merge
from dflcolab.pipeline.pretrain import pretrain
from dflcolab.pipeline.report_page import StageRow, render_report
from dflcolab.pipeline.sort import sort
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where, find_out
from dflcolab.training.config import PretrainConfig, TrainConfig
from dflcolab.workspace.workspace import Side, Workspace

MODEL = "demo"


@dataclass(frozen=True)
class Phase:
    """A part of the training time under its own settings.

    Attributes:
        name: Shown in the report.
        share: Part of all training time, 0..1.
        settings: `--set` entries.
        pretraining: On the faces of both sides at once.
    """

    name: str
    share: float
    settings: tuple[str, ...]
    pretraining: bool = False


PHASES = (
    Phase("pretrain", 0.12, (), pretraining=True),
    Phase("train", 0.63, ()),
    Phase("train, smaller steps", 0.25, ("learning_rate=0.0001",)),
)
"""Few minutes want larger steps than DeepFaceLab's 5e-5 (the preset has them), and smaller ones at
the end. The warp stays on: without it, so few minutes turn into copied eyes and mouths."""


@dataclass(frozen=True)
class DemoReport:
    """What the demo did.

    Attributes:
        result: The finished video.
        report: The page with stages, losses and pictures.
        preview: Faces and what the model makes of them: of training faces, of held-out faces, and a run
            of dst frames.
        iterations: Training iterations, without pretraining.
        losses: Mean training losses at the end, `src` and `dst`.
        held_out_losses: The same on faces that were never trained on.
        seconds: Time of all stages, over all starts.
        stages: Name and seconds of each stage.
    """

    result: Path
    report: Path
    preview: Path
    iterations: int
    losses: dict[str, float] | None
    held_out_losses: dict[str, float] | None
    seconds: float
    stages: tuple[tuple[str, float], ...]

    def summary(self) -> str:
        """The report in a few lines."""
        return (
            f"Done in {self.seconds / 60:.1f} minutes: {self.iterations} iterations.\n"
            f"Video: {self.result}\nReport: {self.report}\nFaces: {self.preview}"
        )


class _Journal:
    """Which stages are done, how long they took and what they said; survives interruptions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stages: dict[str, dict[str, Any]] = read_facts(path)

    def done(self, name: str) -> bool:
        return bool(self.stages.get(name, {}).get("done"))

    def seconds(self, name: str) -> float:
        return float(self.stages.get(name, {}).get("seconds", 0.0))

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; also one that is interrupted counts with the time it took."""
        entry = self.stages.setdefault(name, {"seconds": 0.0, "done": False, "note": ""})
        start = time.monotonic()
        try:
            yield entry
            entry["done"] = True
        finally:
            entry["seconds"] += time.monotonic() - start
            write_text(self._path, json.dumps(self.stages, indent=1))


def demo(
    config: DemoConfig, *, progress: Progress | None = None, where: Where | None = None
) -> DemoReport:
    """Run init, extract, sort, pretrain, train, merge and encode on the sample clips.

    Args:
        config: Folder and time.
        progress: Shows the work; its stop request ends the demo at a safe point.
        where: Kind of place; found out when None.

    Raises:
        DFLColabError: A stage failed; its sentence says why.
        Interrupted: Asked to stop; the next start goes on.
    """
    progress = progress or Progress()
    where = where or find_out()
    journal = _Journal(config.out / "history" / "demo.json")
    with journal.stage("init") as stage:
        workspace = _initialised(config.out, progress, where)
        stage["note"] = "Sample clips copied, rights recorded."
    require_choice(workspace, where)  # before minutes of work that it would refuse to go on with
    for side in Side:
        _once(journal, f"extract {side.value}", lambda s=side: _extract(workspace, s, progress))
    for side in Side:
        _once(journal, f"sort {side.value}", lambda s=side: _sort(workspace, s, progress))
    target = 0
    for phase in PHASES:
        if config.iterations is not None and not phase.pretraining:
            target += max(1, round(config.iterations * phase.share / _training_share()))
        _run_phase(journal, workspace, phase, config, target, progress, where)
    _once(journal, "merge", lambda: _merge(workspace, progress, where))
    _once(journal, "encode", lambda: _encode(workspace, progress))
    return _write_results(workspace, journal)


def _training_share() -> float:
    return sum(phase.share for phase in PHASES if not phase.pretraining)


def _once(journal: _Journal, name: str, work: Callable[[], str]) -> None:
    if journal.done(name):
        return
    with journal.stage(name) as stage:
        stage["note"] = work()


def _initialised(root: Path, progress: Progress, where: Where) -> Workspace:
    init(root, sample_workspace(), progress=progress, where=where)
    return Workspace.open(root)


def _extract(workspace: Workspace, side: Side, progress: Progress) -> str:
    report = extract(workspace, ExtractConfig(side=side, size=256, max_faces=1), progress=progress)
    return (
        f"{report.faces} faces in {report.frames_with_face} of {report.frames} frames, "
        f"{report.frames_per_second:.0f} frames a second."
    )


def _sort(workspace: Workspace, side: Side, progress: Progress) -> str:
    report = sort(workspace, SortConfig(side=side, by=SortKind.FACE_YAW), progress=progress)
    return f"{report.faces} faces ordered from left to right."


def _run_phase(
    journal: _Journal,
    workspace: Workspace,
    phase: Phase,
    config: DemoConfig,
    target: int,
    progress: Progress,
    where: Where,
) -> None:
    if journal.done(phase.name):
        return
    common: dict[str, Any] = {
        "model": MODEL,
        "preset": "demo",
        "set": phase.settings,
        "save_minutes": 0.5,
        "preview_every": 250,
        "holdout_share": 0.08,
    }
    if config.iterations is None:
        left = config.minutes * 60 * phase.share - journal.seconds(phase.name)
        common["deadline"] = f"{max(1, round(left))}s"
    else:
        common["target_iter"] = max(1, config.iterations // 5) if phase.pretraining else target
    with journal.stage(phase.name) as stage:
        if phase.pretraining:
            chosen = PretrainConfig(**common)
            report = pretrain(workspace, chosen, progress=progress, where=where)
        else:
            report = train(workspace, TrainConfig(**common), progress=progress, where=where)
        if report.stopped_because == "stop_file":
            raise Interrupted("Stopped by the file STOP and saved; run the demo again to go on.")
        losses = report.losses or {"src": float("nan"), "dst": float("nan")}
        stage["note"] = (
            f"{report.iterations_done} iterations at {report.iterations_per_second:.1f} a second; "
            f"losses src {losses['src']:.2f}, dst {losses['dst']:.2f}."
        )
        stage["iteration"] = report.iteration
        stage["losses"] = report.losses
        stage["held_out"] = report.held_out_losses
        stage["facts"] = {
            "Model": "SAEHD {archi}, {resolution} pixels".format(**report.options),
            "Batch": f"{report.batch_size} faces per side",
            "Precision": report.precision,
            "Faces": f"src {report.faces['src']}, dst {report.faces['dst']}",
            "Held-out faces": "src {src}, dst {dst}".format(**report.held_out_faces),
        }


def _merge(workspace: Workspace, progress: Progress, where: Where) -> str:
    config = MergeConfig(model=MODEL, set=("erode_mask_modifier=10", "blur_mask_modifier=60"))
    report = merge(workspace, config, progress=progress, where=where)
    return f"{report.frames_with_face} of {report.frames} frames got the face."


def _encode(workspace: Workspace, progress: Progress) -> str:
    report = encode(workspace, EncodeConfig(), progress=progress)
    return f"{report.videos[0].frames} frames with sound, signed."


def _write_results(workspace: Workspace, journal: _Journal) -> DemoReport:
    checkpoint = latest_checkpoint(workspace.model_dir(MODEL))
    assert checkpoint is not None
    preview_path = workspace.root / "preview.jpg"
    write_bytes(preview_path, (checkpoint.folder / PREVIEW).read_bytes())
    last = journal.stages[PHASES[-1].name]
    losses = read_losses(workspace.model_dir(MODEL) / losses_name(pretraining=False))
    provenance = read_provenance(workspace.result_path())
    report_path = workspace.root / "report.html"
    render_report(
        report_path,
        title="dflcolab demo",
        stages=[
            StageRow(name=name, seconds=float(entry["seconds"]), note=str(entry["note"]))
            for name, entry in journal.stages.items()
        ],
        losses=losses,
        pictures=_pictures(workspace, preview_path),
        notes=[
            RIGHTS_NOTE,
            f"The result is marked as synthetic; its C2PA manifest reads back as {provenance.state}."
            if provenance
            else "The result carries no readable C2PA manifest; run `dflcolab encode` again.",
        ],
        facts=dict(last["facts"]),
    )
    stages = tuple((name, float(entry["seconds"])) for name, entry in journal.stages.items())
    return DemoReport(
        result=workspace.result_path(),
        report=report_path,
        preview=preview_path,
        iterations=int(last["iteration"]),
        losses=last["losses"],
        held_out_losses=last["held_out"],
        seconds=sum(seconds for _, seconds in stages),
        stages=stages,
    )


def _pictures(workspace: Workspace, preview: Path) -> list[tuple[str, Image]]:
    """Before and after of some frames, then the model's preview."""
    merged = sorted(workspace.merged_dir.glob("*.png"))
    wanted = {int(k) for k in np.linspace(0, len(merged) - 1, 5)}
    found: list[tuple[str, Image]] = []
    reader = VideoReader(workspace.videos(Side.DST)[0])
    for frame in reader.frames():
        if frame.index in wanted:
            after = read_image(workspace.merged_dir / f"{frame.index + 1:05d}.png")
            found.append((f"Frame {frame.index + 1}: before and after",
                          np.hstack([frame.image, after])))  # fmt: skip
    caption = (
        "Each row: src, src as the model paints it, dst, dst as the model paints it, and dst with "
        "the face of src; at the top faces that it was trained on, then held-out ones that it never "
        "saw. The last two rows are neighbouring frames of dst, and the same with the face of src."
    )
    return [*found, (caption, read_image(preview))]
