"""The merge tuner without a browser: what it shows is what is merged, what it saves is what is read."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import parse_toml, to_plain
from dflcolab.errors import ConfigError, ModelError, RightsError, WorkspaceError
from dflcolab.media.provenance import read_provenance
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.look import Look, load_look
from dflcolab.pipeline.merge import merge
from dflcolab.pipeline.merge_tuning import Tuning, open_tuning
from dflcolab.runtime.show import MAX_PICTURE_BYTES
from dflcolab.widgets.tuner import merge_tuner
from dflcolab.widgets.tuner_desk import AS_KEYFRAME, FOR_ALL, FOR_RANGE, TunerDesk
from dflcolab.widgets.tuner_panel import TunerPanel
from dflcolab.widgets.tuner_view import PlainView
from dflcolab.workspace.workspace import Side, Workspace
from tests.widgets.tuned_workspace import tuned_workspace
from tests.xseg.test_apply import make_model

CONFIG = MergeConfig(model="m")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    workspace = tuned_workspace(tmp_path_factory.mktemp("tuned") / "workspace")
    return open_tuning(workspace, CONFIG)


@pytest.fixture
def desk(opened: Tuning, tmp_path: Path) -> TunerDesk:
    """A desk with a file of its own; networks and footage are shared."""
    return TunerDesk(
        dataclasses.replace(opened, path=tmp_path / "merge.toml", look=Look(), _is_kept=False)
    )


@pytest.fixture
def workspace(opened: Tuning, tmp_path: Path) -> Workspace:
    shutil.copytree(opened.workspace.root, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_the_picture_shown_is_the_frame_that_merge_makes(workspace: Workspace):
    make_model(workspace)
    desk = TunerDesk(open_tuning(workspace, CONFIG))
    desk.go(2)
    for name, value in {
        "mode": "seamless", "mask_mode": "XSeg-prd*XSeg-dst",
        "motion_blur_power": 60,
    }.items():  # fmt: skip
        desk.try_option(name, value)
    shown = desk.tuning.merged(desk.index, desk.options)
    desk.save(FOR_RANGE, "2:3")

    # In batches of another size, sums of the network differ in their last bits.
    merge(workspace, dataclasses.replace(CONFIG, frames="2:3", batch=1))

    merged = cv2.imread(str(workspace.merged_dir / "00003.png"))
    np.testing.assert_array_equal(shown, merged)
    assert np.abs(shown.astype(int) - desk.tuning.frame(2)).max() > 20


def test_pictures_are_small_signed_and_of_the_face_in_the_close_up(desk: TunerDesk, tmp_path: Path):
    whole = desk.shown()
    desk.close_up = True
    face = desk.shown()
    for data in (whole.before, whole.after, face.before, face.after):
        assert len(data) <= MAX_PICTURE_BYTES
    picture = tmp_path / "after.jpg"
    picture.write_bytes(face.after)
    note = read_provenance(picture)
    assert note is not None
    assert note.state == "valid"
    sizes = [
        cv2.imdecode(np.frombuffer(d, np.uint8), 1).shape for d in dataclasses.astuple(face)[:2]
    ]
    assert sizes[0] == sizes[1]
    assert sizes[0][1] < 640  # the frame's width


def test_what_is_tried_goes_along_and_is_saved_for_what_one_says(desk: TunerDesk):
    path = desk.tuning.path
    path.write_text('# mine\nmode = "seamless"\n')
    desk.tuning.look = load_look(MergeConfig(model="m", config=path), path.parent)
    desk.try_option("blur_mask_modifier", 30)
    desk.go(4)
    assert desk.options.blur_mask_modifier == 30
    assert "not saved: blur_mask_modifier" in desk.status()

    assert "at frame 4" in desk.save(AS_KEYFRAME, "")
    desk.go(0)
    desk.try_option("blur_mask_modifier", 10)
    desk.save(AS_KEYFRAME, "")
    desk.try_option("mask_mode", "dst")
    desk.save(FOR_RANGE, "1:3")
    desk.go(2)

    look = load_look(MergeConfig(model="m", config=path), path.parent)
    assert look == desk.tuning.look
    assert [look.at(n).blur_mask_modifier for n in (0, 2, 4)] == [10, 20, 30]
    assert [look.at(n).mask_mode.value for n in (0, 1, 3)] == [
        "learned-prd*learned-dst", "dst", "learned-prd*learned-dst",
    ]  # fmt: skip
    assert path.read_text().startswith("# mine\n")
    assert desk.tuning.backup_path.read_text() == '# mine\nmode = "seamless"\n'
    assert desk.trial == {}

    desk.try_option("blur_mask_modifier", 99)
    desk.save(FOR_RANGE, "0:9")
    desk.try_option("blur_mask_modifier", 5)
    assert "A range is stronger there" in desk.save(AS_KEYFRAME, "")
    with pytest.raises(ConfigError, match="change an option first"):
        desk.save(FOR_ALL, "")


def test_smoothing_is_said_not_to_show_in_one_frame(desk: TunerDesk):
    desk.try_option("smooth_masks", 2)
    assert "smooth_masks cannot be seen in a single frame" in desk.status()
    desk.try_option("smooth_masks", 0)
    assert "not saved" not in desk.status()


def test_what_merging_refuses_tuning_refuses_in_the_same_words(workspace: Workspace):
    with pytest.raises(ModelError, match="no trained model 'other'"):
        open_tuning(workspace, MergeConfig(model="other"))
    (workspace.root / "merge.toml").write_text("mode = 5x")
    with pytest.raises(ConfigError, match=r"merge\.toml"):
        open_tuning(workspace, CONFIG)
    (workspace.root / "merge.toml").unlink()
    for path in workspace.frames_dir(Side.DST).glob("*.png"):
        path.rename(path.with_name(f"9{path.name}"))
    with pytest.raises(WorkspaceError, match="There is no dst face in frames 0 to 5"):
        open_tuning(workspace, CONFIG)
    settings = workspace.root / "workspace.toml"
    text = settings.read_text()
    settings.write_text(text[: text.index("[rights")])
    with pytest.raises(RightsError):
        open_tuning(Workspace.open(workspace.root), CONFIG)


class Hand:
    """Finds the widgets of a panel by the classes that a browser would see."""

    def __init__(self, box):
        self._box = box

    def __call__(self, name: str):
        waiting = [self._box]
        while waiting:
            widget = waiting.pop()
            if f"dfl-{name}" in widget._dom_classes:
                return widget
            waiting += getattr(widget, "children", ())
        raise LookupError(name)


def test_without_anywidget_two_pictures_follow_every_control(desk: TunerDesk):
    panel = Hand(TunerPanel(desk, PlainView()).box)
    before, after = panel("tuner-plain").children
    first = before.value, after.value
    panel("option-mode").value = "raw-rgb"
    assert before.value == first[0]
    assert after.value != first[1]
    panel("tuner-mark").click()
    panel("tuner-place").value = 4
    assert "Frame 3 (4 of 6" in panel("tuner-status").value
    panel("tuner-mark").click()
    panel("tuner-marks").value = 0
    assert desk.index == 0
    raw = after.value

    # A refusal is told; the pictures stay.
    panel("option-mask_mode").value = "XSeg-dst"
    assert "needs an XSeg model" in panel("tuner-status").value
    assert after.value == raw
    panel("tuner-reset").click()
    assert (panel("option-mode").value, panel("option-mask_mode").value) == (
        "overlay", "learned-prd*learned-dst",
    )  # fmt: skip

    panel("option-erode_mask_modifier").value = 40
    panel("tuner-target").value = FOR_RANGE
    panel("tuner-range").value = "3:1"
    panel("tuner-save").click()
    assert "holds no frame" in panel("tuner-status").value
    assert not desk.tuning.path.exists()
    panel("tuner-range").value = "0:2"
    panel("tuner-save").click()
    assert parse_toml(desk.tuning.path.read_text(), source="") == {
        "range": [{"frames": "0:2", "erode_mask_modifier": 40}]
    }
    panel("tuner-place").value = 3
    assert panel("option-erode_mask_modifier").value == 0
    assert to_plain(desk.options)["erode_mask_modifier"] == 0


def test_the_plain_form_stands_in_where_anywidget_is_missing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "dflcolab.widgets.tuner_anywidget", raising=False)
    Hand(merge_tuner(workspace, CONFIG))("tuner-plain")
