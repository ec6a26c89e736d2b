"""Options of the look and of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.config import from_mapping, to_plain
from dflcolab.errors import ConfigError
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.options import ColorTransferMode, CompositeOptions, MaskMode, Mode


def test_deepfacelabs_numbers_are_understood():
    options = from_mapping(
        CompositeOptions, {"mode": 3, "mask_mode": "4", "color_transfer_mode": 1}
    )

    assert options.mode is Mode.SEAMLESS
    assert options.mask_mode is MaskMode.LEARNED_BOTH
    assert options.color_transfer_mode is ColorTransferMode.RCT


@pytest.mark.parametrize(
    ("value", "mode"),
    [("XSeg-prd", "XSEG_PRD"), ("xseg-dst", "XSEG_DST"), (8, "XSEG_BOTH"), ("9", "ALL")],
)
def test_xseg_masks_are_known_by_name_in_any_case_and_by_number(value: object, mode: str):
    assert from_mapping(CompositeOptions, {"mask_mode": value}).mask_mode is MaskMode[mode]


def test_an_unknown_mask_mode_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"mask_mode = 'XSeg'.*XSeg-prd\*XSeg-dst"):
        from_mapping(CompositeOptions, {"mask_mode": "XSeg"})


def test_ranges_are_deepfacelabs():
    with pytest.raises(ConfigError, match="-400 to 400"):
        from_mapping(CompositeOptions, {"erode_mask_modifier": 401})


def test_options_survive_as_plain_values():
    options = from_mapping(CompositeOptions, {"mode": "seamless", "blur_mask_modifier": 33})

    assert from_mapping(CompositeOptions, to_plain(options)) == options


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, (0, None)), ("3:7", (3, 7)), (":7", (0, 7)), ("3:", (3, None)), (":", (0, None))],
)
def test_frame_ranges(text: str | None, expected: tuple[int, int | None]):
    assert MergeConfig(model="m", frames=text).frame_range == expected


@pytest.mark.parametrize("text", ["5", "a:b", "7:7", "9:3", "-1:4"])
def test_wrong_frame_ranges_are_refused(text: str):
    with pytest.raises(ConfigError, match="frames = "):
        MergeConfig(model="m", frames=text)


def test_a_preview_must_be_a_picture():
    with pytest.raises(ConfigError, match=r"look\.webm.*look\.jpg"):
        MergeConfig(model="m", preview=Path("look.webm"))
