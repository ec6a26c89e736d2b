"""`mask next`: the faces that are worth labelling next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.engine.checkpoint import newest_state
from dflcolab.errors import DFLColabError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.guesses import learned_from
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.face_source import FaceSource, open_faces
from dflcolab.faceset.label_choice import LabelLook, choose_to_label, doubt, label_look
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace
from dflcolab.xseg.config import MaskConfig

_MOST = 1000
"""Unlabelled faces that are looked at, evenly spread: as many as twenty labels can stand for."""


@dataclass(frozen=True)
class NextFace:
    """A face to label.

    Attributes:
        name: File name.
        stands_for: Unlabelled faces that look more like it than like any labelled one, itself
            included.
        doubt: Part of its mask that the network is not sure of, 0 to about 1; None without a network.
    """

    name: str
    stands_for: int
    doubt: float | None


@dataclass(frozen=True)
class NextReport:
    """Which faces to label next.

    Attributes:
        side: Whose faces.
        model: Name of the network that was asked; "" if there is none yet.
        labelled: Faces with labels.
        unlabelled: Faces without.
        looked_at: Of these, such that were compared.
        faces: The faces to label, the most useful first.
        problems: Faces that could not be used, one sentence each.
    """

    side: str
    model: str
    labelled: int
    unlabelled: int
    looked_at: int
    faces: tuple[NextFace, ...]
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        if not self.faces:
            return "\n".join([f"All faces of {self.side} are labelled.", *self.problems])
        by = f"by what {self.model} is unsure of and by variety" if self.model else "by variety"
        lines = [
            f"Label these {len(self.faces)} of {self.unlabelled} faces of {self.side}, chosen {by}:"
        ]
        for face in self.faces:
            unsure = (
                "" if face.doubt is None else f", unsure of {100 * face.doubt:.0f} % of its mask"
            )
            lines.append(f"  {face.name}: stands for {face.stands_for} faces{unsure}")
        return "\n".join([*lines, *self.problems])


def next_labels(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> NextReport:
    """Choose faces to label: unlike labelled ones, like many others, and hard for the network.

    Without a trained network the faces' variety alone decides. Nothing is written.

    Raises:
        FacesetError: There are no faces.
        CheckpointError: The network's checkpoint is not there or not whole.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    assert config.side is not None
    folder = workspace.aligned_dir(config.side)
    with open_faces(folder, progress=progress) as faces:
        problems = list(faces.unused)
        labelled, unlabelled = _parted(faces, progress, problems)
        step = max(1, -(-len(unlabelled) // _MOST))
        candidates = unlabelled[::step]
        looks = _looks(faces, [*labelled, *candidates], progress, problems)
        doubts = _doubts(workspace, config, faces, candidates, progress, problems)
    paths = list(looks)
    known = set(labelled)
    chosen = choose_to_label(
        list(looks.values()),
        [i for i, path in enumerate(paths) if path in known],
        config.count,
        doubts=np.array([doubts.get(path, 0.0) for path in paths]) if doubts else None,
    )
    return NextReport(
        side=config.side.value,
        model=config.model if doubts else "",
        labelled=len(labelled),
        unlabelled=len(unlabelled),
        looked_at=len(looks) - len(known & looks.keys()),
        faces=tuple(
            NextFace(faces.name(paths[found.face]), found.stands_for, doubts.get(paths[found.face]))
            for found in chosen
        ),
        problems=tuple(dict.fromkeys(problems)),
    )


def _parted(
    faces: FaceSource, progress: Progress, problems: list[str]
) -> tuple[list[Path], list[Path]]:
    """Faces that training learns from, and the others."""
    labelled: list[Path] = []
    unlabelled: list[Path] = []
    for file in faces.heads(progress=progress, title="Reading labels"):
        if file.problem or file.record is None:
            problems += [file.problem] if file.problem else []
        else:
            (labelled if learned_from(file.record) else unlabelled).append(file.path)
    return labelled, unlabelled


def _looks(
    faces: FaceSource, paths: Sequence[Path], progress: Progress, problems: list[str]
) -> dict[Path, LabelLook]:
    def look(file: FaceFile) -> tuple[Path, LabelLook | str]:
        record: FaceRecord | None = file.record
        if file.problem or record is None:
            return file.path, file.problem
        try:
            return file.path, label_look(file.decode(), record)
        except DFLColabError as error:
            return file.path, f"{faces.name(file.path)}: {error}"

    found: dict[Path, LabelLook] = {}
    for path, seen in for_each_face(
        paths, look, progress=progress, title="Looking at faces", read=faces.read
    ):
        if isinstance(seen, str):
            problems += [seen] if seen else []
        else:
            found[path] = seen
    return found


def _doubts(
    workspace: Workspace,
    config: MaskConfig,
    faces: FaceSource,
    paths: Sequence[Path],
    progress: Progress,
    problems: list[str],
) -> dict[Path, float]:
    """How unsure the network is of each face; empty where none has learned masks yet."""
    state = newest_state(workspace.model_dir(config.model))
    if not paths or state is None or state.get("pretraining"):
        return {}
    # Only here: they load TensorFlow.
    from dflcolab.pipeline.mask_predict import predicted_faces
    from dflcolab.xseg.predictor import load_mask_predictor

    predictor = load_mask_predictor(
        workspace.model_dir(config.model), checkpoint=config.checkpoint, on_problem=problems.append
    )
    found: dict[Path, float] = {}
    for face in predicted_faces(
        faces,
        paths,
        predictor,
        progress=progress,
        problems=problems,
        batch=config.batch,
        mirrored=True,
    ):
        assert face.mirrored is not None
        found[face.path] = doubt(face.raw, face.mirrored)
    return found
