"""Options of the look and of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.config import from_mapping, from_toml, to_toml
from dflcolab.errors import ConfigError
from dflcolab.merging.config import (
    ColorTransferMode,
    CompositeOptions,
    MaskMode,
    MergeConfig,
    Mode,
    load_options,
)


def test_deepfacelabs_numbers_are_understood():
    options = from_mapping(
        CompositeOptions, {"mode": 3, "mask_mode": "4", "color_transfer_mode": 1}
    )

    assert options.mode is Mode.SEAMLESS
    assert options.mask_mode is MaskMode.LEARNED_BOTH
    assert options.color_transfer_mode is ColorTransferMode.RCT


@pytest.mark.parametrize("value", ["XSeg-prd", "xseg-dst", 6, "9"])
def test_xseg_masks_are_refused_with_a_way_out(value: object):
    with pytest.raises(ConfigError, match=r"XSeg.*choose learned-prd\*learned-dst"):
        from_mapping(CompositeOptions, {"mask_mode": value})


@pytest.mark.parametrize("value", ["idt", "sot-m", 8])
def test_missing_color_transfers_name_the_others(value: object):
    with pytest.raises(ConfigError, match="choose one of none, rct, lct, mkl"):
        from_mapping(CompositeOptions, {"color_transfer_mode": value})


def test_ranges_are_deepfacelabs():
    with pytest.raises(ConfigError, match="-400 to 400"):
        from_mapping(CompositeOptions, {"erode_mask_modifier": 401})


def test_options_survive_their_own_toml():
    options = from_mapping(CompositeOptions, {"mode": "seamless", "blur_mask_modifier": 33})

    assert from_toml(CompositeOptions, to_toml(options)) == options


def test_set_is_stronger_than_the_file(tmp_path: Path):
    (tmp_path / "look.toml").write_text('mode = "seamless"\nblur_mask_modifier = 20\n')
    config = MergeConfig(model="m", config=tmp_path / "look.toml", set=("mode=overlay",))

    options = load_options(config, tmp_path)

    assert (options.mode, options.blur_mask_modifier) == (Mode.OVERLAY, 20)


def test_the_workspaces_merge_toml_is_used_when_none_is_named(tmp_path: Path):
    (tmp_path / "merge.toml").write_text("erode_mask_modifier = 7\n")

    assert load_options(MergeConfig(model="m"), tmp_path).erode_mask_modifier == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [("mode = seamless", "not valid TOML"), ("blur = 3", "blur_mask_modifier|Unknown option")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str):
    (tmp_path / "look.toml").write_text(text)

    with pytest.raises(ConfigError, match=words) as caught:
        load_options(MergeConfig(model="m", config=tmp_path / "look.toml"), tmp_path)

    assert "look.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nosuch\.toml does not exist"):
        load_options(MergeConfig(model="m", config=Path("nosuch.toml")), tmp_path)


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
