"""The mask editor as a user drives it: mouse, keys and fingers in the page, outlines in the files."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import guess_kind
from dflcolab.faceset.folder_lock import using
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.widgets import mask_editor_files
from dflcolab.widgets.mask_editor import mask_editor
from dflcolab.widgets.mask_editor_desk import MaskDesk
from dflcolab.widgets.patience import Patience
from dflcolab.workspace.workspace import Side, Workspace
from tests.browser.mask_hand import BAR, SQUARE, Hand, stored
from tests.xseg.label_files import face_paths, label, sample_workspace

ZOOM_OVER = "least => JSON.parse(document.querySelector('.dfl-masks').dataset.view).zoom > least"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


@pytest.fixture
def first(workspace: Workspace) -> Path:
    return face_paths(workspace)[0]


@pytest.fixture
def hand(workspace: Workspace, widget_page) -> Hand:
    return Hand(widget_page(mask_editor(workspace, Side.SRC)).page)


def test_what_is_drawn_is_in_the_file_and_nothing_else_changes(hand: Hand, first: Path):
    before = read_face(first)

    hand.draw("include", SQUARE)
    hand.draw("exclude", BAR)

    assert stored(first) == [(True, SQUARE), (False, BAR)]
    after = read_face(first)
    assert np.array_equal(after.decode(), before.decode())
    assert np.array_equal(after.record.landmarks, before.record.landmarks)
    assert guess_kind(after.record) is None


def test_undo_and_redo_go_through_every_change_and_survive_a_new_page(
    workspace: Workspace, first: Path, widget_page
):
    editor = mask_editor(workspace, Side.SRC)
    hand = Hand(widget_page(editor).page)
    hand.draw("include", SQUARE)
    hand.drag((40, 50), (30, 30))
    hand.press("x")
    steps = [[], [(True, SQUARE)], [(True, [(30, 30), *SQUARE[1:]])],
             [(False, [(30, 30), *SQUARE[1:]])]]  # fmt: skip

    for wanted in reversed(steps[:-1]):
        hand.press("Control+z")
        assert stored(first) == wanted
    for wanted in steps[1:]:
        hand.press("Control+y")
        assert stored(first) == wanted

    again = Hand(widget_page(editor).page)
    again.editor.get_by_text("Undo").click()
    again.settle()
    assert stored(first) == steps[2]


def test_points_are_moved_inserted_and_deleted_and_outlines_chosen(hand: Hand, first: Path):
    hand.draw("include", SQUARE)
    hand.drag((90, 50), (90, 20))  # on an edge: a new point
    assert stored(first) == [(True, [SQUARE[0], (90, 20), *SQUARE[1:]])]

    hand.click(140, 150, button="right")
    assert stored(first) == [(True, [SQUARE[0], (90, 20), SQUARE[1], SQUARE[3]])]

    hand.click(90, 20)
    hand.press("Shift+ArrowRight", "Delete", "Escape")
    assert stored(first) == [(True, [SQUARE[0], SQUARE[1], SQUARE[3]])]

    hand.click(60, 70)  # inside of it
    hand.press("Shift+ArrowDown")
    assert stored(first)[0][1][0] == (40, 51)
    hand.press("Delete")
    assert stored(first) == []


def test_zoom_and_pan_leave_the_drawing_where_it_belongs(hand: Hand, first: Path):
    hand.press("i")
    hand.page.mouse.move(*hand.place(90, 90))
    hand.page.mouse.wheel(0, -300)
    hand.page.wait_for_function(
        "JSON.parse(document.querySelector('.dfl-masks').dataset.view).zoom > 5"
    )
    hand.press("v")
    x, y = hand.place(90, 90)
    hand.page.mouse.move(x, y)
    hand.page.mouse.down()
    hand.page.mouse.move(x + 60, y + 40, steps=4)
    hand.page.mouse.up()
    hand.draw("include", [(80, 80), (100, 80), (90, 95)])

    assert stored(first) == [(True, [(80, 80), (100, 80), (90, 95)])]


def test_a_trail_becomes_an_outline(hand: Hand, first: Path):
    hand.press("i")
    hand.drag((50, 50), (120, 50), (120, 120), (50, 120), (50, 51))

    ((include, points),) = stored(first)
    assert include
    assert 8 <= len(points) <= 40
    corners = np.array(points)
    assert (
        np.abs(corners.min(axis=0) - 50).max() <= 4
    )  # a trail's points lie up to 14 screen pixels apart
    assert np.abs(corners.max(axis=0) - 120).max() <= 4


def test_faces_are_gone_through_with_a_filter(hand: Hand, workspace: Workspace):
    paths = face_paths(workspace)
    hand.draw("include", SQUARE)
    hand.press("ArrowRight")
    expect(hand.editor).to_have_attribute("data-shown", paths[1].name)
    hand.draw("include", BAR)
    hand.page.get_by_label("Which faces").select_option("labelled")
    hand.press("ArrowLeft")
    expect(hand.editor).to_have_attribute("data-shown", paths[0].name)
    hand.press("ArrowRight", "ArrowRight")

    expect(hand.editor).to_have_attribute("data-shown", paths[1].name)
    expect(hand.editor.get_by_role("status")).to_contain_text("no further face")
    assert stored(paths[1]) == [(True, BAR)]


def test_copy_masked_overlays_and_filters_do_what_their_buttons_say(
    hand: Hand, workspace: Workspace
):
    first, second, third = face_paths(workspace)[:3]  # of frames 14, 2 and 7
    picture = "document.querySelector('.dfl-masks canvas').toDataURL()"

    def changes(what: Callable[[], object]) -> None:
        before = hand.page.evaluate(picture)
        what()
        hand.settle()
        hand.page.wait_for_function(f"before => {picture} !== before", arg=before)

    shows, only = hand.page.get_by_label("Overlay"), hand.page.get_by_label("Which faces")
    masked = hand.editor.get_by_text("Masked", exact=True)
    changes(lambda: shows.select_option("hull"))
    changes(masked.click)  # what the overlay keeps, as there are no outlines
    expect(masked).to_have_class(re.compile("dfl-masks-on"))
    changes(masked.click)
    changes(lambda: shows.select_option("none"))
    shows.select_option("prediction")
    expect(hand.editor.get_by_role("status")).to_contain_text("no XSeg model yet")
    hand.draw("include", SQUARE)
    changes(masked.click)
    masked.click()

    only.select_option("unlabelled")
    expect(hand.editor).to_have_attribute("data-shown", second.name)
    hand.settle()
    hand.editor.get_by_text("◀ Copy").click()
    expect(hand.editor.get_by_role("status")).to_contain_text("No frame before this one")
    hand.settle()
    hand.editor.get_by_text("Copy ▶").click()
    expect(hand.editor.get_by_role("status")).to_contain_text(f"Copied from {first.name}")
    hand.settle()
    assert guess_kind(read_face(second).record) == "neighbours"
    hand.press("ArrowRight")
    expect(hand.editor).to_have_attribute("data-shown", third.name)
    for kind, shown in (("guessed", second), ("labelled", second), ("all", second)):
        only.select_option(kind)
        expect(hand.editor).to_have_attribute("data-shown", shown.name)
        hand.settle()
    only.select_option("uncertain")
    expect(hand.editor.get_by_role("status")).to_contain_text("no trained XSeg model")
    only.select_option("next")
    expect(hand.editor).not_to_have_attribute("data-shown", second.name)


def test_a_guess_is_marked_until_somebody_agrees(hand: Hand, first: Path):
    hand.press("g")
    assert guess_kind(read_face(first).record) == "hull"
    assert len(stored(first)[0][1]) > 6
    hand.press("a")
    assert guess_kind(read_face(first).record) is None
    expect(hand.editor.get_by_text("Accept")).to_be_disabled()


def test_what_another_program_wrote_meanwhile_is_one_step_back(hand: Hand, first: Path):
    label(first, Polygon(True, np.array(BAR, np.float32)))
    hand.draw("include", SQUARE)
    assert stored(first) == [(True, SQUARE)]
    expect(hand.editor.get_by_role("status")).to_contain_text("one step back")

    hand.press("Control+z")
    assert stored(first) == [(True, BAR)]


def test_what_cannot_be_saved_stays_in_the_page_until_it_can(
    hand: Hand, first: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mask_editor_files, "Patience", partial(Patience, seconds=0.1))
    hand.draw("include", BAR)
    with ThreadPoolExecutor(1) as elsewhere, ExitStack() as used:
        # Locks belong to a thread, so this one stands for another program.
        elsewhere.submit(used.enter_context, using(first.parent)).result()
        hand.editor.press("x")
        expect(hand.editor).to_have_attribute("data-state", "unsaved")
        expect(hand.editor.get_by_role("status")).to_contain_text("Another program works")
        assert stored(first) == [(True, BAR)]
        hand.editor.press("i")
        for point in SQUARE:
            hand.page.mouse.click(*hand.place(*point))
        hand.editor.press("ArrowRight")  # finishes, fails to save, and so does not go on
        expect(hand.editor).to_have_attribute("data-state", "unsaved")
        expect(hand.editor).to_have_attribute("data-shown", first.name)
        elsewhere.submit(used.close).result()

    hand.editor.press("ArrowRight")  # saves again before it goes on
    expect(hand.editor).to_have_attribute("data-shown", "00000_1.jpg")
    assert stored(first) == [(False, BAR), (True, SQUARE)]


@pytest.mark.parametrize(
    ("error", "said"), [(KeyboardInterrupt(), "as asked"), (KeyError(3), "report")]
)
def test_the_page_goes_on_when_work_is_broken_off(
    workspace: Workspace, first: Path, widget_page, monkeypatch, error, said
):
    def break_off(_: MaskDesk) -> str:
        raise error

    monkeypatch.setattr(MaskDesk, "first_guess", break_off)
    editor = mask_editor(workspace, Side.SRC)
    if isinstance(error, KeyboardInterrupt):  # a kernel's loop takes it; there is none here
        heard = editor._heard
        editor.on_msg(heard, remove=True)
        editor.on_msg(lambda *message: suppressed(heard, *message))
    hand = Hand(widget_page(editor).page)
    hand.press("g")
    expect(hand.editor.get_by_role("status")).to_contain_text(said)
    hand.draw("include", BAR)
    assert stored(first) == [(True, BAR)]


def suppressed(heard, *message) -> None:
    with suppress(KeyboardInterrupt):
        heard(*message)


def test_fingers_draw_and_two_of_them_zoom(hand: Hand, first: Path):
    touch = hand.page.context.new_cdp_session(hand.page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    hand.editor.get_by_text("Include", exact=True).click()
    x, y = hand.place(90, 90)
    fingers("Start", (x - 20, y))
    fingers("Start", (x - 20, y), (x + 20, y))
    for reach in (30, 40, 60):
        fingers("Move", (x - reach, y), (x + reach, y))
    fingers("End")
    hand.page.wait_for_function(ZOOM_OVER, arg=8)
    for point in [(80, 80), (100, 80), (90, 95), (80, 80)]:
        fingers("Start", hand.place(*point))
        fingers("End")
        hand.settle()

    assert stored(first) == [(True, [(80, 80), (100, 80), (90, 95)])]
    hand.press("Control+z")
    assert stored(first) == []  # the zoom was no change
