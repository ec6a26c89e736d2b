"""`sort`: put the faces of one side in order by giving them new names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.errors import ConfigError
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.faceset.face_files import NO_FACE_DATA, NOT_READABLE, UNSAFE, loose_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.renaming import rename_all
from dflcolab.faceset.sort import SortedFaces, sort_faces
from dflcolab.faceset.sort_result import NO_SHARPNESS
from dflcolab.faceset.vector_cache import FILE_NAME, VectorCache
from dflcolab.faceset.whole_picture import PART_IS_MISSING
from dflcolab.progress import Progress
from dflcolab.words import counted
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Workspace

_EXAMPLES = 3


@dataclass(frozen=True)
class SortReport:
    """What `sort` did.

    Attributes:
        side: Whose faces.
        by: What the order follows.
        faces: Number of files in the new order.
        trashed: Number of files moved to the trash, by reason.
        examples: The first of them by name, by reason.
        first_score: Score of the first file; None where faces were chained.
        last_score: Score of the last file.
        note: A sentence on the outcome; "" if it is as expected.
    """

    side: str
    by: str
    faces: int
    trashed: dict[str, int]
    first_score: float | str | None
    last_score: float | str | None
    note: str = ""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def summary(self) -> str:
        """The report in a line or two."""
        lines = [f"In order by {self.by}: {counted(self.faces, 'face')} of {self.side}."]
        for reason, number in self.trashed.items():
            names = ", ".join(self.examples.get(reason, ()))
            more = " …" if number > len(self.examples.get(reason, ())) else ""
            lines.append(f"{number} moved to the trash: {reason} ({names}{more}).")
        if self.trashed:
            lines.append(
                f"`dflcolab clean --side {self.side} --undo --only sort` brings back what went."
            )
        return "\n".join([*lines, self.note] if self.note else lines)


@alone_with_faces
def sort(
    workspace: Workspace, config: SortConfig, *, progress: Progress | None = None
) -> SortReport:
    """Sort the faceset of one side. A kill at any moment loses nothing; run it again.

    Raises:
        FacesetError: There are no faces, they are packed, or the kind fits none of them.
        ConfigError: A reference picture is missing or shows no face, or the kind has no use for it.
        WorkspaceError: The side has no `aligned` folder.
        StorageError: The disk is full or read-only.
    """
    progress = progress or Progress()
    if config.reference and config.by is not SortKind.IDENTITY:
        raise ConfigError(f"--reference belongs to --by identity; {config.by} has no use for it.")
    if config.dissimilar and config.by is not SortKind.ABSDIFF:
        raise ConfigError(f"--dissimilar belongs to --by absdiff; {config.by} has no use for it.")
    paths = loose_faces(workspace, config.side)
    found = sort_faces(
        paths,
        config.by,
        target=config.target,
        dissimilar=config.dissimilar,
        progress=progress,
        **_networks(config, workspace.frames_dir(config.side)),
    )
    folder = workspace.aligned_dir(config.side)
    Trash.of(workspace, config.side).move(
        [
            Removal(folder / name, f"sort by {config.by}: {why}")
            for name, why in found.rejected.items()
        ]
    )
    rename_all(folder, dict(found.renamed) if found.renamed is not None else _numbered(found))
    ends = [found.scores.get(found.order[place]) for place in (0, -1)]
    return SortReport(
        side=config.side.value,
        by=config.by.value,
        faces=len(found.order),
        trashed=dict(Counter(found.rejected.values())),
        examples=_examples(found),
        first_score=ends[0],
        last_score=ends[1],
        note=_note(config, found),
    )


def _networks(config: SortConfig, folder: Path) -> dict[str, Any]:
    """What the kind needs of networks; they are loaded for it only.

    Args:
        config: Says the kind.
        folder: Where identity vectors are kept for the next run.
    """
    match config.by:
        case SortKind.IDENTITY:
            from dflcolab.detection.embedding import embed_face
            from dflcolab.detection.models import EMBEDDING
            from dflcolab.detection.reference import reference_person

            person = reference_person(config.reference) if config.reference else None
            cache = VectorCache(folder / FILE_NAME, EMBEDDING)
            return {"embed": embed_face, "person": person, "cache": cache}
        case SortKind.LANDMARK_QUALITY:
            from dflcolab.detection.landmark_check import judge_landmarks

            return {"judge": judge_landmarks}
        case _:
            return {}


def _examples(found: SortedFaces) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for name, reason in sorted(found.rejected.items()):
        names.setdefault(reason, []).append(name)
    return {reason: tuple(first[:_EXAMPLES]) for reason, first in names.items()}


def _note(config: SortConfig, found: SortedFaces) -> str:
    """Why `final` kept far fewer faces than asked for, as DeepFaceLab does."""
    final = config.by in (SortKind.FINAL, SortKind.FINAL_FASTER)
    left_out = set(found.rejected.values()) - {
        NO_FACE_DATA,
        NOT_READABLE,
        UNSAFE,
        PART_IS_MISSING,
        NO_SHARPNESS,
    }
    if not final or not left_out or len(found.order) >= 0.75 * config.target:
        return ""
    return (
        f"That is fewer than the {config.target} asked for: each of 128 turns of the head gets the "
        "same share, and the faces show few of them. A larger --target keeps more."
    )


def _numbered(found: SortedFaces) -> dict[str, str]:
    """`00000.jpg`, `00001.jpg` … in the new order; endings stay."""
    return {
        name: f"{place:05d}.{name.rpartition('.')[2]}" for place, name in enumerate(found.order)
    }
