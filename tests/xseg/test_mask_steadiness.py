"""Masks that flicker are told; faces that move, drawn by hand or turned steadily, are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.mask_quality import BadMask, MaskLook, bad_masks, look_at_mask, told
from dflcolab.faceset.mask_steadiness import PlacedMask
from dflcolab.formats.dfl_jpeg import read_record
from tests.faceset.drawn_faces import FOLDER


def plane(low: int, high: int) -> np.ndarray:
    made = np.zeros((64, 64), np.bool_)
    made[low:high, 10:54] = True
    return made


A, B = plane(8, 56), plane(8, 38)  # B lacks the lower third


def suspects(planes: Sequence[np.ndarray], *, step: int = 1) -> dict[str, list[int]]:
    """By kind: places of the faces that are named."""
    looks = [
        MaskLook(
            f"{i}", PlacedMask(f"/{1 + i * step:05d}.png", made, (100.0 + i, 90.0), 60.0), 1, 0
        )
        for i, made in enumerate(planes)
    ]
    found: dict[str, list[int]] = {}
    for bad in bad_masks(looks):
        found.setdefault(bad.kind, []).append(int(bad.name) if bad.name.isdecimal() else -1)
    return {kind: sorted(places) for kind, places in found.items()}


@pytest.mark.parametrize("step", [1, 3])
def test_masks_that_flicker_all_along_are_told_as_faces_and_as_a_video(step: int):
    alternating = suspects([A, B] * 20, step=step)
    assert alternating["flickering"] == [-1]
    assert set(range(1, 39)) <= set(alternating["inconsistent"])
    pairs = suspects([A, A, B, B] * 10, step=step)
    assert pairs["flickering"] == [-1]
    assert set(range(3, 37)) <= set(pairs["inconsistent"])


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("bad", [[10], [10, 11], [0], [20]])
def test_single_faces_that_differ_are_told_and_not_those_beside_them(bad: list[int], step: int):
    planes = [B if i in bad else A for i in range(21)]
    assert suspects(planes, step=step) == {"inconsistent": bad}


def test_a_cut_a_steady_move_and_another_face_in_the_frame_are_no_faults():
    assert suspects([A] * 10 + [B] * 10) == {}
    assert suspects([plane(8, 16 + 5 * i) for i in range(9)]) == {}  # a hand that leaves
    two = [
        MaskLook(f"{i}{name}", PlacedMask(f"/{i:05d}.png", made, (x, 90.0), 60.0), 1, 0)
        for i in range(10)
        for name, made, x in (("a", A, 100.0), ("b", B, 400.0))
    ]
    assert bad_masks(two) == []


def test_real_faces_with_drawn_masks_are_not_told_and_one_with_half_a_mask_is():
    """Frames of three clips, at least four apart, a hand before many of them."""

    def looks(spoiled: str = "") -> list[MaskLook]:
        made: list[MaskLook] = []
        for path in sorted(FOLDER.glob("*.jpg")):
            record = read_record(path)
            assert record is not None
            mask = polygon_mask(record.polygons, 256, 256)
            if path.name == spoiled:
                mask[:, :128] = 0
            made.append(look_at_mask(path.name, record, mask, 256, 256))
        return made

    assert bad_masks(looks()) == []  # nor is any too small, or leaking
    (bad,) = [bad for bad in bad_masks(looks("studio_woman_00066.jpg")) if bad.kind != "small"]
    assert bad.name == "studio_woman_00066.jpg"
    assert "beside it" in bad.sentence()


def test_a_flickering_video_is_no_face():
    lines = told([BadMask("2", "flickering", 0.4), BadMask("00007_0.jpg", "empty", 0.0)])
    assert lines[0].startswith("1 masks")
    assert told([BadMask("2", "flickering", 0.4)])[0].startswith("The masks do not all seem to fit")
    assert "2: 40 % of its masks are unlike the one before." in lines[1]
