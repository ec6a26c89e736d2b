"""`mask`: what masks the faces carry, taking them out, and writing them as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces, read_face_head
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.mask_export import export_masks
from dflcolab.faceset.mask_quality import BadMask, MaskLook, bad_masks, look_at_mask, told
from dflcolab.formats.dfl_jpeg import read_record, replace_record
from dflcolab.formats.xseg_masks import decode_xseg_mask
from dflcolab.pipeline.mask_backup import keep_polygons
from dflcolab.pipeline.mask_fetch import FetchReport, fetch_labelled
from dflcolab.pipeline.mask_labels import LabelsReport, labels
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig

if TYPE_CHECKING:
    from dflcolab.pipeline.mask_apply import MaskApplyReport
    from dflcolab.xseg.run import MaskTrainReport


@dataclass(frozen=True)
class MaskReport:
    """What masks the faces carry now.

    Attributes:
        side: Whose faces.
        faces: Number of face files.
        with_xseg_mask: Faces with a trained (or applied) mask.
        with_polygons: Faces with drawn outlines.
        hull_only: Faces that have neither; their mask is the hull of the landmarks.
        without_face_data: Pictures that carry no face at all.
        removed: Faces from which something was taken out.
        backup: File with the outlines that were taken out; None if there were none.
        exported: Pictures that were written, by what they show: xseg, polygons, hull.
        folder: Where they are; None if nothing was exported.
        suspects: Of stats: masks that do not fit their faces (see `mask_quality`).
        problems: Unreadable files, one sentence each.
    """

    side: str
    faces: int
    with_xseg_mask: int
    with_polygons: int
    hull_only: int
    without_face_data: int
    removed: int
    backup: Path | None
    problems: tuple[str, ...]
    exported: Mapping[str, int] = field(default_factory=dict[str, int])
    folder: Path | None = None
    suspects: tuple[BadMask, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [
            (
                f"{self.faces} faces of {self.side}: {self.with_xseg_mask} with an XSeg mask, "
                f"{self.with_polygons} with drawn outlines, {self.hull_only} with the hull only."
            )
        ]
        if self.removed:
            lines.append(f"Taken out of {self.removed} faces.")
        if self.backup is not None:
            lines.append(f"The drawn outlines are kept in {self.backup}.")
        if self.folder is not None:
            counts = [f"{n} {_SHOWN[kind]}" for kind, n in self.exported.items() if n]
            lines.append(f"Pictures in {self.folder}: {', '.join(counts) or 'none'}.")
            left_out = self.faces - sum(self.exported.values())
            if left_out:
                lines.append(f"{left_out} files were left out.")
        return "\n".join([*lines, *told(self.suspects), *self.problems])


_SHOWN = {
    "xseg": "of stored masks",
    "polygons": "of drawn outlines",
    "hull": "of the landmarks' hull",
}


def mask(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> MaskReport | LabelsReport | MaskTrainReport | MaskApplyReport | FetchReport:
    """Do what the config says; each action has a function of its own.

    Raises:
        DFLColabError: As those say.
    """
    if config.action == "labels":
        return labels(workspace, config, progress=progress)
    if config.action == "train":
        # Only here: it loads TensorFlow.
        from dflcolab.pipeline.mask_train import train_masks

        return train_masks(workspace, config, progress=progress)
    if config.action == "apply":
        from dflcolab.pipeline.mask_apply import apply_masks

        return apply_masks(workspace, config, progress=progress)
    if config.action == "fetch":
        return fetch_labelled(workspace, config, progress=progress)
    return masks(workspace, config, progress=progress)


@alone_with_faces
def masks(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> MaskReport:
    """Count the masks of one side's faces, remove them, or write them as pictures.

    No face's picture is compressed again.

    Raises:
        ConfigError: The folder for the pictures is the one with the faces.
        FacesetError: There are no faces, or they are packed.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    side = config.side
    assert isinstance(side, Side)
    paths = loose_faces(workspace, side)
    removed, backup = 0, None
    problems: list[str] = []
    if config.action == "remove":
        records = _records(paths, progress, [])
        chosen = [(path, record) for path, record in records if _carries(record, config.what)]
        if config.what in ("polygons", "all"):
            backup = keep_polygons(workspace, side.value, chosen)
        with progress.task("Removing masks", total=len(chosen), unit="faces") as task:
            for path, record in chosen:
                progress.raise_if_stopped()
                task.advance()
                try:
                    replace_record(path, _without(record, config.what))
                    removed += 1
                except FormatError as error:  # its head is whole, its picture is not
                    problems.append(str(error))
    exported: dict[str, int] = {}
    folder = None
    if config.action == "export":
        folder = config.out or paths[0].parent.with_name(f"{paths[0].parent.name}_mask")
        exported, problems = export_masks(paths, folder, hull=config.hull, progress=progress)
    unreadable: list[str] = []
    counts = Counter(_kind(record) for _, record in _records(paths, progress, unreadable))
    both = counts["both"]
    suspects: list[BadMask] = []
    if config.action == "stats" and counts["xseg"] + both:
        suspects = bad_masks(_looks(paths, progress, problems))
    return MaskReport(
        side=side.value,
        faces=len(paths),
        with_xseg_mask=counts["xseg"] + both,
        with_polygons=counts["polygons"] + both,
        hull_only=counts["hull"],
        without_face_data=len(paths) - counts.total() - len(unreadable),
        removed=removed,
        backup=backup,
        problems=tuple(dict.fromkeys([*problems, *unreadable])),
        exported=exported,
        folder=folder,
        suspects=tuple(suspects),
    )


def _records(
    paths: Sequence[Path], progress: Progress, problems: list[str]
) -> list[tuple[Path, FaceRecord]]:
    found: list[tuple[Path, FaceRecord]] = []
    with progress.task("Reading face data", total=len(paths), unit="faces") as task:
        for path in paths:
            progress.raise_if_stopped()
            try:
                record = read_record(path)
            except FormatError as error:
                problems.append(str(error))
                record = None
            if record is not None:
                found.append((path, record))
            task.advance()
    return found


def _looks(paths: Sequence[Path], progress: Progress, problems: list[str]) -> list[MaskLook]:
    """All stored masks, measured."""

    def one(file: FaceFile) -> MaskLook | str:
        record = file.record
        if record is None or record.xseg_mask is None:
            return ""
        try:
            mask = decode_xseg_mask(record.xseg_mask, name=str(file.path))
        except FormatError as error:
            return str(error)
        return look_at_mask(file.path.name, record, mask, file.size, file.size)

    found = list(
        for_each_face(paths, one, progress=progress, title="Looking at masks", read=read_face_head)
    )
    problems += [text for text in found if isinstance(text, str) and text]
    return [look for look in found if isinstance(look, MaskLook)]


def _kind(record: FaceRecord) -> str:
    if record.xseg_mask is not None:
        return "both" if record.has_points else "xseg"
    return "polygons" if record.has_points else "hull"


def _carries(record: FaceRecord, what: str) -> bool:
    return (what in ("xseg", "all") and record.xseg_mask is not None) or (
        what in ("polygons", "all") and record.has_points
    )


def _without(record: FaceRecord, what: str) -> FaceRecord:
    if what in ("xseg", "all"):
        record = record.replace(xseg_mask=None)
    if what in ("polygons", "all"):
        record = record.replace(polygons=())
    return record
