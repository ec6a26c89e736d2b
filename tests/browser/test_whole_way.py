"""The main notebook as it is shipped, from the opened page to the finished video, by mouse and keyboard.

Once in JupyterLab, once in a stack like Colab's with a stand-in for `google.colab` that refuses what Google
refuses at times. Clips, network and training are as small as they can be and still be real.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.media.video_reader import VideoReader
from dflcolab.runtime.job import Job
from dflcolab.runtime.rules import GO_ON
from dflcolab.workspace.workspace import Side, Workspace
from tests.browser.chrome import PATIENCE_MS
from tests.browser.notebook_user import SHOTS, NotebookUser
from tests.browser.places import Place, running_place
from tests.browser.short_clip import N_BRIEF, N_SHOWN, cut
from tests.xseg.label_files import face_paths

pytestmark = pytest.mark.slow

RULES = "Rules and consent; install"
CONNECT = "Connect storage"
OPEN = "Open a workspace"
LOOK = "Look through the faces"
MODEL = "Choose a model"
VIDEO = "Make the video"
FINISH = "Finish"
CLIPS: Mapping[str, str] = {
    "src_video": "me.mp4",
    "dst_video": "film.mp4",
    "src_rights": "licensed",
    "dst_rights": "licensed",
}
FEW = {"src_frames_per_second": 1.5}
VIEW = "application/vnd.jupyter.widget-view+json"
COLABS_MANAGER = {
    "colab": {"custom_widget_manager": {"url": "https://colab.example/widget-manager.js"}}
}
"""What Colab's page reads to load the code of a widget that is not ipywidgets' own."""

MORE_ITERATIONS = 30
MOST_LOADS = 2
N_FRAMES = N_SHOWN if os.environ.get(SHOTS) else N_BRIEF
"""Of the dst video; a player shows seconds only."""

WHOLE_MS = 600_000

REACHED = """([status, wanted]) => {
  const [, done] = status.textContent.match(/Iteration ([\\d,]+)/) || [];
  return Number((done || "0").replace(",", "")) >= wanted;
}"""
SHORT: dict[str, Mapping[str, Mapping[str, str | float]]] = {
    "check_faceset": {OPEN: CLIPS, "Extract faces": FEW},
    "pretrain": {
        "Extract faces": FEW,
        MODEL: {
            "model_name": "first",
            "preset": "tiny",
            "pretrain_minutes": 0.0,
            "pretrain_iterations": 2,
        },
    },
    "train_dfl_model": {
        "Extract faces": FEW,
        "Train": {"target_iterations": 4, "train_minutes": 0.0},
    },
    "merge": {},
}
"""The short notebooks in the order of the work, and what a user fills in."""

PLAY = """async (video) => {
  video.muted = true;
  await video.play();
  await new Promise((done) => (video.onended = done));
  return video.duration;
}"""


@pytest.fixture(scope="module", params=["colab", pytest.param("lab", marks=pytest.mark.long)])
def place(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    home = tmp_path_factory.mktemp(request.param)
    with running_place(request.param, browser, home) as running:
        yield running
        for root in running.workspaces.glob("*"):
            job = Job.running_in(root)
            if job is not None:
                job.kill()


def test_from_the_opened_page_to_a_video_that_plays(place: Place, clips: dict[str, Path]):
    clips_on_storage(place, clips)
    root = place.workspaces / "mine"
    with place.open("dflcolab") as user:
        begin(user, place)
        faces(user, place, root)
        train(user, root)
        leave_and_find_again(user, root)
        video(user, place, root)
        finish(user, place)
        assert not user.book.failures()


@pytest.mark.long
def test_the_short_notebooks_go_on_in_one_workspace(place: Place, clips: dict[str, Path]):
    clips_on_storage(place, clips)
    for name, forms in SHORT.items():
        with place.open(name) as user:
            if place.hosted:
                user.fill(RULES, my_choice=GO_ON)
            user.fill(CONNECT, storage_folder=place.storage_field)
            user.fill(OPEN, workspace_name="short")
            for title, fields in forms.items():
                user.fill(title, **fields)
            user.run_all_by_menu()
            user.book.wait_until_idle()
            assert not user.book.failures()
    result = place.workspaces / "short" / "result.mp4"
    assert sum(1 for _ in VideoReader(result).frames()) == N_FRAMES
    assert newest_save(place.workspaces / "short") == 4


@pytest.mark.long
@pytest.mark.parametrize("place", ["lab"], indirect=True)
def test_run_all_as_the_page_stands_shows_live_previews_and_a_video(place: Place):
    """Two clicks, then nothing but waiting. The training is cut short, unless pictures are wanted of it."""
    with place.open("dflcolab") as user:
        user.run_all_by_menu()
        below = user.output("Train")
        expect(below.locator(".dfl-preview")).to_be_visible(timeout=WHOLE_MS)
        print(f"first preview after {user.seconds():.0f} s, {user.clicks} clicks")
        assert user.clicks == 2
        first = below.locator(".dfl-preview").get_attribute("src") or ""
        expect(below.locator(".dfl-preview")).not_to_have_attribute("src", first)
        if user.takes_pictures:
            expect(below.locator(".dfl-status")).to_contain_text("ended", timeout=WHOLE_MS)
            user.picture("trained", below)
        else:
            user.press(below, "stop")
        player = user.output(VIDEO).locator("video")
        expect(player).to_be_visible(timeout=WHOLE_MS)
        print(f"{VIDEO}: after {user.seconds():.0f} s")
        user.book.wait_until_idle()
        player.evaluate(PLAY)
        user.picture("finished", player, alone=True)
        assert not user.book.failures()


def clips_on_storage(place: Place, clips: dict[str, Path]) -> None:
    """A user's two videos, on the storage."""
    shutil.copy(clips["src"], place.storage / "me.mp4")
    cut(clips["dst"], place.storage / "film.mp4", N_FRAMES)


def begin(user: NotebookUser, place: Place) -> None:
    """Rules, storage, workspace."""
    user.picture("opened")
    said = user.run(RULES)
    if place.hosted:
        assert "creating deepfakes" in said
        assert "training asks for the choice" in said
        user.fill(RULES, my_choice=GO_ON)
        user.run(RULES)
        place.refuse_next("mount")
        assert "Google did not grant access" in user.run(CONNECT, fails=True)
    else:
        assert "This is Jupyter" in said
        user.fill(CONNECT, storage_folder=place.storage_field)
    assert "Copies of the workspace go to" in user.run(CONNECT)
    user.fill(OPEN, workspace_name="mine", **CLIPS)
    assert "0/0" not in user.run(OPEN)  # a bar of what was done at once
    table = user.output(OPEN).locator(".dfl-workspace-table")
    expect(table).to_contain_text("Not copied yet nothing", use_inner_text=True)


def faces(user: NotebookUser, place: Place, root: Path) -> None:
    """Found, sorted, cleaned; two deleted by hand and brought back."""
    user.fill("Extract faces", **FEW)
    for title in ("Extract faces", "Sort", "Clean"):
        user.run(title)
    workspace = Workspace.open(root)
    before = face_paths(workspace, Side.SRC)
    assert len(face_paths(workspace, Side.DST)) == N_FRAMES

    user.run(LOOK)
    gallery = user.output(LOOK)
    tiles = gallery.locator(".dfl-gallery-tile:visible")
    status = gallery.get_by_test_id("gallery-status")
    told = [output.get("metadata", {}).get(VIEW) for output in user.outputs(LOOK)]
    assert told == [COLABS_MANAGER if place.hosted else None]
    expect(tiles.nth(1).locator("img")).to_have_js_property("naturalWidth", 96)
    tiles.nth(0).click()
    tiles.nth(1).click(modifiers=["Control"])
    gallery.get_by_test_id("gallery-look").click()
    frame = gallery.get_by_test_id("gallery-debug")  # drawn now: the cell Extract keeps none of src
    expect(frame).to_have_js_property("naturalWidth", 640)
    user.picture("gallery", gallery)
    gallery.get_by_test_id("gallery-remove").click()
    expect(status).to_contain_text("2 faces are moved to the trash")
    assert len(face_paths(workspace, Side.SRC)) == len(before) - 2
    gallery.get_by_test_id("gallery-undo").click()
    expect(status).to_contain_text("2 faces are brought back")
    assert face_paths(workspace, Side.SRC) == before

    user.run("Report")
    expect(user.output("Report").locator("iframe")).to_be_visible()
    assert "left as they are" in user.run("Masks")
    user.fill(MODEL, preset="tiny")
    assert "left out" in user.run(MODEL)


def train(user: NotebookUser, root: Path) -> None:
    """The preview changes, Save saves, nothing piles up below the cell; the page's stop button saves and ends."""
    user.fill("Train", train_minutes=0.0, end_when="never by itself",
              options="save_minutes=0 look_every=20")  # fmt: skip
    user.start("Train")
    below = user.output("Train")
    preview = below.locator(".dfl-preview")
    expect(preview).to_be_visible(timeout=2 * PATIENCE_MS)
    print(f"first preview after {user.seconds():.0f} s and {user.clicks} clicks")
    first = preview.get_attribute("src") or ""
    user.press(below, "save")
    expect(below.locator(".dfl-saved")).to_contain_text("saved on this machine")
    assert newest_save(root)
    user.press(below, "preview-now")
    expect(preview).not_to_have_attribute("src", first)

    expect(below.locator(".dfl-curves-box svg").first).to_be_visible()
    before, so_far = user.size_of_output("Train"), iteration(user)
    user.picture("monitor", below)
    wait_for_iteration(user, so_far + MORE_ITERATIONS)
    n_bytes, n_elements = user.size_of_output("Train")
    assert n_bytes == before[0]
    assert n_elements < 2 * before[1]  # two more charts come as soon as there is something to draw
    user.book.interrupt()
    expect(below).to_contain_text(
        re.compile(r"Stopped at iteration \d+ and saved"), use_inner_text=True
    )
    user.book.wait_until_idle()
    assert newest_save(root) >= so_far + MORE_ITERATIONS


def leave_and_find_again(user: NotebookUser, root: Path) -> None:
    """Training goes on from where it was; a page that is loaded anew shows what runs, and can stop it."""
    before = newest_save(root)
    user.start("Train")
    below = user.output("Train")
    status = below.locator(".dfl-status")
    expect(status).to_contain_text("per second", timeout=2 * PATIENCE_MS)
    assert iteration(user) >= before
    user.book.save()
    come_back(user)
    shown = iteration(user)
    wait_for_iteration(user, shown + 2)
    user.press(below, "stop")
    expect(status).to_contain_text("ended: as you asked")
    user.book.wait_until_idle()
    assert newest_save(root) > before


def come_back(user: NotebookUser) -> None:
    """Load the page anew until it shows the monitor, as a user would.

    JupyterLab's widgets give a kernel four seconds to answer a new page, too few on a machine that is very busy.
    """
    status = user.output("Train").locator(".dfl-status")
    for n_loads in range(1, MOST_LOADS + 1):
        user.book.reload(busy=True)
        try:
            expect(status).to_contain_text("Iteration", timeout=20_000)
        except AssertionError:
            continue
        print(f"the monitor is back after {n_loads} loads of the page")
        return
    raise AssertionError(f"the monitor does not come back in {MOST_LOADS} loads of the page")


def wait_for_iteration(user: NotebookUser, wanted: int) -> None:
    status = user.output("Train").locator(".dfl-status").element_handle()
    user.page.wait_for_function(REACHED, arg=[status, wanted])


def iteration(user: NotebookUser) -> int:
    """What the monitor says."""
    text = user.output("Train").locator(".dfl-status").inner_text()
    found = re.search(r"Iteration ([\d,]+)", text)
    return int(found[1].replace(",", "")) if found else 0


def newest_save(root: Path) -> int:
    return list_checkpoints(root / "model" / "first")[-1].iteration


def video(user: NotebookUser, place: Place, root: Path) -> None:
    """Merged straight into the video; that is played in the page and given to the browser as it is."""
    user.run("Merge")
    result = root / "result.mp4"
    assert sum(1 for _ in VideoReader(result).frames()) == N_FRAMES
    written = result.stat().st_mtime_ns
    user.fill(VIDEO, download_result=True)
    said = user.run(VIDEO)
    assert "made by the merge" in said
    assert result.stat().st_mtime_ns == written
    player = user.output(VIDEO).locator("video")
    assert player.evaluate(PLAY) == pytest.approx(N_FRAMES / 30, abs=0.1)
    user.picture("result", player, alone=True)  # before it was played, a sign of loading covers it
    if place.hosted:
        assert f"The browser gets {result}" in said
    else:
        link = user.output(VIDEO).locator("a").get_attribute("href") or ""
        assert user.page.request.get(link).body() == result.read_bytes()


def finish(user: NotebookUser, place: Place) -> None:
    """Everything is on the storage; a Drive that is not done uploading stays connected until it is."""
    if place.hosted:
        user.fill(FINISH, disconnect_drive=True)
        place.refuse_next("flush")
        assert "Google Drive did not take everything" in user.run(FINISH, fails=True)
    said = user.run(FINISH)
    assert "has everything already" in said
    assert ("is disconnected" in said) == place.hosted
