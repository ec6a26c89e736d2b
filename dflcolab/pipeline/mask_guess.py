"""`mask labels --guess`: outlines for faces that have no drawn ones, for somebody to correct."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import ConfigError, FormatError
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.guesses import guess_kind, with_guess
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.face_source import FaceSource, open_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.label_flow import carried_over
from dflcolab.faceset.label_guess import hull_guess, mask_guess
from dflcolab.faceset.label_refine import refined_outlines
from dflcolab.faceset.new_records import write_records
from dflcolab.faceset.stretches import Frame, frame_of
from dflcolab.formats.xseg_masks import decode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace
from dflcolab.xseg.config import MaskConfig

_TRIED = 2
"""Labelled frames beside a face that are tried, the nearest first."""

_SAME_PLACE = 0.5
"""Of the face's size: another person's face of the frame beside lies farther away."""

_PICTURES_KEPT = 32

_MISSING = {
    "hull": "no landmark lies in their picture",
    "masks": "they carry no mask (run mask apply, or guess by another way)",
    "model": "the network sees no face there",
    "neighbours": "no labelled frame is near enough or like enough",
}


@dataclass(frozen=True)
class GuessReport:
    """What outlines were guessed.

    Attributes:
        side: Whose faces.
        kind: What they were made from: hull, masks, model, neighbours.
        faces: Faces that there are.
        guessed: Faces that got outlines; guesses from before that nobody changed are among them.
        drawn: Faces whose outlines somebody drew or changed; they keep them.
        without: Faces for which there is no guess, by name.
        problems: Faces that could not be used, one sentence each.
    """

    side: str
    kind: str
    faces: int
    guessed: int
    drawn: int
    without: tuple[str, ...]
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        first = (
            f"{self.guessed} of {self.faces} faces of {self.side} have guessed outlines "
            f"({self.kind}) now; {self.drawn} have drawn ones and keep them."
        )
        lines = [first]
        if self.without:
            named = ", ".join(self.without[:3]) + (" …" if len(self.without) > 3 else "")
            lines.append(f"{len(self.without)} got none: {_MISSING[self.kind]} ({named}).")
        if self.guessed:
            lines.append(_USE[self.kind == "neighbours"])
        return "\n".join([*lines, *self.problems])


_USE = {
    True: "mask train learns from them as from drawn ones; look at some, and take them out again by "
    "mask remove --what guesses.",
    False: "mask train learns from a guess once somebody has changed it; mask remove --what guesses "
    "takes the others out.",
}


@dataclass(frozen=True, eq=False)
class _Head:
    """A face without its picture."""

    path: Path
    record: FaceRecord
    width: int

    @property
    def is_drawn(self) -> bool:
        return self.record.has_points and guess_kind(self.record) is None

    @property
    def frame(self) -> Frame:
        return frame_of(self.record.source_filename or self.path.name)


@alone_with_faces
def guess_labels(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> GuessReport:
    """Give faces of a side outlines made by `config.guess`; drawn ones stay.

    Guesses from before that nobody has changed are replaced, or stay where there is no new one.
    Pictures are not compressed again. Interrupted, nothing or a part of the faces has new outlines;
    run it again.

    Raises:
        ConfigError: A face named by `only` does not exist.
        FacesetError: There are no faces.
        ModelError: There is no trained XSeg network, and it was asked for.
        CheckpointError: Its checkpoint is not there or not whole.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    assert config.side is not None
    assert config.guess is not None
    folder = workspace.aligned_dir(config.side)
    with open_faces(folder, progress=progress) as faces:
        problems = list(faces.unused)
        heads = list(_heads(faces, progress, problems))
        chosen = _chosen(faces, heads, config.only)
        if config.guess == "model":
            found = _by_model(workspace, config, faces, chosen, progress, problems)
        else:
            found = _by_pictures(config, faces, heads, chosen, progress, problems)
    new = {
        head.path: with_guess(head.record, found[head.path], config.guess)
        for head in chosen
        if found.get(head.path)
    }
    written, failed = write_records(folder, new, progress=progress)
    return GuessReport(
        side=config.side.value,
        kind=config.guess,
        faces=len(faces),
        guessed=written,
        drawn=sum(head.is_drawn for head in heads),
        without=tuple(faces.name(head.path) for head in chosen if head.path not in new),
        problems=(*problems, *failed),
    )


def _heads(faces: FaceSource, progress: Progress, problems: list[str]) -> Iterator[_Head]:
    """The usable faces of a side; the others become problems."""
    for file in faces.heads(progress=progress, title="Reading face data"):
        if file.problem or file.record is None:
            problems.append(file.problem or f"{file.path} has no face metadata, so no outlines.")
        else:
            yield _Head(file.path, file.record, file.size)


def _chosen(faces: FaceSource, heads: Sequence[_Head], only: Sequence[str]) -> list[_Head]:
    """Faces that may get outlines."""
    unknown = set(only) - {faces.name(head.path) for head in heads}
    if unknown:
        raise ConfigError(
            f"only = {min(unknown)} is no face of {faces.folder}; give names of its files."
        )
    return [
        head for head in heads if not head.is_drawn and (not only or faces.name(head.path) in only)
    ]


def _by_model(
    workspace: Workspace,
    config: MaskConfig,
    faces: FaceSource,
    chosen: Sequence[_Head],
    progress: Progress,
    problems: list[str],
) -> dict[Path, tuple[Polygon, ...]]:
    # Only here: they load TensorFlow.
    from dflcolab.pipeline.mask_predict import predicted_faces
    from dflcolab.pipeline.mask_train import bring_model
    from dflcolab.xseg.predictor import load_mask_predictor

    bring_model(workspace, config, progress)
    predictor = load_mask_predictor(
        workspace.model_dir(config.model), checkpoint=config.checkpoint, on_problem=problems.append
    )
    found: dict[Path, tuple[Polygon, ...]] = {}
    paths = [head.path for head in chosen]
    for face in predicted_faces(
        faces, paths, predictor, progress=progress, problems=problems, batch=config.batch
    ):
        outlines = mask_guess(face.mask, *face.picture.shape[:2])
        found[face.path] = _settled(face.picture, outlines, config)
    return found


def _by_pictures(
    config: MaskConfig,
    faces: FaceSource,
    heads: Sequence[_Head],
    chosen: Sequence[_Head],
    progress: Progress,
    problems: list[str],
) -> dict[Path, tuple[Polygon, ...]]:
    """Outlines by what the faces themselves show."""
    by_path = {head.path: head for head in chosen}

    @functools.lru_cache(_PICTURES_KEPT)
    def labelled_picture(path: Path) -> Image:
        return faces.read(path).decode()

    def outlines(file: FaceFile, head: _Head, picture: Image) -> tuple[Polygon, ...]:
        if config.guess == "neighbours":
            return _carried(picture, beside[head.path], labelled_picture)
        if config.guess == "hull":
            return hull_guess(head.record, *picture.shape[:2])
        if head.record.xseg_mask is None:
            return ()
        stored = decode_xseg_mask(head.record.xseg_mask, name=str(file.path))
        return mask_guess(stored, *picture.shape[:2])

    def guessed(file: FaceFile) -> tuple[Path, tuple[Polygon, ...], str]:
        head = by_path[file.path]
        try:
            picture = file.decode()
            return file.path, _settled(picture, outlines(file, head, picture), config), ""
        except FormatError as error:
            return file.path, (), str(error)

    beside: Mapping[Path, Sequence[_Head]] = {}
    if config.guess == "neighbours":
        beside = _labelled_beside(heads, chosen, config.frames)
        by_path = {path: head for path, head in by_path.items() if beside[path]}
    found: dict[Path, tuple[Polygon, ...]] = {}
    paths = list(by_path)
    for path, polygons, problem in for_each_face(
        paths, guessed, progress=progress, title="Guessing outlines", read=faces.read
    ):
        found[path] = polygons
        problems += [problem] if problem else []
    return found


def _settled(
    picture: Image, outlines: tuple[Polygon, ...], config: MaskConfig
) -> tuple[Polygon, ...]:
    return refined_outlines(picture, outlines) if config.refine and outlines else outlines


def _labelled_beside(
    heads: Sequence[_Head], chosen: Sequence[_Head], frames: int
) -> dict[Path, list[_Head]]:
    """For each chosen face the drawn ones of the same video at most so many frames away."""
    drawn: dict[tuple[str, int], list[_Head]] = {}
    for head in heads:
        if head.is_drawn and head.frame.numbered:
            drawn.setdefault((head.frame.video, head.frame.number), []).append(head)
    found: dict[Path, list[_Head]] = {}
    for head in chosen:
        frame = head.frame
        away = sorted(range(-frames, frames + 1), key=abs) if frame.numbered else []
        near = [
            other
            for step in away
            for other in drawn.get((frame.video, frame.number + step), [])
            if _same_place(head.record, other.record)
        ]
        found[head.path] = near[:_TRIED]
    return found


def _same_place(one: FaceRecord, other: FaceRecord) -> bool:
    """Whether two faces of frames near each other can be the same person's."""
    if one.assumed_face_type is not other.assumed_face_type:
        return False
    if one.source_landmarks is None or other.source_landmarks is None:
        return True
    apart = one.source_landmarks.mean(axis=0) - other.source_landmarks.mean(axis=0)
    size = float(np.ptp(one.source_landmarks, axis=0).max())
    return math.hypot(*apart.tolist()) <= _SAME_PLACE * size


def _carried(
    picture: Image,
    labelled: Sequence[_Head],
    picture_of: Callable[[Path], Image],
) -> tuple[Polygon, ...]:
    """The first labelled neighbour's outlines that can be trusted here."""
    for other in labelled:
        moved = carried_over(other.record.polygons, picture_of(other.path), picture)
        if moved.trusted:
            return moved.polygons
    return ()
