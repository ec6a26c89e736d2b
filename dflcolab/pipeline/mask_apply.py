"""`mask apply`: learned masks into the face files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.arrays import Mask
from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.engine.chosen_checkpoint import better_state
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.guesses import guess_kind
from dflcolab.faces.part_masks import FacePart, part_mask
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.face_source import open_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.mask_quality import BadMask, bad_masks, look_at_mask, told
from dflcolab.faceset.new_records import write_records
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace
from dflcolab.xseg.config import MaskConfig

_WRITTEN_AT_ONCE = 512

MASK_SIDE = 256
"""Side of stored masks in pixels, as in DeepFaceLab."""


@dataclass(frozen=True)
class MaskApplyReport:
    """What `mask apply` did.

    Attributes:
        side: Whose faces.
        model: Name of the network; "" where the parts come from the landmarks alone.
        iteration: Of the checkpoint that was used; 0 without a network.
        faces: Faces that there are.
        masked: Faces that got a mask.
        parts: Parts of the face that the masks are limited to; none: whole masks.
        suspects: Masks that do not fit their faces (see `mask_quality`), the worst first.
        problems: Faces that got none, one sentence each.
        better: A sentence where another state has the lower held-out loss; else empty.
    """

    side: str
    model: str
    iteration: int
    faces: int
    masked: int
    suspects: tuple[BadMask, ...]
    problems: tuple[str, ...]
    parts: tuple[str, ...] = ()
    better: str = ""

    def summary(self) -> str:
        """The report in a few lines."""
        network = f"{self.model} (iteration {self.iteration})" if self.model else "the landmarks"
        parts = f" for {', '.join(self.parts)} only" if self.parts else ""
        first = f"{self.masked} of {self.faces} faces of {self.side} have masks of {network}{parts} now."
        better = filter(None, [self.better])
        return "\n".join([first, *better, *told(self.suspects), *self.problems])


@alone_with_faces
def apply_masks(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> MaskApplyReport:
    """Mask all faces of a side with a trained network, whole or cut down to parts of the face.

    Where parts are asked for and there is no network, the landmarks alone say where they are. A mask
    that is there is replaced; outlines stay. Pictures are not compressed again. Packs are written
    anew. Interrupted, some loose faces have their new masks and the others what they had, and a pack is
    as it was; run it again.

    Raises:
        ModelError: There is no such network.
        CheckpointError: The checkpoint that is asked for is not there or not whole.
        FacesetError: There are no faces.
        DownloadError: The network of `from_` cannot be fetched.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    assert config.side is not None
    model_dir = workspace.model_dir(config.model)
    if config.part and config.from_ is None and not list_checkpoints(model_dir):
        return _apply_parts(workspace.aligned_dir(config.side), config, progress)
    # Only here: they load TensorFlow.
    from dflcolab.pipeline.mask_predict import predicted_faces
    from dflcolab.pipeline.mask_train import bring_model
    from dflcolab.xseg.predictor import load_mask_predictor

    bring_model(workspace, config, progress)
    problems: list[str] = []
    predictor = load_mask_predictor(
        model_dir, checkpoint=config.checkpoint, on_problem=problems.append
    )
    better = better_state(
        model_dir, config.checkpoint, predictor.iteration, field="mask_checkpoint"
    )
    if better:
        progress.message(better)
    folder = workspace.aligned_dir(config.side)
    masked, looks = 0, []
    records: dict[Path, FaceRecord] = {}
    with open_faces(folder, progress=progress) as faces:
        problems += faces.unused
        at_once = len(faces) + 1 if faces.packed else _WRITTEN_AT_ONCE
        for face in predicted_faces(
            faces,
            faces.paths,
            predictor,
            progress=progress,
            problems=problems,
            batch=config.batch,
        ):
            height, width = face.picture.shape[:2]
            mask = face.mask
            if config.part:
                mask = mask * _parts_of(face.record, config.part, width)
            else:
                looks.append(look_at_mask(faces.name(face.path), face.record, mask, width, height))
            records[face.path] = face.record.replace(xseg_mask=encode_xseg_mask(mask))
            if len(records) >= at_once:
                masked += _written(folder, records, progress, problems)
    masked += _written(folder, records, progress, problems)
    return MaskApplyReport(
        side=config.side.value,
        model=config.model,
        iteration=predictor.iteration,
        faces=len(faces),
        masked=masked,
        suspects=tuple(bad_masks(looks)),
        problems=tuple(problems),
        parts=config.part,
        better=better,
    )


def _apply_parts(folder: Path, config: MaskConfig, progress: Progress) -> MaskApplyReport:
    """Masks from the landmarks; where somebody drew outlines, these limit them."""
    assert config.side is not None
    records: dict[Path, FaceRecord] = {}
    with open_faces(folder, progress=progress) as faces:
        problems = list(faces.unused)
        for file in faces.heads(progress=progress, title="Reading face data"):
            if file.problem or file.record is None:
                problems.append(file.problem or f"{file.path} has no face metadata and so no mask.")
                continue
            record = file.record
            mask = _parts_of(record, config.part, file.size)
            if record.has_points and guess_kind(record) is None:
                zoom = MASK_SIDE / file.size
                mask = mask * polygon_mask(
                    record.polygons, MASK_SIDE, MASK_SIDE, scale=(zoom, zoom)
                )
            records[file.path] = record.replace(xseg_mask=encode_xseg_mask(mask))
    masked = _written(folder, records, progress, problems)
    return MaskApplyReport(
        side=config.side.value,
        model="",
        iteration=0,
        faces=len(faces),
        masked=masked,
        suspects=(),
        problems=tuple(problems),
        parts=config.part,
    )


def _parts_of(record: FaceRecord, parts: Sequence[FacePart], width: int) -> Mask:
    """Parts of a face in its stored mask's size."""
    zoom = MASK_SIDE / width
    return part_mask(record.landmarks * np.float32(zoom), parts, MASK_SIDE, MASK_SIDE)


def _written(
    folder: Path, records: dict[Path, FaceRecord], progress: Progress, problems: list[str]
) -> int:
    """Write what has gathered."""
    written, failed = write_records(folder, records, progress=progress) if records else (0, [])
    problems += failed
    records.clear()
    return written
