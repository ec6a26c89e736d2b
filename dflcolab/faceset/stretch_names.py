# pyright: strict
"""What a stretch of frames is called, so that a user finds it: video, frames, how the head is held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dflcolab.faces.pose import pose
from dflcolab.faceset.coverage import Region
from dflcolab.faceset.faceset import Faceset
from dflcolab.faceset.limits import PROFILE_DEG, TILTED_DEG, TURNED_DEG
from dflcolab.faceset.stretches import END, Split, Stretch


def stretch_names(
    faceset: Faceset, split: Split, stretches: Sequence[Stretch]
) -> Mapping[int, str]:
    """Names of the held-out stretches that have faces, by their place in `stretches`.

    Such as "frames 120 to 140 of video 2 (looking down)". Reads no picture; about 0.35 ms a face.

    Args:
        faceset: Whose faces they are.
        split: What `split_faces` made of it.
        stretches: What is held out.
    """
    members: dict[int, list[int]] = {}
    for index in split.held_out:
        members.setdefault(split.stretch[index], []).append(index)
    names: dict[int, str] = {}
    for number, indices in members.items():
        faces = [faceset.faces[index] for index in indices]
        poses = [pose(face.record.landmarks, face.width) for face in faces]
        yaw = float(np.median([held.yaw for held in poses]))
        pitch = float(np.median([held.pitch for held in poses]))
        words = head_words(yaw, pitch)
        names[number] = f"{frames_words(stretches[number])} ({words})"
    return names


def frames_words(stretch: Stretch) -> str:
    """Where a stretch is, as part of a sentence."""
    video = stretch.video.strip("/").rstrip("-_. ")
    of = f" of {f'video {video}' if video.isdecimal() else video}" if video else ""
    if stretch.last >= END:
        return f"all frames{of}"
    if stretch.first == stretch.last:
        return f"frame {stretch.first}{of}"
    return f"frames {stretch.first} to {stretch.last}{of}"


def head_words(yaw: float, pitch: float) -> str:
    """How a head is held, by its yaw and pitch in radians (signs as in `Pose`)."""
    turn, tilt = math.degrees(yaw), math.degrees(pitch)
    words: list[str] = []
    if abs(turn) >= PROFILE_DEG.value:
        words.append(Region.LEFT_PROFILE if turn > 0 else Region.RIGHT_PROFILE)
    elif abs(turn) >= TURNED_DEG.value:
        words.append(Region.LEFT if turn > 0 else Region.RIGHT)
    if abs(tilt) >= TILTED_DEG.value:
        words.append(Region.UP if tilt > 0 else Region.DOWN)
    return ", ".join(words) or "facing the camera"
