"""`mask labels`: the drawn outlines of one side, listed, written for other programs, and taken in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dflcolab.errors import ConfigError, FacesetError, FormatError
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.guesses import guess_kind, without_guess_mark
from dflcolab.faces.mask_outlines import outlines_of
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.coco_labels import coco_text, read_coco
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces
from dflcolab.faceset.face_source import FaceSource, open_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.labels import FaceLabel, LabelStatistics, label_statistics
from dflcolab.faceset.mask_export import mask_names
from dflcolab.faceset.mask_pictures import read_mask_picture
from dflcolab.files import list_files, storage_errors, write_bytes, write_text
from dflcolab.formats.dfl_jpeg import Face, face_from_bytes, read_face, replace_record
from dflcolab.pipeline.mask_backup import keep_polygons
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.held_out import cell_of

_PICTURES = (".png",)


@dataclass(frozen=True)
class LabelLine:
    """One labelled face.

    Attributes:
        name: File name.
        include: Outlines that add to its mask.
        exclude: Outlines that cut out.
        points: Of all of them.
        share: Part of the picture inside, 0..1.
        guess: What they were made from, if they are a guess that nobody has changed; else "".
    """

    name: str
    include: int
    exclude: int
    points: int
    share: float
    guess: str = ""


@dataclass(frozen=True)
class LabelsReport:
    """What outlines the faces of a side carry now.

    Attributes:
        side: Whose faces.
        statistics: All labels together.
        labels: The labelled faces.
        written: File or folder that the outlines were written to; None if they were not.
        taken: Faces that got outlines from elsewhere.
        left_alone: Faces that had outlines already and kept them.
        backup: File with the outlines that were replaced; None if there were none.
        problems: What could not be used, one sentence each.
    """

    side: str
    statistics: LabelStatistics
    labels: tuple[LabelLine, ...]
    written: Path | None = None
    taken: int = 0
    left_alone: int = 0
    backup: Path | None = None
    problems: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        lines = self.statistics.sentences()
        lines[0] = f"{self.side}: {lines[0]}"
        if self.taken or self.left_alone:
            kept = f", {self.left_alone} kept theirs (see --replace)" if self.left_alone else ""
            lines.append(f"{self.taken} faces got outlines{kept}.")
        if self.backup is not None:
            lines.append(f"The outlines from before are kept in {self.backup}.")
        if self.written is not None:
            lines.append(f"The outlines are in {self.written}.")
        lines += [
            f"  {label.name}: {label.include} add, {label.exclude} cut out, {label.points} points, "
            f"{100 * label.share:.0f} % inside{f', guessed ({label.guess})' if label.guess else ''}"
            for label in self.labels
        ]
        return "\n".join([*lines, *self.problems])


def labels(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> LabelsReport:
    """List the outlines of one side; with `out` write them, with `from_` take others in.

    Outlines go into the face files as DeepFaceLab's editor stores them; no picture is compressed
    again.

    Raises:
        ConfigError: Both `out` and `from_` are given, or `out` is the faces' own folder.
        FacesetError: There are no faces; outlines cannot be taken into a pack, or none fits.
        FormatError: The file to read is no COCO file.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    assert config.side is not None
    if config.from_ is not None and config.out is not None:
        raise ConfigError("mask labels either reads (--from) or writes (--out); give one of them.")
    if config.from_ is not None:
        return _take(workspace, config, progress=progress)
    return _list(workspace, config, progress)


def _list(workspace: Workspace, config: MaskConfig, progress: Progress) -> LabelsReport:
    side = _side(config)
    folder = workspace.aligned_dir(side)
    found: list[tuple[FaceLabel, FaceRecord]] = []
    problems: list[str] = []
    with open_faces(folder, progress=progress) as faces:
        problems += faces.unused
        labelled = for_each_face(
            faces.paths,
            lambda file: _label_of(file, faces),
            progress=progress,
            title="Reading labels",
            read=faces.read_head,
        )
        for label in labelled:
            if isinstance(label, str):
                problems += [label] if label else []
            else:
                found.append(label)
    every, records = [label for label, _ in found], [record for _, record in found]
    drawn = [label for label, record in found if record.has_points]
    written = None
    if config.out is not None:
        written = config.out
        if config.format == "coco":
            written = written / "labels.json" if written.is_dir() else written
            with storage_errors(written):
                written.parent.mkdir(parents=True, exist_ok=True)
            write_text(written, coco_text(drawn))
        else:
            problems += _write_pictures(drawn, written, folder)
    cells = [cell_of(record.source_filename or label.name) for label, record in found]
    numbers = {cell: number for number, cell in enumerate(sorted(set(cells)))}
    return LabelsReport(
        side=side.value,
        statistics=label_statistics(every, records, [numbers[cell] for cell in cells]),
        labels=tuple(
            LabelLine(
                label.name,
                label.count(include=True),
                label.count(include=False),
                label.points,
                round(label.share, 4),
                label.guess,
            )
            for label in drawn
        ),
        written=written,
        problems=tuple(problems),
    )


def _write_pictures(drawn: Sequence[FaceLabel], folder: Path, faces: Path) -> list[str]:
    """Write the outlines as pictures; a sentence for each that cannot have a name of its own."""
    if folder.resolve() == faces.resolve():
        raise ConfigError(
            f"{folder} holds the faces, and mask pictures would be taken for faces there; name "
            "another folder with --out."
        )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names, problems = mask_names(label.name for label in drawn)
    for label in drawn:
        if label.name not in names:
            continue
        mask = polygon_mask(label.polygons, label.height, label.width)
        picture = (mask[..., 0] * 255).astype(np.uint8)
        encoded = cv2.imencode(".png", picture)[1].tobytes()
        target = folder / names[label.name]
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, encoded, durable=False)
    return problems


@alone_with_faces
def _take(workspace: Workspace, config: MaskConfig, *, progress: Progress) -> LabelsReport:
    side = _side(config)
    assert config.from_ is not None
    source = Path(config.from_)
    paths = {path.name: path for path in loose_faces(workspace, side)}
    problems: list[str] = []
    if source.is_dir():
        offered = _from_pictures(source, paths, config.tolerance)
    elif source.is_file():
        offered = _from_coco(source, paths, problems)
    else:
        raise ConfigError(f"{source} does not exist; name a COCO file or a folder of masks.")
    chosen: dict[Path, tuple[Polygon, ...]] = {}
    before: list[FaceLabel] = []
    named: set[Path] = set()
    left_alone = 0
    for path, make in offered:
        progress.raise_if_stopped()
        if path in named:
            problems.append(f"{source} names {path.name} more than once; the first one counts.")
            continue
        named.add(path)
        try:
            face = read_face(path)
            drawn = face.record.has_points and guess_kind(face.record) is None
            if drawn and not config.replace:
                left_alone += 1
                continue
            chosen[path] = make(face)
        except FormatError as error:
            problems.append(str(error))
            continue
        if drawn:
            own = face.record.polygons
            before.append(FaceLabel(path.name, face.width, face.height, own))
    if not named:
        raise FacesetError(
            f"Nothing in {source} is called like a face of {side.value}; the names of its pictures "
            "must be those of the face files."
        )
    backup = keep_polygons(workspace, side.value, before)
    taken = 0
    with progress.task("Writing outlines", total=len(chosen), unit="faces") as task:
        for path, polygons in chosen.items():
            progress.raise_if_stopped()
            task.advance()
            try:
                new = read_face(path).record.replace(polygons=polygons)
                # A guess that comes back as it went out is still one.
                replace_record(path, new if guess_kind(new) else without_guess_mark(new))
                taken += 1
            except FormatError as error:  # too many points, or a damaged picture
                problems.append(str(error))
    report = _list(workspace, config, progress)
    return LabelsReport(
        side=report.side,
        statistics=report.statistics,
        labels=report.labels,
        taken=taken,
        left_alone=left_alone,
        backup=backup,
        problems=tuple(dict.fromkeys([*problems, *report.problems])),
    )


_Offer = tuple[Path, Callable[[Face], tuple[Polygon, ...]]]
"""A face's file, and what makes its outlines in pixels of its picture."""


def _from_coco(source: Path, paths: Mapping[str, Path], problems: list[str]) -> Iterator[_Offer]:
    """Outlines of the faces that the file names."""
    read, unused = read_coco(source)
    problems += unused
    for label in read:
        path = paths.get(label.name)
        if path is None:
            problems.append(f"{label.name} of {source} is no face here.")
        else:
            yield path, functools.partial(_fitted, label)


def _fitted(label: FaceLabel, face: Face) -> tuple[Polygon, ...]:
    """The label's outlines, from its picture's size to the face's."""
    if min(label.width, label.height) <= 0:
        return label.polygons
    zoom = np.array([face.width / label.width, face.height / label.height], np.float32)
    return tuple(Polygon(p.include, p.points * zoom) for p in label.polygons)


def _from_pictures(source: Path, paths: Mapping[str, Path], tolerance: float) -> Iterator[_Offer]:
    """Outlines of the mask pictures that are called like faces; of two, that with `_mask` behind."""
    by_stem = {path.stem: path for path in paths.values()}
    found: dict[Path, Path] = {}
    for picture in list_files(source, _PICTURES):
        path = by_stem.get(picture.stem) or by_stem.get(picture.stem.removesuffix("_mask"))
        if path is not None and (path not in found or picture.stem.endswith("_mask")):
            found[path] = picture
    for path, picture in found.items():
        yield path, functools.partial(_traced, picture, tolerance)


def _traced(picture: Path, tolerance: float, face: Face) -> tuple[Polygon, ...]:
    """Outlines of what a mask picture shows.

    Raises:
        FormatError: It is no picture, or shows nothing.
    """
    mask = read_mask_picture(picture)
    if mask.shape != (face.height, face.width):
        mask = cv2.resize(mask, (face.width, face.height), interpolation=cv2.INTER_LINEAR)
    found = outlines_of(mask, tolerance=tolerance, smallest=16 if tolerance else 1)
    if not found:
        raise FormatError(f"{picture} shows nothing, so its face keeps what it has.")
    return found


def _label_of(file: FaceFile, faces: FaceSource) -> tuple[FaceLabel, FaceRecord] | str:
    """The outlines of a face; a sentence, or "", where it is no whole face."""
    if file.problem or file.record is None:
        return file.problem
    name, record = faces.name(file.path), file.record
    if not record.has_points:
        return FaceLabel(name, file.size, file.size, ()), record
    try:
        face = face_from_bytes(file.data or faces.read(file.path).data, str(file.path))
    except FormatError as error:
        return str(error)
    guess = guess_kind(record) or ""
    return FaceLabel(name, face.width, face.height, record.polygons, guess), record


def _side(config: MaskConfig) -> Side:
    assert config.side is not None
    return config.side
