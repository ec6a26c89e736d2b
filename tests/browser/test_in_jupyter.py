"""What runs in a real notebook, in JupyterLab with ipywidgets 8 and in a stack like Colab's.

All such tests are here: one worker then starts one server of each kind.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.runtime.job import Job
from dflcolab.watch.verdicts import Call
from dflcolab.workspace.workspace import Side
from tests.browser.chrome import PATIENCE_MS
from tests.browser.mask_hand import BAR, SQUARE, Hand, stored
from tests.material import WEBCAM_MAN, frame_of
from tests.widgets.framed_workspace import framed_workspace
from tests.xseg.label_files import face_paths, sample_workspace

pytestmark = pytest.mark.slow

VERSIONS = """
import ipykernel, ipywidgets, anywidget, traitlets, dflcolab
class Clicks(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
      const button = document.createElement("button");
      button.dataset.testid = "clicks";
      const draw = () => (button.textContent = `clicked ${model.get("n")}`);
      button.onclick = () => model.send({ kind: "click" });
      model.on("change:n", draw);
      draw();
      el.append(button);
    } };'''
    n = traitlets.Int(0).tag(sync=True)
def clicked(widget, content, buffers):
    widget.n += 1
clicks = Clicks()
clicks.on_msg(clicked)
print("versions", ipykernel.__version__, ipywidgets.__version__)
clicks
"""


def test_the_two_stacks_are_what_they_are_for(jupyter):
    """The generations of kernel and widgets, and a click that goes to Python and back."""
    with jupyter.open("versions", [VERSIONS]) as book:
        book.run_all()
        wanted = "versions 6.17.1 7.7.1" if jupyter.classic else r"versions 7\.\d+\.\d+ 8\."
        expect(book.page.get_by_text(re.compile(wanted)).last).to_be_visible()
        book.page.get_by_test_id("clicks").click()
        expect(book.page.get_by_test_id("clicks")).to_have_text("clicked 1")


TRAINING = [
    """
from dflcolab.runtime import notebook
session = notebook.start()
session.values["local_folder"] = {folder!r}
session.open(workspace_name="workspace", src_video="", dst_video="", src_rights="not said yet",
             dst_rights="not said yet", rights_note="")
""",
    """
await session.choose_model(model_name="m", preset="tiny", arch="saehd", pretrain_minutes=0,
                           pretrain_iterations=0, faceset="")
await session.train(train_minutes=0, target_iterations=0, end_when="never by itself",
                    options="save_minutes=0 look_every=20", copy_every_minutes=0)
""",
    "print('the next', 'cell')",
]


@pytest.fixture
def trained(_faces_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A workspace with faces, in which whatever trains at the end is ended."""
    root = tmp_path / "workspace"
    shutil.copytree(_faces_once, root)
    yield root
    job = Job.running_in(root)
    if job is not None:
        job.kill()


# In the stack like Colab's `test_whole_way` does the same on the way to the video.
@pytest.mark.parametrize(
    "jupyter", ["lab", pytest.param("colab", marks=pytest.mark.long)], indirect=True
)
def test_a_training_is_watched_asked_left_found_again_and_stopped(jupyter, trained: Path):
    cells = [cell.format(folder=str(trained.parent)) for cell in TRAINING]
    with jupyter.open("training", cells) as book:
        page = book.page
        picture, saved = page.locator(".dfl-preview").last, page.locator(".dfl-saved").last
        book.run_all(wait=False)
        expect(picture).to_be_visible()
        first = picture.get_attribute("src")

        page.locator(".dfl-save").last.click()
        expect(saved).to_contain_text("saved on this machine")
        assert newest_save(trained)
        page.locator(".dfl-preview-now").last.click()
        expect(picture).not_to_have_attribute("src", first or "")
        title = page.locator(".dfl-title").last
        expect(title).to_contain_text("phase: random warp")
        page.locator(".dfl-next-phase").last.click()
        expect(title).to_contain_text("phase: learning-rate dropout")
        # The asked one is kept: as soon as there is a newer one, the slider leads back to it.
        handle = page.locator(".dfl-history .noUi-handle, .dfl-history .ui-slider-handle").last
        expect(handle).to_be_visible()
        assert list((trained / "history" / "m").glob("preview-*.jpg"))
        caption = page.locator(".dfl-caption").last
        expect(caption).to_contain_text("the newest one")
        handle.focus()
        page.keyboard.press("ArrowLeft")
        expect(caption).not_to_contain_text("the newest one")
        verdict = page.locator(".dfl-verdict").last
        expect(verdict).to_contain_text(re.compile("|".join(map(str, Call))))
        expect(page.locator(".dfl-curves-box svg").last).to_be_visible()
        running = Job.running_in(trained)
        assert running is not None

        # Kernel and page are lost; training is not, and the next run of the cells shows it again.
        pid = running.pid
        book.restart_kernel()
        book.reload()
        book.run_all(wait=False)
        expect(page.get_by_text("is running already").last).to_be_visible()
        expect(page.locator(".dfl-monitor")).to_have_count(1)  # redrawn in place, never appended
        assert running.pid == pid
        expect(picture).to_be_visible()
        page.locator(".dfl-stop").last.click()
        expect(page.get_by_text("the next cell").last).to_be_visible()
        expect(page.locator(".dfl-status").last).to_contain_text("ended: as you asked")
        assert not book.failures()
        assert not running.running
        before = newest_save(trained)

        # Run again, it goes on; the Stop button of the cell saves too, and ends "Run all".
        book.run_all(wait=False)
        status = page.locator(".dfl-status").last
        expect(status).to_contain_text("per second", timeout=2 * PATIENCE_MS)
        expect(page.get_by_text("the next cell")).to_have_count(0)
        book.interrupt()
        book.wait_until_idle()
        expect(
            page.get_by_text(re.compile(r"Stopped at iteration \d+ and saved")).last
        ).to_be_visible()
        expect(page.get_by_text("the next cell")).to_have_count(0)
        assert newest_save(trained) > before


def newest_save(root: Path) -> int:
    """Iteration of the newest checkpoint."""
    return list_checkpoints(root / "model" / "m")[-1].iteration


GALLERY = """
from dflcolab.widgets.face_review import face_review
from dflcolab.workspace.workspace import Side, Workspace
face_review(Workspace.open({root!r}), Side.SRC)
"""


def test_faces_deleted_in_the_gallery_are_in_the_trash_and_come_back(jupyter, tmp_path):
    """Checked on the disk, in both generations of widgets; the page is opened anew in between."""
    workspace = sample_workspace(tmp_path)
    before = face_paths(workspace)
    with jupyter.open("gallery", [GALLERY.format(root=str(workspace.root))]) as book:
        book.run_all()
        status = book.page.get_by_test_id("gallery-status")
        expect(status).to_contain_text(f"{len(before)} shown")
        tiles = book.page.locator(".dfl-gallery-tile:visible")
        expect(tiles.first.locator("img")).to_have_js_property("naturalWidth", 96)
        tiles.nth(0).click()
        tiles.nth(1).click(modifiers=["Control"])
        book.page.keyboard.press("Delete")
        expect(status).to_contain_text("2 faces are moved to the trash")
        journal = (workspace.trash_dir(Side.SRC) / "trash.jsonl").read_text()
        assert journal.count('"reason": "by hand"') == 2
        assert len(face_paths(workspace)) == len(before) - 2

        book.save()
        book.reload()
        expect(status).to_contain_text(f"{len(before) - 2} shown")
        book.page.get_by_test_id("gallery-undo").click()
        expect(status).to_contain_text("2 faces are brought back")
        assert face_paths(workspace) == before


REVIEW = """
import sys
from dflcolab.widgets.face_review import face_review
from dflcolab.workspace.workspace import Side, Workspace
if "review" in globals():  # run again, as if anywidget were missing
    for kind in ("gallery", "landmark_editor"):
        sys.modules[f"dflcolab.widgets.{{kind}}_anywidget"] = None
review = face_review(Workspace.open({root!r}), Side.DST)
review
"""


def test_a_face_chosen_in_the_gallery_gets_other_landmarks_and_its_old_ones_back(jupyter, tmp_path):
    """Seen beside its frame before that; then the same with the plain widgets."""
    workspace = framed_workspace(tmp_path / "workspace")
    shutil.rmtree(workspace.debug_dir(Side.DST))
    path = workspace.aligned_dir(Side.DST) / "00001_0.jpg"
    before = read_face(path).record.source_landmarks
    with jupyter.open("landmarks", [REVIEW.format(root=str(workspace.root))]) as book:
        book.run_all()
        editor = book.page.get_by_test_id("landmarks")
        status = book.page.get_by_test_id("landmarks-status")
        book.page.locator(f".dfl-gallery-tile[data-name='{path.name}']").click()
        book.page.get_by_test_id("gallery-look").click()
        frame = book.page.get_by_test_id("gallery-debug")
        expect(frame).to_have_js_property("naturalWidth", 640)
        assert is_frame_with_landmarks(frame)
        book.page.get_by_test_id("gallery-correct").click()
        expect(editor).to_have_attribute("data-face", path.name)
        for key in ("Shift+ArrowDown", "s"):
            expect(editor).to_have_attribute("data-state", "ready")
            editor.press(key)
        expect(status).to_contain_text("set by hand")
        moved = read_face(path).record.source_landmarks - before
        assert moved[:, 0].max() < 0.01
        assert moved[:, 1].min() > 1

        editor.press("z")
        expect(status).to_contain_text("Taken back: 1 face")
        assert (read_face(path).record.source_landmarks == before).all()

        book.run_all()
        plain = book.page.locator(".dfl-gallery-plain")
        plain.locator("option").filter(has_text=path.name).click()
        press(plain, "Compare with frame")
        assert is_frame_with_landmarks(
            plain.locator("img.dfl-gallery-frame, .dfl-gallery-frame img")
        )
        face = plain.locator("img.dfl-gallery-face, .dfl-gallery-face img").bounding_box()
        assert face is not None
        assert face["width"] == pytest.approx(
            face["height"], abs=1
        )  # not stretched by its neighbor
        press(plain, "Correct landmarks")
        editor = book.page.locator(".dfl-landmarks-plain")
        press(editor, "Save")
        expect(editor).to_contain_text("Saved: the face was cut out anew")
        assert read_face(path).record.provenance["landmarks"] == "by hand"


def press(where: Locator, text: str) -> None:
    """Press a button of the plain widgets."""
    where.get_by_role("button", name=text, exact=True).click()


def is_frame_with_landmarks(picture: Locator) -> bool:
    """Whether the page shows the sample clip's frame with a face drawn on, which darkens what is inside."""
    expect(picture).to_have_js_property("naturalWidth", 640)
    seen = cv2.imdecode(np.frombuffer(picture.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    frame = cv2.resize(frame_of(WEBCAM_MAN, 2), seen.shape[1::-1], interpolation=cv2.INTER_AREA)
    differs = np.abs(seen.astype(int) - frame)
    return bool(
        np.median(differs) < 4 and differs.mean() > 5
    )  # 1 and 11; 1 and 1 if nothing is drawn


PANEL = """
from dflcolab.runtime import notebook
session = notebook.start()
session.values["local_folder"] = {folder!r}
session.connect(storage_folder={storage!r})
form = dict(src_video="", dst_video="", src_rights="not said yet", dst_rights="not said yet", rights_note="")
session.open(workspace_name="two", **form)
session.open(workspace_name="one", **form)
"""


def test_the_workspace_panel_copies_and_opens_a_stored_workspace(jupyter, tmp_path: Path):
    here, storage = tmp_path / "here", tmp_path / "storage"
    with jupyter.open("panel", [PANEL.format(folder=str(here), storage=str(storage))]) as book:
        book.run_all()
        panel = book.page.locator(".dfl-workspace").last
        table, status = (panel.locator(f".dfl-workspace-{name}") for name in ("table", "status"))
        expect(table).to_contain_text("written and read back")
        (here / "one" / "data_dst.mp4").write_bytes(b"a video")
        panel.locator("button.dfl-workspace-look, .dfl-workspace-look button").click()
        expect(table).to_contain_text("1 file, 0.0 MB")
        panel.locator("button.dfl-workspace-copy, .dfl-workspace-copy button").click()
        expect(status).to_contain_text("copied as")
        assert (storage / "dflcolab" / "one" / "files" / "data_dst.mp4").exists()

        names = panel.locator("select")
        names.select_option(label=names.locator("option", has_text="two: ").inner_text())
        panel.locator("button.dfl-workspace-open, .dfl-workspace-open button").click()
        expect(status).to_contain_text("Type two into workspace_name")
        expect(table).to_contain_text(str(here / "two"))
        assert not book.failures()


MASKS = [
    """
from dflcolab.runtime import notebook
session = notebook.start()
session.values["local_folder"] = {folder!r}
session.open(workspace_name="workspace", src_video="", dst_video="", src_rights="not said yet",
             dst_rights="not said yet", rights_note="")
""",
    'session.label_masks(side="src", mask_model="xseg")',
]


def test_masks_drawn_in_a_notebook_are_in_the_files_and_in_the_next_page(jupyter, tmp_path: Path):
    face = face_paths(sample_workspace(tmp_path / "workspace"))[0]
    with jupyter.open("masks", [cell.format(folder=str(tmp_path)) for cell in MASKS]) as book:
        book.run_all()
        hand = Hand(book.page)
        hand.draw("include", SQUARE)
        hand.draw("exclude", BAR)
        hand.press("Control+z")
        assert stored(face) == [(True, SQUARE)]
        hand.press("Control+y")
        assert stored(face) == [(True, SQUARE), (False, BAR)]
        # Letters with which Jupyter deletes, cuts and adds cells are the editor's here.
        hand.press("d", "d", "b", "z")
        assert book.page.locator(".jp-Cell, .code_cell").count() == len(MASKS)

        book.reload()
        book.run_all()
        again = Hand(book.page)
        again.click(90, 90)  # chooses the outline that is cut out
        again.press("Shift+ArrowUp")
        assert stored(face) == [(True, SQUARE), (False, [(x, y - 1) for x, y in BAR])]
