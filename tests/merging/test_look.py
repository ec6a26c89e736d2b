"""Options by frame: the file, its ranges and keyframes, and `--set` over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.errors import ConfigError
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.look import Look, load_look
from dflcolab.merging.options import MaskMode, Mode


def look_of(folder: Path, text: str, *assignments: str) -> Look:
    (folder / "merge.toml").write_text(text, encoding="utf-8")
    return load_look(MergeConfig(model="m", set=assignments), folder)


WHOLE_FILE = """
blur_mask_modifier = 20

[[range]]
frames = "100:200"
mask_mode = "XSeg-dst"
erode_mask_modifier = 7

[[range]]
frames = "150:"
mask_mode = "full"

[[keyframe]]
frame = 90
erode_mask_modifier = 0
[[keyframe]]
frame = 250
output_face_scale = -5
[[keyframe]]
frame = 110
erode_mask_modifier = 40
"""


def test_ranges_and_keyframes_change_their_frames_and_no_others(tmp_path: Path):
    look = look_of(tmp_path, WHOLE_FILE)

    assert look.at(99).mask_mode is look.at(0).mask_mode is MaskMode.LEARNED_BOTH
    assert look.at(100).mask_mode is look.at(149).mask_mode is MaskMode.XSEG_DST
    assert look.at(150).mask_mode is look.at(9999).mask_mode is MaskMode.FULL  # the later range
    # Evenly from 0 to 40, the first and last value beyond; the range is stronger.
    erosions = [look.at(i).erode_mask_modifier for i in (0, 90, 91, 95, 99, 100, 199, 200, 9999)]
    assert erosions == [0, 0, 2, 10, 18, 7, 7, 40, 40]
    assert {look.at(i).blur_mask_modifier for i in (0, 120, 500)} == {20}
    assert {look.at(i).output_face_scale for i in (0, 120, 500)} == {-5}


def test_set_is_stronger_than_everything_in_the_file(tmp_path: Path):
    look = look_of(tmp_path, WHOLE_FILE, "erode_mask_modifier=3", "mask_mode=dst")

    assert {look.at(i).erode_mask_modifier for i in (0, 95, 150)} == {3}
    assert {look.at(i).mask_mode for i in (0, 120, 180)} == {MaskMode.DST}
    assert look.at(5).output_face_scale == -5


def test_an_option_is_used_if_any_frame_switches_it_on(tmp_path: Path):
    text = "[[keyframe]]\nframe = 3\nsuper_resolution_power = {}\n"

    assert look_of(tmp_path, text.format(20)).uses("super_resolution_power")
    assert not look_of(tmp_path, text.format(0)).uses("super_resolution_power")
    look = look_of(tmp_path, '[[range]]\nframes = "0:2"\nmotion_blur_power = 3\n')
    assert look.uses("motion_blur_power")
    assert not look.uses("blursharpen_amount")


def test_a_face_morphs_little_by_little(tmp_path: Path):
    text = "[[keyframe]]\nframe = 0\nmorph = 0\n[[keyframe]]\nframe = 3\nmorph = 1\n"

    look = look_of(tmp_path, text)

    assert [look.at(i).morph for i in range(5)] == [0.0, 0.3333, 0.6667, 1.0, 1.0]
    fixed = load_look(MergeConfig(model="m", morph=0.5), tmp_path)
    assert [fixed.at(i).morph for i in range(5)] == [0.5] * 5


def test_frames_that_look_alike_share_their_options(tmp_path: Path):
    look = look_of(tmp_path, WHOLE_FILE)

    assert look.at(201) is look.at(9999)
    assert look_of(tmp_path, "").at(3) == Look().base


def test_another_file_may_be_named_relative_to_the_workspace(tmp_path: Path):
    text = 'mode = "seamless"\nblur_mask_modifier = 20\n'
    (tmp_path / "look.toml").write_text(text, encoding="utf-8-sig")  # as an editor may save it
    config = MergeConfig(model="m", config=Path("look.toml"), set=("mode=overlay",))

    base = load_look(config, tmp_path).base

    assert (base.mode, base.blur_mask_modifier) == (Mode.OVERLAY, 20)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nosuch\.toml does not exist"):
        load_look(MergeConfig(model="m", config=Path("nosuch.toml")), tmp_path)


RANGE, KEYFRAME = "[[range]]\n", "[[keyframe]]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode = seamless", "not valid TOML"),
        ("blur = 3", "Unknown option 'blur'"),
        ("erode_mask_modifier = 500", "500 is out of range"),
        ("[range]\nframes = '1:2'", r"two brackets"),
        ("keyframe = 3", r"write \[\[keyframe\]\]"),
        (RANGE + "mode = 'overlay'", 'range 1 .* write frames = "100:200"'),
        (RANGE + "frames = 5\nmode = 'overlay'", 'range 1 .* write frames = "100:200"'),
        (RANGE + "frames = '5:5'\nmode = 'overlay'", "range 1 .* B must be above A"),
        (RANGE + "frames = '0:5'", "range 1 .* changes nothing"),
        (RANGE + "frames = '0:5'\nmode = 'x'\n", "range 1 .* choose one of original"),
        (RANGE + "frames = '0:5'\nmodus = 1\n", "Unknown option 'modus' in range 1"),
        (KEYFRAME + "erode_mask_modifier = 1", "keyframe 1 .* write frame = 120"),
        (KEYFRAME + "frame = -1\nerode_mask_modifier = 1", "keyframe 1 .* write frame = 120"),
        (KEYFRAME + "frame = 1\nmode = 'overlay'", r"keyframe 1 .* into a \[\[range\]\]"),
        (KEYFRAME + "frame = 1\nerode_mask_modifier = 500", "keyframe 1 .* 500 is out of range"),
        (2 * (KEYFRAME + "frame = 1\nerode_mask_modifier = 1\n"), "Two keyframes .* at frame 1"),
        (RANGE + "frames = '0:5'\nmode = 'raw-predict'", "raw-predict for some frames"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigError, match=words) as caught:
        look_of(tmp_path, text)

    assert "merge.toml" in str(caught.value)
