"""The hand-drawn masks that others are measured against are there, whole and plausible."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.polygons import polygon_mask
from dflcolab.formats.dfl_jpeg import Face, read_face

MASKS = Path(__file__).parents[1] / "data" / "masks"
INDEX = json.loads((MASKS / "index.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def faces() -> dict[str, Face]:
    return {entry["name"]: read_face(MASKS / entry["name"]) for entry in INDEX}


def test_index_names_every_face_and_where_it_is_from():
    assert sorted(entry["name"] for entry in INDEX) == sorted(p.name for p in MASKS.glob("*.jpg"))
    origins = (MASKS / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{entry['source']}` |" in origins for entry in INDEX)
    assert all(entry["person"] for entry in INDEX)


def test_there_are_enough_faces_and_enough_covered_ones():
    assert len(INDEX) >= 66
    assert sum(entry["occluded"] for entry in INDEX) >= 12
    assert len({entry["person"] for entry in INDEX}) >= 10


def test_frames_of_a_clip_are_no_near_copies():
    frames: dict[str, list[int]] = defaultdict(list)
    for entry in INDEX:
        if entry["frame"] is not None:
            frames[entry["source"]].append(entry["frame"])
    assert all(np.diff(sorted(numbers)).min() >= 4 for numbers in frames.values())


def test_every_face_decodes_and_has_sound_outlines(faces: dict[str, Face]):
    for entry in INDEX:
        face = faces[entry["name"]]
        assert face.decode().shape == (256, 256, 3)
        assert face.record.face_type is FaceType.WHOLE
        kinds = [polygon.include for polygon in face.record.polygons]
        assert kinds[:1] == [True]
        assert entry["occluded"] is (False in kinds)
        for polygon in face.record.polygons:
            assert len(polygon.points) >= 3
            assert np.isfinite(polygon.points).all()
            assert ((polygon.points >= 0) & (polygon.points <= 255)).all()


def test_masks_fit_the_landmarks_as_far_as_nothing_covers_the_face(faces: dict[str, Face]):
    """A shifted, swapped or lost outline would leave these ranges.

    The hull ends above the brows, so a high forehead makes a mask half as large again (overlap down
    to 0.65); a scarf over the jaw takes up to 15 % of the hull, hands up to 38 %.
    """
    for entry in INDEX:
        face = faces[entry["name"]]
        mask = polygon_mask(face.record.polygons, face.height, face.width)[..., 0] > 0.5
        hull = hull_mask(face.record.landmarks, face.height, face.width)[..., 0] > 0.5
        overlap = np.count_nonzero(mask & hull) / np.count_nonzero(mask | hull)
        covered = np.count_nonzero(mask & hull) / np.count_nonzero(hull)
        least = (0.45, 0.60) if entry["occluded"] else (0.63, 0.84)
        assert 0.20 < mask.mean() < 0.48, entry["name"]
        assert overlap > least[0], entry["name"]
        assert covered > least[1], entry["name"]
