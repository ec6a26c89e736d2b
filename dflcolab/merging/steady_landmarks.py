# pyright: strict
"""Landmarks smoothed over time, before anything is cropped by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.imaging.local_fit import smoothed
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.stretches import Stretches, landmarks_of


def steady_landmarks(
    faces: FacesOfFrames, stretches: Stretches, radius_of: Callable[[int], int]
) -> FacesOfFrames:
    """The same faces on steadier paths.

    A face's result depends on the faces up to its radius away only, so it does not matter which
    part of the footage is merged.

    Args:
        faces: The faces as they were found.
        stretches: Where each of them goes on.
        radius_of: `smooth_landmarks` of a frame's look, by its number.
    """
    by_stem: dict[str, list[Landmarks]] = {
        stem: list(found) for stem, found in faces.by_stem.items()
    }
    for stretch in stretches.all:
        moments = np.array([sight.index for sight in stretch])
        points = np.stack([landmarks_of(faces, sight).reshape(-1) for sight in stretch])
        for place, sight in enumerate(stretch):
            radius = radius_of(sight.index)
            if radius:
                found = smoothed(moments, points, place, radius).reshape(-1, 2)
                by_stem[sight.stem][sight.place] = found.astype(np.float32)
    return FacesOfFrames(by_stem, faces.problems, faces.names)
