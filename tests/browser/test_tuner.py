"""The merge tuner as a user drives it, in both generations of Jupyter: options, pictures, `merge.toml`."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dflcolab.config import parse_toml
from dflcolab.widgets.tuner_anywidget import BeforeAfter
from tests.widgets.tuned_workspace import tuned_workspace

CELLS = [
    """
from dflcolab.runtime import notebook
session = notebook.start()
session.values["local_folder"] = {folder!r}
session.open(workspace_name="workspace", src_video="", dst_video="", src_rights="not said yet",
             dst_rights="not said yet", rights_note="")
""",
    'session.tune(model_name="m")',
]
# The knob of a slider: ipywidgets 8, ipywidgets 7.
KNOB = ".dfl-option-{} .noUi-handle, .dfl-option-{} .ui-slider-handle"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned_workspace(tmp_path_factory.mktemp("tuned") / "workspace").root


def test_before_and_after_are_divided_by_a_line_that_mouse_and_keys_move(widget_page):
    view = BeforeAfter()
    blue, red = (
        cv2.imencode(".jpg", np.full((90, 160, 3), color, np.uint8))[1].tobytes()
        for color in ((200, 0, 0), (0, 0, 200))
    )
    view.show(blue, red)
    shown = widget_page(view)
    page = shown.page
    after = page.get_by_test_id("tuner-after")
    expect(after).to_have_js_property("naturalWidth", 160)
    box = page.locator(".dfl-tuner-stage").bounding_box()
    assert box is not None

    def seen(share: float) -> str:
        """What is on top at that share of the width."""
        picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), 1)
        b, _, r = picture[int(box["y"] + box["height"] / 2), int(box["x"] + share * box["width"])]
        return "before" if b > r else "after"

    assert (seen(0.4), seen(0.6)) == ("before", "after")
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 40, steps=3)
    page.mouse.up()
    assert (seen(0.7), seen(0.9)) == ("before", "after")
    page.get_by_test_id("tuner-split").press("Home")
    assert seen(0.1) == "after"

    # A picture that stays is not sent again; a new page gets both.
    n_told = len(shown.told)
    view.show(blue, blue)
    shown.update()
    expect(page.get_by_test_id("tuner-view")).to_have_attribute("data-shown", "2")
    assert [told.content["parts"] for told in shown.told[n_told:]] == [["after"]]


def picture_of(page: Page) -> str:
    """Address of the picture after merging; another picture has another."""
    return page.get_by_test_id("tuner-after").last.get_attribute("src") or ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "jupyter", ["colab", pytest.param("lab", marks=pytest.mark.long)], indirect=True
)
def test_an_option_changes_the_picture_and_is_saved(jupyter, tuned: Path, tmp_path: Path):
    root = tmp_path / "workspace"
    shutil.copytree(tuned, root)
    with jupyter.open("tuner", [cell.format(folder=str(tmp_path)) for cell in CELLS]) as book:
        page, status = book.page, book.page.locator(".dfl-tuner-status").last
        after = page.get_by_test_id("tuner-after").last
        book.run_all()
        expect(after).to_have_js_property("naturalWidth", 640)
        first = picture_of(page)

        page.locator(".dfl-option-mode select").last.select_option("hist-match")
        expect(status).to_contain_text("not saved: mode")
        expect(status).to_contain_text("Composed in")
        second = picture_of(page)
        assert second != first
        page.locator(KNOB.format(*["blur_mask_modifier"] * 2)).last.press("ArrowRight")
        expect(status).to_contain_text("not saved: mode, blur_mask_modifier")
        expect(after).not_to_have_attribute("src", second)

        page.locator("button.dfl-tuner-next, .dfl-tuner-next button").last.click()
        expect(status).to_contain_text("Frame 1 (2 of 6")
        page.locator("button.dfl-tuner-save, .dfl-tuner-save button").last.click()
        expect(status).to_contain_text("merge.toml: mode = hist-match, blur_mask_modifier = 1")
        saved = parse_toml((root / "merge.toml").read_text(), source="")
        assert saved == {"mode": "hist-match", "blur_mask_modifier": 1}

        page.locator(".dfl-option-color_transfer_mode select").last.select_option("none")
        expect(status).to_contain_text("not saved: color_transfer_mode")
        page.locator(".dfl-tuner-target select").last.select_option("this frame as keyframe")
        page.locator("button.dfl-tuner-save, .dfl-tuner-save button").last.click()
        expect(status).to_contain_text("cannot change little by little")
        assert parse_toml((root / "merge.toml").read_text(), source="") == saved

        book.reload()
        book.run_all()
        expect(page.locator(".dfl-option-mode select").last).to_have_value("hist-match")
        expect(after).to_have_js_property("naturalWidth", 640)
