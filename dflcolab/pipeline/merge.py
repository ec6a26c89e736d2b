# pyright: strict
"""`merge`: put the trained face into the dst frames."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.config import to_plain
from dflcolab.errors import WorkspaceError
from dflcolab.faceset.faceset import load_faceset
from dflcolab.files import storage_errors
from dflcolab.merging.config import MergeConfig, load_options
from dflcolab.merging.content_check import VERDICTS_FILE, check_content
from dflcolab.merging.faces_of_frames import faces_of_frames
from dflcolab.merging.frame_source import dst_frames
from dflcolab.merging.merger import MergeJob, merge_frames
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.workspace.workspace import Side, Workspace, require_rights


@dataclass(frozen=True)
class MergeReport:
    """What `merge` did.

    Attributes:
        model: Name of the model.
        iteration: How long it was trained.
        frames: Frames that stand in `merged` now, of those asked for.
        frames_with_face: Of these, frames in which at least one face is replaced.
        merged: Frames made now in which a face was replaced.
        passed: Frames made now without a face, unchanged.
        kept: Frames that stood from an earlier run with the same settings, faces and weights.
        faces: Faces replaced now.
        seconds: Time on the clock, loading and checks included.
        frames_per_second: Frames made now, by the time of merging alone.
        options: The look.
        folder: Where the frames are.
        problems: What was left out, one sentence each.
    """

    model: str
    iteration: int
    frames: int
    frames_with_face: int
    merged: int
    passed: int
    kept: int
    faces: int
    seconds: float
    frames_per_second: float
    options: dict[str, Any]
    folder: Path
    problems: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """The report in a few lines."""
        made = self.merged + self.passed
        lines = [f"{self.frames} merged frames are in {self.folder}."]
        if made:
            lines.append(
                f"Made now: {made} ({self.faces} faces in {self.merged} frames, {self.passed} "
                f"without a face), {self.frames_per_second:.1f} frames/s."
            )
        if self.kept:
            lines.append(f"Kept from before: {self.kept}.")
        lines.extend(self.problems[:5])
        if len(self.problems) > 5:
            lines.append(f"… and {len(self.problems) - 5} more problems.")
        return "\n".join(lines)


def merge(
    workspace: Workspace,
    config: MergeConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> MergeReport:
    """Merge the dst frames with a trained model.

    Frames without a face, and faces whose file was deleted, stay as they are. Safe to run again:
    frames that were merged with the same settings, faces and weights are kept.

    Args:
        workspace: Its dst footage, dst faces and model are read; `data_dst/merged` and
            `data_dst/merged_mask` are written.
        config: Which model, which frames, which look.
        progress: Shown to the user, and asked for a wish to stop.
        where: Kind of place; found out when None.

    Raises:
        RightsError: The rights of src or dst are not recorded, or the machine's operator has rules
            and the user has not chosen yet.
        ContentGuardError: The dst footage is sexually explicit.
        ConfigError: An option is unknown or out of range.
        WorkspaceError: There is no dst footage, or no frame in the wanted range.
        FacesetError: There is no dst face.
        ModelError: The model was not trained.
        MediaError: The dst video is none.
        Interrupted: Stopped as asked; finished frames are kept.
        StorageError: Disk full, read-only or gone.
    """
    progress = progress or Progress()
    begin = time.perf_counter()
    require_rights(workspace)
    require_choice(workspace, where)
    options = load_options(config, workspace.root)
    frames = dst_frames(workspace, config.source)
    faceset = load_faceset(workspace.aligned_dir(Side.DST))
    faces = faces_of_frames(faceset.names, faceset.records)
    model_dir = workspace.model_dir(config.model)

    problems = [*faceset.problems, *faces.problems]
    # TensorFlow is loaded here, behind all that can be refused at once.
    from dflcolab.engine.predictor import load_predictor

    predictor = load_predictor(model_dir, morph=config.morph, on_problem=problems.append)
    check_content(frames, workspace.history_dir / VERDICTS_FILE, progress=progress)
    for folder in (workspace.merged_dir, workspace.merged_mask_dir):
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    start, stop = config.frame_range
    merging_begin = time.perf_counter()
    counts = merge_frames(
        MergeJob(
            frames=frames,
            faces=faces,
            predictor=predictor,
            model_identity=predictor.identity,
            options=options,
            folder=workspace.merged_dir,
            mask_folder=workspace.merged_mask_dir,
            stamp=sign_picture if config.provenance else None,
            start=start,
            stop=stop,
            batch=config.batch,
            threads=config.threads or os.cpu_count() or 1,
            notes={"model": config.model, "iteration": predictor.iteration},
        ),
        progress=progress,
    )
    if not counts.total:
        raise WorkspaceError(
            f"There is no frame in the range {config.frames} of {frames.description}; "
            "frames are counted from 0."
        )
    now = time.perf_counter()
    problems += frames.problems
    if counts.unmatched:
        problems.append(
            f"{len(counts.unmatched)} frames named by dst faces are not in {frames.description} "
            f"(for example {counts.unmatched[0]}); these faces were not merged."
        )
    for problem in problems:
        progress.message(problem)
    made = counts.merged + counts.passed
    return MergeReport(
        model=config.model,
        iteration=predictor.iteration,
        frames=counts.total,
        frames_with_face=counts.merged + counts.kept_with_face,
        merged=counts.merged,
        passed=counts.passed,
        kept=counts.kept,
        faces=counts.faces,
        seconds=round(now - begin, 2),
        frames_per_second=round(made / max(now - merging_begin, 1e-9), 2) if made else 0.0,
        options=to_plain(options),
        folder=workspace.merged_dir,
        problems=tuple(problems),
    )


def sign_picture(data: bytes, name: str, n_faces: int) -> bytes:
    """A merged picture with its note; a frame in which no face was replaced has nothing to note."""
    from dflcolab.media.provenance import sign_still

    return sign_still(data, name, media_type="image/png") if n_faces else data
