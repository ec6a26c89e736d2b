# pyright: strict
"""What a merge is asked for: footage, faces, models and look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.merging.face import FaceToMerge
from dflcolab.merging.faces_file import MergedFace
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import DstFrames
from dflcolab.merging.look import Look
from dflcolab.merging.networks import Networks, Question
from dflcolab.merging.stretches import Stretches

_RESULT_VERSION = 2
"""Raised when the same inputs give other pictures, so that old ones are made anew."""

Stamp = Callable[[bytes, str, int], bytes]
"""Signs a picture file: its bytes, its name and the number of replaced faces to the signed bytes."""


@dataclass(frozen=True)
class PersonModel:
    """A model of one person.

    Attributes:
        name: Its name.
        networks: What is asked about the faces of that person.
        identity: Text that changes when the model's weights change.
        iteration: How long it was trained.
    """

    name: str
    networks: Networks
    identity: str
    iteration: int = 0


@dataclass(frozen=True)
class MergeJob:
    """Everything a merge depends on.

    Attributes:
        frames: The dst footage.
        faces: Which faces to replace in which frame.
        networks: The model, and those that some options need besides.
        model_identity: Text that changes when the model's weights change.
        look: The options of each frame.
        folder: Where merged frames go; must exist.
        mask_folder: Where their masks go; must exist.
        stamp: Signs a merged picture; None leaves it unsigned.
        start: First frame.
        stop: End of the frames, not included; None for all.
        threads: Threads that compose and write.
        notes: Said about the run in `merge.json`, without meaning for what is made anew.
        stretches: Which faces are the same one through time, for smoothing masks and colors.
        people: Face file → model of that person; other faces get `networks`.
        signer: Text that tells the user's certificate from another; "" for the machine's own.
        deep: Read frames with 16 bits a value besides, for an output that keeps them.
    """

    frames: DstFrames
    faces: FacesOfFrames
    networks: Networks
    model_identity: str
    look: Look
    folder: Path
    mask_folder: Path
    stamp: Stamp | None = None
    start: int = 0
    stop: int | None = None
    threads: int = 2
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stretches: Stretches = field(default_factory=Stretches)
    people: Mapping[str, PersonModel] = field(default_factory=dict[str, PersonModel])
    signer: str = ""
    deep: bool = False

    def person_at(self, stem: str, place: int) -> PersonModel | None:
        """The model of a face of its own person; None for the usual one."""
        names = self.faces.names.get(stem, [])
        return self.people.get(names[place]) if place < len(names) else None

    def answer(self, questions: Sequence[tuple[str, int, Question]]) -> list[FaceToMerge]:
        """Faces ready to be put in, each from the model of its person.

        Args:
            questions: Frame, place in it, and the question.
        """
        groups: dict[int, tuple[Networks, list[int]]] = {}
        for number, (stem, place, _) in enumerate(questions):
            person = self.person_at(stem, place)
            networks = self.networks if person is None else person.networks
            groups.setdefault(id(networks), (networks, []))[1].append(number)
        found: dict[int, FaceToMerge] = {}
        for networks, numbers in groups.values():
            found |= zip(numbers, networks.answer([questions[i][2] for i in numbers]), strict=True)
        return [found[number] for number in range(len(questions))]


def run_facts(job: MergeJob) -> dict[str, Any]:
    """What all frames of a merge depend on whatever their look, as plain values."""
    return {
        "result_version": _RESULT_VERSION,
        "weights": job.model_identity,
        "resolution": job.networks.predictor.resolution,
        "face_type": job.networks.predictor.face_type.value,
        "signed": job.signer or job.stamp is not None,
    }


def merged_faces(job: MergeJob) -> list[MergedFace]:
    """Where every face of the footage is put in, for other programs."""
    found: list[MergedFace] = []
    for stem, faces in job.faces.by_stem.items():
        names = job.faces.names.get(stem, [])
        for place, points in enumerate(faces):
            person = job.person_at(stem, place)
            predictor = (job.networks if person is None else person.networks).predictor
            found.append(
                MergedFace(
                    stem=stem,
                    name=names[place] if place < len(names) else "",
                    landmarks=points,
                    model=person.name
                    if person is not None
                    else str(job.notes.get("usual_model", "")),
                    resolution=predictor.resolution,
                    face_type=predictor.face_type,
                )
            )
    return found
