"""Bringing photos into the workspace, each set in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import MediaError
from dflcolab.extraction import append_log
from dflcolab.faceset.append import plain_stem
from dflcolab.files import check_space, remove_temporaries, sha256_of, storage_errors
from dflcolab.media.frame_sequence import list_frames, read_image
from dflcolab.pipeline.append_checks import Material
from dflcolab.pipeline.append_labels import Labels
from dflcolab.progress import Progress
from dflcolab.workspace.moving import copy_file
from dflcolab.workspace.workspace import Side, Workspace


@dataclass(frozen=True)
class CopiedPhotos:
    """What `copy_photos` did.

    Attributes:
        labels: Sets in which the photos are now, the new ones' first; some may be the side's own
            pictures, which have none.
        n_new: Photos copied.
        n_known: Photos that were there.
        problems: Files that were left out, one sentence each.
    """

    labels: tuple[str, ...]
    n_new: int
    n_known: int
    problems: tuple[str, ...] = ()


class KnownPhotos:
    """The pictures that a side has, found by their content."""

    def __init__(self, workspace: Workspace, side: Side) -> None:
        home = workspace.photos_dir(side)
        folders = (
            [path for path in sorted(home.iterdir()) if path.is_dir()] if home.is_dir() else []
        )
        self._by_size: dict[int, list[Path]] = {}
        for folder in (workspace.frames_dir(side), *folders):
            for path in list_frames(folder):
                self.add(path)
        self._hashes: dict[Path, str] = {}

    def add(self, path: Path) -> None:
        """Enter a picture."""
        self._by_size.setdefault(path.stat().st_size, []).append(path)

    def find(self, path: Path) -> Path | None:
        """The picture with the same content, if there is one."""
        same_size = self._by_size.get(path.stat().st_size, [])
        if not same_size:
            return None
        digest = sha256_of(path)
        for other in same_size:
            if other not in self._hashes:
                self._hashes[other] = sha256_of(other)
            if self._hashes[other] == digest:
                return other
        return None


def copy_photos(
    workspace: Workspace,
    side: Side,
    material: Material,
    log_path: Path,
    *,
    labels: Labels,
    progress: Progress,
) -> CopiedPhotos:
    """Copy photos to `data_src/photos/<label>/`; those that the side has already are not copied.

    Args:
        workspace: The workspace.
        side: Whose photos.
        material: The photos.
        log_path: `append.jsonl`.
        labels: Names of sets.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: Stopped as asked; what was copied stays.
        StorageError: Disk too full, read-only or gone; what was copied stays.
    """
    known = KnownPhotos(workspace, side)
    home = workspace.photos_dir(side)
    found = {path: known.find(path) for path in material.files}
    there = [path.parent.name for path in found.values() if path and path.parent.parent == home]
    new = [path for path, twin in found.items() if twin is None]
    if not new:
        return CopiedPhotos(tuple(dict.fromkeys(there)), 0, len(found))
    check_space(workspace.root, sum(path.stat().st_size for path in new), str(material.path))
    label = _label(material, home, new, log_path, labels)
    folder = home / label
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder)
    stems = {path.stem for path in list_frames(folder)}
    n_new = 0
    problems: list[str] = []
    with progress.task(f"Copying {material.origin}", total=len(new), unit="photos") as task:
        for path in new:
            progress.raise_if_stopped()
            task.advance()
            try:
                read_image(path)
            except MediaError as error:
                problems.append(f"{error} It was left out.")
                continue
            if known.find(path) is None:  # the same photo may be given twice
                target = folder / _free_name(path, stems)
                copy_file(path, target)
                stems.add(target.stem)
                known.add(target)
                n_new += 1
    n_known = len(found) - n_new - len(problems)
    names = [label, *there] if n_new else there
    return CopiedPhotos(tuple(dict.fromkeys(names)), n_new, n_known, tuple(problems))


def _label(
    material: Material, home: Path, new: Sequence[Path], log_path: Path, labels: Labels
) -> str:
    """The label that photos of a folder of this name have, if no name is in the way; else a new one.

    So a run that was killed goes on in its folder, and photos added to a folder join the others.
    """
    for label in append_log.read_log(log_path).labels_of("photos", material.origin):
        stems = {path.stem for path in list_frames(home / label)}
        if not any(plain_stem(path.stem) in stems for path in new):
            return label
    label = labels.new(material.origin, "photos")
    append_log.log_set(log_path, "photos", label, material.origin)
    return label


def _free_name(path: Path, stems: set[str]) -> str:
    """The photo's name; `name~2.jpg` if the set has another that differs in its ending only."""
    plain = stem = plain_stem(path.stem)
    number = 1
    while stem in stems:
        number += 1
        stem = f"{plain}~{number}"
    return stem + path.suffix
