"""`clean`: move false, foreign, blurred and duplicate faces to the trash, or bring them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.errors import ConfigError
from dflcolab.faceset.clean import (
    Proposal,
    look_at_faces,
    propose_blur,
    propose_duplicates,
    propose_identity,
    propose_landmarks,
    without_repeats,
)
from dflcolab.faceset.config import CleanConfig
from dflcolab.faceset.face_files import loose_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.identity import Vector, embed_faces, main_person
from dflcolab.media.frame_sequence import read_image
from dflcolab.progress import Progress
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side, Workspace

AUTO = "auto"


@dataclass(frozen=True)
class RemovedFace:
    """One removed (or, in a dry run, proposed) face."""

    name: str
    check: str
    reason: str
    score: float | None


@dataclass(frozen=True)
class CleanReport:
    """What `clean` did.

    Attributes:
        side: Whose faces.
        faces: Number of faces before.
        removed: Faces moved to the trash, or proposed if `dry_run`.
        restored: Names of faces brought back by undo.
        dry_run: Nothing was moved.
        checks: Names of the checks that ran.
    """

    side: str
    faces: int
    removed: tuple[RemovedFace, ...]
    restored: tuple[str, ...]
    dry_run: bool
    checks: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        if not self.checks:
            return f"{len(self.restored)} faces of {self.side} are back from the trash."
        verb = "would go" if self.dry_run else "moved to the trash"
        lines = [f"{len(self.removed)} of {self.faces} faces of {self.side} {verb}."]
        for (check, reason), number in Counter(
            (face.check, face.reason.split(" as ")[0]) for face in self.removed
        ).items():
            lines.append(f"{number} by {check}: {reason}")
        if self.removed and not self.dry_run:
            lines.append("`dflcolab clean --undo` brings them back.")
        return "\n".join(lines)


@alone_with_faces
def clean(
    workspace: Workspace, config: CleanConfig, *, progress: Progress | None = None
) -> CleanReport:
    """Judge the faces of one side and move those to the trash that fail a check.

    Raises:
        FacesetError: There are no faces, or they are packed.
        ConfigError: The reference picture is missing or shows no face.
        StorageError: The disk is full or read-only.
    """
    progress = progress or Progress()
    trash = Trash.of(workspace, config.side)
    if config.undo:
        restored = trash.restore()
        return CleanReport(
            config.side.value, 0, (), tuple(path.name for path in restored), False, ()
        )
    paths = loose_faces(workspace, config.side)
    checks = _checks(config)
    if config.side is Side.DST and {"blur", "duplicates"} & set(checks):
        progress.message("A dst face that is removed leaves that face unswapped in the merge.")
    proposals = _proposals(paths, config, checks, progress)
    if not config.dry_run:
        trash.move([Removal(found.path, _reason(found), found.score) for found in proposals])
    return CleanReport(
        side=config.side.value,
        faces=len(paths),
        removed=tuple(
            RemovedFace(found.path.name, found.check, found.reason, found.score)
            for found in proposals
        ),
        restored=(),
        dry_run=config.dry_run,
        checks=checks,
    )


def _checks(config: CleanConfig) -> tuple[str, ...]:
    """The named checks, or the usual ones: what is safe for dst, everything for src."""
    named = {
        "landmarks": config.landmarks,
        "identity": config.identity is not None,
        "blur": config.blur,
        "duplicates": config.duplicates,
    }
    chosen = tuple(name for name, on in named.items() if on)
    if chosen:
        return chosen
    return ("landmarks", "identity") if config.side is Side.DST else tuple(named)


def _proposals(
    paths: Sequence[Path], config: CleanConfig, checks: Sequence[str], progress: Progress
) -> list[Proposal]:
    found: list[Proposal] = []
    if set(checks) - {"identity"}:
        looks = look_at_faces(paths, progress=progress)
        if "landmarks" in checks:
            found += propose_landmarks(looks)
            bad = {proposal.path for proposal in found}
            looks = [look for look in looks if look.path not in bad]
        if "blur" in checks:
            found += propose_blur(looks)
        gone = {proposal.path for proposal in found}
        if "duplicates" in checks:
            rest = [look for look in looks if look.path not in gone]
            found += propose_duplicates(rest, config.duplicate_threshold)
    if "identity" in checks:
        found += _foreign(paths, config, progress)
    return without_repeats(found)


def _foreign(paths: Sequence[Path], config: CleanConfig, progress: Progress) -> list[Proposal]:
    from dflcolab.detection.embedding import embed_face

    reference = None
    if config.identity not in (None, AUTO):
        reference = _person_in(Path(str(config.identity)))
    vectors, _ = embed_faces(paths, embed_face, progress=progress)
    if not vectors:
        return []
    person = main_person(list(vectors.values())) if reference is None else reference
    return propose_identity(paths, vectors, person, config.identity_threshold)


def _person_in(picture: Path) -> Vector:
    """The identity of the largest face in a picture, which may be a face file."""
    from dflcolab.detection.embedding import embed_face
    from dflcolab.detection.faces import detect_faces

    if not picture.is_file():
        raise ConfigError(f"There is no picture {picture}; give --identity auto or a path.")
    image = read_image(picture)
    found = detect_faces(image)
    if not found:
        raise ConfigError(f"No face was found in {picture}; give another picture to --identity.")
    largest = max(found, key=lambda face: float(np.ptp(face.landmarks, axis=0).max()))
    return embed_face(image, largest.landmarks)


def _reason(found: Proposal) -> str:
    return f"{found.check}: {found.reason}"
