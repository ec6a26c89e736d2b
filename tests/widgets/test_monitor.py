"""What the training monitor shows of a real model's files and of a job's events."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.progress import Wish
from dflcolab.runtime.job import Job, Snapshot
from dflcolab.runtime.job_files import STOP, EventLog, JobFiles
from dflcolab.widgets import monitor_texts as texts
from dflcolab.widgets.monitor import TrainMonitor
from dflcolab.widgets.monitor_plain import PlainMonitor
from dflcolab.widgets.monitor_previews import Previews
from dflcolab.workspace.workspace import Workspace


class RunningJob(Job):
    """Its process seems to be there."""

    @property
    def running(self) -> bool:
        return True


class Told:
    """A job of which only the events are there."""

    def __init__(self, root: Path) -> None:
        self.files = JobFiles(root)
        self.files.begin({"verb": "train", "config": {"model": "tiny"}, "began": time.time()})
        self.log = EventLog(self.files.events)
        self.job = RunningJob(self.files)

    def tell_training(self, done: int, **more: Any) -> None:
        self.log.write(
            "task", title="Training", done=done, total=2000, unit="iterations", rate=4.0, **more
        )
        self.log.write("losses", iteration=done, src=0.5, dst=0.25)

    def tell_picture(self, iteration: int, picture: bytes) -> None:
        self.files.picture.write_bytes(picture)
        self.log.write("picture", iteration=iteration)


@pytest.fixture(scope="module")
def root(_trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("monitor") / "workspace"
    shutil.copytree(_trained_once, root)
    return root


@pytest.fixture
def told(root: Path) -> Told:
    shutil.rmtree(root / "history" / "tiny", ignore_errors=True)
    return Told(root)


@pytest.fixture
def monitor(told: Told, root: Path) -> TrainMonitor:
    return TrainMonitor(told.job, Workspace.open(root))


def part(monitor: TrainMonitor, name: str) -> Any:
    """The widget with that class."""

    def below(widget: Any):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from below(child)

    return next(found for found in below(monitor.box) if f"dfl-{name}" in found._dom_classes)


def jpeg(shade: int, *, size: int = 64) -> bytes:
    noise = np.random.default_rng(shade).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def test_it_says_how_training_stands(told: Told, monitor: TrainMonitor):
    told.log.write("phase", phase="warp", following="lr_dropout")
    told.tell_training(800)
    told.log.write("saved", iteration=750, proof="saved on this machine")
    told.log.write("gpu", used_mib=5120, total_mib=15360)
    told.log.write(
        "verdict",
        verdicts=[{"call": "still learning", "evidence": "It falls.", "advice": "Train on <."}],
    )
    told.log.write("message", text="Iteration 750: <saved>.")
    monitor.update(told.job.snapshot())

    assert part(monitor, "title").value == "<b>Training tiny</b> · phase: random warp"
    assert part(monitor, "status").value == (
        "Iteration <b>800</b> of 2,000 · 4 per second · 5 min left · "
        "loss src 0.5000, dst 0.2500 · GPU memory 5.0 of 15.0 GB"
    )
    assert (
        part(monitor, "verdict").value == "<b>still learning</b>: It falls. <i>Train on &lt;.</i>"
    )
    assert part(monitor, "saved").value == "Iteration 750: saved on this machine, just now."
    assert "&lt;saved&gt;" in part(monitor, "messages").value
    assert (part(monitor, "bar").value, part(monitor, "bar").max) == (800, 2000)
    assert part(monitor, "next-phase").description == "Next phase: learning-rate dropout"
    # The losses of the model's own files: what was trained before this page was opened.
    assert "Training loss of src and dst" in part(monitor, "curves-box").value


def test_a_training_of_masks_has_one_loss(told: Told):
    told.tell_training(800)
    told.log.write("losses", iteration=800, loss=0.125)

    assert "· loss 0.1250" in texts.status(told.job.snapshot(), time.time())


def test_masks_are_applied_without_a_reason_to_end(told: Told, root: Path):
    told.files.begin({"verb": "mask", "config": {"model": "xseg"}, "began": time.time()})
    log = EventLog(told.files.events)
    log.write("task", title="Masking", done=9, total=9, unit="faces", rate=4.0)
    log.write("end", report={"faces": 9}, summary="9 faces have masks.")
    snapshot = Job(told.files).snapshot()

    assert texts.title(snapshot) == "<b>Masks with xseg</b>"
    assert texts.status(snapshot, time.time()) == "Masking: 9 of 9 faces · <b>ended</b>"


def test_the_deadline_counts_where_it_comes_first(told: Told):
    told.tell_training(800)
    told.log.write("deadline", seconds=100.0)

    left = texts.seconds_left(told.job.snapshot(), time.time())
    assert left is not None
    assert 95 < left <= 100


def test_buttons_ask_the_job_when_the_cell_next_draws(told: Told, monitor: TrainMonitor):
    told.tell_training(10)
    told.log.write("phase", phase="warp", following="lr_dropout")
    monitor.update(told.job.snapshot())
    for name in ("save", "preview-now", "next-phase", "stop"):
        part(monitor, name).click()
    assert told.files.take_wishes() == []

    monitor.update(told.job.snapshot())

    assert told.files.take_wishes() == sorted(Wish)
    assert "Saving" in part(monitor, "note").value
    told.log.write("saved", iteration=11, proof="saved on this machine")
    monitor.update(told.job.snapshot())
    assert "Saving" not in part(monitor, "note").value
    assert "saves and ends" in part(monitor, "note").value


def test_stopping_before_training_has_begun_ends_the_job(told: Told, monitor: TrainMonitor):
    told.log.write("task", title="Loading src faces", done=1, total=9, unit="faces", rate=None)
    part(monitor, "stop").click()
    monitor.update(told.job.snapshot())

    assert told.files.take_wishes() == [STOP]
    assert "stopping" in texts.status(told.job.snapshot(), time.time())


def test_previews_can_be_leafed_through_and_the_newest_follows(
    told: Told, monitor: TrainMonitor, root: Path
):
    history = root / "history" / "tiny"
    history.mkdir(parents=True)
    for iteration in (500, 1000):
        (history / f"preview-{iteration:09d}.jpg").write_bytes(jpeg(iteration))
    told.tell_picture(1200, jpeg(1))
    monitor.update(told.job.snapshot())
    slider, picture = part(monitor, "history"), part(monitor, "preview")
    assert (slider.max, slider.value) == (2, 2)
    assert picture.value == jpeg(1)

    slider.value = 0
    assert picture.value == jpeg(1)  # only the cell draws while it runs
    monitor.update(told.job.snapshot())
    assert picture.value == jpeg(500)
    assert part(monitor, "caption").value == "Iteration 500"

    told.tell_picture(1300, jpeg(2))
    monitor.update(told.job.snapshot())
    assert picture.value == jpeg(500)  # who looks back is left there
    slider.value = slider.max
    monitor.update(told.job.snapshot())
    assert picture.value == jpeg(2)

    monitor.close(told.job.snapshot())
    slider.value = 1
    assert picture.value == jpeg(1000)  # nobody draws any more but the slider itself


def test_nothing_travels_to_the_page_when_nothing_is_new(
    told: Told, monitor: TrainMonitor, monkeypatch: pytest.MonkeyPatch
):
    told.tell_training(10)
    told.tell_picture(10, jpeg(1))
    monitor.update(told.job.snapshot())
    sent: list[object] = []
    monkeypatch.setattr("ipywidgets.Widget._send", lambda self, message, **_: sent.append(message))
    for _ in range(20):
        monitor.update(told.job.snapshot())

    assert sent == []


def test_a_large_preview_is_made_small_enough_for_a_page(tmp_path: Path):
    (tmp_path / "preview.jpg").write_bytes(jpeg(1, size=700))
    previews = Previews(tmp_path / "history", tmp_path / "preview.jpg")
    previews.look(5)

    data, _ = previews.show(0)
    assert (tmp_path / "preview.jpg").stat().st_size > 150_000 >= len(data)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


def test_without_widgets_two_outputs_are_replaced(told: Told, root: Path, monkeypatch):
    shown: list[list[str]] = []

    class Handle:
        def __init__(self) -> None:
            shown.append([])
            self.texts = shown[-1]

        def update(self, what: Any) -> None:
            self.texts.append(what.__class__.__name__)

    monkeypatch.setattr("IPython.display.display", lambda *_, **__: Handle())
    plain = PlainMonitor(told.job, Workspace.open(root))
    told.tell_training(10)
    told.tell_picture(10, jpeg(1))
    plain.close(told.job.snapshot())
    plain.close(told.job.snapshot())

    assert shown == [["HTML"], ["Image"]]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (700, "12 min"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")],
)
def test_spans_are_said_in_two_words_of_time(seconds: float, said: str):
    assert texts.span(seconds) == said


def test_an_end_is_told(told: Told):
    told.tell_training(2000)
    told.log.write("end", report={"stopped_because": "target_iter"}, summary="")
    ended = Job(told.files).snapshot()

    assert isinstance(ended, Snapshot)
    assert not ended.running
    assert "ended: the target is reached" in texts.status(ended, time.time())
