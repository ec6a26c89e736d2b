"""`clean`: move false, foreign, bad and duplicate faces to the trash, or bring them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import ConfigError
from dflcolab.faceset import clean as checks
from dflcolab.faceset.clean import Proposal
from dflcolab.faceset.config import CleanConfig
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.identity import Vector, embed_faces
from dflcolab.faceset.landmark_quality import LandmarkVerdict, judge_faces
from dflcolab.faceset.measures import FaceMeasure, measure_faces
from dflcolab.faceset.person_choice import IdentityVerdict
from dflcolab.faceset.renaming import recover
from dflcolab.faceset.tracks import find_tracks
from dflcolab.faceset.vector_cache import FILE_NAME, VectorCache
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.pipeline.clean_identity import Wish, judge, read_wish, remember
from dflcolab.pipeline.clean_report import CleanReport, PersonSeen, RemovedFace
from dflcolab.progress import Progress
from dflcolab.workspace.trash import Removal, Trash, removed_by
from dflcolab.workspace.workspace import Side, Workspace

__all__ = ["CleanReport", "PersonSeen", "RemovedFace", "clean", "usual_checks"]

_ALL = (
    "landmarks",
    "non-faces",
    "identity",
    "cut-off",
    "small",
    "exposure",
    "blur",
    "duplicates",
)
"""In the order in which they judge: a face goes for the first reason that names it."""

_SAFE = ("landmarks", "non-faces", "identity")
_COSTS_FRAMES = {"cut-off", "small", "exposure", "blur", "duplicates"}


def usual_checks(side: Side) -> tuple[str, ...]:
    """Names of the checks that run where none is named, in the order in which they judge."""
    return _SAFE if side is Side.DST else _ALL


@dataclass
class _Evidence:
    """What the checks of one run look at; measured once, in as far as they need it."""

    faces: Sequence[FaceMeasure]
    verdicts: Mapping[str, LandmarkVerdict] = field(default_factory=dict[str, LandmarkVerdict])
    presence: Mapping[str, float] = field(default_factory=dict[str, float])
    vectors: Mapping[str, Vector] = field(default_factory=dict[str, Vector])
    tracks: Mapping[str, str] = field(default_factory=dict[str, str])


@alone_with_faces
def clean(
    workspace: Workspace, config: CleanConfig, *, progress: Progress | None = None
) -> CleanReport:
    """Judge the faces of one side and move those to the trash that fail a check.

    Raises:
        FacesetError: There are no faces, or they are packed.
        ConfigError: The wanted person cannot be found: no such number, no face in a picture, nobody
            who looks like it. Or options contradict each other.
        WorkspaceError: `only` names nothing in the trash.
        Interrupted: The user asked to stop; nothing has been moved.
        StorageError: The disk is full or read-only.
    """
    progress = progress or Progress()
    if config.undo:
        return _undo(workspace, config)
    if config.only:
        raise ConfigError("only says what --undo brings back; give --undo with it.")
    paths = loose_faces(workspace, config.side)
    names = _checks(config)
    wish = read_wish(workspace, config) if "identity" in names else Wish("")
    if config.side is Side.DST and _COSTS_FRAMES & set(names):
        progress.message("A dst face that is removed leaves that face unswapped in the merge.")
    evidence = _look(paths, names, workspace.frames_dir(config.side), progress)
    verdict = judge(wish, evidence.vectors, evidence.tracks, config) if evidence.vectors else None
    proposals = _proposals(evidence, names, verdict if wish.words else None, config)
    if not config.dry_run:
        if verdict is not None and wish.remember:
            remember(workspace, config.side, wish, verdict)
        Trash.of(workspace, config.side).move(
            [Removal(found.path, f"{found.check}: {found.reason}", found.score)
             for found in proposals]
        )  # fmt: skip
    return CleanReport(
        side=config.side.value,
        faces=len(paths),
        removed=tuple(
            RemovedFace(found.path.name, found.check, found.reason, found.score)
            for found in proposals
        ),
        dry_run=config.dry_run,
        checks=names,
        people=_people(verdict, wish),
        identity=wish.words,
    )


def _undo(workspace: Workspace, config: CleanConfig) -> CleanReport:
    """Bring back all or some of the removed faces, or say which a dry run would bring back."""
    if named := _named(config):
        raise ConfigError(
            f"With --undo, say what comes back by --only: `--only {' '.join(named)}`."
        )
    trash = Trash.of(workspace, config.side)
    recover(trash.home)  # what was killed before takes its names, or its folder, first
    if config.only:
        chosen = trash.select(config.only)
    else:
        # A face that was replaced would stand beside its replacement.
        chosen = [entry for entry in trash.entries() if not entry.is_replaced]
    if config.dry_run:
        return CleanReport(
            side=config.side.value,
            faces=0,
            restored=tuple(entry.name for entry in chosen),
            dry_run=True,
            stays=dict(Counter(removed_by(entry) for entry in trash.entries())),
        )
    restored = tuple(path.name for path in trash.restore(chosen))
    names = {entry.name for entry in chosen}
    return CleanReport(
        side=config.side.value,
        faces=0,
        restored=restored,
        renamed=tuple(name for name in restored if name not in names),
        stays=dict(Counter(removed_by(entry) for entry in trash.entries())),
        beside_pack=bool(restored) and (trash.home / PAK_NAME).exists(),
    )


def _checks(config: CleanConfig) -> tuple[str, ...]:
    """The named checks, or else the usual ones of the side."""
    return _named(config) or usual_checks(config.side)


def _named(config: CleanConfig) -> tuple[str, ...]:
    """The checks that the user named, in the order in which they judge."""
    named = {
        "landmarks": config.landmarks,
        "non-faces": config.non_faces,
        "identity": bool(config.identity),
        "cut-off": config.cut_off,
        "small": config.small,
        "exposure": config.exposure,
        "blur": config.blur,
        "duplicates": config.duplicates,
    }
    return tuple(name for name in _ALL if named[name])


def _look(
    paths: Sequence[Path], names: Sequence[str], folder: Path, progress: Progress
) -> _Evidence:
    """Measure what the checks need. The networks are loaded only for those that ask them.

    Args:
        paths: The faces.
        names: Names of the checks.
        folder: Where identity vectors are kept for the next run.
        progress: Shown to the user.
    """
    faces = measure_faces(paths, progress=progress)
    found = _Evidence(faces)
    usable = [face.path for face in faces if not face.problem]
    if {"landmarks", "non-faces"} & set(names):
        from dflcolab.detection.landmark_check import judge_landmarks

        found.verdicts, _ = judge_faces(usable, judge_landmarks, progress=progress)
    if "non-faces" in names:
        found.presence = _presence(usable, found.verdicts, progress)
    if "identity" in names:
        from dflcolab.detection.embedding import embed_face
        from dflcolab.detection.models import EMBEDDING

        cache = VectorCache(folder / FILE_NAME, EMBEDDING)
        found.vectors, _ = embed_faces(usable, embed_face, progress=progress, cache=cache)
    records = {face.name: face.record for face in faces if face.record is not None}
    found.tracks = find_tracks(records, found.vectors)
    return found


def _presence(
    paths: Sequence[Path], verdicts: Mapping[str, LandmarkVerdict], progress: Progress
) -> dict[str, float]:
    """How sure the landmark network or else the detector is of a face, by file name."""
    from dflcolab.detection.face_check import detector_score

    presence = {name: verdict.presence for name, verdict in verdicts.items()}
    doubtful = [path for path in paths if presence.get(path.name, 1.0) < 0.5]

    def look_again(face: FaceFile) -> float:
        return 0.0 if face.record is None else detector_score(face.decode(), face.record.landmarks)

    if doubtful:
        scores = for_each_face(
            doubtful, look_again, progress=progress, title="Looking for faces again"
        )
        for path, score in zip(doubtful, scores, strict=True):
            presence[path.name] = max(presence[path.name], score)
    return presence


def _proposals(
    evidence: _Evidence,
    names: Sequence[str],
    verdict: IdentityVerdict | None,
    config: CleanConfig,
) -> list[Proposal]:
    """What the checks propose, one after the other on the faces that are left."""
    found: list[Proposal] = []
    left = list(evidence.faces)
    for name in names:
        proposed = _check(name, left, evidence, verdict, config)
        gone = {proposal.path for proposal in proposed}
        left = [face for face in left if face.path not in gone]
        found += proposed
    return found


def _check(
    name: str,
    faces: Sequence[FaceMeasure],
    evidence: _Evidence,
    verdict: IdentityVerdict | None,
    config: CleanConfig,
) -> list[Proposal]:
    usable = [face for face in faces if not face.problem]
    match name:
        case "landmarks":
            off = checks.propose_landmarks(usable, evidence.verdicts, config.landmark_threshold)
            return checks.propose_unusable(faces) + off
        case "non-faces":
            return checks.propose_non_faces(usable, evidence.presence, evidence.tracks)
        case "identity":
            return [] if verdict is None else checks.propose_identity(usable, verdict)
        case "cut-off":
            return checks.propose_cut_off(usable, config.cut_off_threshold)
        case "small":
            return checks.propose_small(usable, config.small_threshold)
        case "exposure":
            return checks.propose_exposure(usable, config.exposure_threshold)
        case "blur":
            return checks.propose_blur(usable, config.blur_threshold)
        case _:
            return checks.propose_duplicates(usable, config.duplicate_threshold)


def _people(verdict: IdentityVerdict | None, wish: Wish) -> tuple[PersonSeen, ...]:
    if verdict is None:
        return ()
    return tuple(
        PersonSeen(
            number=person.number,
            faces=len(person.names),
            wanted=not wish.words or person.number in verdict.wanted,
            example=person.names[0],
        )
        for person in verdict.people
    )
