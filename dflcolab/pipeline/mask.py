"""`mask`: what masks the faces carry, taking them out, and writing them as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.guesses import guess_kind, without_guess_mark
from dflcolab.faceset.face_files import loose_faces
from dflcolab.faceset.face_source import open_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.labels import FaceLabel
from dflcolab.faceset.mask_export import export_masks
from dflcolab.faceset.mask_quality import BadMask, MaskLook, bad_masks, look_at_mask, told
from dflcolab.faceset.new_records import write_records
from dflcolab.formats.xseg_masks import decode_xseg_mask, is_empty_mask
from dflcolab.pipeline.mask_backup import keep_polygons
from dflcolab.pipeline.mask_fetch import FetchReport, fetch_labelled
from dflcolab.pipeline.mask_guess import GuessReport, guess_labels
from dflcolab.pipeline.mask_labels import LabelsReport, labels
from dflcolab.pipeline.mask_next import NextReport, next_labels
from dflcolab.progress import Progress
from dflcolab.words import counted
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
        without_mask: Of stats: names of all faces with no XSeg mask, or with an empty one.
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
    without_mask: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [
            (
                f"{counted(self.faces, 'face')} of {self.side}: {self.with_xseg_mask} with an XSeg mask, "
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
) -> (
    MaskReport
    | LabelsReport
    | GuessReport
    | NextReport
    | MaskTrainReport
    | MaskApplyReport
    | FetchReport
):
    """Do what the config says; each action has a function of its own.

    Raises:
        DFLColabError: As those say.
    """
    if config.action == "labels":
        verb = guess_labels if config.guess else labels
        return verb(workspace, config, progress=progress)
    if config.action == "next":
        return next_labels(workspace, config, progress=progress)
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

    No face's picture is compressed again. Packs are counted and changed as well, but not exported.

    Raises:
        ConfigError: The folder for the pictures is the one with the faces.
        FacesetError: There are no faces; or they are packed, and to be exported.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    side = config.side
    assert isinstance(side, Side)
    folder = workspace.aligned_dir(side)
    exported: dict[str, int] = {}
    pictures = backup = None
    removed = 0
    problems: list[str] = []
    if config.action == "export":
        pictures = config.out or folder.with_name(f"{folder.name}_mask")
        loose = loose_faces(workspace, side)
        exported, problems = export_masks(loose, pictures, hull=config.hull, progress=progress)
    faces = _read(folder, progress)
    if config.action == "remove":
        chosen = [face for face in faces.found if _carries(face.record, config.what)]
        if config.what in ("polygons", "all"):
            drawn = [FaceLabel(f.name, f.width, f.width, f.record.polygons) for f in chosen]
            backup = keep_polygons(workspace, side.value, drawn)
        new = {face.path: _without(face.record, config.what) for face in chosen}
        removed, problems = write_records(folder, new, progress=progress)
        faces = _read(folder, progress)
    suspects: list[BadMask] = []
    bare: list[str] = []
    if config.action == "stats":
        suspects = bad_masks(_looks(faces.found, problems))
        bare = [face.name for face in faces.found if not _is_masked(face.record)]
    counts = Counter(_kind(face.record) for face in faces.found)
    both = counts["both"]
    return MaskReport(
        side=side.value,
        faces=faces.count,
        with_xseg_mask=counts["xseg"] + both,
        with_polygons=counts["polygons"] + both,
        hull_only=counts["hull"],
        without_face_data=faces.count - counts.total() - faces.unreadable,
        removed=removed,
        backup=backup,
        problems=tuple(dict.fromkeys([*problems, *faces.problems])),
        exported=exported,
        folder=pictures,
        suspects=tuple(suspects),
        without_mask=tuple(bare),
    )


class _Found(NamedTuple):
    """A face: its path, its name in the folder, its metadata, the width of its picture."""

    path: Path
    name: str
    record: FaceRecord
    width: int


class _Faces(NamedTuple):
    """The faces of a side, and what is wrong with the others."""

    count: int
    found: list[_Found]
    unreadable: int
    problems: list[str]


def _read(folder: Path, progress: Progress) -> _Faces:
    """The metadata of all faces, loose or packed; of loose ones the heads are read only."""
    found: list[_Found] = []
    problems: list[str] = []
    with open_faces(folder, progress=progress) as faces:
        files = faces.heads(progress=progress, title="Reading face data")
        for path, file in zip(faces.paths, files, strict=True):
            if file.problem:
                problems.append(file.problem)
            elif file.record is not None:
                found.append(_Found(path, faces.name(path), file.record, file.size))
        unreadable = len(problems)
        return _Faces(len(faces), found, unreadable, [*problems, *faces.unused])


def _looks(faces: Sequence[_Found], problems: list[str]) -> list[MaskLook]:
    """All stored masks, measured."""
    looks: list[MaskLook] = []
    for face in faces:
        if face.record.xseg_mask is None:
            continue
        try:
            mask = decode_xseg_mask(face.record.xseg_mask, name=str(face.path))
        except FormatError as error:
            problems.append(str(error))
            continue
        looks.append(look_at_mask(face.name, face.record, mask, face.width, face.width))
    return looks


def _is_masked(record: FaceRecord) -> bool:
    return record.xseg_mask is not None and not is_empty_mask(record.xseg_mask)


def _kind(record: FaceRecord) -> str:
    if record.xseg_mask is not None:
        return "both" if record.has_points else "xseg"
    return "polygons" if record.has_points else "hull"


def _carries(record: FaceRecord, what: str) -> bool:
    if what == "guesses":
        return guess_kind(record) is not None
    return (what in ("xseg", "all") and record.xseg_mask is not None) or (
        what in ("polygons", "all") and record.has_points
    )


def _without(record: FaceRecord, what: str) -> FaceRecord:
    if what in ("xseg", "all"):
        record = record.replace(xseg_mask=None)
    if what in ("polygons", "guesses", "all"):
        record = without_guess_mark(record.replace(polygons=()))
    return record
