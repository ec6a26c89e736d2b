# pyright: strict
"""The faces that a merge puts in: whose they are, in which order, on which paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dflcolab.faceset.faceset import Faceset
from dflcolab.faceset.tracks import find_tracks
from dflcolab.merging.depth import nearest_last
from dflcolab.merging.faces_of_frames import FacesOfFrames, faces_of_frames
from dflcolab.merging.frame_source import DstFrames
from dflcolab.merging.look import Look
from dflcolab.merging.scene_cuts import CUTS_FILE, scene_cuts
from dflcolab.merging.steady_landmarks import steady_landmarks
from dflcolab.merging.stretches import Jitter, Stretches, find_stretches, measure_jitter
from dflcolab.pipeline.merge_people import PersonWish, identity_vectors, model_of_faces
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

_SMOOTHED = ("smooth_landmarks", "smooth_masks", "smooth_colors")


@dataclass(frozen=True)
class FacesToMerge:
    """What a merge knows of its faces before it looks at any.

    Attributes:
        faces: By frame, the nearest one last, on steadied paths.
        stretches: Which faces are the same one through time; empty where nothing is smoothed.
        people: Face file → its person and model, for those that were named.
        before: How much the faces tremble as they were found; None where nothing is smoothed.
        after: How much they tremble now.
    """

    faces: FacesOfFrames
    stretches: Stretches = field(default_factory=Stretches)
    people: Mapping[str, PersonWish] = field(default_factory=dict[str, PersonWish])
    before: Jitter | None = None
    after: Jitter | None = None


def faces_to_merge(
    workspace: Workspace,
    faceset: Faceset,
    frames: DstFrames,
    look: Look,
    wishes: Sequence[PersonWish],
    *,
    others_stay: bool,
    progress: Progress,
) -> FacesToMerge:
    """Sort, choose and steady the dst faces.

    Args:
        workspace: Whose.
        faceset: The dst faces.
        frames: The dst footage.
        look: Says what is smoothed, frame by frame.
        wishes: People with models of their own.
        others_stay: Leave out the faces of everybody else, where people are named.
        progress: Shown to the user.

    Raises:
        ConfigError: A person is named that is not there.
        FacesetError: People are named and the faces are packed.
        MediaError: The footage cannot be read.
        Interrupted: The user asked to stop.
    """
    faces = faces_of_frames(faceset.names, faceset.records)
    smooths = any(look.uses(name) for name in _SMOOTHED)
    several = any(len(found) > 1 for found in faces.by_stem.values())
    if not (smooths or several or wishes):
        return FacesToMerge(faces)
    records = dict(zip(faceset.names, faceset.records, strict=True))
    vectors = identity_vectors(workspace, progress) if wishes else {}
    tracks = find_tracks(records, vectors)
    people = model_of_faces(workspace, wishes, vectors, tracks) if wishes else {}
    if wishes and others_stay:
        faces = _only(faces, people)
    index = {stem: number for number, stem in enumerate(frames.stems)}
    cuts = (
        scene_cuts(frames, workspace.history_dir / CUTS_FILE, progress=progress)
        if smooths
        else frozenset[int]()
    )
    faces = nearest_last(faces, find_stretches(faces, tracks, index, cuts))
    if not smooths:
        return FacesToMerge(faces, people=people)
    stretches = find_stretches(faces, tracks, index, cuts)
    steady = steady_landmarks(faces, stretches, lambda number: look.at(number).smooth_landmarks)
    return FacesToMerge(
        steady,
        stretches,
        people,
        measure_jitter(faces, stretches),
        measure_jitter(steady, stretches),
    )


def _only(faces: FacesOfFrames, people: Mapping[str, PersonWish]) -> FacesOfFrames:
    """The faces of the people named."""
    found = FacesOfFrames(problems=faces.problems)
    for stem, names in faces.names.items():
        for name, points in zip(names, faces.by_stem[stem], strict=True):
            if name in people:
                found.by_stem.setdefault(stem, []).append(points)
                found.names.setdefault(stem, []).append(name)
    return found
