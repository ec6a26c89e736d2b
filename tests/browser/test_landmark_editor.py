"""The landmark editor as a user drives it: mouse and keys in the page, new faces in the folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.widgets.landmark_editor import landmark_editor
from dflcolab.workspace.workspace import Side, Workspace
from tests.widgets.framed_workspace import framed_workspace

SIDE = Side.DST
NOSE = 30


@pytest.fixture(scope="module")
def _framed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return framed_workspace(tmp_path_factory.mktemp("framed") / "workspace").root


@pytest.fixture
def workspace(_framed: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(_framed, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def landmarks(workspace: Workspace, name: str) -> np.ndarray:
    record = read_record(workspace.aligned_dir(SIDE) / name)
    assert record is not None
    assert record.source_landmarks is not None
    return record.source_landmarks


def settle(page: Page, *, name: str) -> None:
    editor = page.get_by_test_id("landmarks")
    expect(editor).to_have_attribute("data-face", name)
    expect(editor).to_have_attribute("data-state", "ready")


def drag(page: Page, start: np.ndarray, by: tuple[float, float], view: dict, **keys) -> None:
    """Drag from one frame pixel by some others."""
    box = page.get_by_test_id("landmarks-canvas").bounding_box()
    assert box is not None

    def place(point: np.ndarray) -> tuple[float, float]:
        x, y = (point - (view["left"], view["top"]) + 0.5) * view["scale"]
        return box["x"] + float(x), box["y"] + float(y)

    page.mouse.move(*place(start))
    page.mouse.down()
    page.mouse.move(*place(start + by), steps=4)
    page.mouse.up()


def test_a_dragged_point_is_saved_and_taken_back(widget_page: Callable, workspace: Workspace):
    name = "00001_0.jpg"
    before = landmarks(workspace, name)
    shown = widget_page(landmark_editor(workspace, SIDE))
    page = shown.page
    settle(page, name=name)
    view = shown.told[-1].content
    page.get_by_test_id("landmarks-reach").fill("0")

    drag(page, before[NOSE], (14.0, 6.0), view)
    page.get_by_test_id("landmarks").press("s")
    expect(page.get_by_test_id("landmarks-status")).to_contain_text("Saved")

    after = landmarks(workspace, name)
    moved = after - before
    # A pointer moves in whole pixels of the screen, of which a pixel of the frame has some.
    np.testing.assert_allclose(moved[NOSE], (14.0, 6.0), atol=0.6)
    assert np.abs(np.delete(moved, NOSE, axis=0)).max() < 1e-3
    page.get_by_test_id("landmarks").press("z")
    expect(page.get_by_test_id("landmarks-status")).to_contain_text("Taken back: 1 face")
    np.testing.assert_array_equal(landmarks(workspace, name), before)


def test_keys_move_and_turn_and_the_frames_between_are_filled(
    widget_page: Callable, workspace: Workspace
):
    shown = widget_page(landmark_editor(workspace, SIDE))
    page = shown.page
    editor, status = page.get_by_test_id("landmarks"), page.get_by_test_id("landmarks-status")
    between = page.get_by_test_id("landmarks-between")
    for name in ("00001_0.jpg", "00002_0.jpg", "00003_0.jpg"):
        settle(page, name=name)
        if name != "00002_0.jpg":
            editor.press("Shift+ArrowDown")
            editor.press("]")
            expect(between).to_be_disabled()  # not saved yet
            editor.press("s")
            expect(status).to_contain_text("Saved")
        if name != "00003_0.jpg":
            editor.press("n")
    expect(between).to_be_enabled()
    between.click()
    expect(status).to_contain_text("Set between the two: 1 face;")
    first, middle, last = (landmarks(workspace, f"0000{n}_0.jpg") for n in (1, 2, 3))
    np.testing.assert_allclose(middle, (first + last) / 2, atol=1e-3)

    editor.press("ArrowLeft")
    editor.press("p")
    expect(status).to_contain_text("not saved")
    settle(page, name="00003_0.jpg")
    editor.press("p")
    settle(page, name="00002_0.jpg")
